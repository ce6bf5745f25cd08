/**
 * Intervals of sequence numbers that have arrived beyond a hole, sorted and disjoint, in one vector: found by binary
 * search, entered by moving the shorter side, taken from the front as the hole closes. What a peer can make of it is
 * bounded by the caller's limit; neither a lookup nor an entry walks a list.
 *
 * Numbers are 64 bits wide and compared around the circle. Subflow numbers are entered with `wide`, in the upper
 * half, where they wrap as they do in theirs.
 */
import { alloc, free } from './arena';
import { dsnDiff, dsnLe, dsnLt, dsnMax, dsnMin } from './dsn';

/** First number, and the one after the last. */
const ENTRY: u32 = 16;
const FIRST_CAPACITY: u32 = 4;

@unmanaged
export class Intervals {
  at: usize;
  capacity: u32;
  /** Index of the first one in the vector, and how many there are. */
  first: u32;
  count: u32;
}

/** A subflow sequence number as these functions take it. */
@inline
export function wide(seq: u32): u64 {
  return <u64>seq << 32;
}

/** And back. */
@inline
export function narrow(number: u64): u32 {
  return <u32>(number >> 32);
}

@inline
function entry(v: Intervals, i: u32): usize {
  return v.at + (v.first + i) * ENTRY;
}
@inline
export function startOf(v: Intervals, i: u32): u64 {
  return load<u64>(entry(v, i));
}
@inline
export function endOf(v: Intervals, i: u32): u64 {
  return load<u64>(entry(v, i), 8);
}

/** Index of the first interval that ends at `number` or after it; `count` when there is none. */
export function intervalsFind(v: Intervals, number: u64): u32 {
  let low: u32 = 0;
  let high = v.count;
  // What arrives belongs to the end or near it, as a rule.
  if (high != 0 && dsnLt(endOf(v, high - 1), number)) return high;
  while (low != high) {
    const middle = (low + high) >> 1;
    if (dsnLt(endOf(v, middle), number)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether all of [start, end) is there. */
export function intervalsCover(v: Intervals, start: u64, end: u64): bool {
  const i = intervalsFind(v, end);
  return i < v.count && dsnLe(startOf(v, i), start);
}

/** Whether any of [start, end) is there. */
export function intervalsMeet(v: Intervals, start: u64, end: u64): bool {
  let i = intervalsFind(v, start);
  if (i < v.count && endOf(v, i) == start) i++;
  return i < v.count && dsnLt(startOf(v, i), end);
}

export const ADDED_ALONE: i32 = 0;
/** It touched others and became one with them; `mergedAt` is the index. */
export const ADDED_MERGED: i32 = 1;
/** More than `most`, or no memory: nothing changed. */
export const NOT_ADDED: i32 = 2;

/** Index of the interval that holds what was added last. */
export let addedAt: u32 = 0;

/** Enters [start, end), which is not empty. */
export function intervalsAdd(v: Intervals, start: u64, end: u64, most: u32): i32 {
  const i = intervalsFind(v, start);
  addedAt = i;
  if (i < v.count && dsnLe(startOf(v, i), end)) {
    merge(v, i, start, end);
    return ADDED_MERGED;
  }
  if (v.count >= most || !makeRoom(v, i)) return NOT_ADDED;
  const at = entry(v, i);
  store<u64>(at, start);
  store<u64>(at, end, 8);
  return ADDED_ALONE;
}

/** Widens interval `i` and swallows those that it reaches then. */
function merge(v: Intervals, i: u32, start: u64, end: u64): void {
  const at = entry(v, i);
  let last = dsnMax(load<u64>(at, 8), end);
  let j = i + 1;
  while (j < v.count && dsnLe(startOf(v, j), last)) last = dsnMax(last, endOf(v, j++));
  store<u64>(at, dsnMin(load<u64>(at), start));
  store<u64>(at, last, 8);
  const swallowed = j - i - 1;
  if (swallowed == 0) return;
  memory.copy(at + ENTRY, entry(v, j), (v.count - j) * ENTRY);
  v.count -= swallowed;
}

/** Opens a gap at index `i`. */
function makeRoom(v: Intervals, i: u32): bool {
  if (v.first != 0 && i < v.count / 2) {
    v.first--;
    memory.copy(entry(v, 0), entry(v, 1), i * ENTRY);
    v.count++;
    return true;
  }
  if (v.first + v.count == v.capacity && !tidyOrGrow(v)) return false;
  if (i != v.count) memory.copy(entry(v, i + 1), entry(v, i), (v.count - i) * ENTRY);
  v.count++;
  return true;
}

/** Room behind the last one: by moving all to the middle, or by a vector of twice the size. */
function tidyOrGrow(v: Intervals): bool {
  if (v.count <= v.capacity / 2 && v.first != 0) {
    const first = (v.capacity - v.count) / 2;
    memory.copy(v.at + first * ENTRY, entry(v, 0), v.count * ENTRY);
    v.first = first;
    return true;
  }
  const capacity = v.capacity == 0 ? FIRST_CAPACITY : v.capacity * 2;
  const fresh = alloc(capacity * ENTRY);
  if (fresh == 0) return false;
  const first = v.capacity == 0 ? 0 : v.capacity / 4;
  if (v.count != 0) memory.copy(fresh + first * ENTRY, entry(v, 0), v.count * ENTRY);
  if (v.at != 0) free(v.at, v.capacity * ENTRY);
  v.at = fresh;
  v.capacity = capacity;
  v.first = first;
  return true;
}

/** Drops the intervals that `number` has reached. Returns where the last of them ends, or `number` itself. */
export function intervalsReach(v: Intervals, number: u64): u64 {
  let i: u32 = 0;
  while (i < v.count && dsnLe(startOf(v, i), number)) number = dsnMax(number, endOf(v, i++));
  v.first += i;
  v.count -= i;
  if (v.count == 0) intervalsFree(v);
  return number;
}

/**
 * Takes [start, end) out. Where an interval would fall in two and there is no memory for the second, its rest goes,
 * too.
 */
export function intervalsCut(v: Intervals, start: u64, end: u64): void {
  let i = intervalsFind(v, start);
  if (i < v.count && endOf(v, i) == start) i++;
  if (i == v.count) return;
  if (dsnLt(startOf(v, i), start)) {
    const last = endOf(v, i);
    store<u64>(entry(v, i++), start, 8);
    if (dsnLt(end, last)) {
      if (!makeRoom(v, i)) return;
      store<u64>(entry(v, i), end);
      store<u64>(entry(v, i), last, 8);
      return;
    }
  }
  let j = i;
  while (j < v.count && dsnLe(endOf(v, j), end)) j++;
  if (j < v.count && dsnLt(startOf(v, j), end)) store<u64>(entry(v, j), end);
  if (j != i) {
    memory.copy(entry(v, i), entry(v, j), (v.count - j) * ENTRY);
    v.count -= j - i;
  }
  if (v.count == 0) intervalsFree(v);
}

/** Numbers from `number` to the end of the last interval; 0 when there is none. */
export function intervalsSpan(v: Intervals, number: u64): u64 {
  return v.count == 0 ? 0 : <u64>dsnDiff(endOf(v, v.count - 1), number);
}

export function intervalsFree(v: Intervals): void {
  if (v.at != 0) free(v.at, v.capacity * ENTRY);
  v.at = 0;
  v.capacity = v.first = v.count = 0;
}

/** Octets of memory that the vector takes. */
export function intervalsBytes(v: Intervals): u32 {
  return v.capacity * ENTRY;
}
