/**
 * Packets one behind the other: a batch moves from the transmit ring of one core to the receive ring of another in one
 * copy, where two stacks share a process. The host copies the pack; both ends of it are made here.
 */
import {
  CHECKSUM_PARTIAL,
  PACK_HEADER,
  PACK_LENGTH,
  PACK_PARTIAL,
  PACK_SEGMENT,
  RX_CHECKSUM,
  RX_LEN,
  RX_PATH,
  RX_PLACED,
  RX_PTR,
  RX_SEGMENT,
  RX_SIZE,
  TX_HEADER,
  TX_HEADER_LEN,
  TX_PARTIAL,
  TX_PATH,
  TX_SEGMENT,
  TX_SPAN1,
  TX_SPAN1_LEN,
  TX_SPAN2,
  TX_SPAN2_LEN,
} from './abi';
import { alloc, blockSize } from './arena';
import { copyHeader, HEADER_ROOM, rxDescriptors, txAt, txPending } from './rings';

/** Large enough for forty segments of Ethernet, small enough to stay in the cache. */
const SIZE: u32 = 65536;
/** A larger packet costs less as a copy of its own. */
const LARGEST: u32 = 4096;

let area: usize = 0;
let octets: u32 = 0;
let packets: u32 = 0;

export function packBytes(): u32 {
  return area == 0 ? 0 : blockSize(SIZE);
}

/**
 * Packs the packets of one path that wait in the transmit ring, from the `from`-th on; returns how many descriptors
 * that took. 0: the first one is not worth it, or there is no memory.
 */
export function txPack(from: u32): u32 {
  if (area == 0) area = alloc(SIZE);
  if (area == 0) return 0;
  const path = load<u32>(txAt(from) + TX_PATH);
  const pending = txPending();
  octets = packets = 0;
  let i = from;
  for (; i < pending; i++) {
    const at = txAt(i);
    if (load<u32>(at + TX_PATH) != path) break;
    const headerLength = load<u32>(at + TX_HEADER_LEN);
    if (headerLength == 0) continue;
    const first = load<u32>(at + TX_SPAN1_LEN);
    const second = load<u32>(at + TX_SPAN2_LEN);
    const length = headerLength + first + second;
    if (length > LARGEST || octets + PACK_HEADER + length + HEADER_ROOM > SIZE) break;
    const to = area + octets;
    store<u32>(to + PACK_LENGTH, length);
    store<u32>(to + PACK_SEGMENT, load<u32>(at + TX_SEGMENT));
    store<u32>(to + PACK_PARTIAL, load<u32>(at + TX_PARTIAL));
    copyHeader(to + PACK_HEADER, at + TX_HEADER);
    memory.copy(to + PACK_HEADER + headerLength, load<u32>(at + TX_SPAN1), first);
    if (second != 0) memory.copy(to + PACK_HEADER + headerLength + first, load<u32>(at + TX_SPAN2), second);
    octets += (PACK_HEADER + length + 15) & ~15;
    packets++;
  }
  return i - from;
}

/** The pack made last: where it lies, its octets and packets. */
export function packAt(): usize {
  return area;
}
export function packOctets(): u32 {
  return octets;
}
export function packPackets(): u32 {
  return packets;
}

/** Receive descriptors from the `from`-th on for a pack of `size` octets at `at`; there is room. */
export function rxUnpack(from: u32, at: usize, size: u32, path: u32, checksum: u32): void {
  let descriptor = rxDescriptors + from * RX_SIZE;
  const end = at + size;
  while (at < end) {
    const length = load<u32>(at + PACK_LENGTH);
    store<u32>(descriptor + RX_PTR, <u32>at + PACK_HEADER);
    store<u32>(descriptor + RX_LEN, length);
    store<u32>(descriptor + RX_PATH, path);
    store<u32>(descriptor + RX_CHECKSUM, load<u32>(at + PACK_PARTIAL) == 0 ? checksum : CHECKSUM_PARTIAL);
    store<u32>(descriptor + RX_SEGMENT, load<u32>(at + PACK_SEGMENT));
    store<u32>(descriptor + RX_PLACED, 0);
    descriptor += RX_SIZE;
    at += (PACK_HEADER + length + 15) & ~15;
  }
}
