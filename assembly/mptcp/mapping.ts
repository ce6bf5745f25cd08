/**
 * Mappings from subflow to data sequence numbers on the receiving side (RFC 8684 section 3.3.1), and octets that
 * cannot be placed yet: those whose mapping has not come, and those of a checksummed mapping that is incomplete.
 * Octets that are not verified never touch the receive ring.
 */
import { alloc, free } from '../arena';
import { MIB_DataCsumErr, MIB_DSSNotMatching } from '../abi';
import { dssChecksum, sum16, swap16 } from '../checksum';
import { count } from '../counters';
import { dsnGt, dsnLe, dsnMax } from '../dsn';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../seq';
import { Subflow } from '../tcp/subflow';
import { Connection, C_CHECKSUM, C_CHECKSUM_SEEN } from './connection';
import { fitsPlain } from './fallback';
import { placeData } from './reassembly';

/** Mappings that one subflow may hold. */
const MAX_MAPPINGS: u32 = 1024;
/** Octets of one connection that may wait. */
const MAX_HELD: u32 = 1 << 20;

@unmanaged
class Mapping {
  /** First subflow sequence number (absolute) and payload octets. */
  seq: u32;
  length: u32;
  dsn: u64;
  next: usize;
  /** As on the wire; -1: none. */
  checksum: i32;
  /** Data-level length on the wire: with DATA_FIN one more than the payload. */
  dataLength: u32;
  /** Checksum found right and payload placed, or given up for a repetition. */
  done: bool;
  /** Checksum found wrong: its octets wait for what the peer answers to MP_FAIL. */
  bad: bool;

  @inline
  get end(): u32 {
    return this.seq + this.length;
  }
}

@unmanaged
class Held {
  seq: u32;
  length: u32;
  data: usize;
  size: u32;
  next: usize;

  @inline
  get end(): u32 {
    return this.seq + this.length;
  }
}

const MAPPING_SIZE: u32 = offsetof<Mapping>();
const HELD_SIZE: u32 = offsetof<Held>();

@inline
function mappingAt(p: usize): Mapping {
  return changetype<Mapping>(p);
}
@inline
function heldAt(p: usize): Held {
  return changetype<Held>(p);
}

export const MAP_OK: i32 = 0;
/** Contradicts an earlier mapping of the same octets. */
export const MAP_CONFLICT: i32 = -1;
/** More mappings than we hold: drop the segment, the peer sends it again. */
export const MAP_FULL: i32 = -2;
/** A checksum failed. */
export const MAP_BAD_CHECKSUM: i32 = -3;

/** Data sequence number of the mapping whose checksum failed last. */
export let failedDsn: u64 = 0;

/** Notes a mapping of `length` payload octets from `seq` on. Identical and consistent repeats are fine. */
export function mappingAdd(
  sf: Subflow,
  seq: u32,
  length: u32,
  dsn: u64,
  dataLength: u32,
  checksum: i32,
): i32 {
  const end = seq + length;
  let before: usize = 0;
  let n: u32 = 0;
  let p = sf.mapHead;
  while (p != 0 && seqLt(mappingAt(p).seq, end)) {
    const m = mappingAt(p);
    if (seqGt(m.end, seq)) {
      // Overlap: the distance between both numberings must be the same.
      if (dsn - m.dsn != <u64>(<i64>seqDiff(seq, m.seq))) {
        count(MIB_DSSNotMatching);
        return MAP_CONFLICT;
      }
      if (m.seq == seq && m.length == length) return MAP_OK;
      // With checksums every mapping stands for itself; the first one of an octet is used.
      if (checksum < 0 && seqLe(m.seq, seq) && seqGe(m.end, end)) return MAP_OK;
    }
    if (seqLe(m.seq, seq)) before = p;
    else break;
    p = m.next;
    if (++n > MAX_MAPPINGS) return MAP_FULL;
  }
  const fresh = alloc(MAPPING_SIZE);
  if (fresh == 0) return MAP_FULL;
  const m = mappingAt(fresh);
  m.seq = seq;
  m.length = length;
  m.dsn = dsn;
  m.dataLength = dataLength;
  m.checksum = checksum;
  m.done = false;
  m.bad = false;
  if (before != 0) {
    m.next = mappingAt(before).next;
    mappingAt(before).next = fresh;
  } else {
    m.next = sf.mapHead;
    sf.mapHead = fresh;
  }
  return MAP_OK;
}

function find(sf: Subflow, seq: u32): usize {
  for (let p = sf.mapHead; p != 0; p = mappingAt(p).next) {
    const m = mappingAt(p);
    if (seqGt(m.seq, seq)) return 0;
    if (seqLt(seq, m.end)) return p;
  }
  return 0;
}

/** Whether the octet at `seq` has a mapping. */
export function isMapped(sf: Subflow, seq: u32): bool {
  return find(sf, seq) != 0;
}

/** Data sequence number after the last mapping in step with the subflow; rcvNxt when there is none. */
export function mappedEnd(c: Connection, sf: Subflow): u64 {
  let end = c.rcvNxt;
  for (let p = sf.mapHead; p != 0; p = mappingAt(p).next) {
    const m = mappingAt(p);
    const inStep = <u32>(m.dsn - c.remoteIdsn) == m.seq - sf.irs - sf.ssnShift;
    if (inStep) end = dsnMax(end, m.dsn + m.length);
  }
  return end;
}

/** Forgets mappings whose octets have all been taken in order. */
export function mappingsPrune(sf: Subflow): void {
  let p = sf.mapHead;
  while (p != 0 && seqLe(mappingAt(p).end, sf.rcvNxt)) {
    const m = mappingAt(p);
    if (m.checksum >= 0 && !m.done) break;
    const next = m.next;
    free(p, MAPPING_SIZE);
    p = next;
  }
  sf.mapHead = p;
}

export function mappingsFree(c: Connection, sf: Subflow): void {
  let p = sf.mapHead;
  while (p != 0) {
    const next = mappingAt(p).next;
    free(p, MAPPING_SIZE);
    p = next;
  }
  sf.mapHead = 0;
  p = sf.heldHead;
  while (p != 0) {
    const next = heldAt(p).next;
    heldFree(c, p);
    p = next;
  }
  sf.heldHead = 0;
}

// ---- payload ----------------------------------------------------------------------------------------------

/**
 * Takes payload [seq, seq + length): mapped octets go to the receive ring, others wait. False: a limit is
 * reached and the segment must count as not received.
 */
export function takePayload(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  if (c.is(C_CHECKSUM)) return takeWhole(c, sf, seq, from, length) || hold(c, sf, seq, from, length);
  while (length != 0) {
    const p = find(sf, seq);
    let n = length;
    if (p != 0) {
      const m = mappingAt(p);
      n = min(length, <u32>seqDiff(m.end, seq));
      placeData(c, m.dsn + <u64>seqDiff(seq, m.seq), from, n);
    } else {
      n = min(length, unmappedRun(sf, seq, length));
      if (!hold(c, sf, seq, from, n)) return false;
    }
    seq += n;
    from += n;
    length -= n;
  }
  return true;
}

/**
 * The common case with checksums: the segment is one whole mapping, in order, and nothing waits. Its octets are
 * summed where they lie and need no copy of their own. False: not that case, or the sum is wrong; then they are held.
 */
function takeWhole(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  if (sf.heldHead != 0 || seq != sf.rcvNxt) return false;
  const p = find(sf, seq);
  if (p == 0) return false;
  const m = mappingAt(p);
  if (m.done || m.seq != seq || m.length != length) return false;
  const ssn = seq - sf.irs - sf.ssnShift;
  if (dssChecksum(m.dsn, ssn, <u16>m.dataLength, sum16(from, length, 0)) != <u16>m.checksum) return false;
  c.set(C_CHECKSUM_SEEN);
  m.done = true;
  placeData(c, m.dsn, from, length);
  return true;
}

/** Octets from `seq` on without a mapping. */
function unmappedRun(sf: Subflow, seq: u32, length: u32): u32 {
  for (let p = sf.mapHead; p != 0; p = mappingAt(p).next) {
    const m = mappingAt(p);
    if (seqGt(m.seq, seq)) return min(length, <u32>seqDiff(m.seq, seq));
  }
  return length;
}

/** Keeps a copy; octets that are held already are not held twice. */
function hold(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  let before: usize = 0;
  let p = sf.heldHead;
  while (p != 0 && seqLe(heldAt(p).end, seq)) {
    before = p;
    p = heldAt(p).next;
  }
  while (length != 0) {
    if (p != 0 && seqLe(heldAt(p).seq, seq)) {
      const skip = min(length, <u32>max<i32>(0, seqDiff(heldAt(p).end, seq)));
      seq += skip;
      from += skip;
      length -= skip;
      before = p;
      p = heldAt(p).next;
      continue;
    }
    const n = p != 0 ? min(length, <u32>seqDiff(seqMin(heldAt(p).seq, seq + length), seq)) : length;
    if (c.heldBytes + n > MAX_HELD || !fitsPlain(c, sf, seq + n)) return false;
    const node = heldNew(c, seq, from, n);
    if (node == 0) return false;
    heldAt(node).next = p;
    if (before != 0) heldAt(before).next = node;
    else sf.heldHead = node;
    before = node;
    seq += n;
    from += n;
    length -= n;
  }
  return true;
}

/** A copy of `length` octets, 0 without memory. */
function heldNew(c: Connection, seq: u32, from: usize, length: u32): usize {
  const node = alloc(HELD_SIZE);
  const data = alloc(length);
  if (node == 0 || data == 0) {
    free(node, HELD_SIZE);
    free(data, length);
    return 0;
  }
  memory.copy(data, from, length);
  const h = heldAt(node);
  h.seq = seq;
  h.length = length;
  h.data = data;
  h.size = length;
  h.next = 0;
  c.heldBytes += length;
  return node;
}

function heldFree(c: Connection, p: usize): void {
  const h = heldAt(p);
  c.heldBytes -= h.size;
  free(h.data, h.size);
  free(p, HELD_SIZE);
}

/** Tries to place what waits, after octets or mappings arrived. MAP_OK or MAP_BAD_CHECKSUM. */
export function placeHeld(c: Connection, sf: Subflow): i32 {
  if (sf.heldHead == 0) return MAP_OK;
  if (!c.is(C_CHECKSUM)) {
    let p = sf.heldHead;
    sf.heldHead = 0;
    while (p != 0) {
      const h = heldAt(p);
      const next = h.next;
      // What still has no mapping is held again, after those before it, and must not count twice meanwhile.
      const size = h.size;
      c.heldBytes -= size;
      takePayload(c, sf, h.seq, h.data, h.length);
      c.heldBytes += size;
      heldFree(c, p);
      p = next;
    }
    return MAP_OK;
  }
  let failing = false;
  for (let p = sf.mapHead; p != 0; p = mappingAt(p).next) {
    const m = mappingAt(p);
    if (m.done) continue;
    if (m.bad) {
      failing = true;
      continue;
    }
    if (seqGt(m.end, sf.rcvNxt)) break;
    // Behind a bad mapping the stream goes on with a repetition only: the peer may have missed MP_FAIL.
    if (failing && !(dsnLe(m.dsn, c.rcvNxt) && dsnGt(m.dsn + m.length, c.rcvNxt))) continue;
    if (!verify(sf, m)) {
      count(MIB_DataCsumErr);
      m.bad = true;
      failedDsn = m.dsn;
      return MAP_BAD_CHECKSUM;
    }
    c.set(C_CHECKSUM_SEEN);
    if (failing) {
      giveUpBad(c, sf);
      return placeHeld(c, sf);
    }
    if (!takeOut(c, sf, m, true)) break;
    m.done = true;
  }
  return MAP_OK;
}

/** A repetition took the place of bad mappings: their octets are forgotten. */
function giveUpBad(c: Connection, sf: Subflow): void {
  for (let p = sf.mapHead; p != 0; p = mappingAt(p).next) {
    const m = mappingAt(p);
    if (!m.bad || !takeOut(c, sf, m, false)) continue;
    m.bad = false;
    m.done = true;
  }
}

/** Whether the subflow waits for the peer's answer about a bad mapping. */
export function isFailing(sf: Subflow): bool {
  for (let p = sf.mapHead; p != 0; p = mappingAt(p).next) if (mappingAt(p).bad) return true;
  return false;
}

/** All octets of the mapping are held and sum up right. */
function verify(sf: Subflow, m: Mapping): bool {
  let sum: u64 = 0;
  let at = m.seq;
  for (let p = sf.heldHead; p != 0 && seqLt(heldAt(p).seq, m.end); p = heldAt(p).next) {
    const h = heldAt(p);
    if (seqLe(h.end, at)) continue;
    if (seqGt(h.seq, at)) return false;
    const skip = <u32>seqDiff(at, h.seq);
    const n = <u32>seqDiff(seqMin(h.end, m.end), at);
    const part = sum16(h.data + skip, n, 0);
    sum += ((at - m.seq) & 1) != 0 ? swap16(part) : part;
    at += n;
  }
  return at == m.end && dssChecksum(m.dsn, m.seq - sf.irs - sf.ssnShift, <u16>m.dataLength, sum) == <u16>m.checksum;
}

/** Takes the octets of a mapping out of those held: into the receive ring, or away. False: no memory, try again. */
function takeOut(c: Connection, sf: Subflow, m: Mapping, place: bool): bool {
  let before: usize = 0;
  let p = sf.heldHead;
  while (p != 0 && seqLt(heldAt(p).seq, m.end)) {
    const h = heldAt(p);
    const next = h.next;
    if (seqGt(h.end, m.seq)) {
      const from = seqMax(h.seq, m.seq);
      const to = seqMin(h.end, m.end);
      // What follows the mapping in the same piece becomes a piece of its own.
      if (to != h.end && !heldSplit(c, p, to)) return false;
      const offset = <u32>seqDiff(from, h.seq);
      if (place) placeData(c, m.dsn + <u64>seqDiff(from, m.seq), h.data + offset, <u32>seqDiff(to, from));
      h.length = offset;
    }
    const rest = h.next;
    if (h.length != 0) {
      before = p;
    } else {
      if (before != 0) heldAt(before).next = rest;
      else sf.heldHead = rest;
      heldFree(c, p);
    }
    p = next == rest ? next : 0; // a piece behind the mapping was split off: nothing follows within it
  }
  return true;
}

/** Cuts a held piece in two at `seq`. */
function heldSplit(c: Connection, p: usize, seq: u32): bool {
  const h = heldAt(p);
  const offset = <u32>seqDiff(seq, h.seq);
  const tail = heldNew(c, seq, h.data + offset, h.length - offset);
  if (tail == 0) return false;
  heldAt(tail).next = h.next;
  h.next = tail;
  h.length = offset;
  return true;
}

/** Octets wait, in order, for a mapping that has not come. */
export function headUnmapped(c: Connection, sf: Subflow): bool {
  const p = sf.heldHead;
  if (p == 0 || seqGe(heldAt(p).seq, sf.rcvNxt)) return false;
  return find(sf, heldAt(p).seq) == 0;
}

/** After a fallback: what waits is plain stream from `seq` on, which is data sequence number `dsn`. */
export function placeHeldPlain(c: Connection, sf: Subflow, seq: u32, dsn: u64): void {
  let p = sf.heldHead;
  sf.heldHead = 0;
  while (p != 0) {
    const h = heldAt(p);
    const next = h.next;
    if (seqGe(h.seq, seq)) placeData(c, dsn + <u64>seqDiff(h.seq, seq), h.data, h.length);
    heldFree(c, p);
    p = next;
  }
}

/** Sequence number of the first octet that has not gone to the receive ring: one that waits, or the next to come. */
export function heldStart(sf: Subflow): u32 {
  return sf.heldHead != 0 ? seqMin(heldAt(sf.heldHead).seq, sf.rcvNxt) : sf.rcvNxt;
}
