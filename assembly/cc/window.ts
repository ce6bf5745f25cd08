/** Arithmetic on the congestion window that every algorithm needs. */
import { CcState } from './state';

/** RFC 5681 section 3.1, equation (4). */
export const MIN_SSTHRESH: u32 = 2;

/** Absorbs rounding, so that ten tenths make one. */
const EPSILON: f64 = 1e-9;

/** Initial window (RFC 6928), as on Linux whatever the segment size is. */
export const INITIAL_WINDOW: u32 = 10;

/** The window with its fraction of a segment. */
export function exactWindow(c: CcState): f64 {
  return <f64>c.cwnd + c.cwndCredit + min(<f64>c.cwndCount / <f64>max<u32>(c.cwnd, 1), 1);
}

/** `acked` segments in congestion avoidance, of which `per` make the window one larger (Linux' tcp_cong_avoid_ai). */
export function addAcked(c: CcState, per: u32, acked: u32): void {
  if (c.cwndCount >= per) {
    c.cwndCount = 0;
    c.cwnd++;
  }
  c.cwndCount += acked;
  if (c.cwndCount < per) return;
  const more = c.cwndCount / per;
  c.cwndCount -= more * per;
  c.cwnd += more;
}

/** Moves the window by `segments`, which may be negative; whole segments go to cwnd, the rest to the credit. */
export function addCredit(c: CcState, segments: f64): void {
  const credit = c.cwndCredit + segments;
  const whole = trunc(credit + (credit < 0 ? -EPSILON : EPSILON));
  c.cwndCredit = credit - whole;
  // A window of one segment is the floor (OLIA may take windows down).
  c.cwnd = <u32>max<f64>(1, <f64>c.cwnd + whole);
}

export function atLeastTwo(segments: f64): u32 {
  return max<u32>(MIN_SSTHRESH, <u32>(segments + EPSILON));
}
