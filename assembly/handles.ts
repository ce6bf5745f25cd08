/**
 * Handles: what TypeScript holds instead of pointers. 20 bits of index and 11 bits of generation, so that a
 * handle kept too long is found out. The top bit stays clear: exports return handles and negative codes alike.
 */
import { alloc, free } from './arena';

const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
/** Entry: pointer (u32), generation and kind (u32: kind in the low 8 bits). */
const ENTRY: u32 = 8;

export const KIND_CONNECTION: u32 = 1;
export const KIND_SUBFLOW: u32 = 2;

let table: usize = 0;
let capacity: u32 = 0;
let next: u32 = 1; // handle 0 is never valid
let freeHead: u32 = 0; // list of free indices through the pointer field

/** A handle for `pointer`, or 0 when there is no memory. */
export function handleNew(pointer: usize, kind: u32): u32 {
  let index = freeHead;
  if (index != 0) {
    freeHead = load<u32>(table + index * ENTRY);
  } else {
    if (next >= capacity && !grow()) return 0;
    index = next++;
    store<u32>(table + index * ENTRY + 4, 0);
  }
  const at = table + index * ENTRY;
  const generation = load<u32>(at + 4) >> 8;
  store<u32>(at, <u32>pointer);
  store<u32>(at + 4, (generation << 8) | kind);
  return (generation << INDEX_BITS) | index;
}

function grow(): bool {
  const wanted: u32 = capacity == 0 ? 64 : capacity * 2;
  if (wanted > INDEX_MASK) return false;
  const fresh = alloc(wanted * ENTRY);
  if (fresh == 0) return false;
  if (table != 0) {
    memory.copy(fresh, table, capacity * ENTRY);
    free(table, capacity * ENTRY);
  }
  table = fresh;
  capacity = wanted;
  return true;
}

/** The pointer behind a handle, or 0. */
export function handleGet(handle: u32, kind: u32): usize {
  const index = handle & INDEX_MASK;
  if (index == 0 || index >= next) return 0;
  const at = table + index * ENTRY;
  const meta = load<u32>(at + 4);
  if ((meta & 0xff) != kind || meta >> 8 != handle >> INDEX_BITS) return 0;
  return load<u32>(at);
}

/** Ends a handle's life. */
export function handleFree(handle: u32): void {
  const index = handle & INDEX_MASK;
  const at = table + index * ENTRY;
  const generation = ((load<u32>(at + 4) >> 8) + 1) & 0x7ff;
  store<u32>(at, freeHead);
  store<u32>(at + 4, generation << 8);
  freeHead = index;
}

// ---- for the audit ----------------------------------------------------------------------------------------

/** Handles are below this index. */
export function handlesEnd(): u32 {
  return next;
}
/** The record of this kind at an index, 0 when there is none. */
export function handleAt(index: u32, kind: u32): usize {
  const at = table + index * ENTRY;
  return (load<u32>(at + 4) & 0xff) == kind ? <usize>load<u32>(at) : 0;
}
export function handlesBytes(): u32 {
  return capacity * ENTRY;
}
