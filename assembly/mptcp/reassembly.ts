/**
 * Data-level reassembly in place: every octet goes to its final position in the receive ring, in order or not; a sorted
 * list of ranges tells what has arrived beyond a hole. Until the receive area is used again, octets may wait where they
 * lie (direct.ts): what is in no piece there is in the ring.
 */
import { alloc, free, memoryShort } from '../arena';
import {
  MIB_DataOFODrop,
  MIB_DuplicateData,
  MIB_NoDSSInWindow,
  MIB_OFOMerge,
  MIB_OFOQueue,
  MIB_OFOQueueTail,
} from '../mib';
import { count } from '../counters';
import { dsnDiff, dsnGt, dsnLe, dsnLt, dsnMin } from '../dsn';
import { now } from '../host';
import {
  ADDED_MERGED,
  endOf,
  Intervals,
  intervalsAdd,
  intervalsCover,
  intervalsCut,
  intervalsFind,
  intervalsFree,
  intervalsReach,
  intervalsSpan,
  NOT_ADDED,
  startOf,
} from '../intervals';
import { maxRanges } from '../limits';
import {
  directAdd,
  directDrop,
  directEmpty,
  directFind,
  directForget,
  directLength,
  directTake,
  takenAt,
  takenSeq,
} from './direct';
import { windowReads } from './receive-window';
import { Connection, C_MPTCP, C_PEER_DONE, C_PEER_FIN, tellReadable } from './connection';

@inline
function rangesOf(c: Connection): Intervals {
  return changetype<Intervals>(changetype<usize>(c) + offsetof<Connection>('oooAt'));
}

/** Where an octet lies in the ring. */
@inline
function ringAt(c: Connection, dsn: u64): u32 {
  return (<u32>dsn - c.rcvStart) & (c.rcvCap - 1);
}

/** Right edge of what the ring can take. */
@inline
export function receiveEdge(c: Connection): u64 {
  return c.readSeq + c.rcvCap;
}

/** Data sequence number after the last octet that came, beyond holes or not. */
export function dataEnd(c: Connection): u64 {
  return c.rcvNxt + intervalsSpan(rangesOf(c), c.rcvNxt);
}

/** The ring exists after this; false: no memory. */
export function receivePrepare(c: Connection): bool {
  if (c.rcv == 0) c.rcv = alloc(c.rcvCap);
  if (c.tuneAt == 0) {
    c.tuneAt = now;
    c.tuneSeq = c.readSeq;
  }
  return c.rcv != 0;
}

/**
 * An empty ring is given back: at rest, ten thousand connections would hold gigabytes. With it go pieces of what does
 * not count any more, as it lies beyond the end of the stream.
 */
export function receiveRest(c: Connection): void {
  if (c.rcv == 0 || c.unread != 0 || c.oooCount != 0) return;
  directForget(c);
  free(c.rcv, c.rcvCap);
  c.rcv = 0;
}

/** Stores octets [dsn, dsn + length). What lies outside the window is cut off. True when rcvNxt moved. */
export function placeData(c: Connection, dsn: u64, from: usize, length: u32): bool {
  let start = dsn;
  let end = dsn + length;
  if (dsnLe(end, c.rcvNxt)) {
    count(MIB_DuplicateData);
    return false;
  }
  // Nothing follows the end of the stream, whatever a fallback made of the numbers since.
  if (c.is(C_PEER_DONE)) {
    count(MIB_NoDSSInWindow);
    return false;
  }
  if (dsnLt(start, c.rcvNxt)) {
    count(MIB_DuplicateData);
    from += <usize>(c.rcvNxt - start);
    start = c.rcvNxt;
  }
  let edge = receiveEdge(c);
  // Nothing follows a DATA_FIN.
  if (c.is(C_PEER_FIN) && c.is(C_MPTCP)) edge = dsnMin(edge, c.peerFin);
  if (dsnGt(end, edge)) {
    // Beyond what was advertised: dropped here, acknowledged by the subflow (RFC 8684 section 3.3.5).
    count(MIB_NoDSSInWindow);
    if (!dsnLt(start, edge)) return false;
    end = edge;
  }
  // Octets that were held may be placed when everything before them has been read.
  if (!receivePrepare(c)) return false;
  if (start != c.rcvNxt) {
    if (!placeBeyond(c, start, from, end)) count(MIB_DataOFODrop);
    return false;
  }
  placeGaps(c, start, from, end);
  c.rcvNxt = c.oooCount == 0 ? end : intervalsReach(rangesOf(c), end);
  tellReadable(c);
  return true;
}

/** Octets beyond a hole. False: one range more than there may be. */
function placeBeyond(c: Connection, start: u64, from: usize, end: u64): bool {
  const v = rangesOf(c);
  const i = intervalsFind(v, start);
  const touches = i < v.count && dsnLe(startOf(v, i), end);
  if (touches) placeGaps(c, start, from, end);
  if (!rangeAdd(c, start, end)) return false;
  if (!touches) place(c, start, from, <u32>(end - start));
  return true;
}

function place(c: Connection, dsn: u64, from: usize, length: u32): void {
  if (!directAdd(c, dsn, from, length)) copyIn(c, dsn, from, length);
}

function copyIn(c: Connection, dsn: u64, from: usize, length: u32): void {
  const at = ringAt(c, dsn);
  const first = min<u32>(length, c.rcvCap - at);
  memory.copy(c.rcv + at, from, first);
  if (first != length) memory.copy(c.rcv, from + first, length - first);
}

/** What has arrived before stays as it came: a peer may not change octets afterwards (RFC 8684 section 3.3.1). */
function placeGaps(c: Connection, start: u64, from: usize, end: u64): void {
  const v = rangesOf(c);
  let i = intervalsFind(v, start);
  let dsn = start;
  while (dsnLt(dsn, end)) {
    const gapEnd = i < v.count ? dsnMin(end, startOf(v, i)) : end;
    if (dsnLt(dsn, gapEnd)) place(c, dsn, from + <usize>(dsn - start), <u32>(gapEnd - dsn));
    if (i == v.count) return;
    dsn = endOf(v, i++);
  }
}

function rangeAdd(c: Connection, start: u64, end: u64): bool {
  const v = rangesOf(c);
  count(MIB_OFOQueue);
  if (intervalsCover(v, start, end)) {
    count(MIB_DuplicateData);
    return true;
  }
  if (v.count != 0 && dsnLe(endOf(v, v.count - 1), start)) count(MIB_OFOQueueTail);
  const result = intervalsAdd(v, start, end, maxRanges);
  if (result == ADDED_MERGED) count(MIB_OFOMerge);
  return result != NOT_ADDED;
}

/**
 * The area for the packets after those in `area`: the same one if nothing of it can be read any more, for it is in the
 * processor's cache, else the other one. Octets that lie in packets there go to their places in the ring.
 */
export function nextArea(area: u32): u32 {
  if (directEmpty(area)) return area;
  area ^= 1;
  for (let p = directTake(area); p != 0; p = directTake(area)) {
    copyIn(changetype<Connection>(p), takenSeq, takenAt, directLength);
  }
  return area;
}

// ---- the application's side -------------------------------------------------------------------------------

export function readPointer(c: Connection, skip: u32): usize {
  const seq = c.readSeq + skip;
  const at = directFind(c, seq);
  return at != 0 ? at : c.rcv + ringAt(c, seq);
}

export function readContiguous(c: Connection, skip: u32, ready: u32): u32 {
  if (ready == 0) return 0;
  const seq = c.readSeq + skip;
  if (directFind(c, seq) != 0) return min(ready, directLength);
  const inRing = directLength == 0 ? ready : min(ready, directLength);
  return min(inRing, c.rcvCap - ringAt(c, seq));
}

/** Octets from rcvNxt to the last one that came beyond a hole. */
@inline
export function oooSpan(c: Connection): u64 {
  return c.oooCount == 0 ? 0 : intervalsSpan(rangesOf(c), c.rcvNxt);
}

/** The application took `n` octets. */
export function consume(c: Connection, n: u32): void {
  c.readSeq += n;
  c.bytesRead += n;
  directDrop(c, c.readSeq);
  // An empty ring begins at its first octet again: what it uses of its memory stays in the processor's cache.
  if (c.readSeq == c.rcvNxt && c.oooCount == 0) c.rcvStart = <u32>c.readSeq;
  receiveRest(c);
  windowReads(c, n);
}

/** The ring grows to hold so many octets, as far as its limit and memory allow. */
export function ringFor(c: Connection, octets: u32): void {
  while (c.rcvCap < octets && c.rcvCap < c.rcvMax) {
    if (memoryShort()) return;
    const capacity = c.rcvCap * 2;
    if (c.rcv != 0 && !moveTo(c, capacity)) return;
    c.rcvCap = capacity;
  }
}

/** To a ring of another size; the old one remains when there is no memory. */
function moveTo(c: Connection, capacity: u32): bool {
  const fresh = alloc(capacity);
  if (fresh == 0) return false;
  const end = dataEnd(c);
  let dsn = c.readSeq;
  while (dsnLt(dsn, end)) {
    const from = ringAt(c, dsn);
    const to = (<u32>dsn - c.rcvStart) & (capacity - 1);
    const n = min<u32>(min<u32>(c.rcvCap - from, capacity - to), <u32>(end - dsn));
    memory.copy(fresh + to, c.rcv + from, n);
    dsn += n;
  }
  free(c.rcv, c.rcvCap);
  c.rcv = fresh;
  return true;
}

/** Nothing from `dsn` on counts any more: the stream ends there. */
export function receiveEnd(c: Connection, dsn: u64): void {
  intervalsCut(rangesOf(c), dsn, dsn + 0x40000000);
}

export function receiveFree(c: Connection): void {
  directForget(c);
  intervalsFree(rangesOf(c));
  if (c.rcv != 0) free(c.rcv, c.rcvCap);
  c.rcv = 0;
}
