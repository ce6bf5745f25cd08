/**
 * CUBIC (RFC 9438). The window follows W_cubic(t) = C (t - K)^3 + W_max, t in seconds since congestion avoidance
 * began, or the window that Reno would have, whichever is larger. Windows in segments.
 */
import { CcState } from './state';
import { addCredit, atLeastTwo, exactWindow } from './window';

const C: f64 = 0.4;
const BETA: f64 = 0.7;
/** Increase that gives Reno's average rate with CUBIC's decrease (section 4.3). */
const ALPHA: f64 = (3 * (1 - BETA)) / (1 + BETA);
const SECOND: f64 = 1e6;
const NO_EPOCH: f64 = -1;

/** Section 4.2, figure 1; `t` in seconds. */
export function cubicWindow(t: f64, k: f64, wMax: f64): f64 {
  const x = t - k;
  return C * x * x * x + wMax;
}

/** Section 4.2, figure 2: seconds from the start of the stage until the window is back at wMax. */
export function cubicK(wMax: f64, cwndEpoch: f64): f64 {
  return wMax > cwndEpoch ? Math.cbrt((wMax - cwndEpoch) / C) : 0;
}

export function cubicInit(c: CcState): void {
  c.epochStart = NO_EPOCH;
  c.wMax = 0;
  c.cwndPrior = 0;
}

/** Congestion avoidance for `acked` segments at time `now`. */
export function cubicAvoid(c: CcState, acked: u32, now: f64): void {
  const cwnd = exactWindow(c);
  if (c.epochStart < 0) startEpoch(c, cwnd, now);
  const t = (now - c.epochStart) / SECOND;

  // Section 4.3: Reno's slope from the window before the loss onwards.
  const alpha = c.wEst >= c.cwndPrior ? 1 : ALPHA;
  c.wEst += (alpha * <f64>acked) / cwnd;
  if (cubicWindow(t, c.k, c.wMax) < c.wEst) {
    if (c.wEst > cwnd) addCredit(c, c.wEst - cwnd);
    return;
  }
  // Section 4.2: where the curve will be one round trip ahead, at most half as much again.
  const ahead = cubicWindow(t + c.srtt / SECOND, c.k, c.wMax);
  const target = min(max(ahead, cwnd), 1.5 * cwnd);
  addCredit(c, (<f64>acked * (target - cwnd)) / cwnd);
}

function startEpoch(c: CcState, cwnd: f64, now: f64): void {
  c.epochStart = now;
  c.wEst = cwnd;
  // Sections 4.8 and 4.10: after a timeout, or slow start that ended without loss, the curve begins at its plateau.
  if (c.wMax < cwnd) c.wMax = cwnd;
  if (c.cwndPrior == 0) c.cwndPrior = cwnd;
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
export function cubicReduced(c: CcState, window: u32): u32 {
  // A timeout in the middle of recovery is part of one episode, and undone with it.
  if (!c.inRecovery) remember(c);
  const cwnd = exactWindow(c);
  c.cwndPrior = cwnd;
  c.wMax = cwnd < c.wMax ? (cwnd * (1 + BETA)) / 2 : cwnd;
  c.epochStart = NO_EPOCH;
  return atLeastTwo(<f64>window * BETA);
}

/** Timeout (section 4.8): the same decrease, but the next stage knows no W_max. */
export function cubicTimeout(c: CcState, window: u32): u32 {
  const ssthresh = cubicReduced(c, window);
  c.wMax = 0;
  return ssthresh;
}

function remember(c: CcState): void {
  c.undoEpochStart = c.epochStart;
  c.undoWMax = c.wMax;
  c.undoWEst = c.wEst;
  c.undoK = c.k;
  c.undoCwndPrior = c.cwndPrior;
}

/** The latest reduction proved spurious (section 4.9). */
export function cubicUndo(c: CcState): void {
  c.epochStart = c.undoEpochStart;
  c.wMax = c.undoWMax;
  c.wEst = c.undoWEst;
  c.k = c.undoK;
  c.cwndPrior = c.undoCwndPrior;
}
