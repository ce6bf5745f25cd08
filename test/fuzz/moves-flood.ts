/** What a peer can do with many packets: holes, mappings, signals, acknowledgements. */
import { ATTACK_PATHS } from './arena.js';
import type { Attacker } from './attacker.js';
import { edge32, type Flow } from './flow.js';
import { ACK, type PacketWriter } from './packet.js';

type Genes = readonly number[];

const MASK64 = (1n << 64n) - 1n;

/** The order in which a flood goes through its numbers: up, down, at random, from both ends. */
function orderOf(a: Attacker, gene: number, n: number): (i: number) => number {
  switch (gene & 3) {
    case 0:
      return (i) => i;
    case 1:
      return (i) => n - 1 - i;
    case 2:
      return () => a.dice.below(n);
    default:
      return (i) => ((i & 1) === 0 ? i >> 1 : n - 1 - (i >> 1));
  }
}

/** Many packets of one flow; the stack runs after every 32. */
function each(a: Attacker, count: number, one: (i: number) => void): void {
  for (let i = 0; i < count; i++) {
    one(i);
    if ((i & 31) === 31) a.arena.flush();
  }
  a.arena.flush();
}

const countOf = (gene: number): number => 1 + (gene % ((gene & 0x1000) === 0 ? 64 : 600));

/** Small segments with holes between them, each with a right mapping. Genes: flow, count, size, gap, order. */
export function holes(a: Attacker, [which = 0, count = 0, size = 0, gap = 0, order = 0]: Genes): void {
  const flow = a.flow(which);
  if (flow === null || flow.phase !== 'open') return;
  const n = countOf(count);
  const length = 1 + (size % ((size & 0x100) === 0 ? 3 : 1400));
  const step = length + 1 + (gap % ((gap & 0x100) === 0 ? 2 : 3000));
  const place = orderOf(a, order, n);
  each(a, n, (i) => {
    const offset = 1 + place(i) * step;
    piece(a, flow, offset, length, (order & 4) === 0, (order & 8) === 0 ? offset : offset * 2);
  });
}

/** One segment `offset` octets beyond what is in order, mapped `ahead` octets beyond what is in order of the data. */
function piece(
  a: Attacker,
  flow: Flow,
  offset: number,
  length: number,
  mapped: boolean,
  ahead: number,
): void {
  const seq = (flow.seq + offset) >>> 0;
  const { session } = flow;
  const first = seq & 255;
  if (session === null || !mapped) {
    a.send(
      flow,
      { seq },
      session === null ? null : (p) => p.dss(3, session.dack, 0n, 0, 0, -1),
      length,
      first,
    );
    return;
  }
  const dsn = (session.dsn + BigInt(ahead)) & MASK64;
  const ssn = (seq - flow.isn) >>> 0;
  const sum = session.checksum ? a.checksum(dsn, ssn, length, first, length) : -1;
  a.send(flow, { seq }, (p) => p.dss(0x0f, session.dack, dsn, ssn, length, sum), length, first);
}

/** Mappings without their data. Genes: flow, count, length, gap, order, what they contradict. */
export function maps(
  a: Attacker,
  [which = 0, count = 0, size = 0, gap = 0, order = 0, odd = 0]: Genes,
): void {
  const flow = a.flow(which);
  const session = flow?.session;
  if (flow === null || session === null || session === undefined || flow.phase !== 'open') return;
  const n = countOf(count);
  const length = 1 + (size % ((size & 0x100) === 0 ? 3 : 65535));
  const step = length + (gap % 3) - ((odd & 7) === 7 ? length >> 1 : 0);
  const place = orderOf(a, order, n);
  each(a, n, (i) => {
    const offset = place(i) * step + ((order & 8) === 0 ? 0 : 1000);
    const ssn = (flow.seq - flow.isn + offset) >>> 0;
    const shift = (odd & 24) === 24 ? BigInt(i) : 0n;
    const dsn = (session.dsn + BigInt(offset) + shift) & MASK64;
    const sum = session.checksum ? a.dice.below(65536) : -1;
    const data = (order & 16) === 0 ? 0 : 1;
    a.send(flow, {}, (p) => p.dss(0x0f, session.dack, dsn, ssn, length & 0xffff, sum), data, 0);
  });
}

/** Data without mappings, in order or not. Genes: flow, count, size, gap, order, moving on. */
export function unmapped(
  a: Attacker,
  [which = 0, count = 0, size = 0, gap = 0, order = 0, on = 0]: Genes,
): void {
  const flow = a.flow(which);
  if (flow === null || flow.phase !== 'open') return;
  const n = countOf(count);
  const length = 1 + (size % ((size & 0x100) === 0 ? 2 : 1400));
  const step = length + (gap % 3);
  const place = orderOf(a, order, n);
  each(a, n, (i) => piece(a, flow, place(i) * step, length, false, 0));
  if ((on & 3) === 0 && step === length) flow.seq = (flow.seq + n * length) >>> 0;
}

/** Address signals with right proofs. Genes: flow, count, kind, ids, addresses, rest. */
export function signals(a: Attacker, [which = 0, count = 0, kind = 0, ids = 0, addresses = 0]: Genes): void {
  const flow = a.flow(which);
  const session = flow?.session;
  if (flow === null || session === null || session === undefined || flow.phase !== 'open') return;
  each(a, countOf(count), (i) => {
    const id = (ids + ((kind & 16) === 0 ? i : 0)) & 255;
    a.send(flow, {}, (p) => signal(a, p, flow, kind & 7, id, addresses + ((kind & 32) === 0 ? i : 0)));
  });
}

function signal(a: Attacker, p: PacketWriter, flow: Flow, kind: number, id: number, gene: number): void {
  const session = flow.session!;
  const address = Uint8Array.from(ATTACK_PATHS[gene & 1]!.prefix);
  if ((gene & 2) === 0) address[address.length - 1] = gene >>> 2;
  const port = (gene & 12) === 12 ? gene & 0xffff : 0;
  switch (kind) {
    case 0:
    case 1:
    case 2:
      p.addAddr(id, address, port, a.addressProof(session, id, address, port));
      return;
    case 3:
      p.addAddr(id, address, port, null);
      return;
    case 4:
      p.removeAddr([id]);
      return;
    case 5: // everything
      p.removeAddr(Array.from({ length: 36 }, (_, i) => (id + i) & 255));
      return;
    case 6:
      p.prio((gene & 1) !== 0);
      return;
    default:
      p.addAddr(id, address, port, BigInt(gene));
  }
}

/** Acknowledgements, SACK blocks, windows. Genes: flow, count, kind, edge, window, rest. */
export function acks(a: Attacker, [which = 0, count = 0, kind = 0, edge = 0, window = 0]: Genes): void {
  const flow = a.flow(which);
  if (flow === null || flow.phase !== 'open') return;
  const { session } = flow;
  const { dice } = a;
  const back = flow.stackIsn + ((flow.next - flow.stackIsn) >>> 1);
  each(a, countOf(count), (i) => {
    const vary = (kind & 8) === 0 ? edge : dice.u32();
    const ack =
      (kind & 16) === 0 ? flow.next : edge32(vary, flow.next, flow.stackIsn, (flow.next + 1000) >>> 0);
    const behind = (kind & 32) === 0 ? ack : (back + i) >>> 0;
    const win = [0xffff, 0, 1, i, 0xffff - i, window & 0xffff][window % 6] ?? 0;
    a.send(flow, { flags: ACK, ack: behind, window: win }, (p) => {
      if (session !== null && (kind & 1) === 0) {
        const dack = (kind & 64) === 0 ? session.dack : (session.dack - BigInt(dice.below(100000))) & MASK64;
        p.dss(3, dack + ((kind & 128) === 0 ? 0n : BigInt(dice.u32())), 0n, 0, 0, -1);
      }
      if ((kind & 2) !== 0) p.sack(blocks(a, flow, kind, i));
    });
  });
}

function blocks(a: Attacker, flow: Flow, kind: number, i: number): number[] {
  const { dice } = a;
  const flight = (flow.next - flow.stackIsn) >>> 0;
  return Array.from({ length: 1 + dice.below(3) }, () => {
    if ((kind & 4) !== 0)
      return [edge32(dice.u32(), flow.next, flow.una, flow.next), edge32(dice.u32(), flow.next, 0, 0)];
    const start = (flow.stackIsn + 1 + ((i * 7) % Math.max(flight, 1))) >>> 0;
    return [start, (start + 1 + dice.below(3000)) >>> 0];
  }).flat();
}
