/**
 * Receive side of a subflow's sequence space: what has arrived beyond a hole, and the SACK blocks that tell of
 * it (RFC 2018, D-SACK RFC 2883). The octets themselves lie elsewhere already; these are only intervals.
 */
import { MIB_TCPDSACKOfoSent, MIB_TCPDSACKOldSent, MIB_TCPOFODrop } from '../mib';
import { count } from '../counters';
import {
  addedAt,
  endOf,
  Intervals,
  intervalsAdd,
  intervalsCover,
  intervalsCut,
  intervalsFind,
  intervalsFree,
  intervalsReach,
  narrow,
  NOT_ADDED,
  startOf,
  wide,
} from '../intervals';
import { maxRanges } from '../limits';
import { seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../seq';
import { Subflow } from './subflow';

const MAX_BLOCKS: u32 = 4;

@inline
function rangesOf(sf: Subflow): Intervals {
  return changetype<Intervals>(changetype<usize>(sf) + offsetof<Subflow>('oooAt'));
}

/** Whether a segment that begins at `start` can be noted. */
export function rangesRoom(sf: Subflow, start: u32): bool {
  if (start == sf.rcvNxt || sf.oooCount < maxRanges) return true;
  count(MIB_TCPOFODrop);
  return false;
}

/** Octets that have arrived beyond a hole. */
export function rangesBytes(sf: Subflow): u32 {
  const v = rangesOf(sf);
  let octets: u32 = 0;
  for (let i: u32 = 0; i < v.count; i++) octets += narrow(endOf(v, i)) - narrow(startOf(v, i));
  return octets;
}

/** All of [start, end) has arrived before. */
export function rangesCover(sf: Subflow, start: u32, end: u32): bool {
  return seqLe(end, sf.rcvNxt) || (sf.oooCount != 0 && intervalsCover(rangesOf(sf), wide(start), wide(end)));
}

/** [start, end) came once more, beyond a hole. */
export function rangesRepeated(sf: Subflow, start: u32, end: u32): void {
  dsackSet(sf, start, end);
  noteBlock(sf, start, end);
}

/** Notes that [start, end) has arrived. Moves rcvNxt when a hole closes. */
export function rangesAdd(sf: Subflow, start: u32, end: u32): bool {
  const v = rangesOf(sf);
  if (seqLe(start, sf.rcvNxt)) {
    if (seqGt(end, sf.rcvNxt)) sf.rcvNxt = end;
    if (sf.oooCount != 0) {
      for (let i: u32 = 0; i < v.count && seqLt(narrow(startOf(v, i)), sf.rcvNxt); i++) {
        dsackExtend(sf, narrow(startOf(v, i)), seqMin(narrow(endOf(v, i)), sf.rcvNxt));
      }
      sf.rcvNxt = narrow(intervalsReach(v, wide(sf.rcvNxt)));
      pruneBlocks(sf);
    }
    return true;
  }
  noteOverlap(sf, v, start, end);
  if (intervalsAdd(v, wide(start), wide(end), maxRanges) == NOT_ADDED) return false;
  noteBlock(sf, start, end);
  return true;
}

/** What of [start, end) had come already: the first piece of it (as on Linux). */
function noteOverlap(sf: Subflow, v: Intervals, start: u32, end: u32): void {
  if (v.count == 0) return;
  let i = intervalsFind(v, wide(start));
  if (i < v.count && endOf(v, i) == wide(start)) i++;
  if (i == v.count || seqGe(narrow(startOf(v, i)), end)) return;
  dsackSet(sf, seqMax(start, narrow(startOf(v, i))), seqMin(end, narrow(endOf(v, i))));
}

/** Nothing from `last` on counts any more: the peer's stream ends there. */
export function rangesEnd(sf: Subflow, last: u32): void {
  intervalsCut(rangesOf(sf), wide(last), wide(last + 0x40000000));
  if (sf.oooCount == 0) sf.sackCount = 0;
}

export function rangesFree(sf: Subflow): void {
  intervalsFree(rangesOf(sf));
  sf.sackCount = 0;
}

// ---- SACK blocks to report, newest first (RFC 2018 section 4) ---------------------------------------------

export function blockStart(sf: Subflow, i: u32): u32 {
  return load<u32>(sf.sackBlocks + (i << 3));
}
export function blockEnd(sf: Subflow, i: u32): u32 {
  return load<u32>(sf.sackBlocks + (i << 3) + 4);
}
function setBlock(sf: Subflow, i: u32, start: u32, end: u32): void {
  store<u32>(sf.sackBlocks + (i << 3), start);
  store<u32>(sf.sackBlocks + (i << 3) + 4, end);
}

/** [start, end) came: it extends a block, which comes first then, or is the first one itself (Linux' order). */
function noteBlock(sf: Subflow, start: u32, end: u32): void {
  let i: u32 = 0;
  while (i < sf.sackCount && (seqGt(start, blockEnd(sf, i)) || seqGt(blockStart(sf, i), end))) i++;
  if (i == sf.sackCount) {
    if (i == MAX_BLOCKS) i--;
    else sf.sackCount++;
  } else {
    start = seqMin(start, blockStart(sf, i));
    end = seqMax(end, blockEnd(sf, i));
  }
  for (; i > 0; i--) setBlock(sf, i, blockStart(sf, i - 1), blockEnd(sf, i - 1));
  let kept: u32 = 1;
  for (i = 1; i < sf.sackCount; i++) {
    const s = blockStart(sf, i);
    const e = blockEnd(sf, i);
    if (seqGt(start, e) || seqGt(s, end)) {
      setBlock(sf, kept++, s, e);
      continue;
    }
    start = seqMin(start, s);
    end = seqMax(end, e);
  }
  setBlock(sf, 0, start, end);
  sf.sackCount = kept;
}

function pruneBlocks(sf: Subflow): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < sf.sackCount; i++) {
    const s = blockStart(sf, i);
    const e = blockEnd(sf, i);
    if (sf.oooCount != 0 && seqGt(s, sf.rcvNxt)) setBlock(sf, kept++, s, e);
  }
  sf.sackCount = kept;
}

// ---- D-SACK (RFC 2883): what came twice, in the next acknowledgement ---------------------------------------

/** [start, end) came twice. */
export function dsackSet(sf: Subflow, start: u32, end: u32): void {
  count(seqLt(start, sf.rcvNxt) ? MIB_TCPDSACKOldSent : MIB_TCPDSACKOfoSent);
  sf.hasDsack = true;
  sf.dsackStart = start;
  sf.dsackEnd = end;
}

/** The same for what may belong to the piece that is noted already; another piece has no room. */
function dsackExtend(sf: Subflow, start: u32, end: u32): void {
  if (!sf.hasDsack) {
    dsackSet(sf, start, end);
    return;
  }
  if (seqGt(start, sf.dsackEnd) || seqGt(sf.dsackStart, end)) return;
  sf.dsackStart = seqMin(sf.dsackStart, start);
  sf.dsackEnd = seqMax(sf.dsackEnd, end);
}
