/**
 * A hand-scripted peer: one TCP flow to the stack. Sequence numbers are relative to each side's SYN (0), data
 * sequence numbers to each side's IDSN (the first octet is 1). What a test does not name is filled in from what
 * went before.
 */
import { expect } from 'chai';
import ipaddr from 'ipaddr.js';
import { addressOf, type Bench, type Recorded } from './bench.js';
import { addressHmac, dssChecksum, idsnOf, joinHmac, tokenOf } from './crypto.js';
import { summary, type Fields, type RelativeDss, type Seen, type Wanted } from './fields.js';
import type { AddAddr, Dss } from './options.js';
import { buildPacket } from './segment.js';

export type { Fields, RelativeDss, Seen, Wanted } from './fields.js';

/** What the flows of one connection share. */
export class Session {
  stackKey = 0n;
  checksum = false;
  /** Next data sequence number to send, next one expected. */
  dsn = 1;
  dack = 1;
  constructor(readonly key = 0x0102030405060708n) {}
  get idsn(): bigint {
    return idsnOf(this.key);
  }
  get stackIdsn(): bigint {
    return idsnOf(this.stackKey);
  }
}

export interface PeerOptions {
  readonly session?: Session;
  readonly path?: number;
  readonly port?: number;
  readonly stackPort?: number;
  readonly isn?: number;
  readonly ts?: boolean;
  readonly mss?: number | null;
  readonly scale?: number | null;
  readonly sackOk?: boolean | null;
  readonly window?: number;
  /** Address of the peer, when it is not the usual one of the path. */
  readonly address?: string;
}

export class Peer {
  readonly session: Session;
  readonly path: number;
  port: number;
  stackPort: number;
  readonly isn: number;
  stackIsn = 0;
  /** Next sequence number to send, next one expected; relative. */
  seq = 0;
  ack = 0;
  window: number;
  ts: boolean;
  /** Timestamp of the stack to echo. */
  echo = 0;
  readonly offer: { mss: number | null; scale: number | null; sackOk: boolean | null };
  readonly address: string;

  constructor(
    readonly bench: Bench,
    options: PeerOptions = {},
  ) {
    this.session = options.session ?? new Session();
    this.path = options.path ?? 0;
    this.port = options.port ?? 30000;
    this.stackPort = options.stackPort ?? 5000;
    this.isn = options.isn ?? 1000;
    this.ts = options.ts ?? false;
    this.window = options.window ?? 65535;
    this.address = options.address ?? addressOf(this.path, 2, bench.ipv6);
    const { mss = bench.ipv6 ? 1440 : 1460, scale = 7, sackOk = true } = options;
    this.offer = { mss, scale, sackOk };
  }

  get stackAddress(): string {
    return addressOf(this.path, 1, this.bench.ipv6);
  }

  /** Milliseconds of the peer's timestamp clock. */
  get clock(): number {
    return Math.floor(this.bench.now / 1000) + 5000;
  }

  // ---- sending -------------------------------------------------------------------------------------------------

  send(fields: Fields = {}): this {
    const { session } = this;
    const flags = fields.flags ?? 'A';
    const syn = flags.includes('S');
    const data = Buffer.from(fields.data ?? '', 'latin1');
    const seq = fields.seq ?? this.seq;
    const options = syn ? { ...this.offer } : {};
    const ts = fields.ts === undefined && this.ts ? ([this.clock, this.echo] as const) : (fields.ts ?? null);
    const dss = fields.dss;
    const { dss: _, fail, data: __, ...rest } = fields;
    const packet = buildPacket({
      source: this.address,
      destination: this.stackAddress,
      sourcePort: this.port,
      destinationPort: this.stackPort,
      window: this.window,
      ...options,
      ...rest,
      ts,
      flags,
      data,
      seq: this.isn + seq,
      ack: flags.includes('A') ? this.stackIsn + (fields.ack ?? this.ack) : 0,
      sack: fields.sack?.map(([a, b]) => [this.stackIsn + a, this.stackIsn + b] as const) ?? null,
      dss: dss ? this.#absolute(dss) : null,
      fail: typeof fail === 'number' ? session.stackIdsn + BigInt(fail) : null,
    });
    const end = seq + data.length + (syn ? 1 : 0) + (flags.includes('F') ? 1 : 0);
    this.seq = Math.max(this.seq, end);
    this.bench.inject(this.path, packet);
    return this;
  }

  #absolute(dss: RelativeDss): Dss {
    const { dack, dsn, ...rest } = dss;
    const result: Dss = rest;
    if (dack !== undefined) result.dack = this.session.stackIdsn + BigInt(dack);
    if (dsn !== undefined) result.dsn = this.session.idsn + BigInt(dsn);
    return result;
  }

  /** Data with a mapping of its own, in sequence on both levels unless told otherwise. */
  data(text: string, dss: RelativeDss = {}, fields: Fields = {}): this {
    const { session } = this;
    const dsn = dss.dsn ?? session.dsn;
    const ssn = dss.ssn ?? fields.seq ?? this.seq;
    const length = dss.length ?? text.length + (dss.fin === true ? 1 : 0);
    const all: RelativeDss = { dack: session.dack, ...dss, dsn, ssn, length };
    if (session.checksum && !('checksum' in dss)) {
      const payload = Buffer.from(text, 'latin1');
      all.checksum = dssChecksum(session.idsn + BigInt(dsn), ssn, length, payload);
    }
    session.dsn = Math.max(session.dsn, dsn + length);
    return this.send({ flags: 'PA', data: text, dss: all, ...fields });
  }

  /** A pure ACK with DATA_ACK of all that came. */
  acknowledge(fields: Fields = {}): this {
    return this.send({ dss: { dack: this.session.dack }, ...fields });
  }

  /** DATA_FIN of its own. */
  dataFin(dsn = this.session.dsn): this {
    this.session.dsn = Math.max(this.session.dsn, dsn + 1);
    const dss: RelativeDss = { dack: this.session.dack, dsn, ssn: 0, length: 1, fin: true };
    if (this.session.checksum) {
      dss.checksum = dssChecksum(this.session.idsn + BigInt(dsn), 0, 1, Buffer.alloc(0));
    }
    return this.send({ dss });
  }

  addAddr(add: Omit<AddAddr, 'hmac'> & { hmac?: string }): this {
    const octets = Uint8Array.from(ipaddr.parse(add.address).toByteArray());
    const { key, stackKey } = this.session;
    const hmac = addressHmac(key, stackKey, add.id, octets, add.port ?? 0);
    return this.send({ add: add.echo === true ? add : { hmac, ...add } });
  }

  // ---- receiving -----------------------------------------------------------------------------------------------

  /** The stack's next packet on this flow, or null when there is none at this instant. */
  next(): Seen | null {
    this.bench.settle();
    const { sent } = this.bench.device;
    const at = sent.findIndex(
      (p) =>
        p.destinationPort === this.port && p.destination === this.address && p.sourcePort === this.stackPort,
    );
    if (at < 0) return null;
    const [packet] = sent.splice(at, 1);
    return this.#relative(packet as Recorded);
  }

  #relative(p: Recorded): Seen {
    const syn = p.flags.includes('S');
    const { session } = this;
    if (syn) this.stackIsn = p.seq;
    if (p.ts !== null) this.echo = p.ts[0];
    if (p.capable?.sender !== undefined && session.stackKey === 0n) session.stackKey = p.capable.sender;
    const seq = (p.seq - this.stackIsn) | 0;
    const end = seq + p.data.length + (syn ? 1 : 0) + (p.flags.includes('F') ? 1 : 0);
    if (!p.flags.includes('R') && seq <= this.ack) this.ack = Math.max(this.ack, end);
    const { dss, fail, data, ...rest } = p;
    const seen: Seen = {
      ...rest,
      seq,
      ack: p.flags.includes('A') ? (p.ack - this.isn) | 0 : 0,
      data: data.toString('latin1'),
      length: data.length,
      sack: p.sack?.map(([a, b]) => [(a - this.isn) | 0, (b - this.isn) | 0] as const) ?? null,
      fail: fail === null ? null : Number(fail - session.idsn),
      dss: dss === null ? null : this.#relativeDss(dss),
    };
    const map = seen.dss;
    if (map?.dsn !== undefined && map.dsn <= session.dack && (map.length ?? 0) > 0) {
      session.dack = Math.max(session.dack, map.dsn + (map.length ?? 0));
    }
    if (seen.capable?.length !== undefined) session.dack = Math.max(session.dack, 1 + seen.capable.length);
    return seen;
  }

  #relativeDss(dss: Dss): RelativeDss {
    const { dack, dsn, ...rest } = dss;
    const result: RelativeDss = rest;
    const from = (value: bigint, base: bigint, width: 4 | 8): number =>
      Number(BigInt.asIntN(width * 8, value - base));
    if (dack !== undefined) result.dack = from(dack, this.session.idsn, dss.dackWidth ?? 8);
    if (dsn !== undefined) result.dsn = from(dsn, this.session.stackIdsn, dss.dsnWidth ?? 8);
    return result;
  }

  /** Takes the next packet, which has to be there now, and compares the fields named. */
  expect(wanted: Wanted = {}): Seen {
    const seen = this.next();
    if (seen === null) throw new Error(`no packet came; wanted ${JSON.stringify(wanted)}`);
    expect(seen, summary(seen)).to.containSubset(wanted);
    return seen;
  }

  /** The next packet comes after so many microseconds, give or take `tolerance`. */
  expectAfter(microseconds: number, wanted: Wanted = {}, tolerance = 1500): Seen {
    const { bench } = this;
    const from = bench.now;
    const { length } = bench.device.sent;
    bench.world.runUntil(
      () => bench.device.sent.length > length || bench.now > from + microseconds + tolerance,
      {
        maxTime: microseconds * 1.5 + tolerance + 1e6,
      },
    );
    const seen = this.expect(wanted);
    expect(seen.time - from, `time of ${summary(seen)}`).to.be.closeTo(microseconds, tolerance);
    return seen;
  }

  /** No packet within so many microseconds. */
  expectNothing(microseconds = 0): void {
    this.bench.wait(microseconds);
    const seen = this.next();
    if (seen !== null) throw new Error(`an unexpected packet: ${summary(seen)}`);
  }

  /** All packets at this instant. */
  drain(): Seen[] {
    const result: Seen[] = [];
    for (let seen = this.next(); seen !== null; seen = this.next()) result.push(seen);
    return result;
  }

  // ---- whole handshakes ------------------------------------------------------------------------------------------

  /** Opens to the stack's listener with Multipath TCP, up to and with the third ACK. */
  open(flags = 1): this {
    const { session } = this;
    this.send({ flags: 'S', capable: { flags } });
    const answer = this.expect({ flags: 'SA', capable: { version: 1 } });
    if (((flags | (answer.capable?.flags ?? 0)) & 0x80) !== 0) session.checksum = true;
    const agreed = session.checksum ? 0x81 : 1;
    return this.send({ capable: { flags: agreed, sender: session.key, receiver: session.stackKey } });
  }

  /** Opens a connection of plain TCP. */
  openPlain(): this {
    this.send({ flags: 'S' });
    this.expect({ flags: 'SA', capable: null });
    return this.send();
  }

  /** Answers the stack's SYN up to its third ACK. */
  accept(flags = 1): this {
    const { session } = this;
    const syn = this.takeSyn();
    expect(syn.capable).to.not.equal(null);
    this.send({ flags: 'SA', capable: { flags, sender: session.key } });
    const third = this.expect({ flags: 'A', capable: { receiver: session.key } });
    session.stackKey = third.capable?.sender ?? 0n;
    session.checksum = (flags & 0x80) !== 0;
    return this;
  }

  /** Like `accept`, and proves that it has the stack's key: the connection is fully established. */
  acceptFully(flags = 1): this {
    return this.accept(flags).acknowledge();
  }

  /** Takes the stack's SYN to this peer's address from whatever port it chose. */
  takeSyn(wanted: Wanted = {}): Seen {
    this.bench.settle();
    const found = this.bench.device.sent.find(
      (p) => p.destination === this.address && /^S[EC]*$/.test(p.flags),
    );
    if (found === undefined) throw new Error('no SYN came');
    this.port = found.destinationPort;
    this.stackPort = found.sourcePort;
    return this.expect(wanted);
  }

  /** MP_JOIN of a SYN to the stack. */
  joinSyn(id: number, backup = false): { token: number; nonce: number; id: number; backup: boolean } {
    return { token: stackToken(this.session), nonce: 0x21222324, id, backup };
  }

  /** Answers a join of the stack up to the fourth packet. */
  acceptJoin(id = 0, backup = false): this {
    const { session } = this;
    const syn = this.takeSyn();
    const nonce = 0x31323334;
    const hmac = joinHmac(session.key, session.stackKey, nonce, syn.join?.nonce ?? 0);
    this.send({ flags: 'SA', join: { hmac: hmac.toString('hex', 0, 8), nonce, id, backup } });
    this.expect({ flags: 'A', length: 0 });
    return this.acknowledge();
  }

  /** Joins this flow to the connection of its session, up to the fourth packet. */
  joinNow(id = 1, backup = false): this {
    this.join(id, backup).expect({ flags: 'A', join: null });
    return this;
  }

  /** The same up to the proof, whatever the answer to that. */
  join(id = 1, backup = false): this {
    const { session } = this;
    const join = this.joinSyn(id, backup);
    this.send({ flags: 'S', join });
    const answer = this.expect({ flags: 'SA' });
    const hmac = joinHmac(session.key, session.stackKey, join.nonce, answer.join?.nonce ?? 0);
    return this.send({ join: { hmac: hmac.toString('hex', 0, 20) } });
  }
}

export const stackToken = (session: Session): number => tokenOf(session.stackKey);
