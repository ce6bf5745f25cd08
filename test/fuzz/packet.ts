/**
 * Packets of the attacker, written into one buffer that is used again and again: millions a minute have to go
 * through. Everything is right unless a caller asks for something wrong, checksums included.
 */
import { sum16 } from '../packet/crypto.js';

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;

/** Addresses of one direction: 4 or 16 octets each. */
export interface Route {
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  readonly sourcePort: number;
  readonly targetPort: number;
}

export interface Header {
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
}

const OPTION_ROOM = 40;
const LARGEST = 65535;

export class PacketWriter {
  readonly u8 = new Uint8Array(LARGEST + 64);
  readonly #dv = new DataView(this.u8.buffer);
  #ip = 20;
  #options = 0;
  #end = 0;

  /** Begins a packet; options follow, then payload, then `finish`. */
  start(route: Route): this {
    this.#ip = route.source.length === 4 ? 20 : 40;
    this.#options = this.#ip + 20;
    this.#end = this.#options;
    return this;
  }

  /** Octets that options may still take. */
  get room(): number {
    return OPTION_ROOM - (this.#end - this.#options);
  }

  get length(): number {
    return this.#end;
  }

  // ---- options: one that does not fit is left out ---------------------------------------------------------------

  #take(octets: number): number {
    if (octets > this.room) return 0;
    const at = this.#end;
    this.#end += octets;
    return at;
  }

  octets(bytes: readonly number[]): this {
    const at = this.#take(bytes.length);
    if (at !== 0) this.u8.set(bytes, at);
    return this;
  }

  /** An option of any kind and length octet, with `body` octets after them. */
  option(kind: number, length: number, body: readonly number[]): this {
    return this.octets([kind, length & 255, ...body]);
  }

  mss(value: number): this {
    return this.octets([2, 4, (value >> 8) & 255, value & 255]);
  }

  scale(value: number): this {
    return this.octets([1, 3, 3, value & 255]);
  }

  sackOk(): this {
    return this.octets([1, 1, 4, 2]);
  }

  timestamps(value: number, echo: number): this {
    const at = this.#take(12);
    if (at === 0) return this;
    this.#dv.setUint32(at, 0x0101080a);
    this.#dv.setUint32(at + 4, value);
    this.#dv.setUint32(at + 8, echo);
    return this;
  }

  sack(edges: readonly number[]): this {
    const at = this.#take(4 + 4 * edges.length);
    if (at === 0) return this;
    this.#dv.setUint32(at, 0x01010502 + 4 * edges.length);
    edges.forEach((edge, i) => this.#dv.setUint32(at + 4 + 4 * i, edge));
    return this;
  }

  #mptcp(subtype: number, low: number, next: number, length: number): number {
    const at = this.#take(length);
    if (at === 0) return 0;
    this.#dv.setUint32(at, (30 << 24) | (length << 16) | (subtype << 12) | (low << 8) | (next & 255));
    return at + 4;
  }

  capable(flags: number, sender?: bigint, receiver?: bigint, dataLength?: number, checksum?: number): this {
    const parts = [sender, receiver].filter((key) => key !== undefined);
    const length =
      4 + 8 * parts.length + (dataLength === undefined ? 0 : 2) + (checksum === undefined ? 0 : 2);
    let at = this.#mptcp(0, 1, flags, length);
    if (at === 0) return this;
    for (const key of parts) {
      this.#dv.setBigUint64(at, key);
      at += 8;
    }
    if (dataLength !== undefined) this.#dv.setUint16(at, dataLength);
    if (checksum !== undefined) this.#dv.setUint16(at + 2, checksum);
    return this;
  }

  joinSyn(backup: boolean, id: number, token: number, nonce: number): this {
    const at = this.#mptcp(1, backup ? 1 : 0, id, 12);
    if (at === 0) return this;
    this.#dv.setUint32(at, token);
    this.#dv.setUint32(at + 4, nonce);
    return this;
  }

  joinSynAck(backup: boolean, id: number, hmac: Uint8Array, nonce: number): this {
    const at = this.#mptcp(1, backup ? 1 : 0, id, 16);
    if (at === 0) return this;
    this.u8.set(hmac.subarray(0, 8), at);
    this.#dv.setUint32(at + 8, nonce);
    return this;
  }

  joinAck(hmac: Uint8Array): this {
    const at = this.#mptcp(1, 0, 0, 24);
    if (at !== 0) this.u8.set(hmac.subarray(0, 20), at);
    return this;
  }

  /** `flags` as on the wire (F m M a A); `checksum` -1: none. Numbers are absolute. */
  dss(flags: number, ack: bigint, dsn: bigint, ssn: number, length: number, checksum: number): this {
    const wideAck = (flags & 2) !== 0;
    const wideDsn = (flags & 8) !== 0;
    const octets =
      4 +
      ((flags & 1) === 0 ? 0 : wideAck ? 8 : 4) +
      ((flags & 4) === 0 ? 0 : (wideDsn ? 14 : 10) + (checksum < 0 ? 0 : 2));
    let at = this.#mptcp(2, 0, flags, octets);
    if (at === 0) return this;
    if ((flags & 1) !== 0) at = this.#number(at, wideAck, ack);
    if ((flags & 4) !== 0) {
      at = this.#number(at, wideDsn, dsn);
      this.#dv.setUint32(at, ssn);
      this.#dv.setUint16(at + 4, length);
      if (checksum >= 0) this.#dv.setUint16(at + 6, checksum);
    }
    return this;
  }

  #number(at: number, wide: boolean, value: bigint): number {
    if (wide) this.#dv.setBigUint64(at, value);
    else this.#dv.setUint32(at, Number(value & 0xffffffffn));
    return at + (wide ? 8 : 4);
  }

  addAddr(id: number, address: Uint8Array, port: number, hmac: bigint | null): this {
    const octets = 4 + address.length + (port === 0 ? 0 : 2) + (hmac === null ? 0 : 8);
    let at = this.#mptcp(3, hmac === null ? 1 : 0, id, octets);
    if (at === 0) return this;
    this.u8.set(address, at);
    at += address.length;
    if (port !== 0) {
      this.#dv.setUint16(at, port);
      at += 2;
    }
    if (hmac !== null) this.#dv.setBigUint64(at, hmac);
    return this;
  }

  removeAddr(ids: readonly number[]): this {
    return this.octets([30, 3 + ids.length, 0x40, ...ids]);
  }

  prio(backup: boolean): this {
    return this.octets([30, 3, 0x50 | (backup ? 1 : 0)]);
  }

  fail(dsn: bigint): this {
    return this.#long(6, dsn);
  }

  fastclose(key: bigint): this {
    return this.#long(7, key);
  }

  #long(subtype: number, value: bigint): this {
    const at = this.#mptcp(subtype, 0, 0, 12);
    if (at !== 0) this.#dv.setBigUint64(at, value);
    return this;
  }

  reset(transient: boolean, reason: number): this {
    this.#mptcp(8, transient ? 1 : 0, reason, 4);
    return this;
  }

  // ---- payload and the end --------------------------------------------------------------------------------------

  /** Pads the options with NOPs and puts `length` octets of payload after them. Returns where they begin. */
  payload(length: number, first: number): number {
    while (((this.#end - this.#options) & 3) !== 0) this.u8[this.#end++] = 1;
    const at = this.#end;
    const n = Math.min(length, LARGEST - at);
    for (let i = 0; i < n; i++) this.u8[at + i] = first + i;
    this.#end += n;
    return at;
  }

  /** Writes the headers before what is there. Call `payload` first, with 0 octets if need be. */
  finish(route: Route, header: Header, payloadAt: number): Uint8Array {
    const dv = this.#dv;
    const tcp = this.#ip;
    dv.setUint16(tcp, route.sourcePort);
    dv.setUint16(tcp + 2, route.targetPort);
    dv.setUint32(tcp + 4, header.seq >>> 0);
    dv.setUint32(tcp + 8, header.ack >>> 0);
    dv.setUint8(tcp + 12, ((payloadAt - tcp) >> 2) << 4);
    dv.setUint8(tcp + 13, header.flags);
    dv.setUint16(tcp + 14, header.window);
    dv.setUint32(tcp + 16, 0);
    this.#network(route);
    this.seal();
    return this.u8.subarray(0, this.#end);
  }

  #network(route: Route): void {
    const dv = this.#dv;
    if (this.#ip === 20) {
      dv.setUint16(0, 0x4500);
      dv.setUint16(2, this.#end);
      dv.setUint32(4, 0x00004000);
      dv.setUint32(8, 0x40060000);
      this.u8.set(route.source, 12);
      this.u8.set(route.target, 16);
    } else {
      dv.setUint32(0, 0x60000000);
      dv.setUint16(4, this.#end - 40);
      dv.setUint16(6, 0x0640);
      this.u8.set(route.source, 8);
      this.u8.set(route.target, 24);
    }
  }

  /** Makes both checksums right for what the packet says now, so that broken fields get through. */
  seal(): void {
    const dv = this.#dv;
    const tcp = this.#ip;
    if (tcp === 20) {
      dv.setUint16(10, 0);
      const header = Math.min(this.#end, Math.max(20, ((this.u8[0] ?? 0) & 15) * 4));
      dv.setUint16(10, ~sum16(this.u8.subarray(0, header)) & 0xffff);
    }
    dv.setUint16(tcp + 16, 0);
    const addresses = tcp === 20 ? sum16(this.u8.subarray(12, 20)) : sum16(this.u8.subarray(8, 40));
    const length = this.#end - tcp;
    let sum = addresses + 6 + length + sum16(this.u8.subarray(tcp, this.#end));
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    dv.setUint16(tcp + 16, ~sum & 0xffff);
  }
}
