/**
 * Linked increases (RFC 6356): the increase is shared so that all paths together take what one TCP would take on
 * the best of them, and on no path more than a TCP there. The sums use octets, as the RFC does, so that paths of
 * different segment size compare fairly.
 */
import { coupledWindow, hasPartner, takesPart } from './coupled';
import { renoIncrease } from './reno';
import { CcState } from './state';
import { addCredit } from './window';

/** Sum of the windows, octets. */
let total: f64 = 0;
/** Largest cwnd / rtt^2. */
let best: f64 = 0;
/** Sum of cwnd / rtt. */
let rates: f64 = 0;

function measure(c: CcState): void {
  total = 0;
  best = 0;
  rates = 0;
  let p = c;
  do {
    if (takesPart(p)) {
      const octets = coupledWindow(p) * <f64>p.mss;
      const rate = octets / p.srtt;
      total += octets;
      rates += rate;
      best = max(best, rate / p.srtt);
    }
    p = p.next;
  } while (p != c);
}

/** Aggressiveness (section 3, equation (2)), without dimension. */
export function liaAlpha(c: CcState): f64 {
  measure(c);
  return (total * best) / (rates * rates);
}

/** The linked increase in segments per acknowledged segment, before the cap: the first term of equation (1). */
export function liaLinked(c: CcState): f64 {
  return (liaAlpha(c) * <f64>c.mss) / total;
}

/** Increase of c's window in segments per acknowledged segment (section 3, equation (1)). */
export function liaIncrease(c: CcState): f64 {
  const own = renoIncrease(<f64>c.cwnd);
  return hasPartner(c) ? min(liaLinked(c), own) : own;
}

/** Congestion avoidance for `acked` segments. */
export function liaAvoid(c: CcState, acked: u32): void {
  addCredit(c, <f64>acked * liaIncrease(c));
}
