/**
 * Receive side of a subflow's sequence space: what has arrived beyond a hole, and the SACK blocks that tell of
 * it (RFC 2018, D-SACK RFC 2883). The octets themselves lie elsewhere already; these are only intervals.
 */
import { MIB_TCPOFODrop } from '../abi';
import { count } from '../counters';
import {
  addedAt,
  endOf,
  Intervals,
  intervalsAdd,
  intervalsCover,
  intervalsFree,
  intervalsReach,
  narrow,
  NOT_ADDED,
  startOf,
  wide,
} from '../intervals';
import { maxRanges } from '../limits';
import { seqDiff, seqGe, seqGt, seqLe } from '../seq';
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

/** All of [start, end) has arrived before. */
export function rangesCover(sf: Subflow, start: u32, end: u32): bool {
  return seqLe(end, sf.rcvNxt) || (sf.oooCount != 0 && intervalsCover(rangesOf(sf), wide(start), wide(end)));
}

/** Notes that [start, end) has arrived. Moves rcvNxt when a hole closes. */
export function rangesAdd(sf: Subflow, start: u32, end: u32): bool {
  if (seqLe(start, sf.rcvNxt)) {
    if (seqGt(end, sf.rcvNxt)) sf.rcvNxt = end;
    if (sf.oooCount != 0) {
      sf.rcvNxt = narrow(intervalsReach(rangesOf(sf), wide(sf.rcvNxt)));
      pruneBlocks(sf);
    }
    return true;
  }
  const v = rangesOf(sf);
  if (intervalsAdd(v, wide(start), wide(end), maxRanges) == NOT_ADDED) return false;
  noteBlock(sf, narrow(startOf(v, addedAt)), narrow(endOf(v, addedAt)));
  return true;
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

function noteBlock(sf: Subflow, start: u32, end: u32): void {
  // Blocks that the new one covers go; the rest move down by one.
  let kept: u32 = 0;
  for (let i: u32 = 0; i < sf.sackCount; i++) {
    const s = blockStart(sf, i);
    const e = blockEnd(sf, i);
    if (seqGe(s, start) && seqLe(e, end)) continue;
    setBlock(sf, kept++, s, e);
  }
  if (kept == MAX_BLOCKS) kept--;
  for (let i = kept; i > 0; i--) setBlock(sf, i, blockStart(sf, i - 1), blockEnd(sf, i - 1));
  setBlock(sf, 0, start, end);
  sf.sackCount = kept + 1;
}

function pruneBlocks(sf: Subflow): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < sf.sackCount; i++) {
    const s = blockStart(sf, i);
    const e = blockEnd(sf, i);
    if (seqDiff(e, sf.rcvNxt) > 0) setBlock(sf, kept++, s, e);
  }
  sf.sackCount = kept;
}
