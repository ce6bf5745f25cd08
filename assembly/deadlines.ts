/**
 * Deadlines of subflows and connections in one binary heap. A deadline that moves later (as on every ACK) is
 * left where it is: waking early is harmless, the owner looks at its true deadline and arms again. So arming
 * costs a comparison in the common case and O(log n) otherwise.
 */
import { alloc, free } from './arena';

/** Entry: key f64, owner u32, address of the owner's position field u32. */
const ENTRY: u32 = 16;

let heap: usize = 0;
let capacity: u32 = 0;
let size: u32 = 0;

@inline
function at(position: u32): usize {
  return heap + position * ENTRY;
}

@inline
function keyAt(position: u32): f64 {
  return load<f64>(at(position));
}

function place(position: u32, key: f64, owner: u32, field: u32): void {
  const p = at(position);
  store<f64>(p, key);
  store<u32>(p + 8, owner);
  store<u32>(p + 12, field);
  store<u32>(field, position);
}

/** Makes room for one more owner; called when subflows and connections are made. */
export function deadlinesReserve(owners: u32): bool {
  if (owners + 2 <= capacity) return true;
  const wanted: u32 = max<u32>(64, capacity * 2);
  const fresh = alloc(wanted * ENTRY);
  if (fresh == 0) return false;
  if (heap != 0) {
    memory.copy(fresh, heap, (size + 1) * ENTRY);
    free(heap, capacity * ENTRY);
  }
  heap = fresh;
  capacity = wanted;
  return true;
}

/** The owner wants to be called at `time` at the latest. `field` is its u32 position field, 0 when not queued. */
export function deadlineArm(owner: usize, field: usize, time: f64): void {
  let position = load<u32>(field);
  if (position == 0) position = ++size;
  else if (time >= keyAt(position)) return;
  // Sift up with a hole.
  while (position > 1) {
    const parent = position >> 1;
    const key = keyAt(parent);
    if (key <= time) break;
    place(position, key, load<u32>(at(parent) + 8), load<u32>(at(parent) + 12));
    position = parent;
  }
  place(position, time, <u32>owner, <u32>field);
}

/** Forgets an owner. */
export function deadlineDisarm(field: usize): void {
  const position = load<u32>(field);
  if (position == 0) return;
  store<u32>(field, 0);
  const last = at(size--);
  if (position > size) return;
  const key = load<f64>(last);
  const owner = load<u32>(last + 8);
  const lastField = load<u32>(last + 12);
  let hole = position;
  while (hole > 1 && keyAt(hole >> 1) > key) {
    const parent = hole >> 1;
    place(hole, keyAt(parent), load<u32>(at(parent) + 8), load<u32>(at(parent) + 12));
    hole = parent;
  }
  while (true) {
    let child = hole << 1;
    if (child > size) break;
    if (child < size && keyAt(child + 1) < keyAt(child)) child++;
    if (keyAt(child) >= key) break;
    place(hole, keyAt(child), load<u32>(at(child) + 8), load<u32>(at(child) + 12));
    hole = child;
  }
  place(hole, key, owner, lastField);
}

/** Time of the earliest wake-up, Infinity when there is none. */
export function deadlineNext(): f64 {
  return size == 0 ? Infinity : keyAt(1);
}

/** Takes out the earliest owner whose time has come, or returns 0. */
export function deadlineDue(time: f64): usize {
  if (size == 0 || keyAt(1) > time) return 0;
  const owner = load<u32>(at(1) + 8);
  deadlineDisarm(load<u32>(at(1) + 12));
  return owner;
}

// ---- for the audit ----------------------------------------------------------------------------------------

export function deadlinesSize(): u32 {
  return size;
}
/** Whether the entry that an owner's position field names is the owner's, and not later than its parent allows. */
export function deadlineRight(owner: usize, field: usize): bool {
  const position = load<u32>(field);
  if (position == 0) return true;
  if (position > size || load<u32>(at(position) + 12) != <u32>field) return false;
  if (load<u32>(at(position) + 8) != <u32>owner) return false;
  return position == 1 || keyAt(position >> 1) <= keyAt(position);
}
export function deadlinesBytes(): u32 {
  return capacity * ENTRY;
}
