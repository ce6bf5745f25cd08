/**
 * The event ring: fixed records that TypeScript reads after each call. Packets and timers cannot overflow it: they
 * stop early, with work left, while fewer than EVENT_RESERVE records are free. Commands do not stop, and a program
 * may abort any number of connections in one turn: for them it grows.
 */
import { EV_A, EV_B, EV_C, EV_ADDR, EV_CONN, EV_SIZE, EV_SUBFLOW, EV_TYPE } from './abi';
import { allocBeyond, blockSize, free } from './arena';
import { put64 } from './bytes';
import { trap } from './trap';

export const EVENT_SLOTS: u32 = 1024;
/** More events than one packet, timer or command can cause. */
const EVENT_RESERVE: u32 = 64;

export let eventRing: usize = memory.data(1024 * 48, 8);
let eventSlots: u32 = EVENT_SLOTS;
let eventCount: u32 = 0;

/** Room for another packet's or timer's events. */
@inline
export function eventsRoom(): bool {
  return eventCount < EVENT_SLOTS - EVENT_RESERVE;
}

/** Number of records; TypeScript has read them all when it calls `clearEvents`. */
export function pendingEvents(): u32 {
  return eventCount;
}
export function clearEvents(): void {
  eventCount = 0;
}

export function emit(type: u32, conn: u32, subflow: u32, a: u32, b: u32, c: u32): usize {
  if (eventCount == eventSlots && !grow()) trap(0, 0, 0, 0);
  const at = eventRing + eventCount++ * EV_SIZE;
  store<u32>(at + EV_TYPE, type);
  store<u32>(at + EV_CONN, conn);
  store<u32>(at + EV_SUBFLOW, subflow);
  store<u32>(at + EV_A, a);
  store<u32>(at + EV_B, b);
  store<u32>(at + EV_C, c);
  return at;
}

function grow(): bool {
  const octets = eventSlots * EV_SIZE;
  const fresh = allocBeyond(octets * 2);
  if (fresh == 0) return false;
  memory.copy(fresh, eventRing, octets);
  if (eventSlots != EVENT_SLOTS) free(eventRing, octets);
  eventRing = fresh;
  eventSlots *= 2;
  return true;
}

/** An event with an address. */
export function emitAddress(type: u32, conn: u32, a: u32, b: u32, c: u32, high: u64, low: u64): void {
  const at = emit(type, conn, 0, a, b, c);
  put64(at + EV_ADDR, high);
  put64(at + EV_ADDR + 8, low);
}

/** Octets that the ring takes from the arena: none as long as it has not grown. */
export function eventsBytes(): u32 {
  return eventSlots == EVENT_SLOTS ? 0 : blockSize(eventSlots * EV_SIZE);
}
