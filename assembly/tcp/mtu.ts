/**
 * How large packets of a subflow may be: as its path takes them, or as a router has said (path-mtu.ts).
 *
 * Paths that take small packets only, and do not say so (RFC 2923 section 2.1; RFC 8899 section 4.3 calls it a black
 * hole). Large ones that are lost three timeouts in a row are sent again in small pieces. When those arrive, the next
 * large one tells an outage, which is over, from a path that has become narrower: only if it is lost as well, segments
 * stay small.
 */
import { now } from '../host';
import { knownMtu, knownUntil, mtuKnown } from '../path-mtu';
import { pathMtu } from '../paths';
import { Rec, recAt } from './records';
import { Subflow } from './subflow';

/** Timeouts in a row before small pieces are tried. */
const TIMEOUTS: u32 = 3;
/** Least MTU of IPv6 links, and what tunnels over IPv4 leave at least, as a rule. */
const NARROW: u32 = 1280;
/** What every IPv4 host takes (RFC 1122 section 3.3.3). */
const LEAST: u32 = 576;

@inline
function least(sf: Subflow): u32 {
  return sf.family == 4 ? LEAST : NARROW;
}

/** A subflow begins with what its path takes, or with what is known of the way to its destination. */
export function takePathMtu(sf: Subflow): void {
  sf.mtu = pathMtu(sf.path);
  sf.mtuUntil = Infinity;
  if (!mtuKnown(sf.path, sf.remoteHigh, sf.remoteLow) || knownMtu >= sf.mtu) return;
  sf.mtu = knownMtu;
  sf.mtuUntil = knownUntil;
}

/** After a timeout. True: `sf.mtu` has changed. */
export function mtuTimeout(sf: Subflow): bool {
  if (sf.wideMtu != 0 || sf.mtu <= least(sf) || recAt(sf, sf.recHead).length <= least(sf)) return false;
  if (sf.mtuDoubted) {
    sf.mtu = sf.mtu > NARROW ? NARROW : least(sf);
    return true;
  }
  if (sf.retries != TIMEOUTS) return false;
  sf.wideMtu = sf.mtu;
  sf.mtu = least(sf);
  return true;
}

/** After data was acknowledged. True: `sf.mtu` has changed. */
export function mtuAcked(sf: Subflow): bool {
  if (sf.wideMtu == 0) return false;
  sf.mtu = sf.wideMtu;
  sf.wideMtu = 0;
  sf.mtuDoubted = true;
  sf.mtuAt = now;
  return true;
}

/** A record was acknowledged that was sent at full size, or a part of it. */
@inline
export function mtuProved(sf: Subflow, r: Rec): void {
  if (sf.mtuDoubted && r.xmit > sf.mtuAt && r.length > least(sf)) sf.mtuDoubted = false;
}
