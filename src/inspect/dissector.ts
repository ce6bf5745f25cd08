/** The dissector: inspect.wasm behind as-bind, and its words (assembly/inspect/layout.ts) as objects. */
import ipaddr from 'ipaddr.js';
import * as w from '../../assembly/inspect/layout.js';
import { readModule } from '../core/load.js';
import { instantiate } from './as-bind.js';
import type {
  ChecksumState,
  Dissection,
  IpHeader,
  OptionValue,
  Problem,
  Standing,
  TcpOption,
  TcpSegment,
} from './dissection.js';

/** The exports of assembly/inspect/index.ts. as-bind hands out u32 and u64 with a sign. */
interface InspectExports {
  dissect(packet: Uint8Array, length: number): BigUint64Array;
  token(key: bigint): number;
  idsn(key: bigint): bigint;
  joinHmac(keyA: bigint, keyB: bigint, nonceA: number, nonceB: number): string;
  addAddrHmac(keySender: bigint, keyReceiver: bigint, id: number, address: Uint8Array, port: number): bigint;
  octetSum(octets: Uint8Array): number;
  dssChecksum(dsn: bigint, ssn: number, length: number, sum: number): number;
}

let loading: Promise<Dissector> | null = null;

/** Loads inspect.wasm, once per process. Errors: ERR_PLAIT_CORE. */
export function loadDissector(): Promise<Dissector> {
  loading ??= readModule(new URL('../../inspect.wasm', import.meta.url))
    .then((bytes) => instantiate<InspectExports>(bytes))
    .then(({ exports }) => new Dissector(exports));
  return loading;
}

/** Reads packets one at a time and keeps nothing of them. */
export class Dissector {
  readonly #x: InspectExports;

  constructor(exports: InspectExports) {
    this.#x = exports;
  }

  /**
   * Reads an IP packet. `length`, in octets, is what it had on the wire where it was cut off when it was captured.
   * Never throws, whatever the octets.
   */
  dissect(packet: Uint8Array, length = packet.length): Dissection {
    const whole = packet.length > LARGEST ? packet.subarray(0, LARGEST) : packet;
    const words = this.#x.dissect(whole, Math.min(length, 0xffffffff));
    return new Reading(words, packet).dissection();
  }

  /** Token of the host that owns the key (RFC 8684 section 3.2). */
  token(key: bigint): number {
    return this.#x.token(key) >>> 0;
  }

  /** Initial data sequence number of the host that owns the key. */
  idsn(key: bigint): bigint {
    return BigInt.asUintN(64, this.#x.idsn(key));
  }

  /** HMAC of a join (RFC 8684 section 3.2), 256 bits in hexadecimal. A is the host that sends it. */
  joinHmac(keyA: bigint, keyB: bigint, nonceA: number, nonceB: number): string {
    return this.#x.joinHmac(keyA, keyB, nonceA, nonceB);
  }

  /** HMAC of an ADD_ADDR (RFC 8684 section 3.4.1) for an address of 4 or 16 octets. */
  addAddrHmac(
    keySender: bigint,
    keyReceiver: bigint,
    id: number,
    address: Uint8Array,
    port: number | null,
  ): bigint {
    return BigInt.asUintN(64, this.#x.addAddrHmac(keySender, keyReceiver, id, address, port ?? 0));
  }

  /** One's-complement sum (RFC 1071) of octets that begin at an even place of the whole. */
  octetSum(octets: Uint8Array): number {
    return this.#x.octetSum(octets);
  }

  /** DSS checksum (RFC 8684 section 3.3.1) of a mapping whose payload has this `octetSum`. */
  dssChecksum(dsn: bigint, ssn: number, length: number, sum: number): number {
    return this.#x.dssChecksum(dsn, ssn, length, sum);
  }
}

/** One packet's words. */
class Reading {
  constructor(
    readonly words: BigUint64Array,
    readonly packet: Uint8Array,
  ) {}

  dissection(): Dissection {
    const tcp = this.#at(w.W_TCP_HEADER) !== 0;
    return {
      problem: PROBLEMS[this.#at(w.W_PROBLEM)] ?? null,
      ip: this.#at(w.W_FAMILY) === 0 ? null : this.#ip(),
      outer:
        this.#at(w.W_OUTER) === 0
          ? null
          : { sourcePort: this.#at(w.W_OUTER_SOURCE), destinationPort: this.#at(w.W_OUTER_DESTINATION) },
      tcp: tcp ? this.#tcp() : null,
    };
  }

  #ip(): IpHeader {
    const family = this.#at(w.W_FAMILY) === 4 ? 4 : 6;
    const flags = this.#at(w.W_IP_FLAGS);
    return {
      family,
      source: this.#address(this.#at(w.W_SOURCE), family),
      destination: this.#address(this.#at(w.W_DESTINATION), family),
      headerLength: this.#at(w.W_IP_HEADER),
      length: this.#at(w.W_IP_LENGTH),
      tos: this.#at(w.W_TOS),
      ttl: this.#at(w.W_TTL),
      id: this.#at(w.W_IP_ID),
      dontFragment: family === 4 && (flags & 0x4000) !== 0,
      moreFragments: (flags & (family === 4 ? 0x2000 : 1)) !== 0,
      fragmentOffset: family === 4 ? (flags & 0x1fff) * 8 : flags & 0xfff8,
      protocol: this.#at(w.W_PROTOCOL),
      checksum: this.#checksum(w.W_IP_CHECKSUM),
    };
  }

  #tcp(): TcpSegment {
    const headerLength = this.#at(w.W_TCP_HEADER);
    const start = this.#at(w.W_TCP) + headerLength;
    const count = this.#at(w.W_OPTIONS);
    return {
      sourcePort: this.#at(w.W_SOURCE_PORT),
      destinationPort: this.#at(w.W_DESTINATION_PORT),
      seq: this.#at(w.W_SEQ),
      ack: this.#at(w.W_ACK),
      flags: this.#at(w.W_FLAGS),
      window: this.#at(w.W_WINDOW),
      urgent: this.#at(w.W_URGENT),
      checksum: this.#at(w.W_TCP_CHECKSUM),
      checksumState: this.#checksum(w.W_TCP_CHECKSUM_STATE),
      headerLength,
      options: Array.from({ length: count }, (_, i) => this.#option(w.HEADER_WORDS + i * w.OPTION_WORDS)),
      length: this.#at(w.W_PAYLOAD),
      payload: this.packet.subarray(start, start + this.#at(w.W_PAYLOAD_CAPTURED)),
    };
  }

  #option(base: number): TcpOption {
    const kind = this.#at(base + w.O_KIND);
    const offset = this.#at(base + w.O_OFFSET);
    const length = this.#at(base + w.O_LENGTH);
    const standing = STANDINGS[this.#at(base + w.O_STANDING)] as Standing;
    const readable = standing !== 'malformed' && standing !== 'unknown';
    const place = { kind, octets: this.packet.subarray(offset, offset + length), standing };
    const subtype = this.#at(base + w.O_SUBTYPE);
    if (!readable) return { ...place, name: 'other', subtype: subtype === w.NO_SUBTYPE ? null : subtype };
    return { ...place, ...this.#value(kind, subtype, length, base + w.O_VALUES) };
  }

  #value(kind: number, subtype: number, length: number, at: number): OptionValue {
    switch (kind) {
      case 0:
        return { name: 'end' };
      case 1:
        return { name: 'nop' };
      case 2:
        return { name: 'mss', size: this.#at(at) };
      case 3:
        return { name: 'wscale', shift: this.#at(at) };
      case 4:
        return { name: 'sackOK' };
      case 5: {
        const edge = (i: number): number => this.#at(at + 1 + i);
        const blocks = Array.from(
          { length: this.#at(at) },
          (_, i) => [edge(2 * i), edge(2 * i + 1)] as const,
        );
        return { name: 'sack', blocks };
      }
      case 8:
        return { name: 'timestamps', value: this.#at(at), echo: this.#at(at + 1) };
      case 34:
      case 254:
        return { name: 'fastopen', cookie: this.#hex(this.#at(at), this.#at(at + 1)) };
      default:
        return this.#multipath(subtype, length, at);
    }
  }

  #multipath(subtype: number, length: number, at: number): OptionValue {
    const { words } = this;
    const number = (i: number): number => this.#at(at + i);
    const wide = (i: number): bigint => words[at + i] as bigint;
    switch (subtype) {
      case 0:
        return {
          name: 'mp_capable',
          version: number(0),
          flags: number(1),
          senderKey: length >= 12 ? wide(2) : null,
          receiverKey: length >= 20 ? wide(3) : null,
          dataLength: length >= 22 ? number(4) : null,
          checksum: length === 24 ? number(5) : null,
        };
      case 1:
        return {
          name: 'mp_join',
          backup: length === 24 ? null : number(0) !== 0,
          addressId: length === 24 ? null : number(1),
          token: length === 12 ? number(2) : null,
          nonce: length === 24 ? null : number(3),
          hmac: length === 12 ? null : this.#hex(number(4), length === 16 ? 8 : 20),
        };
      case 2: {
        const flags = number(0);
        const checksum = number(5) === 0 ? null : number(6);
        const mapping = {
          dsn: wide(2),
          dsn64: (flags & 8) !== 0,
          ssn: number(3),
          length: number(4),
          checksum,
        };
        return {
          name: 'dss',
          flags,
          dataFin: (flags & 16) !== 0,
          dataAck: (flags & 1) === 0 ? null : wide(1),
          dataAck64: (flags & 3) === 3,
          mapping: (flags & 4) === 0 ? null : mapping,
        };
      }
      case 3: {
        const echo = number(0) !== 0;
        return {
          name: 'add_addr',
          echo,
          addressId: number(1),
          address: this.#address(number(3), number(2) === 4 ? 4 : 6),
          port: number(4) === 0 ? null : number(5),
          hmac: echo || length < 16 || length === 20 || length === 22 ? null : wide(6), // version 0 has none
        };
      }
      case 4:
        return {
          name: 'remove_addr',
          addressIds: [...this.packet.subarray(number(0), number(0) + number(1))],
        };
      case 5:
        return {
          name: 'mp_prio',
          backup: number(0) !== 0,
          addressId: length === 4 ? number(1) : null,
        };
      case 6:
        return { name: 'mp_fail', dsn: wide(0) };
      case 7:
        return { name: 'mp_fastclose', key: wide(0) };
      default:
        return {
          name: 'mp_tcprst',
          flags: number(0),
          transient: (number(0) & 1) !== 0,
          reason: number(1),
        };
    }
  }

  #at(word: number): number {
    return Number(this.words[word]);
  }

  #checksum(word: number): ChecksumState {
    return CHECKSUMS[this.#at(word)] as ChecksumState;
  }

  #address(offset: number, family: 4 | 6): string {
    const octets = this.packet.subarray(offset, offset + (family === 4 ? 4 : 16));
    if (family === 4) return octets.join('.');
    const address = new ipaddr.IPv6(Array.from(octets));
    // RFC 5952 section 5.
    return address.isIPv4MappedAddress() ? `::ffff:${octets.subarray(12).join('.')}` : address.toString();
  }

  #hex(offset: number, length: number): string {
    return Array.from(this.packet.subarray(offset, offset + length), (octet) =>
      octet.toString(16).padStart(2, '0'),
    ).join('');
  }
}

/** More than any IP packet, jumbograms aside, whose header is at the start as well. */
const LARGEST = 1 << 20;

const PROBLEMS: readonly (Problem | null)[] = [
  null,
  'not IP',
  'IP header cut off',
  'IP header malformed',
  'fragment',
  'not TCP',
  'TCP header cut off',
  'TCP header malformed',
];
const STANDINGS: readonly Standing[] = ['read', 'misplaced', 'refused', 'repeated', 'malformed', 'unknown'];
const CHECKSUMS: readonly ChecksumState[] = ['unverified', 'good', 'bad', 'offloaded'];
