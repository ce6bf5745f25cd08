/** Handshakes of the attacker's, good and bad, in either direction. */
import { ATTACK_PATHS } from './arena.js';
import type { Attacker } from './attacker.js';
import type { Flow } from './flow.js';
import { Session, keyOf } from './flow.js';
import { ACK, PSH, RST, SYN } from './packet.js';

/** Initial sequence numbers near every edge. */
const ISNS = [0x12345678, 0, 1, 0x7fffff00, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff];
export const isnOf = (gene: number): number => ISNS[gene & 15] ?? gene;

type Genes = readonly number[];

/** SYN, and the third packet in one of its forms. Genes: path and kind, key, ISN, form of the ACK, options, rest. */
export function open(a: Attacker, [kind = 0, key = 0, isn = 0, form = 0, options = 0]: Genes): void {
  const path = kind & 1;
  const plain = (kind & 14) === 14;
  const session = plain ? null : new Session(keyOf(key));
  const flow = a.newFlow(session, path, isnOf(isn), false);
  const checksum = session !== null && (options & 7) === 1;
  if (session !== null) session.checksum = checksum;
  flow.ts = (options & 8) === 0;
  syn(a, flow, options, (checksum ? 0x80 : 0) | ((options & 0x700) === 0x100 ? 0x20 : 0) | 1);
  a.arena.flush();
  if (flow.next === 0 || (form & 63) === 13) return; // no answer, or never continued
  flow.seq = (flow.isn + 1) >>> 0;
  third(a, flow, form);
  a.arena.flush();
}

function syn(a: Attacker, flow: Flow, options: number, capable: number): void {
  const { packet } = a;
  packet.start(flow.route);
  if ((options & 0x10) === 0)
    packet.mss((options & 0x800) === 0 ? 1400 : ([0, 1, 88, 536, 65535][(options >>> 12) % 5] ?? 0));
  if ((options & 0x20) === 0) packet.sackOk();
  if (flow.ts) packet.timestamps(a.clock, 0);
  if ((options & 0x40) === 0) packet.scale((options & 0x8000) === 0 ? 7 : (options >> 16) & 255);
  if (flow.session !== null) packet.capable(capable);
  const at = packet.payload((options & 0x700) === 0x200 ? options >>> 24 : 0, 0);
  const header = { flags: SYN, seq: flow.isn, ack: 0, window: 0xffff };
  a.arena.inject(flow.path, packet.finish(flow.route, header, at));
}

/** The third packet of the first handshake. */
function third(a: Attacker, flow: Flow, form: number): void {
  const { session } = flow;
  flow.phase = 'open';
  if (session === null || session.stackKey === 0n) {
    a.send(flow, {}, null);
    return;
  }
  const flags = 1 | (session.checksum ? 0x80 : 0);
  const { key, stackKey } = session;
  switch (form & 15) {
    case 8: // with the first data
      withData(a, flow, session, flags, 1 + ((form >>> 6) % 1000), 0);
      return;
    case 9: // a wrong key
      a.send(flow, {}, (p) => p.capable(flags, key, stackKey ^ 1n));
      return;
    case 10: // nothing of Multipath TCP
      a.send(flow, {}, null);
      return;
    case 11: // data that overtakes the keys
      flow.seq = (flow.seq + 100) >>> 0;
      a.data(flow, 50);
      flow.seq = (flow.seq - 150) >>> 0;
      a.send(flow, {}, (p) => p.capable(flags, key, stackKey));
      return;
    case 12: // first data of the wrong length
      withData(a, flow, session, flags, 100, ((form >> 6) & 255) - 128);
      return;
    case 13: // twice, with keys that differ
      a.send(flow, {}, (p) => p.capable(flags, key, stackKey));
      a.send(flow, {}, (p) => p.capable(flags, key ^ 1n, stackKey));
      return;
    case 14:
      a.send(flow, {}, (p) => p.capable(flags, 0n, stackKey));
      return;
    case 15:
      a.send(flow, { seq: (flow.seq + (form >>> 8)) >>> 0 }, (p) => p.capable(flags, key, stackKey));
      return;
    default:
      a.send(flow, {}, (p) => p.capable(flags, key, stackKey));
  }
}

function withData(
  a: Attacker,
  flow: Flow,
  session: Session,
  flags: number,
  length: number,
  wrong: number,
): void {
  const said = Math.max(0, length + wrong);
  const sum = session.checksum ? a.checksum(session.dsn, 1, said, 0, length) : undefined;
  const options = (p: typeof a.packet): void =>
    void p.capable(flags, session.key, session.stackKey, said, sum);
  a.send(flow, { flags: ACK | PSH }, options, length, 0);
  flow.seq = (flow.seq + length) >>> 0;
  session.dsn += BigInt(length);
}

/** MP_JOIN to a session. Genes: session and path, form, ISN, id and backup, options, rest. */
export function join(a: Attacker, [which = 0, form = 0, isn = 0, id = 0, options = 0]: Genes): void {
  const session = a.flow(which >>> 1)?.session ?? null;
  if (session === null) return;
  const flow = a.newFlow(session, which & 1, isnOf(isn), true, (form & 0xf00) === 0x100 ? 5001 : 5000);
  flow.ts = (options & 8) === 0;
  flow.nonce = (options ^ 0x1e2f3d4c) >>> 0;
  flow.addressId = id & 255;
  const token = (form & 15) === 9 ? form : session.stackToken;
  const { packet } = a;
  packet.start(flow.route).mss(1400).sackOk();
  if (flow.ts) packet.timestamps(a.clock, 0);
  packet.scale(7);
  packet.joinSyn((id & 256) !== 0, id & 255, token, flow.nonce);
  const at = packet.payload(0, 0);
  const header = { flags: SYN, seq: flow.isn, ack: 0, window: 0xffff };
  a.arena.inject(flow.path, packet.finish(flow.route, header, at));
  a.arena.flush();
  if (flow.next === 0 || flow.stackNonce === 0) return;
  flow.seq = (flow.isn + 1) >>> 0;
  finishJoin(a, flow, session, form);
  a.arena.flush();
}

function finishJoin(a: Attacker, flow: Flow, session: Session, form: number): void {
  const proof = a.joinProof(flow, session);
  switch (form & 15) {
    case 10: // wrong proof
      proof[form & 7]! ^= 1;
      a.send(flow, {}, (p) => p.joinAck(proof));
      return;
    case 11: // data instead
      flow.phase = 'open';
      a.data(flow, 100);
      return;
    case 12: // an ACK without option
      a.send(flow, {}, null);
      return;
    case 13: // never
      return;
    case 14: // twice
      flow.phase = 'open';
      a.send(flow, {}, (p) => p.joinAck(proof));
      a.send(flow, {}, (p) => p.joinAck(proof));
      return;
    case 15: // with data
      flow.phase = 'open';
      a.send(flow, { flags: ACK | PSH }, (p) => p.joinAck(proof), 20, 0);
      flow.seq = (flow.seq + 20) >>> 0;
      return;
    default:
      flow.phase = 'open';
      a.send(flow, {}, (p) => p.joinAck(proof));
  }
}

/** The stack opens a connection to the attacker. Genes: path, answered at once or not, as `answer`. */
export function dial(a: Attacker, [path = 0, form = 0, ...rest]: Genes): void {
  const p = path & 1;
  a.arena.dial(p, p === 0 ? '10.9.0.2' : 'fd09::2', 7000 + ((path >> 1) & 63));
  a.arena.flush();
  if ((form & 3) !== 3) answer(a, [a.calls.length - 1, form >>> 2, ...rest]);
}

/** Answers a SYN of the stack. Genes: which, form, ISN, options. */
export function answer(a: Attacker, [which = 0, form = 0, isn = 0, options = 0]: Genes): void {
  if (a.calls.length === 0) return;
  const [flow] = a.calls.splice(which % a.calls.length, 1);
  if (flow === undefined) return;
  const { session, joined } = flow;
  flow.isn = flow.seq = flow.una = isnOf(isn);
  flow.ts = (options & 8) === 0;
  const kind = form & 15;
  const flags = kind === 8 ? SYN : kind === 9 ? RST | ACK : kind === 10 ? RST : SYN | ACK;
  const { packet } = a;
  packet.start(flow.route);
  if ((flags & SYN) !== 0) {
    packet.mss((options & 0x800) === 0 ? 1400 : options >>> 16).sackOk();
    if (flow.ts) packet.timestamps(a.clock, flow.echo);
    packet.scale((options & 0x1000) === 0 ? 7 : options >>> 24);
    if (joined && session !== null) {
      flow.nonce = (options ^ 0x51ce7) >>> 0;
      const proof = a.joinProof(flow, session);
      if (kind === 11) proof[0]! ^= 1;
      if (kind !== 12) packet.joinSynAck((options & 64) !== 0, options & 31, proof, flow.nonce);
    } else if (session !== null && kind !== 11) {
      session.checksum = (options & 7) === 1;
      const key = kind === 12 ? 0n : session.key;
      packet.capable((session.checksum ? 0x80 : 0) | ((options & 0x700) === 0x100 ? 0x20 : 0) | 1, key);
    }
  } else if ((options & 1) !== 0) {
    packet.reset((options & 2) !== 0, (options >> 2) & 7);
  }
  const ack = kind === 13 ? flow.next + (options % 1000) : kind === 14 ? 0 : flow.next;
  const at = packet.payload(kind === 15 ? options % 100 : 0, 0);
  const header = { flags, seq: flow.seq, ack: (flags & ACK) === 0 ? 0 : ack, window: 0xffff };
  a.arena.inject(flow.path, packet.finish(flow.route, header, at));
  flow.seq = (flow.seq + 1) >>> 0;
  flow.phase = (flags & RST) !== 0 ? 'dead' : 'open';
  a.arena.flush();
  // The fourth packet of a join, the DATA_ACK that proves the keys on a first subflow.
  if (flow.phase === 'open' && (options & 0x30) !== 0x30) {
    a.acknowledge(flow);
    a.arena.flush();
  }
}

/** SYNs from everywhere. Genes: how many, path, options, rest. */
export function flood(a: Attacker, [count = 0, path = 0, options = 0, seed = 0]: Genes): void {
  const p = path & 1;
  const { stack, prefix } = ATTACK_PATHS[p] as (typeof ATTACK_PATHS)[number];
  const source = Uint8Array.from(prefix);
  const session = a.flow(options >>> 8)?.session ?? null;
  const { packet, dice } = a;
  for (let i = 0; i <= count % 200; i++) {
    source[source.length - 1] = dice.below(256);
    source[source.length - 2] = dice.below(256);
    const route = {
      source,
      target: stack,
      sourcePort: 1024 + dice.below(60000),
      targetPort: (seed & 15) === 15 ? 5555 : 5000,
    };
    packet.start(route);
    if ((options & 1) === 0) packet.mss(1400);
    if ((options & 6) === 0) packet.capable(1);
    else if ((options & 6) === 2)
      packet.joinSyn(
        false,
        i & 255,
        (options & 8) === 0 ? dice.u32() : (session?.stackToken ?? 0),
        dice.u32(),
      );
    const at = packet.payload(0, 0);
    a.arena.inject(p, packet.finish(route, { flags: SYN, seq: dice.u32(), ack: 0, window: 1000 }, at));
    if ((i & 63) === 63) a.arena.flush();
  }
  a.arena.flush();
}
