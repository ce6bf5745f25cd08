/** Big-endian loads and stores: the only file that knows the order of octets on the wire. */

@inline
export function get8(at: usize): u32 {
  return load<u8>(at);
}

@inline
export function get16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

@inline
export function get32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

@inline
export function get64(at: usize): u64 {
  return bswap<u64>(load<u64>(at));
}

@inline
export function put8(at: usize, value: u32): void {
  store<u8>(at, <u8>value);
}

@inline
export function put16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

@inline
export function put32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

@inline
export function put64(at: usize, value: u64): void {
  store<u64>(at, bswap<u64>(value));
}
