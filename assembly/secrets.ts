/**
 * The stack's secrets, and what is derived from them so that it need not be remembered: initial sequence numbers,
 * timestamp offsets, and everything about a handshake that is answered without state.
 */
import { now, random64 } from './host';
import { siphash } from './siphash';

/** Octets of one key. */
const KEY: u32 = 16;
/** Sequence numbers and timestamps; low half also seeds hash tables. */
const SECRET_SEQUENCE: u32 = 0;
/** SYN cookies. */
export const SECRET_COOKIE: u32 = 1;
/** MPTCP keys of handshakes answered without state. */
export const SECRET_KEY: u32 = 2;
/** Nonces of joins answered without state, and who is who among them. */
export const SECRET_NONCE: u32 = 3;
/** Jitter of rate limits. */
export const SECRET_JITTER: u32 = 4;
const SECRETS: u32 = 5;

const keys = memory.data(5 * 16, 16);
const tuple = memory.data(48, 8);

export function setSecrets(): void {
  for (let i: u32 = 0; i < SECRETS * KEY; i += 8) store<u64>(keys + i, random64());
}

/** Hash of a four-tuple and 96 bits more under one of the secrets. */
export function hashTuple(
  secret: u32,
  lHigh: u64,
  lLow: u64,
  rHigh: u64,
  rLow: u64,
  ports: u32,
  a: u32,
  b: u64,
): u64 {
  store<u64>(tuple, lHigh);
  store<u64>(tuple, lLow, 8);
  store<u64>(tuple, rHigh, 16);
  store<u64>(tuple, rLow, 24);
  store<u32>(tuple, ports, 32);
  store<u32>(tuple, a, 36);
  store<u64>(tuple, b, 40);
  return siphash(keys + secret * KEY, tuple, 48);
}

let sequenceHash: u64 = 0;

/**
 * ISN = 4-microsecond clock + F(four-tuple, secret), RFC 6528 section 3. `timestampOffset` is valid after it.
 */
export function initialSequence(lHigh: u64, lLow: u64, rHigh: u64, rLow: u64, ports: u32): u32 {
  sequenceHash = hashTuple(SECRET_SEQUENCE, lHigh, lLow, rHigh, rLow, ports, 0, 0);
  if (pinned) return pinnedSequence;
  return <u32>(<u64>(now / 4)) + <u32>sequenceHash;
}

let pinned: bool = false;
let pinnedSequence: u32 = 0;

/** Every subflow begins with this sequence number from now on; for tests of what happens where the numbers wrap. */
export function pinSequence(sequence: u32): void {
  pinned = true;
  pinnedSequence = sequence;
}

/** Random offset of the timestamp clock for the four-tuple of the last `initialSequence` (RFC 7323 section 5.4). */
export function timestampOffset(): u32 {
  return <u32>(sequenceHash >> 32);
}

/** Seeds hash tables against chosen collisions. */
export function hashSeed(): u32 {
  return load<u32>(keys);
}
