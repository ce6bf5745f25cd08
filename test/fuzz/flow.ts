/** What the attacker knows of its connections to the stack: enough to be in step, and to be out of it on purpose. */
import { idsnOf, tokenOf } from '../packet/crypto.js';
import type { Route } from './packet.js';
import type { Reply } from './reply.js';

const MASK64 = (1n << 64n) - 1n;

/** Keys whose initial data sequence number lies just before a wrap of its low half, or as near 2^64 as a search got. */
const KEYS = [
  0x0102030405060708n,
  0x0a0b0c0d0008c0bbn, // low half ends in fffffc49
  0x0a0b0c0d000fa461n, // ffffee55
  0x0a0b0c0d00238535n, // ffffe5fa
  0x0a0b0c0d002a6d98n, // fffff7fc
  0x0a0b0c0d000e3286n, // fffffcc3f577c06c
];

export const keyOf = (gene: number): bigint =>
  gene % 8 < KEYS.length
    ? (KEYS[gene % 8] as bigint)
    : ((BigInt(gene) << 32n) | BigInt(gene ^ 0x5bd1e995)) & MASK64;

/** One connection: what its flows share. Data sequence numbers are absolute. */
export class Session {
  readonly key: bigint;
  readonly token: number;
  stackKey = 0n;
  stackToken = 0;
  checksum = false;
  /** Next data sequence number to send, and to expect. */
  dsn: bigint;
  dack = 0n;
  /** Last DATA_ACK of the stack, and the largest DATA_ACK + window. */
  acked: bigint;
  edge: bigint;
  readonly flows: Flow[] = [];
  joins = 0;

  constructor(key: bigint) {
    this.key = key;
    this.token = tokenOf(key);
    this.dsn = this.acked = this.edge = (idsnOf(key) + 1n) & MASK64;
  }

  learn(stackKey: bigint): void {
    this.stackKey = stackKey;
    this.stackToken = tokenOf(stackKey);
    this.dack = (idsnOf(stackKey) + 1n) & MASK64;
  }

  get idsn(): bigint {
    return idsnOf(this.key);
  }
}

export type Phase = 'syn' | 'open' | 'dead';

export class Flow {
  phase: Phase = 'syn';
  /** Sequence numbers are absolute: next to send, next to expect, last acknowledged by the stack, its window's edge. */
  seq: number;
  next = 0;
  una: number;
  edge: number;
  stackIsn = 0;
  scale = 0;
  ts = false;
  echo = 0;
  finSent = false;
  finSeen = false;
  nonce = 0;
  stackNonce = 0;
  addressId = 0;
  /** The stack's SYN waits for an answer. */
  dialled = false;

  constructor(
    readonly session: Session | null,
    readonly path: number,
    readonly route: Route,
    public isn: number,
    readonly joined: boolean,
  ) {
    this.seq = isn;
    this.una = isn;
    this.edge = isn;
    session?.flows.push(this);
  }

  get phaseId(): number {
    if (this.phase === 'syn') return 0;
    if (this.phase === 'dead') return 1;
    return 2 + (this.joined ? 1 : 0) + (this.finSent ? 2 : 0) + (this.finSeen ? 4 : 0);
  }

  /** The stack sent this on the flow. */
  heard(r: Reply): void {
    if ((r.flags & 4) !== 0) {
      this.phase = 'dead';
      return;
    }
    const syn = (r.flags & 2) !== 0;
    if (syn) {
      this.stackIsn = r.seq;
      this.next = (r.seq + 1) >>> 0;
      if (r.scale >= 0) this.scale = r.scale;
      if (r.join) this.stackNonce = r.joinNonce;
      if (r.capable && r.key !== 0n && this.session !== null && this.session.stackKey === 0n)
        this.session.learn(r.key);
    } else {
      const fin = (r.flags & 1) !== 0;
      const end = (r.seq + r.length + (fin ? 1 : 0)) >>> 0;
      if (((r.seq - this.next) | 0) <= 0 && ((end - this.next) | 0) > 0) {
        this.next = end;
        if (fin) this.finSeen = true;
      }
    }
    if (r.stamp >= 0) this.echo = r.stamp;
    if ((r.flags & 16) !== 0) {
      if (((r.ack - this.una) | 0) > 0) this.una = r.ack;
      const edge = (r.ack + (syn ? r.window : r.window * 2 ** this.scale)) >>> 0;
      if (((edge - this.edge) | 0) > 0) this.edge = edge;
    }
    if (this.session !== null) this.#data(this.session, r);
  }

  #data(session: Session, r: Reply): void {
    if (r.dackWidth !== 0) {
      const ack = r.dackWidth === 8 ? r.dack : expand(session.acked, r.dack);
      if (BigInt.asIntN(64, ack - session.acked) > 0n) session.acked = ack;
      const edge = (ack + BigInt(r.window * 2 ** this.scale)) & MASK64;
      if (BigInt.asIntN(64, edge - session.edge) > 0n) session.edge = edge;
    }
    if (r.mapLength > 0) {
      const end = (r.dsn + BigInt(r.mapLength)) & MASK64;
      if (BigInt.asIntN(64, r.dsn - session.dack) <= 0n && BigInt.asIntN(64, end - session.dack) > 0n)
        session.dack = end;
    }
  }
}

const expand = (reference: bigint, low: bigint): bigint =>
  (reference + BigInt(Number((low - reference) & 0xffffffffn) | 0)) & MASK64;

// ---- numbers at every edge ----------------------------------------------------------------------------------------

/** A 32-bit number: `right` for most genes, else one at an edge of what the stack compares it with. */
export function edge32(gene: number, right: number, other: number, window: number): number {
  const far = gene >>> 8;
  switch (gene & 31) {
    case 10:
      return (right + 1) >>> 0;
    case 11:
      return (right - 1) >>> 0;
    case 12:
      return other;
    case 13:
      return (other - 1) >>> 0;
    case 14:
      return window;
    case 15:
      return (window + 1) >>> 0;
    case 16:
      return (window - 1) >>> 0;
    case 17:
    case 18:
    case 19:
      return (right + (far % 4096)) >>> 0;
    case 20:
      return (right - (far % 4096)) >>> 0;
    case 21:
      return (right + 0x80000000) >>> 0;
    case 22:
      return (right + 0x7fffffff) >>> 0;
    case 23:
      return 0;
    case 24:
      return 1;
    case 25:
      return 0xffffffff;
    case 26:
      return 0x7fffffff;
    case 27:
      return 0x80000000;
    case 28:
      return (right + (far % 262144)) >>> 0;
    case 29:
      return (window + (far % 131072) - 65536) >>> 0;
    case 30:
      return Math.imul(gene, 0x9e3779b1) >>> 0;
    default:
      return right;
  }
}

/** The same for 64-bit data sequence numbers. */
export function edge64(gene: number, right: bigint, other: bigint, window: bigint): bigint {
  const far = BigInt(gene >>> 8);
  const value = (): bigint => {
    switch (gene & 31) {
      case 10:
        return right + 1n;
      case 11:
        return right - 1n;
      case 12:
        return other;
      case 13:
        return other - 1n;
      case 14:
        return window;
      case 15:
        return window + 1n;
      case 16:
        return window - 1n;
      case 17:
      case 18:
      case 19:
        return right + (far % 4096n);
      case 20:
        return right - (far % 4096n);
      case 21:
        return right + (1n << 63n);
      case 22:
        return right + (1n << 63n) - 1n;
      case 23:
        return 0n;
      case 24:
        return 1n;
      case 25:
        return MASK64;
      case 26:
        return right + (1n << 32n);
      case 27:
        return right - (1n << 31n);
      case 28:
        return right + (far % 262144n);
      case 29:
        return right + (1n << 31n);
      case 30:
        return BigInt(gene) * 0x9e3779b97f4a7c15n;
      default:
        return right;
    }
  };
  return value() & MASK64;
}
