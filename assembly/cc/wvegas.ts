/**
 * Weighted Vegas (Cao et al., ICNP 2012; draft-xu-mptcp-congestion-control-05): once per round trip the window
 * moves by one segment towards a target number of queued segments, and the targets of all paths share a total in
 * proportion to their rates. Losses halve as in Reno.
 */
import { renoAvoid } from './reno';
import { slowStart } from './slow-start';
import { CcState } from './state';

/** Segments that all paths together may keep in queues. */
const TOTAL_ALPHA: f64 = 10;
const MIN_ALPHA: u32 = 2;
/** Queued segments that end slow start. */
const GAMMA: u32 = 1;
const MIN_WINDOW: u32 = 2;
/** Fewer samples do not make a mean: the round falls back to Reno. */
const MIN_SAMPLES: u32 = 3;

/** The measures of a path start anew; the base round trip stays. */
export function wvegasRestart(c: CcState): void {
  c.roundLeft = 0;
  c.vegasRttSum = 0;
  c.vegasRttCount = 0;
  c.vegasAlpha = MIN_ALPHA;
  c.vegasRate = 0;
  c.vegasQueueDelay = 0;
}

export function wvegasInit(c: CcState): void {
  c.vegasBaseRtt = 0;
  wvegasRestart(c);
}

/** Takes a round-trip sample in microseconds. */
export function wvegasSample(c: CcState, rtt: f64): void {
  const sample = max<f64>(rtt, 1);
  if (c.vegasBaseRtt == 0 || sample < c.vegasBaseRtt) c.vegasBaseRtt = sample;
  c.vegasRttSum += sample;
  c.vegasRttCount++;
}

/** An ACK outside of recovery; `flightAfter` segments stay in flight and make the next round. */
export function wvegasOnAck(c: CcState, acked: u32, flightAfter: u32): void {
  if (c.roundLeft > acked) {
    c.roundLeft -= acked;
    if (c.cwndLimited) slowStart(c, acked);
    return;
  }
  c.roundLeft = flightAfter;
  if (c.vegasRttCount < MIN_SAMPLES) {
    if (c.cwndLimited) {
      const left = slowStart(c, acked);
      if (left > 0) renoAvoid(c, left);
    }
  } else if (c.cwnd < c.ssthresh) {
    if (!leaveSlowStart(c, c.vegasRttSum / <f64>c.vegasRttCount) && c.cwndLimited) slowStart(c, acked);
  } else {
    wvegasRound(c, c.vegasRttSum / <f64>c.vegasRttCount);
  }
  c.vegasRttSum = 0;
  c.vegasRttCount = 0;
}

/** Segments of the window that stand in queues, rounded down. */
export function wvegasQueued(cwnd: u32, base: f64, rtt: f64): u32 {
  return <u32>((<f64>cwnd * (rtt - base)) / rtt);
}

/** A standing queue ends slow start, at the window that would just fill the path. */
function leaveSlowStart(c: CcState, rtt: f64): bool {
  if (wvegasQueued(c.cwnd, c.vegasBaseRtt, rtt) <= GAMMA) return false;
  c.cwnd = max(MIN_WINDOW, min(c.cwnd, <u32>((<f64>c.cwnd * c.vegasBaseRtt) / rtt) + 1));
  c.ssthresh = min(c.ssthresh, c.cwnd);
  return true;
}

/** The update of congestion avoidance, once per round trip with mean `rtt` (draft section 3). */
export function wvegasRound(c: CcState, rtt: f64): void {
  const queued = wvegasQueued(c.cwnd, c.vegasBaseRtt, rtt);
  if (queued >= c.vegasAlpha) {
    c.vegasRate = <f64>c.cwnd / rtt;
    c.vegasAlpha = max(MIN_ALPHA, <u32>(weight(c) * TOTAL_ALPHA));
  }
  if (queued > c.vegasAlpha) {
    c.cwnd--;
    c.ssthresh = min(c.ssthresh, c.cwnd);
  } else if (queued < c.vegasAlpha && c.cwndLimited) {
    c.cwnd++;
  }
  drain(c, rtt);
  c.cwnd = max(c.cwnd, MIN_WINDOW);
}

/** The path's part of the rate of all paths. */
function weight(c: CcState): f64 {
  let rates: f64 = c.vegasRate;
  for (let p = c.next; p != c; p = p.next) {
    if (p.usable) rates += p.vegasRate;
  }
  return c.vegasRate / rates;
}

/** Empties the queue when it is twice the least seen, so that the base round trip shows again. */
function drain(c: CcState, rtt: f64): void {
  const delay = rtt - c.vegasBaseRtt;
  if (c.vegasQueueDelay == 0 || delay < c.vegasQueueDelay) c.vegasQueueDelay = delay;
  if (delay > 0 && delay >= 2 * c.vegasQueueDelay) {
    c.cwnd = <u32>((<f64>c.cwnd * c.vegasBaseRtt) / (2 * rtt));
    c.vegasQueueDelay = 0;
  }
}
