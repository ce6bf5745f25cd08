/**
 * What MPTCP v1 derives from the connection keys. A key is a u64 whose big-endian octets stand on the wire.
 */
import { hmac } from '../hmac';
import { sha256 } from '../sha256';

const KEYS = memory.data(16, 8);
/** Longest message: address ID, IPv6 address, port. */
const MESSAGE = memory.data(24, 8);
const DIGEST = memory.data(32, 8);

/** Token of the host that owns `key`: the first 32 bits of its SHA-256 (RFC 8684 section 3.2). */
export function tokenOf(key: u64): u32 {
  hashKey(key);
  return bswap<u32>(load<u32>(DIGEST));
}

/** Initial data sequence number of the owner of `key`: the last 64 bits of its SHA-256 (RFC 8684 section 3.2). */
export function idsnOf(key: u64): u64 {
  if (pinned) return pinnedIdsn;
  hashKey(key);
  return bswap<u64>(load<u64>(DIGEST, 24));
}

let pinned: bool = false;
let pinnedIdsn: u64 = 0;

/** Every key has this initial data sequence number from now on; for tests of what happens where the numbers wrap. */
export function pinIdsn(idsn: u64): void {
  pinned = true;
  pinnedIdsn = idsn;
}

function hashKey(key: u64): void {
  store<u64>(KEYS, bswap<u64>(key));
  sha256(KEYS, 8, DIGEST);
}

/**
 * HMAC of a join (RFC 8684 section 3.2), 32 octets at `out`: key A||B, message nonce A||nonce B, where A is the
 * host that sends the HMAC. SYN/ACK carries the leftmost 8 octets, the third ACK the leftmost 20.
 */
export function joinHmac(keyA: u64, keyB: u64, nonceA: u32, nonceB: u32, out: usize): void {
  storeKeys(keyA, keyB);
  store<u32>(MESSAGE, bswap<u32>(nonceA));
  store<u32>(MESSAGE, bswap<u32>(nonceB), 4);
  hmac(KEYS, 16, MESSAGE, 8, out);
}

/**
 * HMAC of ADD_ADDR (RFC 8684 section 3.4.1): the rightmost 64 bits, over address ID, address and port.
 * `addr` points to 4 or 16 octets in network order; `port` is 0 when the option carries none.
 */
export function addAddrHmac(
  keySender: u64,
  keyReceiver: u64,
  id: u8,
  addr: usize,
  addrLen: usize,
  port: u16,
): u64 {
  storeKeys(keySender, keyReceiver);
  store<u8>(MESSAGE, id);
  memory.copy(MESSAGE + 1, addr, addrLen);
  store<u16>(MESSAGE + 1 + addrLen, bswap<u16>(port));
  hmac(KEYS, 16, MESSAGE, addrLen + 3, DIGEST);
  return bswap<u64>(load<u64>(DIGEST, 24));
}

function storeKeys(first: u64, second: u64): void {
  store<u64>(KEYS, bswap<u64>(first));
  store<u64>(KEYS, bswap<u64>(second), 8);
}
