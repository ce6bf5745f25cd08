/**
 * Mappings from subflow to data sequence numbers that the peer has told (RFC 8684 section 3.3.1) and whose octets have
 * not all come: a vector in order of the subflow numbers, without overlaps, found by binary search.
 */
import { alloc, free } from '../arena';
import { MIB_DSSNotMatching, MIB_MappingDrop } from '../mib';
import { count } from '../counters';
import { maxMappings } from '../limits';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../seq';
import { Subflow } from '../tcp/subflow';

@unmanaged
export class Mapping {
  dsn: u64;
  /** First subflow sequence number (absolute) and payload octets. */
  seq: u32;
  length: u32;
  /** As on the wire; -1: none. */
  checksum: i32;
  /** Data-level length on the wire: with DATA_FIN one more than the payload. */
  dataLength: u32;
  /** All octets came, and the checksum was wrong. */
  wrong: bool;
  /** The stream has reached it: its octets wait for what the peer answers to MP_FAIL. */
  bad: bool;

  @inline
  get end(): u32 {
    return this.seq + this.length;
  }
}

const ENTRY: u32 = 32;
const FIRST_CAPACITY: u32 = 2;

export const MAP_OK: i32 = 0;
/** Contradicts an earlier mapping of the same octets. */
export const MAP_CONFLICT: i32 = -1;
/** More mappings than we hold: the segment counts as not received, the peer sends it again. */
export const MAP_FULL: i32 = -2;

@inline
export function mappingAt(sf: Subflow, i: u32): Mapping {
  return changetype<Mapping>(sf.maps + i * ENTRY);
}

/** Index of the first mapping that ends after `seq`: the one that covers it, or the next; `mapCount` at the end. */
export function mappingFind(sf: Subflow, seq: u32): u32 {
  let low: u32 = 0;
  let high = sf.mapCount;
  while (low != high) {
    const middle = (low + high) >> 1;
    if (seqGt(mappingAt(sf, middle).end, seq)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether the octet at `seq` has a mapping. */
export function isMapped(sf: Subflow, seq: u32): bool {
  const i = mappingFind(sf, seq);
  return i < sf.mapCount && seqLe(mappingAt(sf, i).seq, seq);
}

/** Whether `m` gives its octets the same data sequence numbers as a mapping of `seq` to `dsn`. */
@inline
function inStep(m: Mapping, seq: u32, dsn: u64): bool {
  return dsn - m.dsn == <u64>(<i64>seqDiff(seq, m.seq));
}

/**
 * Notes a mapping of `length` payload octets from `seq` on. Without checksums, mappings in step become one. With
 * checksums each stands for itself, and of two that overlap the first counts.
 */
export function mappingAdd(sf: Subflow, seq: u32, length: u32, dsn: u64, dataLength: u32, checksum: i32): i32 {
  const end = seq + length;
  let first = mappingFind(sf, seq);
  let after = first;
  while (after < sf.mapCount && seqLt(mappingAt(sf, after).seq, end)) {
    if (!inStep(mappingAt(sf, after), seq, dsn)) {
      count(MIB_DSSNotMatching);
      return MAP_CONFLICT;
    }
    after++;
  }
  if (checksum < 0) {
    // Neighbours that touch it and are in step belong to it as well.
    if (first != 0 && mappingAt(sf, first - 1).end == seq && inStep(mappingAt(sf, first - 1), seq, dsn)) first--;
    if (after < sf.mapCount && mappingAt(sf, after).seq == end && inStep(mappingAt(sf, after), seq, dsn)) after++;
    if (first != after) {
      widen(sf, first, after, seq, end, dsn);
      return MAP_OK;
    }
  } else if (first != after) {
    return MAP_OK;
  }
  if (sf.mapCount >= maxMappings || !makeRoom(sf, first)) {
    count(MIB_MappingDrop);
    return MAP_FULL;
  }
  const m = mappingAt(sf, first);
  m.dsn = dsn;
  m.seq = seq;
  m.length = length;
  m.checksum = checksum;
  m.dataLength = dataLength;
  m.wrong = m.bad = false;
  return MAP_OK;
}

/** Mappings `first` to before `after` become one with [seq, end). */
function widen(sf: Subflow, first: u32, after: u32, seq: u32, end: u32, dsn: u64): void {
  const m = mappingAt(sf, first);
  const last = seqMax(end, mappingAt(sf, after - 1).end);
  const start = seqMin(seq, m.seq);
  m.dsn = dsn - <u64>(<i64>seqDiff(seq, start));
  m.seq = start;
  m.length = last - start;
  drop(sf, first + 1, after);
}

/** Takes mappings `from` to before `to` out. */
function drop(sf: Subflow, from: u32, to: u32): void {
  if (from == to) return;
  if (to != sf.mapCount) memory.copy(sf.maps + from * ENTRY, sf.maps + to * ENTRY, (sf.mapCount - to) * ENTRY);
  sf.mapCount -= to - from;
}

export function mappingRemove(sf: Subflow, i: u32): void {
  drop(sf, i, i + 1);
}

function makeRoom(sf: Subflow, i: u32): bool {
  if (sf.mapCount == sf.mapCapacity) {
    const capacity = sf.mapCapacity == 0 ? FIRST_CAPACITY : sf.mapCapacity * 2;
    const fresh = alloc(capacity * ENTRY);
    if (fresh == 0) return false;
    memory.copy(fresh, sf.maps, sf.mapCount * ENTRY);
    free(sf.maps, sf.mapCapacity * ENTRY);
    sf.maps = fresh;
    sf.mapCapacity = capacity;
  }
  if (i != sf.mapCount) memory.copy(sf.maps + (i + 1) * ENTRY, sf.maps + i * ENTRY, (sf.mapCount - i) * ENTRY);
  sf.mapCount++;
  return true;
}

/** Forgets mappings whose octets were all taken in order, and the part of one that was. Not those with checksums. */
export function mappingsPrune(sf: Subflow): void {
  let i: u32 = 0;
  while (i < sf.mapCount) {
    const m = mappingAt(sf, i);
    if (m.checksum >= 0 || seqGt(m.end, sf.rcvNxt)) break;
    i++;
  }
  drop(sf, 0, i);
  if (sf.mapCount == 0) return;
  const m = mappingAt(sf, 0);
  if (m.checksum >= 0 || seqGe(m.seq, sf.rcvNxt)) return;
  const cut = <u32>seqDiff(sf.rcvNxt, m.seq);
  m.seq += cut;
  m.dsn += cut;
  m.length -= cut;
}

export function mappingsForget(sf: Subflow): void {
  free(sf.maps, sf.mapCapacity * ENTRY);
  sf.maps = 0;
  sf.mapCapacity = sf.mapCount = 0;
}

/** Octets of memory that they take. */
export function mappingsBytes(sf: Subflow): u32 {
  return sf.mapCapacity * ENTRY;
}
