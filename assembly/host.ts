/**
 * What belongs to the whole stack: the time of the call in progress, the pool of random octets, the secret for
 * initial sequence numbers, and (from config.ts) configuration.
 */
import { sha256 } from './sha256';
import { put32, put64 } from './bytes';

/** Time of the call in progress, microseconds. Every export that can send sets it first. */
export let now: f64 = 0;
export function setNow(time: f64): void {
  // A clock that steps back would arm deadlines in the past for ever; it is taken to stand still instead.
  if (time > now) now = time;
}

// ---- random octets, filled by the host --------------------------------------------------------------------

export const RANDOM_BYTES: u32 = 4096;
export const randomPool = memory.data(4096, 16);
let randomAt: u32 = RANDOM_BYTES;

/** The host has refilled the whole pool. */
export function randomRefilled(): void {
  randomAt = 0;
}

/** Octets consumed since the last refill. */
export function randomUsed(): u32 {
  return randomAt;
}

/** Whether `n` octets are left; a caller that needs more than that refuses its work. */
@inline
export function randomLeft(n: u32): bool {
  return randomAt + n <= RANDOM_BYTES;
}

/** Eight random octets; each is used once. */
export function random64(): u64 {
  const value = load<u64>(randomPool + randomAt);
  store<u64>(randomPool + randomAt, 0);
  randomAt += 8;
  return value;
}

// ---- initial sequence numbers, RFC 6528 section 3 ---------------------------------------------------------

const secret = memory.data(16, 8);
const isnInput = memory.data(64, 8);
const isnDigest = memory.data(32, 8);

export function setSecrets(): void {
  store<u64>(secret, random64());
  store<u64>(secret + 8, random64());
}

/** Hashes a four-tuple under the stack's secret into `isnDigest`. */
function hashTuple(lHigh: u64, lLow: u64, rHigh: u64, rLow: u64, ports: u32): void {
  memory.copy(isnInput, secret, 16);
  put64(isnInput + 16, lHigh);
  put64(isnInput + 24, lLow);
  put64(isnInput + 32, rHigh);
  put64(isnInput + 40, rLow);
  put32(isnInput + 48, ports);
  sha256(isnInput, 52, isnDigest);
}

/** ISN = 4-microsecond clock + F(four-tuple, secret). `timestampOffset` is valid after it. */
export function initialSequence(lHigh: u64, lLow: u64, rHigh: u64, rLow: u64, ports: u32): u32 {
  hashTuple(lHigh, lLow, rHigh, rLow, ports);
  return <u32>(<u64>(now / 4)) + load<u32>(isnDigest);
}

/** Random offset of the timestamp clock for the four-tuple of the last `initialSequence` (RFC 7323 section 5.4). */
export function timestampOffset(): u32 {
  return load<u32>(isnDigest + 4);
}

/** Seeds hash tables against chosen collisions. */
export function hashSeed(): u32 {
  return load<u32>(secret);
}

export * from './config';
