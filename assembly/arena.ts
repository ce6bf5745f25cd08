/**
 * Memory: one bump pointer and a free list per size class: powers of two from 64 octets up, and from 768 on also those
 * halfway between two, since records are as long as they are. Blocks are never returned to the engine. Growing the
 * memory detaches the views that TypeScript holds; it refreshes them after each call.
 */

import { MIB_MemoryDrop } from './mib';
import { count } from './counters';

const MIN_SHIFT: u32 = 6;
const MAX_SHIFT: u32 = 28;
/** Classes halfway have blocks of this and more, so that all blocks stay aligned to 64. */
const HALFWAY_FROM: u32 = 768;
const PAGE: usize = 65536;

/** Heads of the free lists, one per size class. */
const freeLists = memory.data(4 * 2 * (MAX_SHIFT + 1), 8);
let top: usize = 0;
/** Octets handed out and not freed, rounded up to their classes, and how many that may be. */
let used: u64 = 0;
let most: u64 = 512 << 20;

export function setMemoryMax(octets: u32): void {
  most = octets;
}

/** Twice the exponent of the smallest power of two that holds `size`, one less where the class halfway does. */
@inline
function classOf(size: u32): u32 {
  if (size <= 64) return MIN_SHIFT * 2;
  const shift = 32 - clz<u32>(size - 1);
  const halfway = <u32>3 << (shift - 2);
  return shift * 2 - u32(size <= halfway && halfway >= HALFWAY_FROM);
}

/** Octets of a block of a class. */
@inline
function sizeOf(sizeClass: u32): u32 {
  return (sizeClass & 1) == 0 ? <u32>1 << (sizeClass >> 1) : <u32>3 << ((sizeClass >> 1) - 1);
}

/** Less than an eighth of the memory allowed is left. */
export function memoryShort(): bool {
  return used > most - (most >> 3);
}

/** Octets that a block of `size` really takes. */
export function blockSize(size: u32): u32 {
  return sizeOf(classOf(size));
}

/** A block of at least `size` octets, aligned to 16, contents undefined. 0 when it would be too much. */
export function alloc(size: u32): usize {
  if (used + blockSize(size) <= most) return allocBeyond(size);
  count(MIB_MemoryDrop);
  return 0;
}

/** Like `alloc`, whatever the limit is: for what the core cannot go on without. */
export function allocBeyond(size: u32): usize {
  const sizeClass = classOf(size);
  if (sizeClass > MAX_SHIFT * 2) return 0;
  const list = freeLists + (<usize>sizeClass << 2);
  const head = load<usize>(list);
  const bytes = sizeOf(sizeClass);
  if (head != 0) {
    if (!ASC_NO_ASSERT) assert(isPoisoned(head, bytes), 'written after it was freed');
    store<usize>(list, load<usize>(head));
    if (!ASC_NO_ASSERT) fill(head, FRESH, bytes);
    used += bytes;
    return head;
  }
  if (top == 0) top = (__heap_base + 63) & ~63;
  const end = top + bytes;
  const have = <usize>memory.size() * PAGE;
  if (end > have) {
    // Grow in steps of at least 1 MiB so that small blocks do not grow the memory one by one.
    const pages = <i32>max<usize>((end - have + PAGE - 1) / PAGE, 16);
    if (memory.grow(pages) < 0 && memory.grow(<i32>((end - have + PAGE - 1) / PAGE)) < 0) {
      count(MIB_MemoryDrop);
      return 0;
    }
  }
  const block = top;
  top = end;
  used += bytes;
  return block;
}

/** Like `alloc`, filled with zeros. */
export function allocZero(size: u32): usize {
  const block = alloc(size);
  if (block != 0) memory.fill(block, 0, size);
  return block;
}

/** Gives a block back; `size` is what it was allocated with. */
export function free(block: usize, size: u32): void {
  if (block == 0) return;
  const sizeClass = classOf(size);
  const list = freeLists + (<usize>sizeClass << 2);
  const bytes = sizeOf(sizeClass);
  if (!ASC_NO_ASSERT) {
    assert(!isPoisoned(block, bytes), 'freed twice');
    fill(block, POISON, bytes);
  }
  store<usize>(block, load<usize>(list));
  store<usize>(list, block);
  used -= bytes;
}

/**
 * The debug build fills what is freed and looks at it when it is handed out again, so that whoever goes on using a
 * freed record is found out. Of large blocks the ends are looked at, and of rings only they are filled: a connection
 * gives its rings back whenever they are empty.
 */
const POISON: u8 = 0xdd;
const FRESH: u8 = 0xcd;
const LOOK: u32 = 256;
const RING: u32 = 65536;

function fill(block: usize, value: u8, size: u32): void {
  memory.fill(block, value, size < RING ? size : LOOK);
  if (size >= RING) memory.fill(block + size - LOOK, value, LOOK);
}

function isPoisoned(block: usize, size: u32): bool {
  // The first word links the free list.
  return filled(block + 8, min(size, LOOK) - 8) && (size <= LOOK || filled(block + size - LOOK, LOOK));
}

function filled(from: usize, octets: u32): bool {
  for (let i: u32 = 0; i < octets; i += 8) if (load<u64>(from + i) != 0xdddddddddddddddd) return false;
  return true;
}

/** Octets in use. */
export function arenaUsed(): f64 {
  return <f64>used;
}

/** For audits: whether all free blocks lie in what was handed out, and all of that is either free or in use. */
export function freeListsRight(): bool {
  let bytes: u64 = used;
  for (let sizeClass: u32 = 0; sizeClass <= MAX_SHIFT * 2; sizeClass++) {
    for (let p = load<usize>(freeLists + (<usize>sizeClass << 2)); p != 0; p = load<usize>(p)) {
      bytes += sizeOf(sizeClass);
      if ((p & 63) != 0 || p < __heap_base || p >= top || bytes > top) return false;
    }
  }
  return top == 0 || bytes == top - ((__heap_base + 63) & ~63);
}
