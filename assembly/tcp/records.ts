/**
 * The retransmission queue of a subflow: one record per burst sent and not yet acknowledged, in a ring that doubles
 * when full. A burst counts as its segments everywhere, and falls apart into one record for each once the peer has some
 * of them and lacks others (`recShatter`). Records have ids that only grow, so that the list by transmission time (RACK
 * needs it) can link them without moving anything. A segment that shrinks (path MTU) goes out in pieces of the same
 * mapping.
 */
import { alloc, allocBeyond, blockSize, free } from '../arena';
import { seqLe } from '../seq';
import { Subflow } from './subflow';

export const REC_SACKED: u32 = 1;
export const REC_LOST: u32 = 2;
/** A retransmission is in flight. */
export const REC_RETRANS: u32 = 4;
/** Was retransmitted at some time: no round-trip sample (Karn). */
export const REC_EVER_RETRANS: u32 = 8;
export const REC_FIN: u32 = 16;
/** The mapping ends with DATA_FIN. */
export const REC_DATA_FIN: u32 = 32;
/** First data of the connection's opener: carries MP_CAPABLE until the peer is known to have our key. */
export const REC_CAPABLE: u32 = 64;
/** In the list by transmission time. */
export const REC_TIMED: u32 = 128;
export const REC_PSH: u32 = 256;
/** Already queued for another subflow. */
export const REC_REINJECTED: u32 = 512;
/** Carries the infinite mapping that answers MP_FAIL (RFC 8684 section 3.7). */
export const REC_INFINITE: u32 = 1024;
/** It left when the program, not the path, limited what was out (rate.ts). */
export const REC_APP_LIMITED: u32 = 2048;

@unmanaged
export class Rec {
  seq: u32;
  /** Payload octets. */
  length: u32;
  /** Segments that it counts as, and payload octets of each but the last. */
  segments: u32;
  size: u32;
  /** Data sequence number of the first payload octet. */
  dsn: u64;
  /** Time of the last transmission. */
  xmit: f64;
  flags: u32;
  timePrev: u32;
  timeNext: u32;
  /** Private copy of the payload, 0 while it lies in the send ring. Of records that share one, the last frees it. */
  data: usize;
  dataSize: u32;
  /** Octets of the copy that lie before this record. They stay: a packet that waits may point there. */
  dataOffset: u32;
  /** Octets of the mapping that lie before this record (a partial ACK moved it). */
  mapOffset: u32;
  /** Payload octets of the whole mapping. */
  mapLength: u32;
  /** DSS checksum, -1 none. */
  checksum: i32;
  /** Of a SACKed record: it and all before this id are SACKed. */
  sackedTo: u32;
  /** See rate.ts: segments delivered when it left; when its flight began to leave, and to be acknowledged. */
  delivered: u32;
  rateSentAt: u32;
  rateAckedAt: u32;

  @inline
  is(flag: u32): bool {
    return (this.flags & flag) != 0;
  }
  /** Sequence number after the record. */
  @inline
  get end(): u32 {
    return this.seq + this.length + ((this.flags & REC_FIN) >> 4);
  }
}

export const REC_SIZE: u32 = offsetof<Rec>();
const FIRST_CAPACITY: u32 = 8;

/** The record of an id between recHead and recTail. */
@inline
export function recAt(sf: Subflow, id: u32): Rec {
  return changetype<Rec>(sf.recs + (id & (sf.recCap - 1)) * REC_SIZE);
}

/** Room for one more record; false when there is no memory. */
export function recReserve(sf: Subflow): bool {
  return sf.recTail - sf.recHead < sf.recCap || recGrow(sf);
}

function recGrow(sf: Subflow): bool {
  const capacity = sf.recCap == 0 ? FIRST_CAPACITY : sf.recCap * 2;
  // The first few are always there: without them a subflow could not even say that it ends.
  const fresh = sf.recCap == 0 ? allocBeyond(capacity * REC_SIZE) : alloc(capacity * REC_SIZE);
  if (fresh == 0) return false;
  for (let id = sf.recHead; id != sf.recTail; id++) {
    memory.copy(fresh + (id & (capacity - 1)) * REC_SIZE, changetype<usize>(recAt(sf, id)), REC_SIZE);
  }
  if (sf.recs != 0) free(sf.recs, sf.recCap * REC_SIZE);
  sf.recs = fresh;
  sf.recCap = capacity;
  return true;
}

/** A zeroed record at the tail; `recReserve` said yes. */
export function recPush(sf: Subflow): u32 {
  if (sf.recHead == 0) {
    sf.recHead = 1; // id 0 ends lists
    sf.recTail = 1;
  }
  const id = sf.recTail++;
  memory.fill(changetype<usize>(recAt(sf, id)), 0, REC_SIZE);
  return id;
}

/** Drops the oldest record; its counts are settled by the caller. */
export function recPop(sf: Subflow): void {
  const id = sf.recHead;
  const r = recAt(sf, id);
  if (r.is(REC_TIMED)) timeRemove(sf, id, r);
  recFreeData(sf, r);
  sf.recHead = id + 1;
}

function recFreeData(sf: Subflow, r: Rec): void {
  if (r.dataSize != 0) {
    free(r.data, r.dataSize);
    sf.privateBytes -= blockSize(r.dataSize);
    r.dataSize = 0;
  }
  r.data = 0;
}

/** Frees everything. */
export function recFreeAll(sf: Subflow): void {
  for (let id = sf.recHead; id != sf.recTail; id++) recFreeData(sf, recAt(sf, id));
  if (sf.recs != 0) free(sf.recs, sf.recCap * REC_SIZE);
  sf.recs = 0;
  sf.recCap = 0;
  sf.recHead = sf.recTail = 0;
  sf.timeHead = sf.timeTail = 0;
}

/** Id of the first record that ends after `seq` (recTail when there is none): binary search. */
export function recFind(sf: Subflow, seq: u32): u32 {
  let low = sf.recHead;
  let high = sf.recTail;
  while (low != high) {
    const middle = low + ((high - low) >> 1);
    if (seqLe(recAt(sf, middle).end, seq)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Records that `recSackedTo` looked at; for tests of its cost. */
export let sackedSteps: u32 = 0;

/**
 * Id of the first record after a SACKed one that is not SACKed. Every record on the way learns it, so that a peer which
 * reports the same again and again costs next to nothing.
 */
export function recSackedTo(sf: Subflow, id: u32): u32 {
  let to = id;
  while (to != sf.recTail && recAt(sf, to).is(REC_SACKED)) {
    to = recAt(sf, to).sackedTo;
    sackedSteps++;
  }
  while (id != to) {
    const r = recAt(sf, id);
    id = r.sackedTo;
    r.sackedTo = to;
  }
  return to;
}

// ---- bursts -------------------------------------------------------------------------------------------------

/** Segments of `octets` of payload at `size` each; a record without payload (FIN) is one, too. */
@inline
export function segmentsOf(octets: u32, size: u32): u32 {
  return octets <= size ? 1 : (octets + size - 1) / size;
}

/** Replaces a record by one for each of its segments; its id is the first one's. False: no memory, it stays whole. */
export function recShatter(sf: Subflow, id: u32): bool {
  const more = recAt(sf, id).segments - 1;
  if (more == 0) return true;
  while (sf.recCap - (sf.recTail - sf.recHead) < more) if (!recGrow(sf)) return false;
  moveUp(sf, id, more);
  const whole = recAt(sf, id);
  const size = whole.size;
  const next = whole.timeNext;
  for (let i: u32 = 1; i <= more; i++) {
    const r = recAt(sf, id + i);
    memory.copy(changetype<usize>(r), changetype<usize>(whole), REC_SIZE);
    const offset = i * size;
    r.seq += offset;
    r.dsn += offset;
    r.length = i == more ? whole.length - offset : size;
    r.mapOffset += offset;
    if (r.data != 0) r.dataOffset += offset;
    r.segments = 1;
    if (i != more) {
      r.flags &= ~(REC_FIN | REC_PSH);
      r.dataSize = 0;
    }
    if (!r.is(REC_TIMED)) continue;
    r.timePrev = id + i - 1;
    r.timeNext = i == more ? next : id + i + 1;
  }
  whole.length = size;
  whole.segments = 1;
  whole.flags &= ~(REC_FIN | REC_PSH);
  whole.dataSize = 0;
  if (!whole.is(REC_TIMED)) return true;
  whole.timeNext = id + 1;
  if (next != 0) recAt(sf, next).timePrev = id + more;
  else sf.timeTail = id + more;
  return true;
}

/** Records after `id` get ids that are `by` higher; room is there. What refers to them by id follows. */
function moveUp(sf: Subflow, id: u32, by: u32): void {
  for (let i = sf.recTail - 1; i != id; i--) {
    memory.copy(changetype<usize>(recAt(sf, i + by)), changetype<usize>(recAt(sf, i)), REC_SIZE);
  }
  sf.recTail += by;
  for (let i = sf.recHead; i != sf.recTail; i++) {
    if (i - id - 1 < by) continue; // the gap
    const r = recAt(sf, i);
    r.sackedTo = movedId(r.sackedTo, id, by);
    r.timePrev = movedId(r.timePrev, id, by);
    r.timeNext = movedId(r.timeNext, id, by);
  }
  sf.timeHead = movedId(sf.timeHead, id, by);
  sf.timeTail = movedId(sf.timeTail, id, by);
  sf.retransHint = movedId(sf.retransHint, id, by);
  sf.ringHint = movedId(sf.ringHint, id, by);
}

@inline
function movedId(id: u32, after: u32, by: u32): u32 {
  return id != 0 && <i32>(id - after) > 0 ? id + by : id;
}

// ---- list by transmission time, oldest first --------------------------------------------------------------

export function timeAppend(sf: Subflow, id: u32, r: Rec): void {
  r.flags |= REC_TIMED;
  r.timeNext = 0;
  r.timePrev = sf.timeTail;
  if (sf.timeTail != 0) recAt(sf, sf.timeTail).timeNext = id;
  else sf.timeHead = id;
  sf.timeTail = id;
}

/** Puts a record back that is older than all of the list. */
export function timePrepend(sf: Subflow, id: u32, r: Rec): void {
  r.flags |= REC_TIMED;
  r.timePrev = 0;
  r.timeNext = sf.timeHead;
  if (sf.timeHead != 0) recAt(sf, sf.timeHead).timePrev = id;
  else sf.timeTail = id;
  sf.timeHead = id;
}

export function timeRemove(sf: Subflow, id: u32, r: Rec): void {
  r.flags &= ~REC_TIMED;
  if (r.timePrev != 0) recAt(sf, r.timePrev).timeNext = r.timeNext;
  else if (sf.timeHead == id) sf.timeHead = r.timeNext;
  if (r.timeNext != 0) recAt(sf, r.timeNext).timePrev = r.timePrev;
  else if (sf.timeTail == id) sf.timeTail = r.timePrev;
}

/** Takes a record out of flight as lost. */
export function recMarkLost(sf: Subflow, id: u32, r: Rec): void {
  if ((r.flags & REC_RETRANS) != 0) {
    r.flags &= ~REC_RETRANS;
    sf.retransOut -= r.segments;
  }
  if ((r.flags & REC_LOST) == 0) {
    r.flags |= REC_LOST;
    sf.lostOut += r.segments;
  }
  sf.lostEver += r.segments;
  if (r.is(REC_TIMED)) timeRemove(sf, id, r);
  if (<i32>(id - sf.retransHint) < 0 || sf.retransHint == 0) sf.retransHint = id;
}

/** The next lost record that is not on its way again, or 0. */
export function recNextLost(sf: Subflow): u32 {
  if (sf.lostOut <= sf.retransOut) return 0;
  let id = sf.retransHint;
  if (<i32>(id - sf.recHead) < 0 || id == 0) id = sf.recHead;
  while (id != sf.recTail) {
    if ((recAt(sf, id).flags & (REC_LOST | REC_RETRANS | REC_SACKED)) == REC_LOST) {
      sf.retransHint = id;
      return id;
    }
    id++;
  }
  sf.retransHint = id;
  return 0;
}
