/**
 * Receive side of a subflow's sequence space: what has arrived beyond a hole, and the SACK blocks that tell of
 * it (RFC 2018, D-SACK RFC 2883). The octets themselves lie elsewhere already; these are only intervals.
 */
import { alloc, free } from '../arena';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from '../seq';
import { Subflow } from './subflow';

const MAX_BLOCKS: u32 = 4;
/** Ranges that one subflow may hold; a segment that would need more is dropped. */
export const MAX_RANGES: u32 = 4096;

@unmanaged
class Range {
  start: u32;
  end: u32;
  next: usize;
}

const RANGE_SIZE: u32 = offsetof<Range>();

@inline
function rangeAt(pointer: usize): Range {
  return changetype<Range>(pointer);
}

/** Whether [start, end) can be noted. */
export function rangesRoom(sf: Subflow, start: u32): bool {
  return start == sf.rcvNxt || sf.oooCount < MAX_RANGES;
}

/** All of [start, end) has arrived before. */
export function rangesCover(sf: Subflow, start: u32, end: u32): bool {
  if (seqLe(end, sf.rcvNxt)) return true;
  for (let p = sf.oooHead; p != 0; p = rangeAt(p).next) {
    const r = rangeAt(p);
    if (seqGe(start, r.start) && seqLe(end, r.end)) return true;
    if (seqGt(r.start, start)) return false;
  }
  return false;
}

/** Notes that [start, end) has arrived, start at or after rcvNxt. Moves rcvNxt when a hole closes. */
export function rangesAdd(sf: Subflow, start: u32, end: u32): bool {
  if (seqLe(start, sf.rcvNxt)) {
    if (seqGt(end, sf.rcvNxt)) sf.rcvNxt = end;
    absorb(sf);
    return true;
  }
  const tail = sf.oooTail;
  if (tail != 0 && seqLe(start, rangeAt(tail).end) && seqGe(start, rangeAt(tail).start)) {
    const r = rangeAt(tail);
    r.end = seqMax(r.end, end);
    noteBlock(sf, r.start, r.end);
    return true;
  }
  // Where it belongs: after the last range that ends before it.
  let before: usize = 0;
  let p = sf.oooHead;
  if (tail != 0 && seqGt(start, rangeAt(tail).end)) {
    before = tail;
    p = 0;
  } else {
    while (p != 0 && seqLt(rangeAt(p).end, start)) {
      before = p;
      p = rangeAt(p).next;
    }
  }
  if (p != 0 && seqLe(rangeAt(p).start, end)) {
    // Touches p: widen it and swallow those that follow.
    const r = rangeAt(p);
    r.start = seqMin(r.start, start);
    r.end = seqMax(r.end, end);
    let n = r.next;
    while (n != 0 && seqLe(rangeAt(n).start, r.end)) {
      r.end = seqMax(r.end, rangeAt(n).end);
      r.next = rangeAt(n).next;
      release(sf, n);
      n = r.next;
    }
    if (r.next == 0) sf.oooTail = p;
    noteBlock(sf, r.start, r.end);
    return true;
  }
  const fresh = alloc(RANGE_SIZE);
  if (fresh == 0) return false;
  const r = rangeAt(fresh);
  r.start = start;
  r.end = end;
  r.next = p;
  if (before != 0) rangeAt(before).next = fresh;
  else sf.oooHead = fresh;
  if (p == 0) sf.oooTail = fresh;
  sf.oooCount++;
  noteBlock(sf, start, end);
  return true;
}

function release(sf: Subflow, p: usize): void {
  free(p, RANGE_SIZE);
  sf.oooCount--;
}

/** Takes in the ranges that rcvNxt has reached. */
function absorb(sf: Subflow): void {
  let p = sf.oooHead;
  while (p != 0 && seqLe(rangeAt(p).start, sf.rcvNxt)) {
    const r = rangeAt(p);
    if (seqGt(r.end, sf.rcvNxt)) sf.rcvNxt = r.end;
    const next = r.next;
    release(sf, p);
    p = next;
  }
  sf.oooHead = p;
  if (p == 0) sf.oooTail = 0;
  pruneBlocks(sf);
}

export function rangesFree(sf: Subflow): void {
  let p = sf.oooHead;
  while (p != 0) {
    const next = rangeAt(p).next;
    free(p, RANGE_SIZE);
    p = next;
  }
  sf.oooHead = sf.oooTail = 0;
  sf.oooCount = 0;
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
