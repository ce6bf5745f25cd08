/** What the programs of both sides send: octets that follow from a seed. */
import { createHash } from 'node:crypto';

/** The pattern that `kernel_peer.py` sends for a seed, as chunks of 64 KiB. */
export function* pattern(seed: string, length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += BLOCK) {
    const block = createHash('shake128', { outputLength: BLOCK })
      .update(`${seed}:${String(at / BLOCK)}`)
      .digest();
    yield block.subarray(0, Math.min(BLOCK, length - at));
  }
}

/** SHA-256 of that pattern, in hexadecimal. */
export function patternSha256(seed: string, length: number): string {
  const hash = createHash('sha256');
  for (const block of pattern(seed, length)) hash.update(block);
  return hash.digest('hex');
}

const BLOCK = 65536;
