/**
 * The retransmission queue of a subflow: one record per segment sent and not yet acknowledged, in a ring that
 * doubles when full. Records have ids that only grow, so that the list by transmission time (RACK needs it) can
 * link them without moving anything. Records are never split: a segment that shrinks (path MTU) goes out in
 * pieces of the same mapping.
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

@unmanaged
export class Rec {
  seq: u32;
  /** Payload octets. */
  length: u32;
  /** Data sequence number of the first payload octet. */
  dsn: u64;
  /** Time of the last transmission. */
  xmit: f64;
  flags: u32;
  timePrev: u32;
  timeNext: u32;
  /** Private copy of the payload, 0 while it lies in the send ring. */
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
  if (sf.recTail - sf.recHead < sf.recCap) return true;
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
  if (r.data == 0) return;
  free(r.data, r.dataSize);
  sf.privateBytes -= blockSize(r.dataSize);
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
    sf.retransOut--;
  }
  if ((r.flags & REC_LOST) == 0) {
    r.flags |= REC_LOST;
    sf.lostOut++;
  }
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
