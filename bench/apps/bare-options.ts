/** TCP and MPTCP options as the bare rows of `wire` write and look for them (RFC 8684 section 3). */
import { createHash } from 'node:crypto';

/** Flags of TCP. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;
/** Kinds of options, and subtypes of MPTCP's. */
export const WINDOW_SCALE = 3;
export const MPTCP = 30;
export const CAPABLE = 0;
export const DSS = 2;
/** Flags of a DSS option (RFC 8684 section 3.3); a mapping of ours acknowledges with 4 octets and is numbered with 8. */
export const DATA_ACK = 0x01;
export const DATA_ACK_LONG = 0x02;
export const MAPPED = 0x04;
export const MAPPED_LONG = 0x08;
export const DATA_FIN = 0x10;
const MAPPING = DATA_ACK | MAPPED | MAPPED_LONG;
/** MSS 1460 and a window scale of 8, at the beginning of SYNs. */
export const OPENING = [2, 4, 5, 180, 1, WINDOW_SCALE, 3, 8];
/** What is allowed to come: 4 MiB with that scale. */
export const WINDOW = (4 << 20) >> 8;

/** Numbers of the first octet, and what it acknowledges. */
export interface Start {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly dataSequence: bigint;
  readonly dataAcknowledgment: number;
}

/** MP_CAPABLE of version 1, with HMAC-SHA256 and without checksums, and the keys that are known by then (section 3.1). */
export function capableOption(...keys: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.of(MPTCP, 4 + 8 * keys.length, 1, 1, ...keys.flatMap((key) => [...key]));
}

/** A mapping (section 3.3): `length` octets that are `offset` octets from the start; of no payload it is the end of data. */
export function dssOption(start: Start, offset: number, length: number): Uint8Array {
  const option = new Uint8Array(24);
  const view = new DataView(option.buffer);
  option.set([1, 1, MPTCP, 22, 0x20, length === 0 ? MAPPING | DATA_FIN : MAPPING]);
  view.setUint32(6, start.dataAcknowledgment);
  view.setBigUint64(10, start.dataSequence + BigInt(offset));
  view.setUint32(18, length === 0 ? 0 : offset + 1);
  view.setUint16(22, length === 0 ? 1 : length);
  return option;
}

/** The same section: an acknowledgement alone. */
export function dataAckOption(number: number): Uint8Array {
  const option = new Uint8Array(8);
  option.set([MPTCP, 8, 0x20, DATA_ACK]);
  new DataView(option.buffer).setUint32(4, number);
  return option;
}

/** The IDSN that follows from a key: the lower half of its hash (section 3.1). */
export function firstNumber(key: Uint8Array): bigint {
  return createHash('sha256').update(key).digest().readBigUInt64BE(24);
}

/** The lower half of a number of 64 bits. */
export const lower = (number: bigint): number => Number(BigInt.asUintN(32, number));

/** How far a number of 32 bits is beyond another one, which may have more bits; 0: not at all. */
export function beyond(number: number, other: number): number {
  return Math.max(0, (number - other) | 0);
}
