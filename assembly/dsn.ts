/**
 * 64-bit data sequence arithmetic (RFC 8684 section 3.3) and the expansion of 32-bit forms.
 */

/** a precedes b. */
@inline
export function dsnLt(a: u64, b: u64): bool {
  return <i64>(a - b) < 0;
}

/** a precedes or equals b. */
@inline
export function dsnLe(a: u64, b: u64): bool {
  return <i64>(a - b) <= 0;
}

/** a follows b. */
@inline
export function dsnGt(a: u64, b: u64): bool {
  return <i64>(a - b) > 0;
}

/** a follows or equals b. */
@inline
export function dsnGe(a: u64, b: u64): bool {
  return <i64>(a - b) >= 0;
}

/** Octets from a to b; negative when b precedes a. */
@inline
export function dsnDiff(b: u64, a: u64): i64 {
  return <i64>(b - a);
}

/** The later of two. */
@inline
export function dsnMax(a: u64, b: u64): u64 {
  return dsnLt(a, b) ? b : a;
}

/** The earlier of two. */
@inline
export function dsnMin(a: u64, b: u64): u64 {
  return dsnLt(a, b) ? a : b;
}

/** The 64-bit number with these low 32 bits that lies nearest to the reference. */
@inline
export function dsnExpand(reference: u64, low: u32): u64 {
  return reference + <i64>(<i32>(low - <u32>reference));
}
