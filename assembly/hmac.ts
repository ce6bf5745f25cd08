/**
 * HMAC-SHA256 (RFC 2104 with FIPS 180-4), fixed scratch, no allocation.
 */
import { SHA256_BLOCK, SHA256_LENGTH, sha256, sha256Block, sha256Finish, sha256Start } from './sha256';

/** The key, padded with zeros to one block, then masked by ipad or opad. */
const PAD = memory.data(64, 16);
const INNER = memory.data(32, 16);

const IPAD: u64 = 0x3636363636363636;
/** Turns a block masked by ipad (0x36) into one masked by opad (0x5c). */
const IPAD_TO_OPAD: u64 = 0x6a6a6a6a6a6a6a6a;

/** HMAC of `msgLen` octets at `msgPtr` under the key at `keyPtr`; 32 octets at `out`. */
export function hmac(keyPtr: usize, keyLen: usize, msgPtr: usize, msgLen: usize, out: usize): void {
  memory.fill(PAD, 0, SHA256_BLOCK);
  if (keyLen > SHA256_BLOCK) sha256(keyPtr, keyLen, PAD);
  else memory.copy(PAD, keyPtr, keyLen);

  mask(IPAD);
  sha256Start();
  sha256Block(PAD);
  sha256Finish(msgPtr, msgLen, SHA256_BLOCK, INNER);

  mask(IPAD_TO_OPAD);
  sha256Start();
  sha256Block(PAD);
  sha256Finish(INNER, SHA256_LENGTH, SHA256_BLOCK, out);
}

function mask(pattern: u64): void {
  for (let i: usize = 0; i < SHA256_BLOCK; i += 8) store<u64>(PAD + i, load<u64>(PAD + i) ^ pattern);
}

/** Compares `len` octets in a time that does not depend on where they differ (RFC 8684 section 5). */
export function equal(a: usize, b: usize, len: usize): bool {
  let difference: u32 = 0;
  for (let i: usize = 0; i < len; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i);
  return difference == 0;
}
