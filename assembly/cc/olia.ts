/**
 * Opportunistic linked increases (Khalili et al., CoNEXT 2012; draft-khalili-mptcp-congestion-control-05): coupled
 * as LIA, plus a term that moves window from the largest paths to the best ones. The quality of a path is
 * l / rtt^2, l the octets it carries between losses.
 */
import { coupledWindow, hasPartner, takesPart } from './coupled';
import { renoIncrease } from './reno';
import { CcState } from './state';
import { addCredit } from './window';

/** Sum of cwnd / rtt. */
let rates: f64 = 0;
let largestWindow: f64 = 0;
let bestQuality: f64 = 0;
let paths: f64 = 0;
/** Paths with the largest window, and best paths that are not among them. */
let largest: f64 = 0;
let collected: f64 = 0;

function quality(c: CcState): f64 {
  return max(c.oliaSinceLoss, c.oliaBetweenLosses) / (c.srtt * c.srtt);
}

function isLargest(c: CcState): bool {
  return coupledWindow(c) == largestWindow;
}

function isCollected(c: CcState): bool {
  return quality(c) == bestQuality && !isLargest(c);
}

function measure(c: CcState): void {
  rates = 0;
  largestWindow = 0;
  bestQuality = 0;
  let p = c;
  do {
    if (takesPart(p)) {
      const window = coupledWindow(p);
      rates += window / p.srtt;
      largestWindow = max(largestWindow, window);
      bestQuality = max(bestQuality, quality(p));
    }
    p = p.next;
  } while (p != c);

  paths = 0;
  largest = 0;
  collected = 0;
  do {
    if (takesPart(p)) {
      paths++;
      if (isLargest(p)) largest++;
      else if (isCollected(p)) collected++;
    }
    p = p.next;
  } while (p != c);
}

/** The share of window that the path gains or gives away (draft section 2.1); call after measure. */
function shift(c: CcState): f64 {
  if (collected == 0) return 0;
  if (isCollected(c)) return 1 / (paths * collected);
  if (isLargest(c)) return -1 / (paths * largest);
  return 0;
}

/** alpha of the path, without dimension. */
export function oliaAlpha(c: CcState): f64 {
  measure(c);
  return shift(c);
}

/** Change of c's window in segments per acknowledged segment; may be negative (draft section 2.1). */
export function oliaIncrease(c: CcState): f64 {
  if (!hasPartner(c)) return renoIncrease(<f64>c.cwnd);
  const alpha = oliaAlpha(c);
  const window = coupledWindow(c);
  return window / (c.srtt * c.srtt) / (rates * rates) + alpha / window;
}

/** Congestion avoidance for `acked` segments. */
export function oliaAvoid(c: CcState, acked: u32): void {
  addCredit(c, <f64>acked * oliaIncrease(c));
}

export function oliaInit(c: CcState): void {
  c.oliaSinceLoss = 0;
  c.oliaBetweenLosses = 0;
}

/** Counts the octets of every acknowledgement, in recovery too. */
export function oliaCount(c: CcState, ackedBytes: u32): void {
  c.oliaSinceLoss += <f64>ackedBytes;
}

/** A loss begins a new interval. */
export function oliaLoss(c: CcState): void {
  c.oliaBetweenLosses = c.oliaSinceLoss;
  c.oliaSinceLoss = 0;
}
