/**
 * The attacker: it holds connections to the stack whose keys it knows, hears every answer, and carries out the steps
 * of a case. The verbs themselves are in moves-*.ts.
 */
import { createHmac } from 'node:crypto';
import { joinHmac, octets64 } from '../packet/crypto.js';
import { ATTACKED_PORT, ATTACK_PATHS, type Arena } from './arena.js';
import { Dice } from './dice.js';
import { Flow, Session, keyOf } from './flow.js';
import { ACK, PacketWriter, SYN, type Header } from './packet.js';
import { readReply, type Reply } from './reply.js';

/** Flows that the attacker keeps in mind; the oldest is forgotten, on this side. */
const MAX_FLOWS = 24;
const FIRST_PORT = 10000;
const PORTS = 20000;

export class Attacker {
  readonly flows: Flow[] = [];
  /** SYNs of the stack that wait for an answer. */
  readonly calls: Flow[] = [];
  readonly packet = new PacketWriter();
  dice = new Dice(0);
  readonly #byPort = new Map<number, Flow>();
  #port = FIRST_PORT;

  constructor(readonly arena: Arena) {
    arena.device.hear = (octets, length) => this.#hear(octets, length);
  }

  /** Milliseconds of the attacker's timestamp clock. */
  get clock(): number {
    return (Math.floor(this.arena.world.now() / 1000) + 7777) >>> 0;
  }

  // ---- flows ----------------------------------------------------------------------------------------------------

  /** A flow by its gene, one that lives if there is any. */
  flow(gene: number): Flow | null {
    const n = this.flows.length;
    if (n === 0) return null;
    const first = this.flows[gene % n] as Flow;
    if (first.phase !== 'dead' || (gene & 0x1c0) === 0) return first;
    return this.flows.find((flow) => flow.phase === 'open') ?? first;
  }

  newFlow(
    session: Session | null,
    path: number,
    isn: number,
    joined: boolean,
    stackPort = ATTACKED_PORT,
  ): Flow {
    const port = this.#port;
    this.#port = port + 1 >= FIRST_PORT + PORTS ? FIRST_PORT : port + 1;
    return this.#enter(session, path, isn, joined, stackPort, port);
  }

  #enter(
    session: Session | null,
    path: number,
    isn: number,
    joined: boolean,
    stackPort: number,
    port: number,
  ): Flow {
    const { prefix, stack } = ATTACK_PATHS[path] as (typeof ATTACK_PATHS)[number];
    const route = { source: prefix, target: stack, sourcePort: port, targetPort: stackPort };
    const flow = new Flow(session, path, route, isn, joined);
    this.flows.push(flow);
    this.#byPort.set(port * 2 + path, flow);
    if (this.flows.length > MAX_FLOWS) this.#forget();
    return flow;
  }

  #forget(): void {
    const dead = this.flows.findIndex((flow) => flow.phase === 'dead');
    const [gone] = this.flows.splice(Math.max(dead, 0), 1);
    if (gone === undefined) return;
    this.#byPort.delete(gone.route.sourcePort * 2 + gone.path);
    const list = gone.session?.flows;
    list?.splice(list.indexOf(gone), 1);
  }

  #hear(octets: Uint8Array, length: number): void {
    const r = readReply(octets, length);
    const path = r.v4 ? 0 : 1;
    // Calls come from the ports that the stack's device draws, to ports below those of the attacker's own flows.
    const flow = this.#byPort.get(r.to * 2 + path);
    if (flow !== undefined && flow.route.targetPort === r.from) flow.heard(r);
    else if ((r.flags & (SYN | ACK)) === SYN) this.#called(path, r);
  }

  /** The stack opens or joins. */
  #called(path: number, r: Reply): void {
    const known = this.#byPort.get(r.to * 2 + path);
    if (known !== undefined) this.#byPort.delete(r.to * 2 + path);
    let session: Session | null = null;
    if (r.join) session = this.flows.find((flow) => flow.session?.token === r.joinToken)?.session ?? null;
    else if (r.capable) session = new Session(keyOf(this.dice.u32()));
    const flow = this.#enter(session, path, this.dice.u32(), r.join, r.from, r.to);
    flow.dialled = true;
    flow.heard(r);
    this.calls.push(flow);
    if (this.calls.length > 8) this.calls.shift();
  }

  // ---- packets --------------------------------------------------------------------------------------------------

  /**
   * Sends one packet of a flow: `options` writes its options, `length` octets of payload follow. What has no number
   * of its own continues the flow.
   */
  send(
    flow: Flow,
    header: Partial<Header>,
    options: ((packet: PacketWriter) => void) | null,
    length = 0,
    first = 0,
  ): void {
    this.arena.inject(flow.path, this.build(flow, header, options, length, first));
  }

  build(
    flow: Flow,
    header: Partial<Header>,
    options: ((packet: PacketWriter) => void) | null,
    length = 0,
    first = 0,
  ): Uint8Array {
    const { packet } = this;
    packet.start(flow.route);
    if (flow.ts) packet.timestamps(this.clock, flow.echo);
    options?.(packet);
    const at = packet.payload(length, first);
    const { flags = ACK, seq = flow.seq, ack = flow.next, window = 0xffff } = header;
    return packet.finish(flow.route, { flags, seq, ack: (flags & ACK) === 0 ? 0 : ack, window }, at);
  }

  /** Sends data in order with a mapping that is right, or without one on a plain flow. */
  data(flow: Flow, length: number, flags = ACK): void {
    const { session } = flow;
    const first = flow.seq & 255;
    if (session === null) {
      this.send(flow, { flags }, null, length, first);
    } else {
      const { dsn, dack } = session;
      const ssn = (flow.seq - flow.isn) >>> 0;
      const sum = session.checksum ? this.#checksum(dsn, ssn, length, first, length) : -1;
      this.send(flow, { flags }, (packet) => packet.dss(0x0f, dack, dsn, ssn, length, sum), length, first);
      session.dsn = (dsn + BigInt(length)) & ((1n << 64n) - 1n);
    }
    flow.seq = (flow.seq + length) >>> 0;
  }

  /** DSS checksum of payload that begins with `first` and counts up. */
  #checksum(dsn: bigint, ssn: number, dataLength: number, first: number, length: number): number {
    let sum = Number(dsn >> 48n) + Number((dsn >> 32n) & 0xffffn);
    sum += Number((dsn >> 16n) & 0xffffn) + Number(dsn & 0xffffn);
    sum += (ssn >>> 16) + (ssn & 0xffff) + dataLength;
    for (let i = 0; i < length; i++) sum += ((first + i) & 255) << ((i & 1) === 0 ? 8 : 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
    return ~sum & 0xffff;
  }

  checksum(dsn: bigint, ssn: number, dataLength: number, first: number, length: number): number {
    return this.#checksum(dsn, ssn, dataLength, first, length);
  }

  /** Acknowledges everything that came on a flow, on both levels. */
  acknowledge(flow: Flow, window = 0xffff): void {
    const { session } = flow;
    this.send(
      flow,
      { window },
      session === null ? null : (packet) => packet.dss(0x03, session.dack, 0n, 0, 0, -1),
    );
  }

  /** HMAC of this side's half of a join. */
  joinProof(flow: Flow, session: Session): Buffer {
    return joinHmac(session.key, session.stackKey, flow.nonce, flow.stackNonce);
  }

  addressProof(session: Session, id: number, address: Uint8Array, port: number): bigint {
    return createHmac('sha256', Buffer.concat([octets64(session.key), octets64(session.stackKey)]))
      .update(Buffer.concat([Buffer.of(id & 255), address, Buffer.of(port >> 8, port & 255)]))
      .digest()
      .readBigUInt64BE(24);
  }
}
