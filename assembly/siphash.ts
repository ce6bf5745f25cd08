/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short inputs that nobody can predict without the
 * key. Linux uses it for SYN cookies and Fast Open cookies alike.
 */

/** Hash of `length` octets at `at` under the 16 octets at `key`. */
export function siphash(key: usize, at: usize, length: u32): u64 {
  const k0 = load<u64>(key);
  const k1 = load<u64>(key + 8);
  let v0 = k0 ^ 0x736f6d6570736575;
  let v1 = k1 ^ 0x646f72616e646f6d;
  let v2 = k0 ^ 0x6c7967656e657261;
  let v3 = k1 ^ 0x7465646279746573;
  const words = length >> 3;
  // The words, the rest with the length in its top octet, and the finalization.
  for (let i: u32 = 0; i <= words + 1; i++) {
    const last = i > words;
    const m = last ? 0 : i < words ? load<u64>(at + (i << 3)) : tail(at + (words << 3), length);
    if (last) v2 ^= 0xff;
    v3 ^= m;
    for (let n = last ? 4 : 2; n != 0; n--) {
      v0 += v1;
      v2 += v3;
      v1 = rotl<u64>(v1, 13) ^ v0;
      v3 = rotl<u64>(v3, 16) ^ v2;
      v0 = rotl<u64>(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = rotl<u64>(v1, 17) ^ v2;
      v3 = rotl<u64>(v3, 21) ^ v0;
      v2 = rotl<u64>(v2, 32);
    }
    v0 ^= m;
  }
  return v0 ^ v1 ^ v2 ^ v3;
}

function tail(at: usize, length: u32): u64 {
  let word: u64 = <u64>length << 56;
  for (let i: u32 = 0; i < (length & 7); i++) word |= <u64>load<u8>(at + i) << (i << 3);
  return word;
}
