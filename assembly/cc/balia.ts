/**
 * Balanced linked adaptation (Peng et al., IEEE/ACM ToN 2016; draft-walid-mptcp-congestion-control-04). This is the
 * form of the paper in f64: Linux rounds alpha down to an integer before the decrease, which for alpha between
 * 1 and 2 halves where the paper takes up to three quarters; we do not copy that.
 */
import { coupledWindow, takesPart } from './coupled';
import { renoIncrease } from './reno';
import { CcState } from './state';
import { addCredit, atLeastTwo } from './window';

/** Largest and total cwnd / rtt, segments per microsecond. */
let fastest: f64 = 0;
let rates: f64 = 0;

function measure(c: CcState): void {
  fastest = 0;
  rates = 0;
  let p = c;
  do {
    if (takesPart(p)) {
      const rate = coupledWindow(p) / p.srtt;
      rates += rate;
      fastest = max(fastest, rate);
    }
    p = p.next;
  } while (p != c);
}

/** How far the path is behind the fastest: alpha >= 1, exactly 1 for the fastest or a lone path. */
export function baliaAlpha(c: CcState): f64 {
  if (!takesPart(c)) return 1;
  measure(c);
  return (fastest * c.srtt) / coupledWindow(c);
}

/** Increase of c's window in segments per acknowledged segment; a lone path gets Reno's 1 / cwnd. */
export function baliaIncrease(c: CcState): f64 {
  if (!takesPart(c)) return renoIncrease(<f64>c.cwnd);
  const alpha = baliaAlpha(c);
  const rate = coupledWindow(c) / c.srtt;
  return ((rate / (c.srtt * rates * rates)) * ((1 + alpha) / 2) * (4 + alpha)) / 5;
}

/** Segments taken off a window at a loss. */
export function baliaDecrease(window: f64, alpha: f64): f64 {
  return (window / 2) * min(alpha, 1.5);
}

/** Congestion avoidance for `acked` segments. */
export function baliaAvoid(c: CcState, acked: u32): void {
  addCredit(c, <f64>acked * baliaIncrease(c));
}

/** ssthresh after a loss. */
export function baliaReduced(c: CcState, window: u32): u32 {
  return atLeastTwo(<f64>window - baliaDecrease(<f64>window, baliaAlpha(c)));
}
