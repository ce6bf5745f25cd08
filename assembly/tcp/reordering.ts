/**
 * How far segments overtake each other on the way, and, without SACK, how many have arrived beyond a hole (RFC 6582,
 * RFC 5681 section 3.2): both as Linux counts them.
 */
import { seqLt } from '../seq';
import { tcpMaxReordering } from '../sysctl';
import { SF_SACK, Subflow } from './subflow';

/** What begins at `low` arrived although what ends at `high` had, and was not repeated. */
export function noteReordering(sf: Subflow, low: u32, high: u32): void {
  if (!seqLt(low, high)) return;
  const size = max<u32>(sf.mss, 1);
  const distance = high - low;
  if (distance > sf.reordering * size) sf.reordering = min((distance + size - 1) / size, tcpMaxReordering);
  sf.reordSeen++;
}

// ---- without SACK: `sackedOut` is a number, no segment is marked ---------------------------------------------

/** `segments` were acknowledged: the hole, and what the duplicate ACKs stood for. */
export function renoAcked(sf: Subflow, segments: u32): void {
  if (segments == 0) return;
  sf.delivered += max<u32>(segments - min(segments, sf.sackedOut), 1);
  sf.sackedOut = segments - 1 >= sf.sackedOut ? 0 : sf.sackedOut - (segments - 1);
  limitReno(sf, segments);
}

/** Each duplicate ACK says that one segment left the network. */
export function renoDuplicates(sf: Subflow, duplicates: u32): void {
  if (duplicates == 0) return;
  const before = sf.sackedOut;
  sf.sackedOut += duplicates;
  limitReno(sf, 0);
  if (sf.sackedOut > before) sf.delivered += sf.sackedOut - before;
}

/** More duplicates than segments can be out there: some were reordered. */
function limitReno(sf: Subflow, acked: u32): void {
  const holes = min(max<u32>(sf.lostOut, 1), sf.packetsOut);
  if (sf.sackedOut + holes <= sf.packetsOut) return;
  sf.sackedOut = sf.packetsOut - holes;
  sf.reordering = min(sf.packetsOut + acked, tcpMaxReordering);
  sf.reordSeen++;
}

@inline
export function renoReset(sf: Subflow): void {
  if (!sf.is(SF_SACK)) sf.sackedOut = 0;
}
