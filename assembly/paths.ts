/** What the core knows of each path: set by the host when a path appears or changes. */

import { E_INVAL, PATH_CHECKSUM, PATH_HIDES_ECN, PATH_LENDS } from './abi';

/** mtu u32, overhead u32, traits u32 (PATH_*), address ID u32, backup u32, largest super-segment u32. */
const ENTRY: u32 = 24;
export const MAX_PATHS: u32 = 256;
const table = memory.data(256 * 24, 8);
/** The address ID that the next path without one gets; 0: none. */
let nextId: u32 = 0;
/** An ID was given, and the host has not named the next one yet. */
export let idsWait: bool = false;

/** One octet per path: 1 while the device takes no packets for it. */
const blocked = memory.data(256, 8);

export function setPath(path: u32, mtu: u32, overhead: u32, traits: u32, addressId: u32): void {
  const at = table + path * ENTRY;
  store<u32>(at, mtu);
  store<u32>(at + 4, overhead);
  store<u32>(at + 8, traits);
  store<u32>(at + 12, addressId);
  store<u32>(at + 20, 0);
  store<u8>(blocked + path, 0);
}

/** The path's packets may be larger or smaller than before. */
export function setMtu(path: u32, mtu: u32): void {
  store<u32>(table + path * ENTRY, mtu);
}

/**
 * The path's device cuts packets of up to `maxOctets` (IP header to end) into segments, TX_SEGMENT, and completes their
 * TCP checksums, TX_PARTIAL; 0: neither, as after `setPath`. 0, or E_INVAL.
 */
export function setPathOffload(path: u32, maxOctets: u32): i32 {
  if (path >= MAX_PATHS || maxOctets > 65535) return E_INVAL;
  store<u32>(table + path * ENTRY + 20, maxOctets);
  return 0;
}

/** Largest IP packet that the device cuts into segments, 0: none. */
@inline
export function pathOffload(path: u32): u32 {
  return load<u32>(table + path * ENTRY + 20);
}

export function blockPath(path: u32, on: bool): void {
  if (path >= MAX_PATHS) return;
  store<u8>(blocked + path, on ? 1 : 0);
}

/** No data may be given to the path now; what is due in any case, such as an ACK, waits at the host. */
@inline
export function pathBlocked(path: u32): bool {
  return load<u8>(blocked + path) != 0;
}

/** Largest IP packet in octets; 0 when there is no such path. */
@inline
export function pathMtu(path: u32): u32 {
  return path < MAX_PATHS ? load<u32>(table + path * ENTRY) : 0;
}

/** Octets of encapsulation below IP's payload. */
@inline
export function pathOverhead(path: u32): u32 {
  return load<u32>(table + path * ENTRY + 4);
}

/** Address ID 0: the path has none until a join comes in there. `backup`: what SYN/ACKs of joins say. */
export function setPathEndpoint(path: u32, addressId: u32, backup: bool): void {
  const at = table + path * ENTRY;
  store<u32>(at + 12, addressId);
  store<u32>(at + 16, backup ? 1 : 0);
}

export function setNextId(id: u32): void {
  nextId = id;
  idsWait = false;
}

/** Address ID of the path on connections that did not begin there (RFC 8684 section 3.2); 0: none. */
export function pathAddressId(path: u32): u32 {
  return load<u32>(table + path * ENTRY + 12);
}

/** Gives a path without address ID the next one; 0: there is none. */
export function takeNextId(path: u32): u32 {
  const id = nextId;
  if (id == 0) return 0;
  store<u32>(table + path * ENTRY + 12, id);
  nextId = 0;
  idsWait = true;
  return id;
}

@inline
export function pathIsBackup(path: u32): bool {
  return load<u32>(table + path * ENTRY + 16) != 0;
}

@inline
export function pathNeedsChecksum(path: u32): bool {
  return (load<u32>(table + path * ENTRY + 8) & PATH_CHECKSUM) != 0;
}

/** Packets that leave there need the sum of their payload; a device with offload makes it itself. */
@inline
export function pathSumsPayload(path: u32): bool {
  return pathNeedsChecksum(path) && pathOffload(path) == 0;
}

/** Payload may lie in the application's memory. */
export function pathLends(path: u32): bool {
  return (load<u32>(table + path * ENTRY + 8) & PATH_LENDS) != 0;
}

export function pathHidesEcn(path: u32): bool {
  return (load<u32>(table + path * ENTRY + 8) & PATH_HIDES_ECN) != 0;
}
