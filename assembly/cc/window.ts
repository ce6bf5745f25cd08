/** Arithmetic on the congestion window that every algorithm needs. */
import { CcState } from './state';

/** RFC 5681 section 3.1, equation (4). */
export const MIN_SSTHRESH: u32 = 2;

/** Absorbs rounding, so that ten tenths make one. */
const EPSILON: f64 = 1e-9;

/** Initial window (RFC 6928 section 2). */
export function initialWindow(mss: u32): u32 {
  return min<u32>(10, max<u32>(2, 14600 / max<u32>(mss, 1)));
}

/** The window with its fraction of a segment. */
export function exactWindow(c: CcState): f64 {
  return <f64>c.cwnd + c.cwndCredit;
}

/** Moves the window by `segments`, which may be negative; whole segments go to cwnd, the rest to the credit. */
export function addCredit(c: CcState, segments: f64): void {
  const credit = c.cwndCredit + segments;
  const whole = trunc(credit + (credit < 0 ? -EPSILON : EPSILON));
  c.cwndCredit = credit - whole;
  // A window of one segment is the floor (OLIA may take windows down).
  c.cwnd = <u32>max<f64>(1, <f64>c.cwnd + whole);
}

/**
 * The window that a reduction starts from: FlightSize (RFC 5681 section 3.1), but not the segments that limited
 * transmit added to the window (RFC 3042).
 */
export function windowAtLoss(c: CcState, inFlight: u32): u32 {
  return min(c.cwnd, inFlight);
}

export function atLeastTwo(segments: f64): u32 {
  return max<u32>(MIN_SSTHRESH, <u32>(segments + EPSILON));
}
