/**
 * Linked increases (RFC 6356): the increase is shared so that all paths together take what one TCP would take on
 * the best of them, and on no path more than a TCP there. The sums use octets, as the RFC does, so that paths of
 * different segment size compare fairly.
 *
 * The formula equates the rate of all paths with what a TCP has on the best of them in equilibrium (Wischik et al.,
 * NSDI 2011, section 2.5). Which path is best, and how good, a window that has just been halved does not tell: with
 * it the path looks poor, grows slowly for that, and stays poor. So that term goes by the mean window where that is
 * larger; the sum goes by the windows of the moment, as in the RFC, and the increase is never above Reno's.
 */
import { coupledWindow, hasPartner, takesPart } from './coupled';
import { renoIncrease } from './reno';
import { CcState } from './state';
import { addCredit } from './window';

/** Round trips that the mean window reaches back, roughly; with 32 two subflows take what one TCP takes beside them. */
const MEMORY: f64 = 32;

/** Sum of the windows, octets. */
let total: f64 = 0;
/** Largest cwnd / rtt^2, of the present or the mean window. */
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
      const window = coupledWindow(p);
      const octets = window * <f64>p.mss;
      total += octets;
      rates += octets / p.srtt;
      best = max(best, (max(window, p.meanWindow) * <f64>p.mss) / (p.srtt * p.srtt));
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
  const window = <f64>c.cwnd;
  if (c.meanWindow == 0) c.meanWindow = window;
  else c.meanWindow += (window - c.meanWindow) * min(1, <f64>acked / (MEMORY * window));
  addCredit(c, <f64>acked * liaIncrease(c));
}

export function liaInit(c: CcState): void {
  c.meanWindow = 0;
}
