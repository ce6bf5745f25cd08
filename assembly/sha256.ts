/**
 * SHA-256 (FIPS 180-4) over linear memory, with fixed scratch: one hash at a time, which is all a host needs.
 */
/** Octets of a digest. */
export const SHA256_LENGTH: usize = 32;
/** Octets of a message block. */
export const SHA256_BLOCK: usize = 64;

/** Round constants (FIPS 180-4 section 4.2.2). */
const K = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);

/** Message schedule, 64 words. */
const W = memory.data(256, 16);
/** The last one or two padded blocks of a message. */
const TAIL = memory.data(128, 16);

let h0: u32 = 0;
let h1: u32 = 0;
let h2: u32 = 0;
let h3: u32 = 0;
let h4: u32 = 0;
let h5: u32 = 0;
let h6: u32 = 0;
let h7: u32 = 0;

/** Digest of the `len` octets at `ptr`, 32 octets at `out`; `out` may overlap the message. */
export function sha256(ptr: usize, len: usize, out: usize): void {
  sha256Start();
  sha256Finish(ptr, len, 0, out);
}

/** Begins a hash: the initial value of FIPS 180-4 section 5.3.3. */
export function sha256Start(): void {
  h0 = 0x6a09e667;
  h1 = 0xbb67ae85;
  h2 = 0x3c6ef372;
  h3 = 0xa54ff53a;
  h4 = 0x510e527f;
  h5 = 0x9b05688c;
  h6 = 0x1f83d9ab;
  h7 = 0x5be0cd19;
}

/** Hashes the last `len` octets of a message of which `before` octets (whole blocks) went through sha256Block. */
export function sha256Finish(ptr: usize, len: usize, before: usize, out: usize): void {
  let left = len;
  while (left >= SHA256_BLOCK) {
    sha256Block(ptr);
    ptr += SHA256_BLOCK;
    left -= SHA256_BLOCK;
  }
  // Padding: a one bit, zeros, and the length in bits as 64-bit big-endian (FIPS 180-4 section 5.1.1).
  const padded: usize = left < 56 ? 64 : 128;
  memory.copy(TAIL, ptr, left);
  memory.fill(TAIL + left, 0, padded - left);
  store<u8>(TAIL + left, 0x80);
  store<u64>(TAIL + padded - 8, bswap<u64>((<u64>before + <u64>len) << 3));
  sha256Block(TAIL);
  if (padded == 128) sha256Block(TAIL + 64);
  store<u32>(out, bswap<u32>(h0));
  store<u32>(out, bswap<u32>(h1), 4);
  store<u32>(out, bswap<u32>(h2), 8);
  store<u32>(out, bswap<u32>(h3), 12);
  store<u32>(out, bswap<u32>(h4), 16);
  store<u32>(out, bswap<u32>(h5), 20);
  store<u32>(out, bswap<u32>(h6), 24);
  store<u32>(out, bswap<u32>(h7), 28);
}

/** The compression function over one 64-octet block (FIPS 180-4 section 6.2.2). */
export function sha256Block(ptr: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(W + i, bswap<u32>(load<u32>(ptr + i)));
  for (let p = W + 64; p < W + 256; p += 4) {
    const w15 = load<u32>(p - 60);
    const w2 = load<u32>(p - 8);
    const s0 = rotr<u32>(w15, 7) ^ rotr<u32>(w15, 18) ^ (w15 >> 3);
    const s1 = rotr<u32>(w2, 17) ^ rotr<u32>(w2, 19) ^ (w2 >> 10);
    store<u32>(p, load<u32>(p - 64) + s0 + load<u32>(p - 28) + s1);
  }
  let a = h0;
  let b = h1;
  let c = h2;
  let d = h3;
  let e = h4;
  let f = h5;
  let g = h6;
  let h = h7;
  for (let i: usize = 0; i < 256; i += 4) {
    const s1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const t1 = h + s1 + (g ^ (e & (f ^ g))) + load<u32>(K + i) + load<u32>(W + i);
    const s0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t2 = s0 + ((a & b) | (c & (a | b)));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  h0 += a;
  h1 += b;
  h2 += c;
  h3 += d;
  h4 += e;
  h5 += f;
  h6 += g;
  h7 += h;
}
