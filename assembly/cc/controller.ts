/**
 * Congestion control of one path, behind events: acknowledgement, loss, timeout, end of recovery, idle time. The
 * caller owns the round-trip estimate and PRR; during recovery and after a timeout it sets `cwnd` itself.
 */
import { baliaAvoid, baliaReduced } from './balia';
import { cubicAvoid, cubicEnd, cubicInit, cubicPause, cubicReduced, cubicTimeout, cubicUndo } from './cubic';
import { hystartApplies, hystartInit, hystartOnAck } from './hystart';
import { CC_BALIA, CC_CUBIC, CC_LIA, CC_OLIA, CC_WVEGAS } from './ids';
import { liaAvoid } from './lia';
import { oliaAvoid, oliaCount, oliaInit, oliaLoss } from './olia';
import { renoAvoid, renoReduced } from './reno';
import { slowStart } from './slow-start';
import { CcState, SSTHRESH_INFINITE } from './state';
import { initialWindow, windowAtLoss } from './window';
import { wvegasInit, wvegasOnAck, wvegasRestart, wvegasSample } from './wvegas';

/** Floor of the timeout that idle time is measured in, microseconds (Linux' TCP_RTO_MIN). */
const MIN_RTO: f64 = 200000;

/** Begins a path. `algorithm` and `mss` are set before; a path outside any list is linked to itself. */
export function ccInit(c: CcState): void {
  if (changetype<usize>(c.next) == 0) c.next = c;
  c.cwnd = initialWindow(c.mss);
  c.ssthresh = SSTHRESH_INFINITE;
  c.cwndCredit = 0;
  c.inRecovery = false;
  c.lastAckAt = 0;
  hystartInit(c);
  cubicInit(c);
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
  if (c.algorithm == CC_CUBIC && hystartApplies(c)) {
    hystartOnAck(c, ackedSegments, rtt, flightAfter);
    return;
  }
  if (!c.cwndLimited) return;
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
 * Fast recovery begins: sets ssthresh. `inFlight` is FlightSize, every segment sent and not cumulatively
 * acknowledged, whether SACKed or lost.
 */
export function ccOnLoss(c: CcState, inFlight: u32, _now: f64): void {
  const window = windowAtLoss(c, inFlight);
  if (c.algorithm == CC_CUBIC) c.ssthresh = cubicReduced(c, window);
  else c.ssthresh = reduced(c, window);
  c.cwndCredit = 0;
  c.inRecovery = true;
}

/**
 * First timeout of a segment: sets ssthresh; the caller sets cwnd to 1. A repeated timeout of the same segment
 * keeps ssthresh (RFC 5681 section 3.1), so it is no event here. `inFlight` as for ccOnLoss.
 */
export function ccOnRto(c: CcState, inFlight: u32, _now: f64): void {
  const window = windowAtLoss(c, inFlight);
  if (c.algorithm == CC_CUBIC) c.ssthresh = cubicTimeout(c, window);
  else c.ssthresh = reduced(c, window);
  if (c.algorithm == CC_WVEGAS) wvegasRestart(c);
  c.cwndCredit = 0;
  c.inRecovery = false;
}

function reduced(c: CcState, window: u32): u32 {
  if (c.algorithm == CC_BALIA) return baliaReduced(c, window);
  if (c.algorithm == CC_OLIA) oliaLoss(c);
  return renoReduced(window);
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
  const floor = min(c.cwnd, initialWindow(c.mss));
  if (idleUs < rto || c.cwnd <= floor) return;
  if (c.ssthresh != SSTHRESH_INFINITE) c.ssthresh = max(c.ssthresh, (c.cwnd >> 1) + (c.cwnd >> 2));
  for (let idle = idleUs; idle >= rto && c.cwnd > floor; idle -= rto) c.cwnd >>= 1;
  c.cwnd = max(c.cwnd, floor);
  c.cwndCredit = 0;
  cubicEnd(c);
  if (c.algorithm == CC_WVEGAS) wvegasRestart(c);
}
