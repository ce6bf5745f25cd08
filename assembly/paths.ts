/** What the core knows of each path: set by the host when a path appears or changes. */

/** mtu u32, overhead u32, needs checksum u32, address ID u32. */
const ENTRY: u32 = 16;
export const MAX_PATHS: u32 = 256;
const table = memory.data(256 * 16, 8);

export function setPath(path: u32, mtu: u32, overhead: u32, needsChecksum: bool, addressId: u32): void {
  const at = table + path * ENTRY;
  store<u32>(at, mtu);
  store<u32>(at + 4, overhead);
  store<u32>(at + 8, needsChecksum ? 1 : 0);
  store<u32>(at + 12, addressId);
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

/** Address ID of the path on connections that did not begin there (RFC 8684 section 3.2). */
export function pathAddressId(path: u32): u32 {
  return load<u32>(table + path * ENTRY + 12);
}

@inline
export function pathNeedsChecksum(path: u32): bool {
  return load<u32>(table + path * ENTRY + 8) != 0;
}
