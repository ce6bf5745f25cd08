/**
 * 32-bit sequence arithmetic (RFC 9293 section 3.4). A bare comparison or difference of sequence numbers
 * anywhere else is a mistake.
 */

/** a precedes b. */
@inline
export function seqLt(a: u32, b: u32): bool {
  return <i32>(a - b) < 0;
}

/** a precedes or equals b. */
@inline
export function seqLe(a: u32, b: u32): bool {
  return <i32>(a - b) <= 0;
}

/** a follows b. */
@inline
export function seqGt(a: u32, b: u32): bool {
  return <i32>(a - b) > 0;
}

/** a follows or equals b. */
@inline
export function seqGe(a: u32, b: u32): bool {
  return <i32>(a - b) >= 0;
}

/** Octets from a to b; negative when b precedes a. */
@inline
export function seqDiff(b: u32, a: u32): i32 {
  return <i32>(b - a);
}

/** The later of two. */
@inline
export function seqMax(a: u32, b: u32): u32 {
  return seqLt(a, b) ? b : a;
}

/** The earlier of two. */
@inline
export function seqMin(a: u32, b: u32): u32 {
  return seqLt(a, b) ? a : b;
}
