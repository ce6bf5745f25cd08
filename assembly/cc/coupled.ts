/** What the coupled algorithms share: which paths count, and with which window. */
import { CcState } from './state';

/** A path counts once it may send and has been measured (RFC 6356 section 3 sums over established subflows). */
export function takesPart(c: CcState): bool {
  return c.usable && c.srtt > 0;
}

/** The window that a path contributes: in fast recovery its target, not PRR's moving value. */
export function coupledWindow(c: CcState): f64 {
  return <f64>(c.inRecovery ? min(c.cwnd, c.ssthresh) : c.cwnd);
}

/** The path has a partner; without one every coupled algorithm is Reno. */
export function hasPartner(c: CcState): bool {
  if (!takesPart(c)) return false;
  for (let p = c.next; p != c; p = p.next) {
    if (takesPart(p)) return true;
  }
  return false;
}
