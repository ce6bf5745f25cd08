/** IP packets between octets and fields. Checksums are left out: the device says that they are right. */
import { addressBytes, addressText, familyOf } from '../../src/core/address.js';

/** Option as on the wire: `data` is what follows kind and length. NOP and EOL have none. */
export interface WireOption {
  readonly kind: number;
  readonly data: Buffer;
}

export const OPTION_EOL = 0;
export const OPTION_NOP = 1;
export const OPTION_MSS = 2;
export const OPTION_WSCALE = 3;
export const OPTION_SACK_OK = 4;
export const OPTION_SACK = 5;
export const OPTION_TIMESTAMP = 8;
export const OPTION_MD5 = 19;
export const OPTION_MPTCP = 30;
export const OPTION_FASTOPEN = 34;
export const OPTION_EXPERIMENT = 254;

/** Bits of TCP's flags with AE in front (RFC 9293 section 3.1, RFC 9768 section 2.1). */
export const FIN = 0x001;
export const SYN = 0x002;
export const RST = 0x004;
export const PSH = 0x008;
export const ACK = 0x010;
export const URG = 0x020;
export const ECE = 0x040;
export const CWR = 0x080;
export const AE = 0x100;

export interface IpFields {
  readonly source: string;
  readonly destination: string;
  /** Type of service or traffic class. */
  readonly tos: number;
  readonly ttl: number;
  readonly flowLabel: number;
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly options: readonly WireOption[];
  readonly payload: Buffer;
}

export interface Packet extends IpFields, TcpFields {
  /** Microseconds of virtual time. */
  readonly time: number;
  readonly bytes: Buffer;
  readonly optionLength: number;
  /** Bits between data offset and flags. */
  readonly reserved: number;
}

const TCP = 6;
const ICMPV6 = 58;

export function addressOctets(address: string): Buffer {
  const octets = Buffer.from(addressBytes(address));
  return familyOf(address) === 4 ? octets.subarray(12) : octets;
}

export function addressOf(octets: Uint8Array): string {
  if (octets.length === 16) return addressText(octets);
  return Array.from(octets).join('.');
}

// ---- building ---------------------------------------------------------------------------------------------

export function encodeOptions(options: readonly WireOption[]): Buffer {
  const parts: Buffer[] = [];
  for (const { kind, data } of options) {
    if (kind === OPTION_EOL || kind === OPTION_NOP) parts.push(Buffer.from([kind]));
    else parts.push(Buffer.from([kind, data.length + 2]), data);
  }
  return Buffer.concat(parts);
}

export function buildTcp(ip: IpFields, tcp: TcpFields): Buffer {
  const options = encodeOptions(tcp.options);
  const segment = Buffer.alloc(20 + options.length + tcp.payload.length);
  segment.writeUInt16BE(tcp.sourcePort, 0);
  segment.writeUInt16BE(tcp.destinationPort, 2);
  segment.writeUInt32BE(tcp.seq >>> 0, 4);
  segment.writeUInt32BE(tcp.ack >>> 0, 8);
  segment.writeUInt16BE((((20 + options.length) >> 2) << 12) | tcp.flags, 12);
  segment.writeUInt16BE(tcp.window, 14);
  segment.writeUInt16BE(tcp.urgent, 18);
  segment.set(options, 20);
  segment.set(tcp.payload, 20 + options.length);
  return buildIp(ip, TCP, segment);
}

export function buildIp(ip: IpFields, protocol: number, payload: Buffer): Buffer {
  const from = addressOctets(ip.source);
  const to = addressOctets(ip.destination);
  const ttl = ip.ttl === 0 ? 255 : ip.ttl;
  if (from.length === 4) {
    const header = Buffer.alloc(20);
    header[0] = 0x45;
    header[1] = ip.tos;
    header.writeUInt16BE(20 + payload.length, 2);
    header[8] = ttl;
    header[9] = protocol;
    header.set(from, 12);
    header.set(to, 16);
    header.writeUInt16BE(internetChecksum(header), 10);
    return Buffer.concat([header, payload]);
  }
  const header = Buffer.alloc(40);
  header.writeUInt32BE(((6 << 28) | (ip.tos << 20) | ip.flowLabel) >>> 0, 0);
  header.writeUInt16BE(payload.length, 4);
  header[6] = protocol;
  header[7] = ttl;
  header.set(from, 8);
  header.set(to, 24);
  return Buffer.concat([header, payload]);
}

/** One's complement of the one's complement sum (RFC 1071). */
export function internetChecksum(octets: Buffer): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i += 2) sum += ((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

// ---- reading ----------------------------------------------------------------------------------------------

/** A packet of the stack; null when it is not TCP. */
export function readPacket(bytes: Buffer, time: number): Packet | null {
  const v4 = bytes[0]! >> 4 === 4;
  const first = bytes.readUInt32BE(0);
  if (bytes[v4 ? 9 : 6] !== TCP) return null;
  const ip: IpFields = v4
    ? {
        source: addressOf(bytes.subarray(12, 16)),
        destination: addressOf(bytes.subarray(16, 20)),
        tos: bytes[1]!,
        ttl: bytes[8]!,
        flowLabel: 0,
      }
    : {
        source: addressOf(bytes.subarray(8, 24)),
        destination: addressOf(bytes.subarray(24, 40)),
        tos: (first >>> 20) & 255,
        ttl: bytes[7]!,
        flowLabel: first & 0xfffff,
      };
  const segment = bytes.subarray(v4 ? (bytes[0]! & 15) * 4 : 40);
  const offset = (segment[12]! >> 4) * 4;
  return {
    ...ip,
    time,
    bytes,
    sourcePort: segment.readUInt16BE(0),
    destinationPort: segment.readUInt16BE(2),
    seq: segment.readUInt32BE(4),
    ack: segment.readUInt32BE(8),
    flags: segment.readUInt16BE(12) & 0x1ff,
    reserved: (segment[12]! >> 1) & 7,
    window: segment.readUInt16BE(14),
    urgent: segment.readUInt16BE(18),
    options: readOptions(segment.subarray(20, offset)),
    optionLength: offset - 20,
    payload: segment.subarray(offset),
  };
}

function readOptions(octets: Buffer): WireOption[] {
  const options: WireOption[] = [];
  for (let at = 0; at < octets.length;) {
    const kind = octets[at]!;
    const length = kind <= OPTION_NOP ? 1 : Math.max(octets[at + 1] ?? 2, 2);
    options.push({ kind, data: kind <= OPTION_NOP ? NONE : octets.subarray(at + 2, at + length) });
    at += length;
  }
  return options;
}

const NONE = Buffer.alloc(0);

/** Writes the checksum of a packet with TCP, or ICMP of IPv6, into it. */
export function fillChecksum(bytes: Buffer): void {
  const v4 = bytes[0]! >> 4 === 4;
  const protocol = bytes[v4 ? 9 : 6]!;
  const at = protocol === TCP ? 16 : !v4 && protocol === ICMPV6 ? 2 : null;
  if (at === null) return;
  const segment = bytes.subarray(v4 ? (bytes[0]! & 15) * 4 : 40);
  const addresses = v4 ? bytes.subarray(12, 20) : bytes.subarray(8, 40);
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(segment.length, 0);
  rest.writeUInt32BE(protocol, 4);
  segment.writeUInt16BE(0, at);
  segment.writeUInt16BE(internetChecksum(Buffer.concat([addresses, rest, segment])), at);
}
