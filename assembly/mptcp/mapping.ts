/**
 * From subflow to data sequence numbers on the receiving side (RFC 8684 section 3.3.1): mappings and octets meet here,
 * in whatever order they come. Octets that are not verified never touch the receive ring.
 */
import { PLACED } from '../abi';
import { MIB_DataCsumErr } from '../mib';
import { dssChecksum, sum16 } from '../checksum';
import { count } from '../counters';
import { dsnGt, dsnLe, dsnMax } from '../dsn';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMin } from '../seq';
import { SF_FAILING, Subflow } from '../tcp/subflow';
import { rangesCover } from '../tcp/ranges';
import { seg } from '../wire/segment';
import { Connection, C_CHECKSUM, C_CHECKSUM_SEEN } from './connection';
import { fitsPlain } from './fallback';
import {
  firstHeld,
  heldCovers,
  heldDrop,
  heldFree,
  heldMeets,
  heldRun,
  heldSum,
  hold,
  lastHeld,
  runAt,
  runLength,
  runSeq,
} from './held';
import {
  isMapped,
  MAP_OK,
  Mapping,
  mappingAdd,
  mappingAt,
  mappingFind,
  mappingRemove,
  mappingsForget,
  mappingsPrune,
} from './mappings';
import { dataEnd, placeData } from './reassembly';

/** Data sequence number of the mapping whose checksum failed last. */
export let failedDsn: u64 = 0;

/** The segment in hand is one whole mapping, the usual case: it need not be noted. */
let whole: bool = false;
let wholeDsn: u64 = 0;

/** Before the mapping of a new segment is taken. */
export function mappingBegins(): void {
  whole = false;
}

/** No mapping of any of [seq, seq + length) is noted. */
@inline
function isFree(sf: Subflow, seq: u32, length: u32): bool {
  if (sf.mapCount == 0) return true;
  const i = mappingFind(sf, seq);
  return i == sf.mapCount || seqGe(mappingAt(sf, i).seq, seq + length);
}

/** Enters a mapping of `length` payload octets from `seq` on. A result of `mappingAdd`. */
export function enterMapping(
  c: Connection,
  sf: Subflow,
  seq: u32,
  length: u32,
  dsn: u64,
  dataLength: u32,
  checksum: i32,
): i32 {
  if (checksum < 0 && seq == seg.seq && length == seg.length && sf.heldCount == 0 && isFree(sf, seq, length)) {
    whole = true;
    wholeDsn = dsn;
    return MAP_OK;
  }
  const end = seq + length;
  if (checksum < 0 && heldMeets(sf, seq, end)) placeRuns(c, sf, seq, end, dsn);
  // Of octets that came and went: a retransmission.
  if (rangesCover(sf, seq, end) && !heldMeets(sf, seq, end)) return MAP_OK;
  const result = mappingAdd(sf, seq, length, dsn, dataLength, checksum);
  if (result == MAP_OK && checksum >= 0 && heldCovers(sf, seq, end)) mappingsArrived(c, sf, seq, end);
  return result;
}

/** Data sequence number after the last mapping in step with the subflow, or after the data that came. */
export function mappedEnd(c: Connection, sf: Subflow): u64 {
  let end = dataEnd(c);
  for (let i: u32 = 0; i < sf.mapCount; i++) {
    const m = mappingAt(sf, i);
    const inStep = <u32>(m.dsn - c.remoteIdsn) == m.seq - sf.irs - sf.ssnShift;
    if (inStep) end = dsnMax(end, m.dsn + m.length);
  }
  return end;
}

export function mappingsFree(c: Connection, sf: Subflow): void {
  mappingsForget(sf);
  heldFree(c, sf);
}

// ---- payload ----------------------------------------------------------------------------------------------

/**
 * Takes payload [seq, seq + length): mapped octets go to the receive ring, others wait. False: a limit is
 * reached and the segment must count as not received.
 */
export function takePayload(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  if (whole) {
    placeData(c, wholeDsn + <u64>seqDiff(seq, seg.seq), from, length);
    return true;
  }
  if (c.is(C_CHECKSUM)) {
    return takeWhole(c, sf, seq, from, length) || keep(c, sf, seq, from, length);
  }
  let i = mappingFind(sf, seq);
  while (length != 0) {
    let n = length;
    if (i < sf.mapCount && seqLe(mappingAt(sf, i).seq, seq)) {
      const m = mappingAt(sf, i++);
      n = min(length, <u32>seqDiff(m.end, seq));
      placeData(c, m.dsn + <u64>seqDiff(seq, m.seq), from, n);
    } else {
      if (i < sf.mapCount) n = min(length, <u32>seqDiff(mappingAt(sf, i).seq, seq));
      if (!keep(c, sf, seq, from, n)) return false;
    }
    seq += n;
    from += n;
    length -= n;
  }
  return true;
}

/**
 * The common case with checksums: the segment is one whole mapping. Its octets are summed where they lie and need no
 * copy of their own. False: not that case, or the sum is wrong; then they are held.
 */
function takeWhole(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  if (sf.is(SF_FAILING)) return false;
  const i = mappingFind(sf, seq);
  if (i == sf.mapCount) return false;
  const m = mappingAt(sf, i);
  if (m.seq != seq || m.length != length || heldMeets(sf, seq, m.end)) return false;
  if (!sumsUp(sf, m, sum16(from, length, 0))) return false;
  c.set(C_CHECKSUM_SEEN);
  placeData(c, m.dsn, from, length);
  mappingRemove(sf, i);
  return true;
}

function sumsUp(sf: Subflow, m: Mapping, sum: u64): bool {
  return dssChecksum(m.dsn, m.seq - sf.irs - sf.ssnShift, <u16>m.dataLength, sum) == <u16>m.checksum;
}

function keep(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  if (from >= PLACED) return false; // the core cannot read it
  return fitsPlain(c, sf, seq + length) && hold(c, sf, seq, from, length);
}

// ---- what waits -------------------------------------------------------------------------------------------

/** Puts what waits of [start, end) into the receive ring, where `start` is data sequence number `dsn`. */
function placeRuns(c: Connection, sf: Subflow, start: u32, end: u32, dsn: u64): void {
  let seq = start;
  while (heldRun(sf, seq, end)) {
    seq = runSeq + runLength;
    placeData(c, dsn + <u64>seqDiff(runSeq, start), runAt, runLength);
  }
  heldDrop(c, sf, start, end);
}

/** After [seq, end) came: mappings that are complete now are forgotten, or verified. */
export function mappingsArrived(c: Connection, sf: Subflow, seq: u32, end: u32): void {
  let i = mappingFind(sf, seq);
  while (i < sf.mapCount && seqLt(mappingAt(sf, i).seq, end)) {
    const m = mappingAt(sf, i);
    if (m.checksum < 0 ? rangesCover(sf, m.seq, m.end) : complete(c, sf, m)) mappingRemove(sf, i);
    else i++;
  }
}

/** Places the octets of a checksummed mapping if all are here and their sum is right. */
function complete(c: Connection, sf: Subflow, m: Mapping): bool {
  if (m.wrong || sf.is(SF_FAILING) || !heldCovers(sf, m.seq, m.end)) return false;
  if (!sumsUp(sf, m, heldSum(sf, m.seq, m.end))) {
    m.wrong = true;
    return false;
  }
  c.set(C_CHECKSUM_SEEN);
  placeRuns(c, sf, m.seq, m.end, m.dsn);
  return true;
}

/**
 * After octets or mappings arrived: looks for a mapping that the stream has reached and whose checksum is wrong.
 * False: there is one, `failedDsn`.
 */
export function verifyReached(c: Connection, sf: Subflow): bool {
  if (!c.is(C_CHECKSUM)) {
    mappingsPrune(sf);
    return true;
  }
  let failing = false;
  for (let i: u32 = 0; i < sf.mapCount;) {
    const m = mappingAt(sf, i);
    if (m.bad) {
      failing = true;
      i++;
      continue;
    }
    if (seqGt(m.end, sf.rcvNxt)) break;
    // Behind a bad mapping the stream goes on with a repetition only: the peer may have missed MP_FAIL.
    if (failing && !(dsnLe(m.dsn, c.rcvNxt) && dsnGt(m.dsn + m.length, c.rcvNxt))) {
      i++;
      continue;
    }
    if (m.wrong || !heldCovers(sf, m.seq, m.end) || !sumsUp(sf, m, heldSum(sf, m.seq, m.end))) {
      count(MIB_DataCsumErr);
      m.bad = true;
      failedDsn = m.dsn;
      return false;
    }
    c.set(C_CHECKSUM_SEEN);
    placeRuns(c, sf, m.seq, m.end, m.dsn);
    mappingRemove(sf, i);
    if (failing) {
      giveUpBad(c, sf);
      failing = false;
      i = 0;
    }
  }
  return true;
}

/**
 * Index of the mapping with checksum that has lost octets on its way, given that the peer has nothing more under way:
 * the subflow's next octet would belong to it, and there is no hole. `mapCount`: none.
 */
function shortened(sf: Subflow): u32 {
  const i = sf.oooCount == 0 ? mappingFind(sf, sf.rcvNxt) : sf.mapCount;
  return i < sf.mapCount && seqLt(mappingAt(sf, i).seq, sf.rcvNxt) ? i : sf.mapCount;
}

/** The peer has sent all of it: a mapping that is incomplete stays so. True: there is one, `failedDsn`. */
export function isCutShort(sf: Subflow): bool {
  const i = shortened(sf);
  if (i == sf.mapCount || mappingAt(sf, i).bad) return false;
  count(MIB_DataCsumErr);
  mappingAt(sf, i).bad = true;
  failedDsn = mappingAt(sf, i).dsn;
  return true;
}

/** A mapping from `seq` on repeats `dsn`, and its payload comes in the place of what an incomplete mapping lacks. */
export function isDisplaced(sf: Subflow, seq: u32, dsn: u64): bool {
  const i = shortened(sf);
  if (i == sf.mapCount) return false;
  const m = mappingAt(sf, i);
  return seqGe(seq, m.end) && dsnLe(dsn, m.dsn);
}

/** A repetition took the place of bad mappings: their octets are forgotten. */
function giveUpBad(c: Connection, sf: Subflow): void {
  for (let i: u32 = 0; i < sf.mapCount;) {
    const m = mappingAt(sf, i);
    if (!m.bad) {
      i++;
      continue;
    }
    heldDrop(c, sf, m.seq, m.end);
    mappingRemove(sf, i);
  }
}

/** Whether the subflow waits for the peer's answer about a bad mapping. */
export function isFailing(sf: Subflow): bool {
  for (let i: u32 = 0; i < sf.mapCount; i++) if (mappingAt(sf, i).bad) return true;
  return false;
}

/** Octets wait, in order, for a mapping that has not come. */
export function headUnmapped(sf: Subflow): bool {
  return sf.heldCount != 0 && seqLt(firstHeld(sf), sf.rcvNxt) && !isMapped(sf, firstHeld(sf));
}

/** After a fallback: what waits is plain stream from `seq` on, which is data sequence number `dsn`. */
export function placeHeldPlain(c: Connection, sf: Subflow, seq: u32, dsn: u64): void {
  if (sf.heldCount != 0) placeRuns(c, sf, seq, lastHeld(sf), dsn);
}

/** Sequence number of the first octet that has not gone to the receive ring: one that waits, or the next to come. */
export function heldStart(sf: Subflow): u32 {
  return sf.heldCount != 0 ? seqMin(firstHeld(sf), sf.rcvNxt) : sf.rcvNxt;
}
