/**
 * Congestion control of one path, behind events: acknowledgement, loss, timeout, end of recovery, idle time. The
 * caller owns the round-trip estimate and PRR; during recovery and after a timeout it sets `cwnd` itself.
 */
import { baliaAvoid, baliaReduced } from './balia';
import { cubicAvoid, cubicEnd, cubicInit, cubicPause, cubicReduced, cubicTimeout, cubicUndo } from './cubic';
import { hystartApplies, hystartInit, hystartOnAck } from './hystart';
import { CC_BALIA, CC_CUBIC, CC_LIA, CC_OLIA, CC_RENO, CC_WVEGAS } from './ids';
import { liaAvoid, liaInit } from './lia';
import { oliaAvoid, oliaCount, oliaInit, oliaLoss } from './olia';
import { renoAvoid, renoReduced } from './reno';
import { slowStart } from './slow-start';
import { CcState, SSTHRESH_INFINITE } from './state';
import { INITIAL_WINDOW } from './window';
import { wvegasInit, wvegasOnAck, wvegasRestart, wvegasSample } from './wvegas';

/** Floor of the timeout that idle time is measured in, microseconds (Linux' TCP_RTO_MIN). */
const MIN_RTO: f64 = 200000;

/** Begins a path. `algorithm` and `mss` are set before; a path outside any list is linked to itself. */
export function ccInit(c: CcState): void {
  if (changetype<usize>(c.next) == 0) c.next = c;
  c.cwnd = INITIAL_WINDOW;
  c.ssthresh = SSTHRESH_INFINITE;
  c.cwndCredit = 0;
  c.cwndCount = 0;
  c.inRecovery = false;
  c.lastAckAt = 0;
  hystartInit(c);
  cubicInit(c);
  liaInit(c);
  oliaInit(c);
  wvegasInit(c);
}

/**
 * `ackedSegments` segments of `ackedBytes` octets were newly acknowledged. `rtt` is the sample of this ACK
 * (negative: none), `inFlight` the segments in flight before it. In recovery only the bookkeeping runs.
 */
export function ccOnAck(
  c: CcState,
  ackedSegments: u32,
  ackedBytes: u32,
  rtt: f64,
  inFlight: u32,
  now: f64,
): void {
  if (c.algorithm == CC_OLIA) oliaCount(c, ackedBytes);
  if (c.algorithm == CC_WVEGAS && rtt >= 0) wvegasSample(c, rtt);
  if (c.algorithm == CC_CUBIC && !c.cwndLimited) cubicPause(c, max(0, now - c.lastAckAt));
  c.lastAckAt = now;
  if (c.inRecovery || ackedSegments == 0) return;

  const flightAfter = inFlight > ackedSegments ? inFlight - ackedSegments : 0;
  if (c.algorithm == CC_WVEGAS) {
    wvegasOnAck(c, ackedSegments, flightAfter);
    return;
  }
  if (c.algorithm != CC_RENO && hystartApplies(c)) {
    hystartOnAck(c, ackedSegments, rtt, flightAfter);
    return;
  }
  if (!windowLimited(c)) return;
  const left = slowStart(c, ackedSegments);
  if (left == 0) return;
  switch (<i32>c.algorithm) {
    case CC_CUBIC:
      cubicAvoid(c, left, now);
      return;
    case CC_LIA:
      liaAvoid(c, left);
      return;
    case CC_OLIA:
      oliaAvoid(c, left);
      return;
    case CC_BALIA:
      baliaAvoid(c, left);
      return;
    default:
      renoAvoid(c, left);
  }
}

/**
 * The window, not the application, is what holds sending back (RFC 7661). In slow start it may grow to twice what was
 * used of it, as on Linux.
 */
export function windowLimited(c: CcState): bool {
  return c.cwndLimited || (c.cwnd < c.ssthresh && c.cwnd < 2 * c.maxPacketsOut);
}

/**
 * Fast recovery begins: sets ssthresh from the window, as on Linux (RFC 5681 section 3.1 has FlightSize; what the
 * application did not use of the window is taken away by `ccOnUnused`).
 */
export function ccOnLoss(c: CcState): void {
  c.ssthresh = c.algorithm == CC_CUBIC ? cubicReduced(c) : reduced(c);
  c.cwndCredit = 0;
  c.cwndCount = 0;
  c.inRecovery = true;
}

/**
 * First timeout of a segment: sets ssthresh; the caller sets cwnd. A repeated timeout of the same segment keeps
 * ssthresh (RFC 5681 section 3.1), so it is no event here.
 */
export function ccOnRto(c: CcState): void {
  c.ssthresh = c.algorithm == CC_CUBIC ? cubicTimeout(c) : reduced(c);
  if (c.algorithm == CC_WVEGAS) wvegasRestart(c);
  c.cwndCredit = 0;
  c.cwndCount = 0;
  c.inRecovery = false;
}

function reduced(c: CcState): u32 {
  if (c.algorithm == CC_BALIA) return baliaReduced(c, c.cwnd);
  if (c.algorithm == CC_OLIA) oliaLoss(c);
  return renoReduced(c.cwnd);
}

/** ssthresh that three quarters of the window are worth, outside of reductions (RFC 2861). */
export function currentSsthresh(c: CcState): u32 {
  return max(c.ssthresh, (c.cwnd >> 1) + (c.cwnd >> 2));
}

/** For a retransmission timeout no more than `used` segments of the window were in use: it goes half the way there. */
export function ccOnUnused(c: CcState, used: u32): void {
  const least = max(used, INITIAL_WINDOW);
  if (least >= c.cwnd) return;
  c.ssthresh = currentSsthresh(c);
  c.cwnd = (c.cwnd + least) >> 1;
}

/** Everything that was in flight at the loss is acknowledged; the caller has set cwnd. */
export function ccOnRecoveryExit(c: CcState): void {
  c.inRecovery = false;
  if (c.algorithm == CC_WVEGAS) wvegasRestart(c);
}

/** The latest reduction was spurious (Eifel, D-SACK): the caller restores cwnd and ssthresh, this the rest. */
export function ccOnUndo(c: CcState): void {
  c.inRecovery = false;
  if (c.algorithm == CC_CUBIC) cubicUndo(c);
}

/**
 * Sending resumes after `idleUs` without any; `timeout` is the retransmission timeout. The window decays as RFC 2861
 * section 3.1 has it: half per timeout down to the initial window, and ssthresh remembers three quarters of what was
 * known.
 */
export function ccOnIdle(c: CcState, idleUs: f64, timeout: f64): void {
  cubicPause(c, idleUs);
  c.lastAckAt += idleUs;
  const rto = max(MIN_RTO, timeout);
  if (idleUs <= rto) return;
  const floor = min(c.cwnd, INITIAL_WINDOW);
  c.ssthresh = currentSsthresh(c);
  for (let idle = idleUs - rto; idle > 0 && c.cwnd > floor; idle -= rto) c.cwnd >>= 1;
  c.cwnd = max(c.cwnd, floor);
  c.cwndCredit = 0;
  cubicEnd(c);
  if (c.algorithm == CC_WVEGAS) wvegasRestart(c);
}
