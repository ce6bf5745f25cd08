/**
 * CUBIC (RFC 9438). The window follows W_cubic(t) = C (t - K)^3 + W_max, t in seconds since congestion avoidance
 * began, or the window that Reno would have, whichever is larger. Rounded as Linux does it: windows in whole segments,
 * time in units of 1/1024 s, so that both grow with the same acknowledgement.
 */
import { CcState } from './state';
import { addAcked } from './window';

/** C is 410/1024 segments per cubic second, beta 717/1024. */
const C: f64 = 410 / 1024;
const BETA: u32 = 717;
const ONE: u32 = 1024;
/** Eighths of the window that Reno's rate takes for one more segment: 3/8 of (1 + beta) / (1 - beta), rounded down. */
const RENO_EIGHTHS: u32 = (8 * (ONE + BETA)) / 3 / (ONE - BETA);
const UNITS: f64 = ONE / 1e6;
const NO_EPOCH: f64 = -1;
/** How long the same increase serves while the window stays, microseconds. */
const REFRESH: f64 = 31250;
/** The curve is looked at once in this time (Linux' jiffy). */
const TICK: f64 = 4000;
/** Nothing is known of the path yet: 5 % in a round trip at least. */
const UNKNOWN: u32 = 20;

/** Section 4.2, figure 2: units of 1/1024 s from the start of the stage until the window is back at wMax. */
export function cubicK(wMax: u32, cwnd: u32): f64 {
  return wMax > cwnd ? floor(<f64>ONE * Math.cbrt(<f64>(wMax - cwnd) / C)) : 0;
}

export function cubicInit(c: CcState): void {
  c.epochStart = NO_EPOCH;
  c.wMax = 0;
}

/** Congestion avoidance for `acked` segments at time `now`. */
export function cubicAvoid(c: CcState, acked: u32, now: f64): void {
  c.renoCount += acked;
  const fresh = c.perSegmentFor == c.cwnd && now - c.perSegmentAt <= REFRESH && c.epochStart >= 0;
  if (!fresh) c.perSegment = perSegment(c, acked, now);
  addAcked(c, c.perSegment, acked);
}

function perSegment(c: CcState, acked: u32, now: f64): u32 {
  const cwnd = c.cwnd;
  let count = c.perSegment;
  if (c.epochStart < 0 || floor(now / TICK) != floor(c.perSegmentAt / TICK)) {
    c.perSegmentFor = cwnd;
    c.perSegmentAt = now;
    if (c.epochStart < 0) startEpoch(c, cwnd, acked, now);
    count = onCurve(c, cwnd, now);
  }
  // Section 4.3: Reno's slope.
  const step = max<u32>((cwnd * RENO_EIGHTHS) >> 3, 1);
  while (c.renoCount > step) {
    c.renoCount -= step;
    c.renoWindow++;
  }
  if (c.renoWindow > cwnd) count = min(count, cwnd / (c.renoWindow - cwnd));
  return max<u32>(count, 2); // at most half as much again in a round trip
}

/** Section 4.2: the increase that leads to where the curve will be one round trip ahead. */
function onCurve(c: CcState, cwnd: u32, now: f64): u32 {
  const offset = floor((now - c.epochStart + c.minRtt) * UNITS) - c.k;
  const distance = floor((C * Math.abs(offset * offset * offset)) / (<f64>ONE * <f64>ONE * <f64>ONE));
  const target = <f64>c.origin + (offset < 0 ? -distance : distance);
  const count = target > <f64>cwnd ? <u32>(<f64>cwnd / (target - <f64>cwnd)) : 100 * cwnd;
  return c.wMax == 0 ? min(count, UNKNOWN) : count;
}

function startEpoch(c: CcState, cwnd: u32, acked: u32, now: f64): void {
  c.epochStart = now;
  c.renoWindow = cwnd;
  c.renoCount = acked;
  // Sections 4.8 and 4.10: after a timeout, or slow start that ended without loss, the curve begins at its plateau.
  c.origin = max(c.wMax, cwnd);
  c.k = cubicK(c.wMax, cwnd);
}

/** The stage ends without a loss (idle time); W_max stays known. */
export function cubicEnd(c: CcState): void {
  c.epochStart = NO_EPOCH;
}

/** The window did not limit sending since `since`: that time does not count (section 5.8). */
export function cubicPause(c: CcState, pause: f64): void {
  if (c.epochStart >= 0) c.epochStart += pause;
}

/** Multiplicative decrease (section 4.6) with fast convergence (section 4.7); returns ssthresh. */
export function cubicReduced(c: CcState): u32 {
  // A timeout in the middle of recovery is part of one episode, and undone with it.
  if (!c.inRecovery) remember(c);
  const cwnd = c.cwnd;
  c.wMax = cwnd < c.wMax ? (cwnd * (ONE + BETA)) / (2 * ONE) : cwnd;
  c.epochStart = NO_EPOCH;
  return max<u32>((cwnd * BETA) / ONE, 2);
}

/** Timeout (section 4.8): the same decrease, but the next stage knows no W_max. */
export function cubicTimeout(c: CcState): u32 {
  const ssthresh = cubicReduced(c);
  c.wMax = 0;
  return ssthresh;
}

function remember(c: CcState): void {
  c.undoEpochStart = c.epochStart;
  c.undoWMax = c.wMax;
  c.undoOrigin = c.origin;
  c.undoK = c.k;
  c.undoRenoWindow = c.renoWindow;
}

/** The latest reduction proved spurious (section 4.9). */
export function cubicUndo(c: CcState): void {
  c.epochStart = c.undoEpochStart;
  c.wMax = c.undoWMax;
  c.origin = c.undoOrigin;
  c.k = c.undoK;
  c.renoWindow = c.undoRenoWindow;
}
