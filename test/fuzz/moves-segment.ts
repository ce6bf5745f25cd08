/** Single packets: right ones with numbers at their edges, broken ones, random ones, and ones of other protocols. */
import { ATTACK_PATHS, type Watched } from './arena.js';
import type { Attacker } from './attacker.js';
import { edge32, edge64, type Flow, type Session } from './flow.js';
import { ACK, FIN, PSH, RST, SYN, URG, type PacketWriter } from './packet.js';

type Genes = readonly number[];

const FLAGS = [
  ACK,
  ACK,
  ACK,
  ACK | PSH,
  ACK | PSH,
  ACK | FIN,
  ACK | FIN | PSH,
  ACK | URG,
  0,
  FIN,
  SYN,
  SYN | ACK,
];
const LENGTHS = [0, 0, 0, 1, 2, 100, 100, 500, 1400, 1460];

/** One segment. Genes: flow, flags and length, sequence number, acknowledgement, options, rest. */
export function segment(
  a: Attacker,
  [which = 0, shape = 0, seqGene = 0, ackGene = 0, options = 0]: Genes,
): void {
  const flow = a.flow(which);
  if (flow === null) return;
  const flags = FLAGS[shape & 31] ?? ACK | PSH;
  const length = LENGTHS[(shape >>> 5) & 15] ?? (shape >>> 9) % 1400;
  const seq = edge32(seqGene, flow.seq, flow.una, flow.edge);
  const ack = edge32(ackGene, flow.next, flow.stackIsn, (flow.next + 0x40000) >>> 0);
  const window = [0xffff, 0xffff, 0xffff, 0, 1, 1000][(shape >>> 18) & 7] ?? shape >>> 16;
  const header = { flags, seq, ack, window };
  const first = seq & 255;
  a.send(flow, header, (p) => writeOptions(a, p, flow, options, seq, length, first), length, first);
  // In step as long as nothing was out of order.
  if (seq === flow.seq && (flags & (SYN | RST)) === 0) {
    flow.seq = (flow.seq + length + ((flags & FIN) !== 0 ? 1 : 0)) >>> 0;
    if ((flags & FIN) !== 0) flow.finSent = true;
  }
  a.arena.flush();
}

/** The options of a segment: a right DSS for most genes, else anything in any order. */
function writeOptions(
  a: Attacker,
  p: PacketWriter,
  flow: Flow,
  gene: number,
  seq: number,
  length: number,
  first: number,
): void {
  const { session } = flow;
  if (session === null) {
    if ((gene & 7) === 7) anything(a, p, flow);
    return;
  }
  const kind = gene & 15;
  if (kind < 11) dss(a, p, flow, session, kind < 4 ? 0 : gene >>> 4, seq, length, first);
  else if (kind < 13) for (let i = 0; i <= (gene >>> 4) % 4; i++) anything(a, p, flow);
  else if (kind === 13) return;
  else {
    anything(a, p, flow);
    dss(a, p, flow, session, gene >>> 4, seq, length, first);
  }
}

/** DSS; gene 0: as it should be. */
function dss(
  a: Attacker,
  p: PacketWriter,
  flow: Flow,
  session: Session,
  gene: number,
  seq: number,
  length: number,
  first: number,
): void {
  const { dice } = a;
  const odd = (): number => (gene !== 0 && dice.once(4) ? dice.u32() : 0);
  const ssn = (seq - flow.isn) >>> 0;
  const ack = edge64(odd(), session.dack, session.dack - 1000n, session.dack + 0x40000n);
  const dsn = edge64(odd(), session.dsn, session.acked, session.edge);
  const fin = gene !== 0 && dice.once(8);
  let flags = length > 0 || fin ? 0x0f : 0x03;
  if (gene !== 0)
    flags = dice.once(4) ? dice.below(32) : flags ^ (dice.once(4) ? 2 : 0) ^ (dice.once(4) ? 8 : 0);
  if (fin) flags |= 0x14;
  const said = (flags & 4) === 0 ? 0 : dataLength(a, gene, length) + (fin ? 1 : 0);
  const wantsSum = session.checksum !== (gene !== 0 && dice.once(16));
  const right = edge32(odd(), ssn, 0, ssn + 65536);
  let sum = wantsSum ? a.checksum(dsn, right, said & 0xffff, first, length) : -1;
  if (sum >= 0 && gene !== 0 && dice.once(6)) sum ^= 1;
  p.dss(flags, ack, dsn, right, said & 0xffff, sum);
  if (dsn === session.dsn && right === ssn && seq === flow.seq && said === length && said > 0) {
    session.dsn = (session.dsn + BigInt(length)) & ((1n << 64n) - 1n);
  }
}

function dataLength(a: Attacker, gene: number, length: number): number {
  const { dice } = a;
  if (gene === 0 || !dice.once(4)) return length;
  return dice.of([0, 1, length - 1, length + 1, length * 2, 65535, 65534, dice.below(65536)]) & 0xffff;
}

/** Any option of any kind, most of them of a legal length. */
function anything(a: Attacker, p: PacketWriter, flow: Flow): void {
  const { dice } = a;
  const { session } = flow;
  const key = session?.key ?? 1n;
  const stackKey = session?.stackKey ?? 2n;
  switch (dice.below(18)) {
    case 0:
      p.capable(dice.once(3) ? dice.below(256) : 1, key, stackKey);
      return;
    case 1:
      p.capable(1, key, stackKey, dice.below(65536));
      return;
    case 2:
      p.capable(1);
      return;
    case 3:
      p.joinSyn(dice.once(2), dice.below(256), session?.stackToken ?? 0, dice.u32());
      return;
    case 4:
      if (session !== null) p.joinAck(a.joinProof(flow, session));
      return;
    case 5:
      p.joinSynAck(false, dice.below(256), Buffer.alloc(8), dice.u32());
      return;
    case 6:
      p.prio(dice.once(2));
      return;
    case 7:
      p.fail(edge64(dice.u32(), session?.dack ?? 0n, 0n, 0n));
      return;
    case 8:
      p.fastclose(dice.once(20) ? stackKey : key);
      return;
    case 9:
      p.reset(dice.once(2), dice.below(256));
      return;
    case 10:
      p.removeAddr(Array.from({ length: 1 + dice.below(8) }, () => dice.below(4)));
      return;
    case 11:
      p.addAddr(
        dice.below(256),
        ATTACK_PATHS[dice.below(2)]!.prefix,
        dice.once(2) ? 0 : dice.below(65536),
        null,
      );
      return;
    case 12:
      p.timestamps(edge32(dice.u32(), a.clock, 0, 0), edge32(dice.u32(), flow.echo, 0, 0));
      return;
    case 13:
      p.sack(
        Array.from({ length: 2 * (1 + dice.below(4)) }, () =>
          edge32(dice.u32(), flow.next, flow.stackIsn, flow.next),
        ),
      );
      return;
    case 14: // any kind, any length
      p.option(
        dice.below(256),
        dice.below(48),
        Array.from({ length: dice.below(20) }, () => dice.below(256)),
      );
      return;
    case 15: // any subtype of Multipath TCP, any length
      p.option(30, dice.below(40), [
        dice.below(256),
        ...Array.from({ length: dice.below(30) }, () => dice.below(256)),
      ]);
      return;
    case 16:
      p.mss(dice.below(65536));
      return;
    default:
      p.octets([dice.of([0, 1, 1, 2, 255])]);
  }
}

/** A good data segment with one field broken. Genes: flow, which octet, value, length, checksum right or not. */
export function broken(a: Attacker, [which = 0, place = 0, value = 0, size = 0, sealed = 0]: Genes): void {
  const flow = a.flow(which);
  if (flow === null) return;
  const { session } = flow;
  const length = LENGTHS[size & 7] ?? 0;
  const ssn = (flow.seq - flow.isn) >>> 0;
  const octets = a.build(
    flow,
    { flags: ACK | PSH },
    session === null ? null : (p) => p.dss(length > 0 ? 0x0f : 3, session.dack, session.dsn, ssn, length, -1),
    length,
  );
  const header = Math.min(octets.length, 60 + (flow.path === 0 ? 20 : 40));
  const at = place % header;
  octets[at] = (place & 0x100000) === 0 ? value & 255 : (octets[at] ?? 0) ^ (1 << (value & 7));
  if ((sealed & 3) !== 3) a.packet.seal();
  a.arena.inject(
    flow.path,
    (sealed & 0xc0) === 0xc0 ? octets.subarray(0, value % (octets.length + 1)) : octets,
  );
  a.arena.flush();
}

/** Random octets. Genes: how many, how much of the beginning is good, rest. */
export function octets(a: Attacker, [size = 0, good = 0, path = 0]: Genes): void {
  const { dice, packet } = a;
  const p = path & 1;
  const length = size % ((size & 0x10000) === 0 ? 120 : 1500);
  const bytes = packet.u8.subarray(0, Math.max(length, 0));
  for (let i = 0; i < length; i++) bytes[i] = dice.below(256);
  const { stack, prefix } = ATTACK_PATHS[p] as (typeof ATTACK_PATHS)[number];
  const v4 = p === 0;
  if ((good & 7) > 0 && length > 0) bytes[0] = v4 ? 0x45 : 0x60;
  if ((good & 7) > 1 && length >= (v4 ? 20 : 40)) {
    if (v4) bytes.set([length >> 8, length & 255], 2);
    else bytes.set([(length - 40) >> 8, (length - 40) & 255], 4);
    if (v4) bytes.set([0x40, 0, 64, 6], 6);
    else bytes.set([6, 64], 6);
    bytes.set(prefix, v4 ? 12 : 8);
    bytes.set(stack, v4 ? 16 : 24);
  }
  const tcp = v4 ? 20 : 40;
  if ((good & 7) > 2 && length >= tcp + 20) {
    const flow = a.flow(good >>> 8);
    bytes.set([0x13, 0x88], tcp + 2);
    if (flow !== null) bytes.set([flow.route.sourcePort >> 8, flow.route.sourcePort & 255], tcp);
    bytes[tcp + 12] = (5 + ((good >>> 3) % 11)) << 4;
    packet.start({ source: prefix, target: stack, sourcePort: 0, targetPort: 0 });
    packet.payload(length - tcp - 20, 0);
    for (let i = tcp + 20; i < length; i++)
      bytes[i] = dice.once(3) ? dice.of([30, 30, 1, 2, 8, 12, 4, 10, 20]) : dice.below(256);
    packet.seal();
  }
  a.arena.inject(p, bytes);
  a.arena.flush();
}

/** Not TCP, or not for a TCP that never fragments. Genes: kind, protocol, size. */
export function foreign(a: Attacker, [kind = 0, protocol = 0, size = 0]: Genes): void {
  const flow = a.flow(kind >>> 4);
  if (flow === null) return;
  const bytes = a.build(flow, { flags: ACK }, null, size % 1400);
  const v4 = flow.path === 0;
  switch (kind & 7) {
    case 0: // another protocol
      bytes[v4 ? 9 : 6] = protocol & 255;
      break;
    case 1: // a fragment
      if (v4) bytes.set([(protocol & 0x3f) | 0x20, protocol >>> 8], 6);
      else bytes[6] = 44;
      break;
    case 2: // options of IPv4, extension headers of IPv6
      if (v4) bytes[0] = 0x40 | (protocol & 15);
      else bytes[6] = [0, 43, 44, 60, 51, 50, 59][protocol % 7] ?? 0;
      break;
    case 3: // another version
      bytes[0] = protocol & 255;
      break;
    case 4: // from nowhere, to nowhere
      bytes.fill(protocol & 1 ? 255 : 0, v4 ? 12 : 8, v4 ? 16 : 24);
      break;
    case 5: // land: from itself
      bytes.copyWithin(v4 ? 12 : 8, v4 ? 16 : 24, v4 ? 20 : 40);
      break;
    default: // a length that lies
      bytes.set([protocol >>> 8, protocol & 255], v4 ? 2 : 4);
  }
  a.packet.seal();
  a.arena.inject(flow.path, bytes);
  a.arena.flush();
}

/** Packets of somebody who knows addresses and ports of the honest connections, and nothing else. */
export function blind(a: Attacker, [count = 0, which = 0, shape = 0]: Genes): void {
  const all = [...a.arena.watched.values()];
  const one = all[which % Math.max(all.length, 1)];
  if (one === undefined) return;
  const { dice, packet } = a;
  const flow = a.flow(which >>> 8);
  for (let i = 0; i <= count % 40; i++) {
    const seq = dice.u32();
    const ack = dice.u32();
    if (guessed(one, seq, ack)) continue;
    const route = { source: one.client, target: one.server, sourcePort: one.clientPort, targetPort: 6000 };
    packet.start(route);
    if (dice.once(2)) packet.timestamps(dice.u32(), dice.u32());
    if (dice.once(2) && flow !== null) anything(a, packet, flow);
    else packet.dss(0x0f, BigInt(dice.u32()), BigInt(dice.u32()), dice.u32(), 100, -1);
    const at = packet.payload((shape & 1) * dice.below(200), 0);
    const flags = dice.of([ACK, ACK, RST, RST | ACK, SYN, SYN | ACK, FIN | ACK, ACK | PSH]);
    a.arena.injectOn(
      a.arena.honestPath,
      packet.finish(route, { flags, seq, ack, window: dice.below(65536) }, at),
    );
  }
  a.arena.flush();
}

/** What comes this near is no blind guess any more. */
const NEAR = 1 << 25;

function guessed(one: Watched, seq: number, ack: number): boolean {
  return Math.abs((seq - one.clientSeq) | 0) < NEAR || Math.abs((ack - one.serverSeq) | 0) < NEAR;
}
