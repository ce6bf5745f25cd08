/**
 * What one peer, and all peers together, may make this stack hold. Whatever meets a limit is refused and counted; no
 * list grows with the number of packets. Defaults serve paths with a product of rate and delay of some megabytes.
 */
import {
  CFG_HELD_MAX,
  CFG_HELD_STACK_MAX,
  CFG_MAPPINGS_MAX,
  CFG_MEMORY_MAX,
  CFG_PRIVATE_MAX,
  CFG_RANGES_MAX,
  CFG_RECORDS_MAX,
  CFG_REINJECTIONS_MAX,
  CFG_SIGNALS_MAX,
  CFG_TIME_WAIT_MAX,
} from './abi';
import { setMemoryMax } from './arena';

/** Octets of pages that hold unmapped or unverified data, of one connection and of all. */
export let maxHeld: u32 = 1 << 20;
export let maxHeldOfStack: u32 = 16 << 20;
/** Intervals beyond a hole, of one subflow or of one connection's data. */
export let maxRanges: u32 = 4096;
/** Mappings of one subflow whose octets have not all come. */
export let maxMappings: u32 = 1024;
/** Address signals of one connection that wait for a packet. */
export let maxSignals: u32 = 64;
/** Data ranges of one connection that wait for another subflow. */
export let maxReinjections: u32 = 8192;
/** Segments of one subflow in flight. */
export let maxRecords: u32 = 16384;
/** Octets of one connection's private copies of data in flight. */
export let maxPrivate: u32 = 16 << 20;
/** Subflows in TIME-WAIT. */
export let maxTimeWait: u32 = 16384;

/** CFG_* of the limits. False: no such limit, or out of range. */
export function setLimit(key: i32, value: f64): bool {
  if (!(value >= 1 && value <= 2147483648.0)) return false;
  const v = <u32>value;
  switch (key) {
    case CFG_MEMORY_MAX:
      setMemoryMax(v);
      return true;
    case CFG_HELD_MAX:
      maxHeld = v;
      return true;
    case CFG_HELD_STACK_MAX:
      maxHeldOfStack = v;
      return true;
    case CFG_RANGES_MAX:
      maxRanges = v;
      return true;
    case CFG_MAPPINGS_MAX:
      maxMappings = v;
      return true;
    case CFG_SIGNALS_MAX:
      maxSignals = v;
      return true;
    case CFG_REINJECTIONS_MAX:
      maxReinjections = v;
      return true;
    case CFG_RECORDS_MAX:
      maxRecords = v;
      return true;
    case CFG_PRIVATE_MAX:
      maxPrivate = v;
      return true;
    case CFG_TIME_WAIT_MAX:
      maxTimeWait = v;
      return true;
  }
  return false;
}
