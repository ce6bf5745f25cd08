/** Conversations written by hand: packets between two hosts with known keys, as the tracker sees them. */
import { TcpFlag } from '../../../src/inspect/dissection.js';
import type { Dissector } from '../../../src/inspect/dissector.js';
import { markText } from '../../../src/inspect/marks.js';
import { Tracker, type TrackedPacket } from '../../../src/inspect/tracker.js';
import { fromHex } from '../octets.js';
import { ipPacket, type Segment } from './packets.js';

export const KEY_A = 0x0102030405060708n;
export const KEY_B = 0x1112131415161718n;
const { SYN, ACK, PSH } = TcpFlag;

/** Numbers in the script are relative to these. */
const ISN = { a: 0xfffffff0, b: 5000 } as const;

export class Conversation {
  readonly tracker: Tracker;
  #time = 0;
  #port = 40000;

  constructor(readonly dissector: Dissector) {
    this.tracker = new Tracker(dissector);
  }

  /** Goes on to another subflow: other ports. */
  join(): this {
    this.#port++;
    return this;
  }

  subflow(index: number): this {
    this.#port = 40000 + index;
    return this;
  }

  wait(microseconds: number): this {
    this.#time += microseconds;
    return this;
  }

  /** One packet; `options` in hexadecimal are padded. Marks come back as text. */
  send(
    from: 'a' | 'b',
    flags: number,
    seq: number,
    ack: number,
    options = '',
    payload: Uint8Array = new Uint8Array(),
  ): string[] {
    return this.packet(from, flags, seq, ack, options, payload).marks.map(markText);
  }

  packet(
    from: 'a' | 'b',
    flags: number,
    seq: number,
    ack: number,
    options = '',
    payload: Uint8Array = new Uint8Array(),
    more: Segment = {},
  ): TrackedPacket {
    this.#time += 100;
    const to = from === 'a' ? 'b' : 'a';
    const octets = fromHex(options);
    const padded = new Uint8Array(Math.ceil(octets.length / 4) * 4).fill(1);
    padded.set(octets);
    const segment: Segment = {
      source: from === 'a' ? '10.0.0.1' : '10.0.0.2',
      destination: from === 'a' ? '10.0.0.2' : '10.0.0.1',
      sourcePort: from === 'a' ? this.#port : 80,
      destinationPort: from === 'a' ? 80 : this.#port,
      seq: (seq + ISN[from]) >>> 0,
      ack: (flags & ACK) === 0 ? 0 : (ack + ISN[to]) >>> 0,
      flags,
      options: padded,
      payload,
      ...more,
    };
    return this.tracker.add(this.#time, this.dissector.dissect(ipPacket(segment)));
  }

  /** Handshake of the first subflow up to the first DATA_ACK. */
  open(flags = '01'): this {
    this.send('a', SYN, 0, 0, `1e0401${flags}`);
    this.send('b', SYN | ACK, 0, 1, `1e0c01${flags}${hex64(KEY_B)}`);
    this.send('a', ACK, 1, 1, `1e1401${flags}${hex64(KEY_A)}${hex64(KEY_B)}`);
    this.send('b', ACK, 1, 1, this.dss({ from: 'b', ack: 1 }));
    return this;
  }

  /** A DSS with numbers relative to the keys' initial ones; 8-octet forms. */
  dss(of: {
    from: 'a' | 'b';
    ack?: number;
    dsn?: number;
    ssn?: number;
    length?: number;
    fin?: boolean;
    checksum?: number;
  }): string {
    const own = this.dissector.idsn(of.from === 'a' ? KEY_A : KEY_B);
    const peer = this.dissector.idsn(of.from === 'a' ? KEY_B : KEY_A);
    const map = of.dsn !== undefined;
    const flags = (of.ack === undefined ? 0 : 3) | (map ? 12 : 0) | (of.fin === true ? 16 : 0);
    const body =
      (of.ack === undefined ? '' : hex64(peer + BigInt(of.ack))) +
      (map ? hex64(own + BigInt(of.dsn ?? 0)) + hex(of.ssn ?? 0, 8) + hex(of.length ?? 0, 4) : '') +
      (of.checksum === undefined ? '' : hex(of.checksum, 4));
    return `1e${hex(4 + body.length / 2, 2)}20${hex(flags, 2)}${body}`;
  }

  /** Data with its mapping. */
  data(from: 'a' | 'b', seq: number, dsn: number, length: number): string[] {
    const options = this.dss({ from, ack: 1, dsn, ssn: seq, length });
    return this.send(from, ACK | PSH, seq, 1, options, new Uint8Array(length));
  }
}

export function hex(value: number, digits: number): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}

export function hex64(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16).padStart(16, '0');
}
