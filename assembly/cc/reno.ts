/** Reno: additive increase of one segment per round trip, halving on loss (RFC 5681). */
import { CcState } from './state';
import { addAcked, MIN_SSTHRESH } from './window';

/** Increase per acknowledged segment (RFC 5681 section 3.1, equation (3)). */
export function renoIncrease(cwnd: f64): f64 {
  return 1 / cwnd;
}

/** Congestion avoidance for `acked` segments. */
export function renoAvoid(c: CcState, acked: u32): void {
  addAcked(c, c.cwnd, acked);
}

/** ssthresh after a loss (RFC 5681 section 3.1, equation (4)). */
export function renoReduced(window: u32): u32 {
  return max<u32>(window >> 1, MIN_SSTHRESH);
}
