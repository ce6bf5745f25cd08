/**
 * The packet rings at the boundary. Receive: descriptors that point into one of two data areas, which batches use in
 * turn, filled by the host and emptied by one call. Transmit: descriptors with the header inside and up to two payload
 * spans that point into a send ring.
 */
import {
  PLACED,
  RX_SIZE,
  TX_HEADER,
  TX_HEADER_LEN,
  TX_OWNER,
  TX_PARTIAL,
  TX_PATH,
  TX_SEGMENT,
  TX_SIZE,
  TX_SPAN1,
  TX_SPAN1_LEN,
  TX_SPAN2,
  TX_SPAN2_LEN,
} from './abi';
import { alloc, blockSize } from './arena';

export const RX_SLOTS: u32 = 256;
/** Of one area. */
export const RX_BYTES: u32 = 4 << 20;
export const RX_AREAS: u32 = 2;
export const OUTSIDE: u32 = 2;
export const TX_SLOTS: u32 = 256;

export let rxDescriptors: usize = 0;
export let rxData: usize = 0;
export let txDescriptors: usize = 0;
let txHead: u32 = 0; // next to be sent
let txTail: u32 = 0; // next free

export function initRings(): bool {
  rxDescriptors = alloc(RX_SLOTS * RX_SIZE);
  rxData = alloc(RX_AREAS * RX_BYTES);
  txDescriptors = alloc(TX_SLOTS * TX_SIZE);
  return rxDescriptors != 0 && rxData != 0 && txDescriptors != 0;
}

/** Octets that the rings take from the arena. */
export function ringsBytes(): u32 {
  return blockSize(RX_SLOTS * RX_SIZE) + blockSize(RX_AREAS * RX_BYTES) + blockSize(TX_SLOTS * TX_SIZE);
}

/** The area of received packets in which octets lie; OUTSIDE: buffers outside the core; -1: elsewhere. */
@inline
export function rxAreaOf(at: usize): i32 {
  if (at >= PLACED) return <i32>OUTSIDE;
  return at >= rxData && at < rxData + RX_AREAS * RX_BYTES ? <i32>((at - rxData) / RX_BYTES) : -1;
}

/** Packets waiting for the device. */
@inline
export function txPending(): u32 {
  return txTail - txHead;
}

/** Address of the oldest waiting descriptor. */
export function txFirst(): usize {
  return txAt(0);
}

/** Address of the `i`-th waiting descriptor. */
@inline
export function txAt(i: u32): usize {
  return txDescriptors + ((txHead + i) & (TX_SLOTS - 1)) * TX_SIZE;
}

/** The device took the oldest `n` packets. */
export function txDone(n: u32): void {
  txHead += n;
}

/** Free slots. */
@inline
export function txRoom(): u32 {
  return TX_SLOTS - (txTail - txHead);
}

/** The next free descriptor with no payload; it counts only after `txPush`. The caller checked `txRoom`. */
export function txSlot(path: u32): usize {
  const at = txDescriptors + (txTail & (TX_SLOTS - 1)) * TX_SIZE;
  store<u32>(at + TX_PATH, path);
  store<u32>(at + TX_SPAN1_LEN, 0);
  store<u32>(at + TX_SPAN2_LEN, 0);
  store<u32>(at + TX_OWNER, 0);
  store<u32>(at + TX_SEGMENT, 0);
  store<u32>(at + TX_PARTIAL, 0);
  return at;
}

/** The device cuts this packet into segments of `size` payload octets. */
@inline
export function txCut(at: usize, size: u32): void {
  store<u32>(at + TX_SEGMENT, size);
}

/** The device completes the checksum of this packet's TCP header, `offset` octets behind its IP header. */
@inline
export function txPartial(at: usize, offset: u32): void {
  store<u32>(at + TX_PARTIAL, offset);
}

@inline
export function txPush(at: usize, headerLength: u32): void {
  store<u32>(at + TX_HEADER_LEN, headerLength);
  txTail++;
}

@inline
export function txHeader(at: usize): usize {
  return at + TX_HEADER;
}

/** Octets that `copyHeader` writes: room for every header, and more than one has. */
export const HEADER_ROOM: u32 = 112;

/** Copies a packet's header, at most 100 octets; what follows it in HEADER_ROOM is left over. */
@inline
export function copyHeader(to: usize, from: usize): void {
  for (let i: u32 = 0; i < HEADER_ROOM; i += 16) v128.store(to + i, v128.load(from + i));
}

/** Attaches payload: one span, or two when it wraps around the end of a ring. */
@inline
export function txPayload(at: usize, owner: usize, p1: usize, n1: u32, p2: usize, n2: u32): void {
  store<u32>(at + TX_OWNER, <u32>owner);
  store<u32>(at + TX_SPAN1, <u32>p1);
  store<u32>(at + TX_SPAN1_LEN, n1);
  store<u32>(at + TX_SPAN2, <u32>p2);
  store<u32>(at + TX_SPAN2_LEN, n2);
}

/** Whether a packet that waits has payload in this owner's memory. */
export function txHolds(owner: usize): bool {
  for (let i = txHead; i != txTail; i++) {
    if (load<u32>(txDescriptors + (i & (TX_SLOTS - 1)) * TX_SIZE + TX_OWNER) == <u32>owner) return true;
  }
  return false;
}

/** Empties the packets whose payload memory is about to be freed; the device skips them. */
export function txPurge(owner: usize): void {
  for (let i = txHead; i != txTail; i++) {
    const at = txDescriptors + (i & (TX_SLOTS - 1)) * TX_SIZE;
    if (load<u32>(at + TX_OWNER) == <u32>owner) {
      store<u32>(at + TX_HEADER_LEN, 0);
      store<u32>(at + TX_SPAN1_LEN, 0);
      store<u32>(at + TX_SPAN2_LEN, 0);
    }
  }
}
