/** Octets, hexadecimal digits and addresses, as the vectors write them. */
import ipaddr from 'ipaddr.js';

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function toHex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}

/** Unsigned view of a WASM result. */
export function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

export function u32(value: number): number {
  return value >>> 0;
}

/** 4 or 16 octets in network order. */
export function addressOctets(address: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

/** The vectors' generated payload: octet i = (i * 7 + 3) mod 256. */
export function patternOctets(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 255);
}

/** A reproducible sequence of octets (xorshift32). */
export function randomOctets(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 255;
  });
}
