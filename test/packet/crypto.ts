/** Keys, tokens and HMACs of RFC 8684 section 3, by node:crypto: the tests' own view, independent of the core. */
import { createHash, createHmac } from 'node:crypto';

const MASK = (1n << 64n) - 1n;

export function octets64(value: bigint): Buffer {
  const result = Buffer.alloc(8);
  result.writeBigUInt64BE(value & MASK);
  return result;
}

function octets32(value: number): Buffer {
  const result = Buffer.alloc(4);
  result.writeUInt32BE(value >>> 0);
  return result;
}

const digest = (key: bigint): Buffer => createHash('sha256').update(octets64(key)).digest();

export const tokenOf = (key: bigint): number => digest(key).readUInt32BE(0);
export const idsnOf = (key: bigint): bigint => digest(key).readBigUInt64BE(24);

/** HMAC of a join: `own` key and nonce of the host that sends it. */
export function joinHmac(ownKey: bigint, peerKey: bigint, ownNonce: number, peerNonce: number): Buffer {
  return createHmac('sha256', Buffer.concat([octets64(ownKey), octets64(peerKey)]))
    .update(Buffer.concat([octets32(ownNonce), octets32(peerNonce)]))
    .digest();
}

/** HMAC of ADD_ADDR: the rightmost 64 bits; port 0 when there is none. */
export function addressHmac(
  senderKey: bigint,
  receiverKey: bigint,
  id: number,
  address: Uint8Array,
  port: number,
): string {
  return createHmac('sha256', Buffer.concat([octets64(senderKey), octets64(receiverKey)]))
    .update(Buffer.concat([Buffer.from([id]), address, Buffer.from([port >> 8, port & 255])]))
    .digest()
    .subarray(24)
    .toString('hex');
}

/** One's complement sum over pseudo header and payload (RFC 8684 section 3.3.1). */
export function dssChecksum(dsn: bigint, ssn: number, length: number, payload: Uint8Array): number {
  const all = Buffer.concat([
    octets64(dsn),
    octets32(ssn),
    Buffer.from([length >> 8, length & 255, 0, 0]),
    payload,
  ]);
  return ~sum16(all) & 0xffff;
}

export function sum16(octets: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i += 2) sum += ((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
