/** What is known of one connection: its subflows, keys, data sequence spaces, and what happened to it. */
import type { Flow } from './flow.js';
import type { Mark, Verdict } from './marks.js';
import { octetsIn, Ranges } from './ranges.js';
import { unwrapDsn } from './sequence.js';

/** 0: from the side that opened the connection, 1: from the other one. */
export type Way = 0 | 1;

export const other = (way: Way): Way => (way === 0 ? 1 : 0);

export class Connection {
  /** Number in the order of appearance, from 1. */
  readonly id: number;
  readonly subflows: Subflow[] = [];
  readonly sides: readonly [Side, Side] = [new Side(), new Side()];
  /** Multipath TCP was asked for, or seen. */
  multipath: boolean;
  /** Of MP_CAPABLE; null: not seen. */
  version: number | null = null;
  /** Either side asked for DSS checksums. */
  checksums = false;
  /** Where the handshake stands: which of its three packets came with MP_CAPABLE. */
  handshake: 'none' | 'asked' | 'answered' | 'done' = 'none';
  /** The answerer has sent a Multipath option after the handshake. */
  answererSpoke = false;
  fallback: { readonly reason: string; readonly time: number } | null = null;
  /** MP_FASTCLOSE came from this side. */
  fastclose: Way | null = null;
  readonly announcements: Announcement[] = [];
  readonly signals: Signal[] = [];
  firstTime: number;
  lastTime: number;

  constructor(id: number, multipath: boolean, time: number) {
    this.id = id;
    this.multipath = multipath;
    this.firstTime = time;
    this.lastTime = time;
  }

  /** Whether packets still speak Multipath TCP. */
  get speaksMultipath(): boolean {
    return this.multipath && this.fallback === null;
  }

  signal(time: number, way: Way, subflow: Subflow, text: string): void {
    this.signals.push({ time, way, subflow, text });
  }

  /** The first reason counts. */
  fallBack(reason: string, time: number): Mark[] {
    if (!this.speaksMultipath) return [];
    this.fallback = { reason, time };
    return [{ kind: 'fallback', reason }];
  }
}

export class Subflow {
  readonly connection: Connection;
  /** `1.0` is the first subflow of connection 1; a plain TCP connection is `1`. */
  readonly index: number;
  /** By the connection's ways. */
  readonly flows: readonly [Flow, Flow];
  /** Who sent the SYN. */
  readonly opener: Way;
  readonly firstTime: number;
  lastTime: number;
  join: Join | null = null;
  /** Last word on its priority, by the side that said it. */
  readonly backup: [boolean, boolean] = [false, false];
  reset: { readonly way: Way; readonly reason: string | null; readonly transient: boolean } | null = null;
  /** When the SYN was seen, as long as there is only one. */
  synTime: number | null = null;
  /** Microseconds from SYN to the third packet; null: not seen whole. */
  handshakeTime: number | null = null;

  constructor(
    connection: Connection,
    index: number,
    flows: readonly [Flow, Flow],
    opener: Way,
    time: number,
  ) {
    this.connection = connection;
    this.index = index;
    this.flows = flows;
    this.opener = opener;
    this.firstTime = time;
    this.lastTime = time;
  }

  get name(): string {
    const { id, multipath } = this.connection;
    return multipath ? `${String(id)}.${String(this.index)}` : String(id);
  }

  /** Microseconds of a round trip: of the handshake, else the shortest ones of both directions. */
  get roundTrip(): number {
    if (this.handshakeTime !== null) return this.handshakeTime;
    const [a, b] = this.flows.map(({ rtt }) => (rtt.samples === 0 ? 0 : rtt.min));
    return (a ?? 0) + (b ?? 0);
  }

  get closed(): boolean {
    const [a, b] = this.flows;
    return this.reset !== null || (a.finAt !== null && b.finAt !== null);
  }
}

/** MP_JOIN of a subflow, by the connection's ways. */
export interface Join {
  readonly token: number;
  readonly nonces: [number | null, number | null];
  readonly addressIds: [number | null, number | null];
  readonly hmacs: [Verdict | null, Verdict | null];
}

export interface Announcement {
  readonly way: Way;
  readonly addressId: number;
  readonly address: string;
  readonly port: number | null;
  readonly hmac: Verdict;
  readonly time: number;
  times: number;
  echoed: boolean;
  removed: boolean;
}

export interface Signal {
  readonly time: number;
  readonly way: Way;
  readonly subflow: Subflow;
  readonly text: string;
}

/** One host's key and the data that it sends. */
export class Side {
  key: bigint | null = null;
  token: number | null = null;
  readonly data = new DataSpace();
}

/** Data sequence space of one direction. Relative numbers: 1 is the first octet. */
export class DataSpace {
  /** Number before the first octet: the IDSN where the key is known. */
  origin: bigint | null = null;
  /** From the key, or from a 64-bit number that was seen; else only the low 32 bits are right. */
  exact = false;
  /** After the highest octet sent. */
  next = 1;
  /** Highest DATA_ACK of the other side; 0: none. */
  acked = 0;
  /** Relative number of the DATA_FIN. */
  finAt: number | null = null;
  finAcked = false;
  /** All octets before it were seen. */
  complete = 1;
  /** Octets and segments that came again on another subflow. */
  reinjected = 0;
  reinjections = 0;
  readonly seen = new Ranges<Subflow>();

  /** Takes the number as the first octet's, unless the origin is known. */
  begin(first: bigint, wide: boolean): void {
    if (this.origin !== null) return;
    this.origin = BigInt.asUintN(64, first - 1n);
    this.exact = wide;
  }

  relative(value: bigint, wide: boolean): number {
    return unwrapDsn(value, wide && this.exact, this.origin ?? 0n, Math.max(this.next, this.acked));
  }

  /** Takes a DATA_ACK. What it covers has arrived, even if the capture missed it. */
  acknowledge(ack: number): void {
    this.acked = ack;
    if (ack > this.complete) this.complete = this.seen.contiguousFrom(ack);
  }

  /** Octets of payload that arrived in order. */
  get octets(): number {
    const end = Math.max(this.complete, this.acked);
    return Math.max(0, (this.finAt === null ? end : Math.min(end, this.finAt)) - 1);
  }

  /** Takes payload at a relative data sequence number. `again`: TCP itself repeats it. */
  take(start: number, length: number, subflow: Subflow, again: boolean): Mark[] {
    const end = start + length;
    const before = this.complete;
    const present = this.seen.add(start, end, subflow);
    this.next = Math.max(this.next, end);
    this.complete = this.seen.contiguousFrom(before);
    if (this.seen.size > MOST_RANGES) this.seen.dropBelow(Math.min(this.acked, this.complete));
    if (again) return [];
    if (end <= this.acked) return [this.#repeated(present, subflow) ?? { kind: 'oldData', octets: length }];
    const repeated = this.#repeated(present, subflow);
    if (repeated !== null) return [repeated];
    if (start > before) return [{ kind: 'dataAhead', octets: start - before }];
    return this.complete > end ? [{ kind: 'dataComplete', to: this.complete }] : [];
  }

  #repeated(
    present: readonly { start: number; end: number; owner: Subflow }[],
    subflow: Subflow,
  ): Mark | null {
    const elsewhere = present.filter(({ owner }) => owner !== subflow);
    if (elsewhere.length > 0) {
      const octets = octetsIn(elsewhere);
      this.reinjected += octets;
      this.reinjections++;
      return { kind: 'reinjection', of: elsewhere[0]!.owner.name, octets };
    }
    return present.length > 0 ? { kind: 'repeatedData', octets: octetsIn(present) } : null;
  }
}

/** Ranges of a data sequence space beyond which acknowledged ones are forgotten. */
const MOST_RANGES = 8192;
