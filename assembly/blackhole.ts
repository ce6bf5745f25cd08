/**
 * Memory of something that the network swallowed: it is left alone for a time that doubles with every repetition, up
 * to 64 times the first, until it works again. Linux keeps the like for Multipath TCP and for Fast Open.
 */
import { now } from './host';

const MAX_DOUBLINGS: u32 = 6;

/** What was swallowed: when last, and how often in a row. */
@unmanaged
class BlackHole {
  since: f64;
  times: u32;
}

export const multipathHole = changetype<BlackHole>(memory.data(offsetof<BlackHole>(), 8));
export const fastOpenHole = changetype<BlackHole>(memory.data(offsetof<BlackHole>(), 8));

/** It was swallowed again. `timeout` is the first time to leave it alone, 0 never; false then. */
export function holeFound(hole: BlackHole, timeout: f64): bool {
  if (timeout == 0) return false;
  hole.since = now;
  hole.times++;
  return true;
}

/** Whether it is left alone now. */
export function holeOpen(hole: BlackHole, timeout: f64): bool {
  return hole.times != 0 && now < hole.since + timeout * <f64>(1 << min<u32>(hole.times - 1, MAX_DOUBLINGS));
}

/** It got through. */
export function holeClosed(hole: BlackHole): void {
  hole.times = 0;
}
