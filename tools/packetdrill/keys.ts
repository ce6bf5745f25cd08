/** Keys, tokens, HMACs and checksums of Multipath TCP by node:crypto: a view of their own beside the core's. */
import { createHash, createHmac } from 'node:crypto';
import { internetChecksum } from './wire.js';

export type Hash = 'sha1' | 'sha256';

const u64 = (value: bigint): Buffer => {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(BigInt.asUintN(64, value));
  return octets;
};
const u32 = (value: number): Buffer => {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value >>> 0);
  return octets;
};

/** `key=N` of a script lies on the wire as a little-endian machine holds it. */
export const scriptKey = (value: bigint): bigint => u64(value).reverse().readBigUInt64BE();

const digest = (key: bigint, hash: Hash): Buffer => createHash(hash).update(u64(key)).digest();

export const tokenOf = (key: bigint, hash: Hash): number => digest(key, hash).readUInt32BE(0);

/** Initial data sequence number: the last 64 bits (RFC 8684 section 3.1; RFC 6824 with SHA-1). */
export function initialNumber(key: bigint, hash: Hash): bigint {
  const all = digest(key, hash);
  return all.readBigUInt64BE(all.length - 8);
}

/** All octets of the HMAC of a join (RFC 8684 section 3.2): sender's key and nonce first. */
export function joinHmac(
  hash: Hash,
  senderKey: bigint,
  receiverKey: bigint,
  senderNonce: number,
  receiverNonce: number,
): Buffer {
  return createHmac(hash, Buffer.concat([u64(senderKey), u64(receiverKey)]))
    .update(Buffer.concat([u32(senderNonce), u32(receiverNonce)]))
    .digest();
}

/** The rightmost 64 bits (RFC 8684 section 3.4.1); port 0 when the option has none. */
export function addressHmac(
  senderKey: bigint,
  receiverKey: bigint,
  id: number,
  address: Buffer,
  port: number,
): Buffer {
  return createHmac('sha256', Buffer.concat([u64(senderKey), u64(receiverKey)]))
    .update(Buffer.concat([Buffer.from([id]), address, Buffer.from([port >> 8, port & 255])]))
    .digest()
    .subarray(24);
}

/** Checksum of a mapping (RFC 8684 section 3.3.1). */
export function mappingChecksum(dsn: bigint, ssn: number, length: number, payload: Buffer): number {
  const head = Buffer.concat([u64(dsn), u32(ssn), Buffer.from([length >> 8, length & 255, 0, 0])]);
  return internetChecksum(Buffer.concat([head, payload]));
}
