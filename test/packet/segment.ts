/** TCP segments in IPv4 or IPv6 packets, both ways between octets and plain objects. */
import ipaddr from 'ipaddr.js';
import { sum16 } from './crypto.js';
import { buildMptcp, parseMptcp, type MptcpOptions } from './options.js';

export interface TcpOptions {
  mss?: number | null;
  scale?: number | null;
  sackOk?: boolean | null;
  /** TSval and TSecr. */
  ts?: readonly [number, number] | null;
  sack?: readonly (readonly [number, number])[] | null;
  /** Fast Open: cookie in hex, '' to ask for one; `experimental`: kind 254. */
  fastOpen?: { cookie: string; experimental?: boolean } | null;
}

export interface Segment extends TcpOptions, MptcpOptions {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  /** Letters of "FSRPAUEC" in this order. */
  flags: string;
  window: number;
  /** Type of service or traffic class. */
  tos?: number;
  data: Buffer;
  /** Hex of options put after all others, or, parsed, of all options. */
  raw?: string;
  /** Hex of all options, in the place of the fields. */
  exactly?: string;
}

export interface ParsedSegment extends Required<Omit<Segment, 'exactly'>> {
  /** Octets of the IP packet. */
  packetLength: number;
  optionLength: number;
}

const LETTERS = 'FSRPAUEC';

const pad = (octets: number[]): number[] => [
  ...octets,
  ...Array<number>((4 - (octets.length % 4)) % 4).fill(1),
];
const be32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

function buildOptions(s: Segment): number[] {
  if (s.exactly !== undefined) return pad([...Buffer.from(s.exactly, 'hex')]);
  const result: number[] = [];
  if (typeof s.mss === 'number') result.push(2, 4, s.mss >> 8, s.mss & 255);
  if (s.sackOk === true) result.push(1, 1, 4, 2);
  if (s.ts) result.push(1, 1, 8, 10, ...be32(s.ts[0]), ...be32(s.ts[1]));
  if (typeof s.scale === 'number') result.push(1, 3, 3, s.scale);
  if (s.fastOpen) {
    const { cookie, experimental } = s.fastOpen;
    const octets = [...Buffer.from(experimental === true ? `f989${cookie}` : cookie, 'hex')];
    result.push(experimental === true ? 254 : 34, octets.length + 2, ...octets);
    while (result.length % 4 !== 0) result.push(1);
  }
  result.push(...buildMptcp(s));
  if (s.sack) result.push(1, 1, 5, 2 + 8 * s.sack.length, ...s.sack.flat().flatMap(be32));
  result.push(...Buffer.from(s.raw ?? '', 'hex'));
  return pad(result);
}

/** The packet of these fields, with right checksums. */
export function buildPacket(s: Segment): Uint8Array {
  const from = ipaddr.parse(s.source).toByteArray();
  const to = ipaddr.parse(s.destination).toByteArray();
  const options = buildOptions(s);
  if (options.length > 40) throw new Error(`${String(options.length)} octets of options do not fit`);
  const tcp = Buffer.alloc(20 + options.length + s.data.length);
  tcp.writeUInt16BE(s.sourcePort, 0);
  tcp.writeUInt16BE(s.destinationPort, 2);
  tcp.writeUInt32BE(s.seq >>> 0, 4);
  tcp.writeUInt32BE(s.ack >>> 0, 8);
  tcp.writeUInt8(((20 + options.length) / 4) << 4, 12);
  tcp.writeUInt8(
    [...s.flags].reduce((bits, letter) => bits | (1 << LETTERS.indexOf(letter)), 0),
    13,
  );
  tcp.writeUInt16BE(s.window, 14);
  tcp.set(options, 20);
  tcp.set(s.data, 20 + options.length);
  const ports = [0, 6, tcp.length >> 8, tcp.length & 255];
  tcp.writeUInt16BE(~sum16(Buffer.concat([Buffer.from([...from, ...to, ...ports]), tcp])) & 0xffff, 16);
  const tos = s.tos ?? 0;
  const header =
    from.length === 4
      ? [
          0x45,
          tos,
          (20 + tcp.length) >> 8,
          (20 + tcp.length) & 255,
          0,
          0,
          0x40,
          0,
          64,
          6,
          0,
          0,
          ...from,
          ...to,
        ]
      : [0x60 | (tos >> 4), (tos & 15) << 4, 0, 0, tcp.length >> 8, tcp.length & 255, 6, 64, ...from, ...to];
  if (from.length === 4) {
    const sum = ~sum16(Uint8Array.from(header)) & 0xffff;
    header[10] = sum >> 8;
    header[11] = sum & 255;
  }
  return Buffer.concat([Buffer.from(header), tcp]);
}

/** Reads a packet of the stack's; throws when it is malformed or a checksum is wrong. */
export function parsePacket(octets: Uint8Array): ParsedSegment {
  const packet = Buffer.from(octets);
  const v4 = packet.readUInt8(0) >> 4 === 4;
  const tcp = packet.subarray(v4 ? 20 : 40);
  const from = v4 ? packet.subarray(12, 16) : packet.subarray(8, 24);
  const to = v4 ? packet.subarray(16, 20) : packet.subarray(24, 40);
  const length = v4 ? packet.readUInt16BE(2) : packet.readUInt16BE(4) + 40;
  if (length !== packet.length) throw new Error('the IP length field is wrong');
  if (v4 && sum16(packet.subarray(0, 20)) !== 0xffff) throw new Error('the IP header checksum is wrong');
  const pseudo = Buffer.concat([from, to, Buffer.from([0, 6, tcp.length >> 8, tcp.length & 255])]);
  if (sum16(Buffer.concat([pseudo, tcp])) !== 0xffff) throw new Error('the TCP checksum is wrong');
  const header = (tcp.readUInt8(12) >> 4) * 4;
  const bits = tcp.readUInt8(13);
  const s: ParsedSegment = {
    source: ipaddr.fromByteArray([...from]).toString(),
    destination: ipaddr.fromByteArray([...to]).toString(),
    sourcePort: tcp.readUInt16BE(0),
    destinationPort: tcp.readUInt16BE(2),
    seq: tcp.readUInt32BE(4),
    ack: tcp.readUInt32BE(8),
    flags: [...LETTERS].filter((_, i) => (bits & (1 << i)) !== 0).join(''),
    window: tcp.readUInt16BE(14),
    tos: v4 ? packet.readUInt8(1) : (packet.readUInt16BE(0) >> 4) & 255,
    data: tcp.subarray(header),
    packetLength: packet.length,
    optionLength: header - 20,
    raw: tcp.toString('hex', 20, header),
    ...{ mss: null, scale: null, sackOk: null, ts: null, sack: null, fastOpen: null },
    ...{ capable: null, join: null, dss: null, add: null, remove: null },
    ...{ prio: null, fail: null, fastclose: null, reset: null },
  };
  parseOptions(s, tcp.subarray(20, header));
  return s;
}

function parseOptions(s: ParsedSegment, options: Buffer): void {
  for (let at = 0; at < options.length;) {
    const kind = options.readUInt8(at);
    if (kind === 0) return;
    if (kind === 1) {
      at++;
      continue;
    }
    const option = options.subarray(at, at + options.readUInt8(at + 1));
    if (option.length < 2) throw new Error('an option of no length');
    at += option.length;
    if (kind === 2) s.mss = option.readUInt16BE(2);
    else if (kind === 3) s.scale = option.readUInt8(2);
    else if (kind === 4) s.sackOk = true;
    else if (kind === 5) {
      const blocks: [number, number][] = [];
      for (let i = 2; i < option.length; i += 8)
        blocks.push([option.readUInt32BE(i), option.readUInt32BE(i + 4)]);
      s.sack = blocks;
    } else if (kind === 8) s.ts = [option.readUInt32BE(2), option.readUInt32BE(6)];
    else if (kind === 30) parseMptcp(option, s);
    else if (kind === 34) s.fastOpen = { cookie: option.toString('hex', 2), experimental: false };
    else if (kind === 254) s.fastOpen = { cookie: option.toString('hex', 4), experimental: true };
    else throw new Error(`an option of kind ${String(kind)}`);
  }
}
