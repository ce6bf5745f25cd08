/**
 * The Internet checksum (RFC 1071), shared by TCP (RFC 9293 section 3.1) and DSS (RFC 8684 section 3.3.1).
 *
 * A *partial sum* is a u64 that holds the one's-complement sum of 16-bit words loaded little-endian, with the
 * carries not yet folded. Partial sums of parts that begin at an even offset add with a plain `+` (they stay far
 * below 2^64: sum16 adds less than 2^17 per four octets). A part that begins at an odd offset goes through
 * swap16 first. Only fold and checksum convert to the numbers that stand in the header: big-endian words.
 *
 * One pass over the payload serves both checksums:
 *
 *   const payload = sum16(data, length, 0);
 *   store<u16>(dss + 18, bswap<u16>(dssChecksum(dsn, ssn, length, payload)));
 *   const tcp = sum16(header, headerLength, pseudo4(src, dst, headerLength + length) + payload);
 *   store<u16>(header + 16, bswap<u16>(checksum(tcp)));        // the TCP header is always even
 */
/** Octets per SIMD block: the 32-bit lanes overflow only after 2^19 octets. */
const MAX_BLOCK: usize = 1 << 18;

const PROTOCOL_TCP: u32 = 6;

/** Adds the `len` octets at `ptr` to the partial sum `acc`; an odd last octet is padded with a zero octet. */
export function sum16(ptr: usize, len: usize, acc: u64): u64 {
  while (len >= 64) {
    const block = min(len, MAX_BLOCK) & ~63;
    acc += sumBlocks(ptr, ptr + block);
    ptr += block;
    len -= block;
  }
  // u32 loads: 2^16 is 1 modulo 2^16 - 1, so the upper half needs no shift of its own.
  while (len >= 16) {
    acc += <u64>load<u32>(ptr) + <u64>load<u32>(ptr, 4) + <u64>load<u32>(ptr, 8) + <u64>load<u32>(ptr, 12);
    ptr += 16;
    len -= 16;
  }
  if (len & 8) {
    acc += <u64>load<u32>(ptr) + <u64>load<u32>(ptr, 4);
    ptr += 8;
  }
  if (len & 4) {
    acc += load<u32>(ptr);
    ptr += 4;
  }
  if (len & 2) {
    acc += load<u16>(ptr);
    ptr += 2;
  }
  if (len & 1) acc += load<u8>(ptr);
  return acc;
}

/** Sum of whole 64-octet blocks, `end - ptr` at most MAX_BLOCK; two chains hide the latency of the additions. */
function sumBlocks(ptr: usize, end: usize): u64 {
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  while (ptr < end) {
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr)));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr, 16)));
    even = i32x4.add(even, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr, 32)));
    odd = i32x4.add(odd, i32x4.extadd_pairwise_i16x8_u(v128.load(ptr, 48)));
    ptr += 64;
  }
  const sum = i64x2.add(
    i64x2.add(i64x2.extend_low_i32x4_u(even), i64x2.extend_high_i32x4_u(even)),
    i64x2.add(i64x2.extend_low_i32x4_u(odd), i64x2.extend_high_i32x4_u(odd)),
  );
  return <u64>i64x2.extract_lane(sum, 0) + <u64>i64x2.extract_lane(sum, 1);
}

/** Folds the carries; the result is still a little-endian sum. Non-zero stays non-zero: 0xffff, never 0. */
function foldNative(acc: u64): u32 {
  acc = (acc & 0xffffffff) + (acc >> 32);
  acc = (acc & 0xffffffff) + (acc >> 32);
  let sum = <u32>acc;
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

/**
 * The folded sum as a number: the one's-complement sum of the octet pairs read big-endian. Not complemented.
 * Its memory form is big-endian: `store<u16>(ptr, bswap<u16>(fold(acc)))`. A region that includes its own
 * correct checksum folds to 0xffff.
 */
export function fold(acc: u64): u16 {
  return bswap<u16>(<u16>foldNative(acc));
}

/** The header field as a number: the complement of fold. 0 is a legal value (only UDP replaces it by 0xffff). */
export function checksum(acc: u64): u16 {
  return ~fold(acc);
}

/** The partial sum of a part whose first octet lies at an odd offset of the whole (RFC 1071 section 2 (B)). */
export function swap16(acc: u64): u64 {
  return fold(acc);
}

/** TCP pseudo-header over IPv4 (RFC 9293 section 3.1); addresses in network order, `len` = header + data. */
export function pseudo4(src: usize, dst: usize, len: u32): u64 {
  return <u64>load<u32>(src) + <u64>load<u32>(dst) + <u64>bswap<u32>(PROTOCOL_TCP) + <u64>bswap<u32>(len);
}

/** TCP pseudo-header over IPv6 (RFC 8200 section 8.1); addresses in network order, `len` = header + data. */
export function pseudo6(src: usize, dst: usize, len: u32): u64 {
  return sum16(dst, 16, sum16(src, 16, <u64>bswap<u32>(PROTOCOL_TCP) + <u64>bswap<u32>(len)));
}

/**
 * DSS checksum (RFC 8684 section 3.3.1): the 64-bit DSN even if the option carries 32 bits, the relative SSN,
 * the data-level length with the DATA_FIN octet, and the payload's partial sum (0 without payload).
 */
export function dssChecksum(dsn: u64, ssn: u32, len: u16, payloadSum: u64): u16 {
  const wire = bswap<u64>(dsn);
  return checksum(
    payloadSum + (wire & 0xffffffff) + (wire >> 32) + <u64>bswap<u32>(ssn) + <u64>bswap<u16>(len),
  );
}
