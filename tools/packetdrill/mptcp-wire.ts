/** Octets of Multipath TCP's options (RFC 8684 section 3, RFC 6824 for version 0) after kind and length. */

export interface WireNumber {
  readonly width: 4 | 8;
  readonly value: bigint;
}

export interface WireDss {
  readonly kind: 'dss';
  readonly fin: boolean;
  readonly dack: WireNumber | null;
  readonly dsn: WireNumber | null;
  readonly ssn: number;
  readonly length: number;
  readonly checksum: number | null;
}

/** Keys are the wire's octets read as one number, highest first. */
export type WireMptcp =
  | {
      readonly kind: 'mp_capable';
      readonly version: number;
      readonly flags: number;
      readonly keys: readonly bigint[];
      readonly length: number | null;
      readonly checksum: number | null;
    }
  | {
      readonly kind: 'mp_join_syn';
      readonly backup: boolean;
      readonly id: number;
      readonly token: number;
      readonly nonce: number;
    }
  | {
      readonly kind: 'mp_join_syn_ack';
      readonly backup: boolean;
      readonly id: number;
      readonly hmac: Buffer;
      readonly nonce: number;
    }
  | { readonly kind: 'mp_join_ack'; readonly hmac: Buffer }
  | WireDss
  | {
      readonly kind: 'add_address';
      readonly echo: boolean;
      readonly id: number;
      readonly address: Buffer;
      readonly port: number | null;
      readonly hmac: Buffer | null;
    }
  | { readonly kind: 'remove_address'; readonly ids: readonly number[] }
  | { readonly kind: 'mp_prio'; readonly backup: boolean; readonly id: number | null }
  | { readonly kind: 'mp_fail'; readonly dsn: bigint }
  | { readonly kind: 'mp_fastclose'; readonly key: bigint }
  | { readonly kind: 'mp_reset'; readonly transient: boolean; readonly reason: number }
  /** A subtype or a length that none of the above has. */
  | { readonly kind: 'unknown'; readonly data: Buffer };

class Writer {
  readonly #parts: Buffer[] = [];
  constructor(subtype: number, nibble: number) {
    this.#parts.push(Buffer.from([(subtype << 4) | nibble]));
  }
  u8(value: number): this {
    this.#parts.push(Buffer.from([value]));
    return this;
  }
  u16(value: number): this {
    const octets = Buffer.alloc(2);
    octets.writeUInt16BE(value);
    this.#parts.push(octets);
    return this;
  }
  u32(value: number): this {
    const octets = Buffer.alloc(4);
    octets.writeUInt32BE(value >>> 0);
    this.#parts.push(octets);
    return this;
  }
  u64(value: bigint): this {
    const octets = Buffer.alloc(8);
    octets.writeBigUInt64BE(BigInt.asUintN(64, value));
    this.#parts.push(octets);
    return this;
  }
  number({ width, value }: WireNumber): this {
    return width === 8 ? this.u64(value) : this.u32(Number(BigInt.asUintN(32, value)));
  }
  octets(value: Buffer): this {
    this.#parts.push(value);
    return this;
  }
  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export function encodeMptcp(o: WireMptcp): Buffer {
  switch (o.kind) {
    case 'mp_capable': {
      const w = new Writer(0, o.version).u8(o.flags);
      for (const key of o.keys) w.u64(key);
      if (o.length !== null) w.u16(o.length);
      if (o.checksum !== null) w.u16(o.checksum);
      return w.done();
    }
    case 'mp_join_syn':
      return new Writer(1, o.backup ? 1 : 0).u8(o.id).u32(o.token).u32(o.nonce).done();
    case 'mp_join_syn_ack':
      return new Writer(1, o.backup ? 1 : 0).u8(o.id).octets(o.hmac).u32(o.nonce).done();
    case 'mp_join_ack':
      return new Writer(1, 0).u8(0).octets(o.hmac).done();
    case 'dss':
      return encodeDss(o);
    case 'add_address': {
      const w = new Writer(3, o.echo ? 1 : 0).u8(o.id).octets(o.address);
      if (o.port !== null) w.u16(o.port);
      if (o.hmac !== null) w.octets(o.hmac);
      return w.done();
    }
    case 'remove_address':
      return new Writer(4, 0).octets(Buffer.from(o.ids)).done();
    case 'mp_prio': {
      const w = new Writer(5, o.backup ? 1 : 0);
      return (o.id === null ? w : w.u8(o.id)).done();
    }
    case 'mp_fail':
      return new Writer(6, 0).u8(0).u64(o.dsn).done();
    case 'mp_fastclose':
      return new Writer(7, 0).u8(0).u64(o.key).done();
    case 'mp_reset':
      return new Writer(8, o.transient ? 1 : 0).u8(o.reason).done();
    case 'unknown':
      return o.data;
  }
}

function encodeDss(o: WireDss): Buffer {
  const flags =
    (o.fin ? 0x10 : 0) |
    (o.dsn === null ? 0 : o.dsn.width === 8 ? 0x0c : 0x04) |
    (o.dack === null ? 0 : o.dack.width === 8 ? 0x03 : 0x01);
  const w = new Writer(2, 0).u8(flags);
  if (o.dack !== null) w.number(o.dack);
  if (o.dsn !== null) {
    w.number(o.dsn).u32(o.ssn).u16(o.length);
    if (o.checksum !== null) w.u16(o.checksum);
  }
  return w.done();
}

/** Never throws: what does not fit is `unknown`. */
export function decodeMptcp(data: Buffer): WireMptcp {
  try {
    const decoded = decode(data);
    if (decoded !== null && encodeMptcp(decoded).length === data.length) return decoded;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return { kind: 'unknown', data };
}

function decode(data: Buffer): WireMptcp | null {
  const nibble = data.readUInt8(0) & 15;
  const bit = (nibble & 1) === 1;
  switch (data.readUInt8(0) >> 4) {
    case 0:
      return {
        kind: 'mp_capable',
        version: nibble,
        flags: data.readUInt8(1),
        keys: [2, 10].filter((at) => data.length >= at + 8).map((at) => data.readBigUInt64BE(at)),
        length: data.length >= 20 ? data.readUInt16BE(18) : null,
        checksum: data.length >= 22 ? data.readUInt16BE(20) : null,
      };
    case 1:
      return decodeJoin(data, bit);
    case 2:
      return decodeDss(data);
    case 3: {
      const rest = data.length - 2 - (bit ? 0 : 8);
      const width = rest >= 16 ? 16 : 4;
      return {
        kind: 'add_address',
        echo: bit,
        id: data.readUInt8(1),
        address: data.subarray(2, 2 + width),
        port: rest > width ? data.readUInt16BE(2 + width) : null,
        hmac: bit ? null : data.subarray(data.length - 8),
      };
    }
    case 4:
      return { kind: 'remove_address', ids: [...data.subarray(1)] };
    case 5:
      return { kind: 'mp_prio', backup: bit, id: data.length > 1 ? data.readUInt8(1) : null };
    case 6:
      return { kind: 'mp_fail', dsn: data.readBigUInt64BE(2) };
    case 7:
      return { kind: 'mp_fastclose', key: data.readBigUInt64BE(2) };
    case 8:
      return { kind: 'mp_reset', transient: bit, reason: data.readUInt8(1) };
  }
  return null;
}

function decodeJoin(data: Buffer, backup: boolean): WireMptcp | null {
  const id = data.readUInt8(1);
  if (data.length === 10) {
    return { kind: 'mp_join_syn', backup, id, token: data.readUInt32BE(2), nonce: data.readUInt32BE(6) };
  }
  if (data.length === 14) {
    return { kind: 'mp_join_syn_ack', backup, id, hmac: data.subarray(2, 10), nonce: data.readUInt32BE(10) };
  }
  return data.length === 22 ? { kind: 'mp_join_ack', hmac: data.subarray(2) } : null;
}

function decodeDss(data: Buffer): WireDss {
  const flags = data.readUInt8(1);
  let at = 2;
  const number = (wide: boolean): WireNumber => {
    const value = wide ? data.readBigUInt64BE(at) : BigInt(data.readUInt32BE(at));
    at += wide ? 8 : 4;
    return { width: wide ? 8 : 4, value };
  };
  const dack = (flags & 1) !== 0 ? number((flags & 2) !== 0) : null;
  const dsn = (flags & 4) !== 0 ? number((flags & 8) !== 0) : null;
  return {
    kind: 'dss',
    fin: (flags & 0x10) !== 0,
    dack,
    dsn,
    ssn: dsn === null ? 0 : data.readUInt32BE(at),
    length: dsn === null ? 0 : data.readUInt16BE(at + 4),
    checksum: dsn !== null && data.length > at + 6 ? data.readUInt16BE(at + 6) : null,
  };
}
