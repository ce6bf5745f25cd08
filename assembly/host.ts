/**
 * What belongs to the whole stack: the time of the call in progress, the pool of random octets, and (from config.ts)
 * its configuration.
 */
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

export * from './config';
