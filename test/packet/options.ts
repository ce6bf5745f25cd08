/** The option of kind 30, both ways between octets and plain objects. Data sequence numbers stay absolute here. */
import ipaddr from 'ipaddr.js';

export interface Capable {
  version?: number;
  flags?: number;
  sender?: bigint;
  receiver?: bigint;
  length?: number;
  checksum?: number;
}
export interface Join {
  backup?: boolean;
  id?: number;
  token?: number;
  nonce?: number;
  /** Hex: 8 octets on SYN/ACK, 20 on ACK. */
  hmac?: string;
}
export interface Dss {
  dack?: bigint;
  dackWidth?: 4 | 8;
  dsn?: bigint;
  dsnWidth?: 4 | 8;
  ssn?: number;
  length?: number;
  checksum?: number;
  fin?: boolean;
}
export interface AddAddr {
  id: number;
  echo?: boolean;
  address: string;
  port?: number;
  hmac?: string;
}
export interface TcpRst {
  reason: number;
  transient?: boolean;
}

/** Multipath options of one segment; null in a parsed one: absent. */
export interface MptcpOptions {
  capable?: Capable | null;
  join?: Join | null;
  dss?: Dss | null;
  add?: AddAddr | null;
  remove?: number[] | null;
  prio?: boolean | null;
  fail?: bigint | null;
  fastclose?: bigint | null;
  reset?: TcpRst | null;
}

class Octets {
  readonly #list: number[] = [];
  put(octets: number, value: number | bigint): this {
    const v = BigInt.asUintN(octets * 8, BigInt(value));
    for (let i = octets - 1; i >= 0; i--) this.#list.push(Number((v >> BigInt(8 * i)) & 255n));
    return this;
  }
  hex(text: string): this {
    this.#list.push(...Buffer.from(text, 'hex'));
    return this;
  }
  bytes(values: readonly number[]): this {
    this.#list.push(...values);
    return this;
  }
  /** The option with its length filled in. */
  option(): number[] {
    this.#list[1] = this.#list.length;
    return this.#list;
  }
}

const start = (subtype: number, nibble = 0): Octets =>
  new Octets().put(2, 0x1e00).put(1, (subtype << 4) | nibble);

function buildCapable(o: Capable): number[] {
  const b = start(0, o.version ?? 1).put(1, o.flags ?? 1);
  if (o.sender !== undefined) b.put(8, o.sender);
  if (o.receiver !== undefined) b.put(8, o.receiver);
  if (o.length !== undefined) b.put(2, o.length);
  if (o.checksum !== undefined) b.put(2, o.checksum);
  return b.option();
}

function buildJoin(o: Join): number[] {
  const b = start(1, o.backup === true ? 1 : 0).put(1, o.id ?? 0);
  if (o.token !== undefined) b.put(4, o.token);
  if (o.hmac !== undefined) b.hex(o.hmac);
  if (o.nonce !== undefined) b.put(4, o.nonce);
  return b.option();
}

function buildDss(o: Dss): number[] {
  const a8 = (o.dackWidth ?? 8) === 8;
  const m8 = (o.dsnWidth ?? 8) === 8;
  const flags =
    (o.fin === true ? 0x10 : 0) |
    (o.dsn === undefined ? 0 : m8 ? 0x0c : 0x04) |
    (o.dack === undefined ? 0 : a8 ? 0x03 : 0x01);
  const b = start(2).put(1, flags);
  if (o.dack !== undefined) b.put(a8 ? 8 : 4, o.dack);
  if (o.dsn !== undefined)
    b.put(m8 ? 8 : 4, o.dsn)
      .put(4, o.ssn ?? 0)
      .put(2, o.length ?? 0);
  if (o.checksum !== undefined) b.put(2, o.checksum);
  return b.option();
}

function buildAdd(o: AddAddr): number[] {
  const b = start(3, o.echo === true ? 1 : 0)
    .put(1, o.id)
    .bytes(ipaddr.parse(o.address).toByteArray());
  if (o.port !== undefined) b.put(2, o.port);
  if (o.hmac !== undefined) b.hex(o.hmac);
  return b.option();
}

/** All options given, each padded with NOPs to a multiple of four. */
export function buildMptcp(o: MptcpOptions): number[] {
  const parts: number[][] = [];
  if (o.capable) parts.push(buildCapable(o.capable));
  if (o.join) parts.push(buildJoin(o.join));
  if (o.dss) parts.push(buildDss(o.dss));
  if (o.fail !== undefined && o.fail !== null) parts.push(start(6).put(1, 0).put(8, o.fail).option());
  if (o.add) parts.push(buildAdd(o.add));
  if (o.remove) parts.push(start(4).bytes(o.remove).option());
  if (o.prio !== undefined && o.prio !== null) parts.push(start(5, o.prio ? 1 : 0).option());
  if (o.fastclose !== undefined && o.fastclose !== null)
    parts.push(start(7).put(1, 0).put(8, o.fastclose).option());
  if (o.reset)
    parts.push(
      start(8, o.reset.transient === true ? 1 : 0)
        .put(1, o.reset.reason)
        .option(),
    );
  return parts.flatMap((part) => [...part, ...Array<number>((4 - (part.length % 4)) % 4).fill(1)]);
}

/** Reads one option of kind 30 into `into`. Throws on a form that no stack may send. */
export function parseMptcp(option: Buffer, into: MptcpOptions): void {
  const nibble = option.readUInt8(2) & 15;
  const { length } = option;
  const legal = (...lengths: number[]): void => {
    if (!lengths.includes(length)) throw new Error(`option ${option.toString('hex')} has an illegal length`);
  };
  switch (option.readUInt8(2) >> 4) {
    case 0: {
      legal(4, 12, 20, 22, 24);
      const capable: Capable = { version: nibble, flags: option.readUInt8(3) };
      if (length >= 12) capable.sender = option.readBigUInt64BE(4);
      if (length >= 20) capable.receiver = option.readBigUInt64BE(12);
      if (length >= 22) capable.length = option.readUInt16BE(20);
      if (length === 24) capable.checksum = option.readUInt16BE(22);
      into.capable = capable;
      return;
    }
    case 1: {
      legal(12, 16, 24);
      const join: Join = { backup: (nibble & 1) === 1, id: option.readUInt8(3) };
      if (length === 12)
        Object.assign(join, { token: option.readUInt32BE(4), nonce: option.readUInt32BE(8) });
      if (length === 16) {
        Object.assign(join, { hmac: option.toString('hex', 4, 12), nonce: option.readUInt32BE(12) });
      }
      if (length === 24) join.hmac = option.toString('hex', 4, 24);
      into.join = join;
      return;
    }
    case 2:
      into.dss = parseDss(option);
      return;
    case 3: {
      legal(8, 10, 16, 18, 20, 22, 28, 30);
      const echo = (nibble & 1) === 1;
      const body = length - 4 - (echo ? 0 : 8);
      const octets = body >= 16 ? 16 : 4;
      const add: AddAddr = {
        id: option.readUInt8(3),
        echo,
        address: ipaddr.fromByteArray([...option.subarray(4, 4 + octets)]).toString(),
      };
      if (body > octets) add.port = option.readUInt16BE(4 + octets);
      if (!echo) add.hmac = option.toString('hex', length - 8);
      into.add = add;
      return;
    }
    case 4:
      into.remove = [...option.subarray(3)];
      return;
    case 5:
      legal(3);
      into.prio = (nibble & 1) === 1;
      return;
    case 6:
      legal(12);
      into.fail = option.readBigUInt64BE(4);
      return;
    case 7:
      legal(12);
      into.fastclose = option.readBigUInt64BE(4);
      return;
    case 8:
      legal(4);
      into.reset = { reason: option.readUInt8(3), transient: (nibble & 1) === 1 };
      return;
    default:
      throw new Error(`option ${option.toString('hex')} has an unknown subtype`);
  }
}

function parseDss(option: Buffer): Dss {
  const flags = option.readUInt8(3);
  const dss: Dss = { fin: (flags & 0x10) !== 0 };
  let at = 4;
  const number = (wide: boolean): bigint => {
    const value = wide ? option.readBigUInt64BE(at) : BigInt(option.readUInt32BE(at));
    at += wide ? 8 : 4;
    return value;
  };
  if ((flags & 1) !== 0) {
    dss.dackWidth = (flags & 2) !== 0 ? 8 : 4;
    dss.dack = number((flags & 2) !== 0);
  }
  if ((flags & 4) !== 0) {
    dss.dsnWidth = (flags & 8) !== 0 ? 8 : 4;
    dss.dsn = number((flags & 8) !== 0);
    dss.ssn = option.readUInt32BE(at);
    dss.length = option.readUInt16BE(at + 4);
    at += 6;
    if (at + 2 === option.length) dss.checksum = option.readUInt16BE(at);
  }
  return dss;
}
