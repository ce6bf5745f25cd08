/** Option vectors both ways: what the parser makes of the octets, and which octets the writers make of the fields. */
import { expect } from 'chai';
import { addressOctets, fromHex, toHex, u32, u64 } from './octets.js';
import type { Probe } from './probe.js';
import type { OptionFields, OptionVector } from './vectors.js';

/** Segment.options, assembly/wire/segment.ts. */
export const Has = {
  timestamps: 1 << 3,
  dss: 1 << 7,
  /** By subtype, MP_CAPABLE to MP_TCPRST. */
  subtype: [5, 6, 7, 8, 9, 10, 11, 12, 13].map((bit) => 1 << bit),
  multipath: 0x1ff << 5,
} as const;

export const TcpFlag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

const TCP_HEADER = 20;
/** Where writers put their option and take octet strings from, away from the segment. */
const OUT = 1024;
const IN = 2048;

/** Parses a segment with these options, which fill the header exactly. */
export function parseSegment(p: Probe, options: Uint8Array, flags: number, payload = 0): number {
  expect(options.length % 4, 'options fill 32-bit words').to.equal(0);
  const segment = new Uint8Array(TCP_HEADER + options.length + payload);
  segment[12] = ((TCP_HEADER + options.length) / 4) << 4;
  segment[13] = flags;
  segment.set(options, TCP_HEADER);
  expect(p.x.parse(p.put(segment), segment.length)).to.equal(1);
  expect(p.x.payloadLength()).to.equal(payload);
  return p.x.options();
}

/** Version 1 only, no unknown extension, SHA-256 offered (RFC 8684 section 3.1); no experiments. */
function acceptable(vector: OptionVector): boolean {
  const { subtype, B, H } = vector.fields;
  if (vector.version !== 1 || subtype === 15) return false;
  return subtype !== 0 || (B !== 1 && H === 1);
}

export function checkParsed(p: Probe, vector: OptionVector): void {
  const flags = vector.tcp_flags
    .split('|')
    .reduce((sum, name) => sum | TcpFlag[name as keyof typeof TcpFlag], 0);
  const options = parseSegment(p, fromHex(vector.padded_in_header), flags, vector.payload_len);
  if (!acceptable(vector)) {
    expect(options, vector.name).to.equal(0);
    return;
  }
  expect(options, vector.name).to.equal(Has.subtype[vector.fields.subtype]);
  expect(parsedFields(p, vector), vector.name).to.deep.equal(comparable(vector));
}

/** The parser's view in the vector's words; reads the parts that the vector names. */
function parsedFields(p: Probe, vector: OptionVector): OptionFields {
  const { x } = p;
  const { fields } = vector;
  const { subtype } = fields;
  const read: OptionFields = { subtype };
  switch (subtype) {
    case 0:
      expect(x.capLength()).to.equal(vector.bytes.length / 2);
      expect(x.capVersion()).to.equal(1);
      Object.assign(read, flagFields(x.capFlags(), { A: 0x80, B: 0x40, C: 0x20, H: 0x01 }));
      if (x.capLength() >= 12) read.sender_key = wide(x.capSenderKey());
      if (x.capLength() >= 20) read.receiver_key = wide(x.capReceiverKey());
      if (x.capLength() >= 22) read.data_level_length = x.capDataLength();
      if (x.capLength() === 24) read.checksum = short(x.capChecksum());
      if (fields.implied_dsn !== undefined) read.implied_dsn = wide(x.idsnOf(x.capSenderKey()) + 1n);
      break;
    case 1:
      expect(x.joinLength()).to.equal(vector.bytes.length / 2);
      if (x.joinLength() === 24) {
        read.hmac = toHex(p.get(x.joinHmacAt(), 20));
        break;
      }
      read.B = x.joinBackup();
      read.addr_id = x.joinId();
      read.sender_nonce = word(x.joinNonce());
      if (x.joinLength() === 12) read.receiver_token = word(x.joinToken());
      else read.truncated_hmac = toHex(p.get(x.joinHmacAt(), 8));
      break;
    case 2:
      Object.assign(read, flagFields(x.dssFlags(), { F: 0x10, m: 8, M: 4, a: 2, A: 1 }));
      if (read.A === 1) read.data_ack = read.a === 1 ? wide(x.dssAck()) : word(Number(x.dssAck()));
      if (read.M === 1) {
        read.dsn = read.m === 1 ? wide(x.dssDsn()) : word(Number(x.dssDsn()));
        read.ssn = u32(x.dssSsn());
        read.data_level_length = x.dssDataLength();
        if (x.dssHasChecksum() === 1) read.checksum = short(x.dssChecksumField());
      }
      break;
    case 3: {
      read.E = x.addEcho();
      read.addr_id = x.addId();
      read.address = toHex(p.get(x.addAt(), x.addFamily() === 4 ? 4 : 16));
      read.port = x.addPort() === 0 ? null : x.addPort();
      read.truncated_hmac = x.addEcho() === 1 ? null : wide(x.addHmac()).slice(2);
      break;
    }
    case 4:
      read.addr_ids = [...p.get(x.rmAt(), x.rmCount())];
      break;
    case 5:
      read.B = x.prioBackup();
      break;
    case 6:
      read.dsn = wide(x.failDsn());
      break;
    case 7:
      read.receiver_key = wide(x.fastcloseKey());
      break;
    default:
      Object.assign(read, flagFields(x.rstFlags(), { U: 8, V: 4, W: 2, T: 1 }));
      read.reason = x.rstReason();
  }
  return read;
}

/** The vector's fields in the same form: absent flags of MP_CAPABLE are 0, addresses are octets. */
function comparable(vector: OptionVector): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...vector.fields };
  delete fields.version;
  delete fields.implied_ssn;
  if (vector.fields.subtype === 0) Object.assign(fields, { A: 0, B: 0, C: 0, ...fields });
  if (vector.fields.address !== undefined) fields.address = toHex(addressOctets(vector.fields.address));
  return fields;
}

/** Writes the option from the fields and compares with the octets, NOPs included. */
export function checkWritten(p: Probe, vector: OptionVector): void {
  // We never write version 0, nor experiments.
  if (vector.version !== 1 || vector.fields.subtype === 15) return;
  const at = p.base + OUT;
  p.fill(at, 64, 0xee);
  const length = write(p, at, vector.fields);
  expect(toHex(p.get(at, length)), vector.name).to.equal(vector.padded_in_header);
}

function write(p: Probe, at: number, fields: OptionFields): number {
  const { x } = p;
  switch (fields.subtype) {
    case 0: {
      const flags =
        (fields.A ?? 0) * 0x80 + (fields.B ?? 0) * 0x40 + (fields.C ?? 0) * 0x20 + (fields.H ?? 0);
      const sender = BigInt(fields.sender_key ?? 0);
      const receiver = BigInt(fields.receiver_key ?? 0);
      if (fields.data_level_length !== undefined) {
        return x.writeCapableData(
          at,
          flags,
          sender,
          receiver,
          fields.data_level_length,
          optional(fields.checksum),
        );
      }
      if (fields.receiver_key !== undefined) return x.writeCapableAck(at, flags, sender, receiver);
      if (fields.sender_key !== undefined) return x.writeCapableSynAck(at, flags, sender);
      return x.writeCapableSyn(at, flags);
    }
    case 1: {
      const nonce = Number(fields.sender_nonce ?? 0);
      const id = fields.addr_id ?? 0;
      if (fields.hmac !== undefined) return x.writeJoinAck(at, p.put(fromHex(fields.hmac), IN));
      if (typeof fields.truncated_hmac === 'string') {
        return x.writeJoinSynAck(at, fields.B ?? 0, id, p.put(fromHex(fields.truncated_hmac), IN), nonce);
      }
      return x.writeJoinSyn(at, fields.B ?? 0, id, Number(fields.receiver_token), nonce);
    }
    case 2: {
      const flags =
        (fields.F ?? 0) * 16 +
        (fields.m ?? 0) * 8 +
        (fields.M ?? 0) * 4 +
        (fields.a ?? 0) * 2 +
        (fields.data_ack === undefined ? 0 : 1);
      return x.writeDss(
        at,
        flags,
        BigInt(fields.data_ack ?? 0),
        BigInt(fields.dsn ?? 0),
        fields.ssn ?? 0,
        fields.data_level_length ?? 0,
        optional(fields.checksum),
      );
    }
    case 3: {
      const address = addressOctets(fields.address ?? '');
      const sixteen = new Uint8Array(16);
      sixteen.set(address, 16 - address.length);
      const hmac = BigInt(`0x${fields.truncated_hmac ?? '0'}`);
      const family = address.length === 4 ? 4 : 6;
      const echo = fields.E ?? 0;
      return x.writeAddAddr(
        at,
        echo,
        fields.addr_id ?? 0,
        family,
        p.put(sixteen, IN),
        fields.port ?? 0,
        hmac,
      );
    }
    case 4: {
      const ids = fields.addr_ids ?? [];
      return x.writeRmAddr(at, p.put(Uint8Array.from(ids), IN), ids.length);
    }
    case 5:
      return x.writePrio(at, fields.B ?? 0);
    case 6:
      return x.writeFail(at, BigInt(fields.dsn ?? 0));
    case 7:
      return x.writeFastclose(at, BigInt(fields.receiver_key ?? 0));
    default:
      return x.writeTcpRst(at, fields.T ?? 0, fields.reason ?? 0);
  }
}

/**
 * A malformed option, in every kind of segment, with timestamps after it: the option counts as absent, and a sane
 * length lets the parser reach the timestamps.
 */
export function checkMalformed(p: Probe, name: string, bytes: Uint8Array): void {
  const timestamps = fromHex('080a0000000100000002');
  const length = bytes[1] ?? 0;
  const overruns = length > bytes.length;
  const sane = length >= 2 && !overruns;
  // Leading NOPs align; an option that overruns has to be the last thing in the header.
  const rest = overruns ? bytes : Uint8Array.of(...bytes, ...timestamps);
  const options = new Uint8Array(Math.ceil(rest.length / 4) * 4).fill(1);
  options.set(rest, options.length - rest.length);
  const emptyDss = name === 'DSS with zero flags';
  for (const flags of [TcpFlag.SYN, TcpFlag.SYN | TcpFlag.ACK, TcpFlag.ACK, TcpFlag.ACK | TcpFlag.RST]) {
    for (const payload of [0, 1]) {
      const seen = parseSegment(p, options, flags, payload);
      expect(seen, name).to.equal((sane ? Has.timestamps : 0) | (emptyDss ? Has.dss : 0));
      if (emptyDss) expect(p.x.dssFlags()).to.equal(0);
    }
  }
}

function flagFields(flags: number, bits: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(bits).map(([name, bit]) => [name, (flags & bit) === 0 ? 0 : 1]));
}

function wide(value: bigint): string {
  return `0x${u64(value).toString(16).padStart(16, '0')}`;
}

function word(value: number): string {
  return `0x${u32(value).toString(16).padStart(8, '0')}`;
}

function short(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

function optional(value: string | undefined): number {
  return value === undefined ? -1 : Number(value);
}
