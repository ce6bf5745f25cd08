/**
 * Octets that cannot be placed yet: those whose mapping has not come, and those of a checksummed mapping that is
 * incomplete or wrong. They lie in pages, each octet at its subflow sequence number, so that a flood of small segments
 * takes no more memory than its pages, which are bounded per connection and per stack.
 */
import { alloc, free } from '../arena';
import { MIB_HeldDrop } from '../mib';
import { sum16, swap16 } from '../checksum';
import { count } from '../counters';
import { maxHeld, maxHeldOfStack, maxRanges } from '../limits';
import {
  endOf,
  Intervals,
  intervalsAdd,
  intervalsCover,
  intervalsCut,
  intervalsFind,
  intervalsFree,
  intervalsMeet,
  narrow,
  NOT_ADDED,
  startOf,
  wide,
} from '../intervals';
import { seqDiff, seqGt, seqLt, seqMax, seqMin } from '../seq';
import { Subflow } from '../tcp/subflow';
import { Connection } from './connection';

export const PAGE_SHIFT: u32 = 11;
export const PAGE: u32 = 1 << PAGE_SHIFT;
/** Number of the page, and where it lies. */
const ENTRY: u32 = 8;
const FIRST_CAPACITY: u32 = 8;

/** Octets of all pages of the stack. */
export let heldTotal: u32 = 0;

@inline
export function heldOf(sf: Subflow): Intervals {
  return changetype<Intervals>(changetype<usize>(sf) + offsetof<Subflow>('heldAt'));
}

/** Whether all of [start, end) waits here. */
export function heldCovers(sf: Subflow, start: u32, end: u32): bool {
  return sf.heldCount != 0 && intervalsCover(heldOf(sf), wide(start), wide(end));
}

/** Whether any octet of [start, end) waits here. */
export function heldMeets(sf: Subflow, start: u32, end: u32): bool {
  return sf.heldCount != 0 && intervalsMeet(heldOf(sf), wide(start), wide(end));
}

/** Sequence number of the first octet that waits; only when `heldCount` is not 0. */
export function firstHeld(sf: Subflow): u32 {
  return narrow(startOf(heldOf(sf), 0));
}

/** Sequence number after the last octet that waits; only when `heldCount` is not 0. */
export function lastHeld(sf: Subflow): u32 {
  const v = heldOf(sf);
  return narrow(endOf(v, v.count - 1));
}

// ---- pages ------------------------------------------------------------------------------------------------

@inline
function pageEntry(sf: Subflow, i: u32): usize {
  return sf.pages + i * ENTRY;
}

/** Index of the first page whose number is not before that of `seq`. */
function pageFind(sf: Subflow, seq: u32): u32 {
  const base = seq >> PAGE_SHIFT;
  let low: u32 = 0;
  let high = sf.pageCount;
  while (low != high) {
    const middle = (low + high) >> 1;
    // Numbers of pages wrap as the numbers in them do.
    if (<i32>((load<u32>(pageEntry(sf, middle)) - base) << PAGE_SHIFT) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The page of `seq`, 0 when there is none. */
export function pageOf(sf: Subflow, seq: u32): usize {
  const i = pageFind(sf, seq);
  if (i == sf.pageCount || load<u32>(pageEntry(sf, i)) != seq >> PAGE_SHIFT) return 0;
  return load<u32>(pageEntry(sf, i), 4);
}

/** The page of `seq`, made when it is missing; 0: a limit is reached. */
function pageMake(c: Connection, sf: Subflow, seq: u32): usize {
  const i = pageFind(sf, seq);
  if (i < sf.pageCount && load<u32>(pageEntry(sf, i)) == seq >> PAGE_SHIFT) return load<u32>(pageEntry(sf, i), 4);
  if (c.heldBytes + PAGE > maxHeld || heldTotal + PAGE > maxHeldOfStack || !pageRoom(sf)) return 0;
  const page = alloc(PAGE);
  if (page == 0) return 0;
  memory.copy(pageEntry(sf, i + 1), pageEntry(sf, i), (sf.pageCount - i) * ENTRY);
  sf.pageCount++;
  store<u32>(pageEntry(sf, i), seq >> PAGE_SHIFT);
  store<u32>(pageEntry(sf, i), <u32>page, 4);
  c.heldBytes += PAGE;
  heldTotal += PAGE;
  return page;
}

function pageRoom(sf: Subflow): bool {
  if (sf.pageCount < sf.pageCapacity) return true;
  const capacity = sf.pageCapacity == 0 ? FIRST_CAPACITY : sf.pageCapacity * 2;
  const fresh = alloc(capacity * ENTRY);
  if (fresh == 0) return false;
  memory.copy(fresh, sf.pages, sf.pageCount * ENTRY);
  free(sf.pages, sf.pageCapacity * ENTRY);
  sf.pages = fresh;
  sf.pageCapacity = capacity;
  return true;
}

/** Gives the pages back that [start, end) leaves without a waiting octet. */
function pagesTidy(c: Connection, sf: Subflow, start: u32, end: u32): void {
  let i = pageFind(sf, start);
  let kept = i;
  for (; i < sf.pageCount; i++) {
    const entry = pageEntry(sf, i);
    const first = load<u32>(entry) << PAGE_SHIFT;
    if (!seqLt(first, end)) break;
    if (heldMeets(sf, first, first + PAGE)) {
      store<u64>(pageEntry(sf, kept++), load<u64>(entry));
    } else {
      free(load<u32>(entry, 4), PAGE);
      c.heldBytes -= PAGE;
      heldTotal -= PAGE;
    }
  }
  if (kept == i) return;
  memory.copy(pageEntry(sf, kept), pageEntry(sf, i), (sf.pageCount - i) * ENTRY);
  sf.pageCount -= i - kept;
}

// ---- octets in and out ------------------------------------------------------------------------------------

/** Keeps a copy of [seq, seq + length). What waits already stays as it came. False: a limit is reached. */
export function hold(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): bool {
  const v = heldOf(sf);
  const end = seq + length;
  let at = seq;
  // The pages first: a part of a segment that is kept would have to be found again.
  for (let p = seq; seqLt(p, end); p = ((p >> PAGE_SHIFT) + 1) << PAGE_SHIFT) {
    if (pageMake(c, sf, p) != 0) continue;
    pagesTidy(c, sf, seq, end);
    count(MIB_HeldDrop);
    return false;
  }
  let i = intervalsFind(v, wide(seq));
  while (seqLt(at, end)) {
    const gapEnd = i < v.count ? seqMax(at, seqMin(end, narrow(startOf(v, i)))) : end;
    copyIn(sf, at, from + <u32>seqDiff(at, seq), <u32>seqDiff(gapEnd, at));
    if (i == v.count) break;
    at = seqMax(gapEnd, narrow(endOf(v, i++)));
  }
  if (intervalsAdd(v, wide(seq), wide(end), maxRanges) != NOT_ADDED) return true;
  pagesTidy(c, sf, seq, end);
  count(MIB_HeldDrop);
  return false;
}

function copyIn(sf: Subflow, seq: u32, from: usize, length: u32): void {
  while (length != 0) {
    const offset = seq & (PAGE - 1);
    const n = min(length, PAGE - offset);
    memory.copy(pageOf(sf, seq) + offset, from, n);
    seq += n;
    from += n;
    length -= n;
  }
}

/** One's complement sum of [seq, end), all of which waits. */
export function heldSum(sf: Subflow, seq: u32, end: u32): u64 {
  let sum: u64 = 0;
  let at = seq;
  while (at != end) {
    const offset = at & (PAGE - 1);
    const n = min(<u32>seqDiff(end, at), PAGE - offset);
    const part = sum16(pageOf(sf, at) + offset, n, 0);
    sum += ((at - seq) & 1) != 0 ? swap16(part) : part;
    at += n;
  }
  return sum;
}

/** The next run of waiting octets at or after `seq` and before `end` that lies in one page; false: none is left. */
export function heldRun(sf: Subflow, seq: u32, end: u32): bool {
  const v = heldOf(sf);
  if (v.count == 0) return false;
  let i = intervalsFind(v, wide(seq));
  if (i < v.count && narrow(endOf(v, i)) == seq) i++;
  if (i == v.count) return false;
  const start = seqMax(seq, narrow(startOf(v, i)));
  const last = seqMin(end, narrow(endOf(v, i)));
  if (!seqGt(last, start)) return false;
  runSeq = start;
  const offset = start & (PAGE - 1);
  runLength = min(<u32>seqDiff(last, start), PAGE - offset);
  runAt = pageOf(sf, start) + offset;
  return true;
}
/** What `heldRun` found. */
export let runSeq: u32 = 0;
export let runLength: u32 = 0;
export let runAt: usize = 0;

/** [start, end) waits no longer. */
export function heldDrop(c: Connection, sf: Subflow, start: u32, end: u32): void {
  if (sf.heldCount == 0) return;
  intervalsCut(heldOf(sf), wide(start), wide(end));
  pagesTidy(c, sf, start, end);
}

export function heldFree(c: Connection, sf: Subflow): void {
  for (let i: u32 = 0; i < sf.pageCount; i++) free(load<u32>(pageEntry(sf, i), 4), PAGE);
  c.heldBytes -= sf.pageCount * PAGE;
  heldTotal -= sf.pageCount * PAGE;
  free(sf.pages, sf.pageCapacity * ENTRY);
  sf.pages = 0;
  sf.pageCapacity = sf.pageCount = 0;
  intervalsFree(heldOf(sf));
}

/** Octets of the table of pages. */
export function heldPagesBytes(sf: Subflow): u32 {
  return sf.pageCapacity * ENTRY;
}
