/**
 * What a packet of an attacker costs: processor time of `Stack.run` with all its answers, in batches of 32 and 64, by
 * attack, and the memory in use at the end. The attacks are verbs of test/fuzz.
 */
import { performance } from 'node:perf_hooks';
import { Arena } from '../test/fuzz/arena.js';
import { Attacker } from '../test/fuzz/attacker.js';
import { loadBuild } from '../test/fuzz/builds.js';
import { Dice } from '../test/fuzz/dice.js';
import { acks, holes, maps, signals, unmapped } from '../test/fuzz/moves-flood.js';
import { flood, open } from '../test/fuzz/moves-handshake.js';
import { octets } from '../test/fuzz/moves-segment.js';
import type { Report } from './report.js';

const PACKETS = 200_000;
/** Packets of one step: 496. */
const MANY = 0x1257;
/** A gap that differs from step to step. */
const gap = (i: number): number => 0x100 | ((i * 7) % 2900);

/** What the attacker has acknowledged on its flow. */
let edge = 0;

type Attack = (attacker: Attacker, step: number) => void;

const ATTACKS: Readonly<Record<string, Attack>> = {
  'pure ACK, nothing wrong': (a) => acks(a, [0, MANY, 0, 0, 0]),
  'holes of one octet, upwards': (a, i) => holes(a, [0, MANY, 0, gap(i), 0]),
  'holes of one octet, downwards': (a, i) => holes(a, [0, MANY, 0, gap(i), 1]),
  'holes of one octet, at random': (a, i) => holes(a, [0, MANY, 0, gap(i), 2]),
  'mappings without data, from the last to the first': (a, i) => maps(a, [0, MANY, i & 0xff, 0, 1, 0]),
  'mappings that contradict each other': (a, i) => maps(a, [0, MANY, i & 0xff, 0, 0, 24]),
  'unmapped data, one octet each': (a, i) => unmapped(a, [0, MANY, 0, i, 0, 1]),
  'parts of checksummed mappings with wrong sums': (a, i) => maps(a, [0, MANY, i & 0xff, 0, 16, 0]),
  'ADD_ADDR with right proofs': (a, i) => signals(a, [0, MANY, 0, i, i * 4]),
  REMOVE_ADDR: (a, i) => signals(a, [0, MANY, 4, i, 0]),
  'joins with unknown tokens': (a, i) => flood(a, [199, 0, 2, i]),
  'SYNs with MP_CAPABLE from everywhere': (a, i) => flood(a, [199, 0, 0, i & 7]),
  'SACK of 250 segments in flight, again and again': (a) => {
    const flow = a.flow(0);
    for (let n = 0; flow !== null && n < 64; n++) {
      const start = (edge + 1400 * (1 + a.dice.below(200))) >>> 0;
      a.send(flow, { ack: edge }, (p) => p.sack([start, (start + 1400 * 40) >>> 0]));
    }
    a.arena.flush();
  },
  'random octets': (a) => {
    for (let n = 0; n < 64; n++) octets(a, [n, 0, 0]);
    a.arena.flush();
  },
};

export async function attacks(report: Report): Promise<void> {
  const module = await loadBuild('release');
  for (const [name, attack] of Object.entries(ATTACKS)) {
    if (!report.wants(name)) continue;
    const arena = new Arena({ module, seed: 0 });
    const attacker = new Attacker(arena);
    attacker.dice = new Dice(1);
    let spent = 0;
    const { stack } = arena;
    const run = stack.run.bind(stack);
    stack.run = (...all) => {
      const before = performance.now();
      const result = run(...all);
      spent += performance.now() - before;
      return result;
    };
    const connect = (): void => {
      attacker.flows.length = 0;
      open(attacker, [0, 7, 0, 0, name.includes('checksum') ? 1 : 0]);
      if (!name.startsWith('SACK')) return;
      // Something to be acknowledged.
      for (let i = 0; i < 7; i++) {
        arena.victims.at(-1)?.write(300_000);
        arena.wait(1000);
        const flow = attacker.flow(0);
        if (flow === null || i === 6) break;
        attacker.acknowledge(flow);
        edge = flow.next;
        arena.flush();
      }
    };
    connect();
    const start = arena.packets;
    spent = 0;
    for (let step = 0; arena.packets - start < PACKETS; step++) {
      if (attacker.flow(0)?.phase !== 'open') connect();
      attack(attacker, step);
    }
    report.add({
      case: name,
      value: (spent * 1e6) / (arena.packets - start),
      unit: 'ns a packet',
      detail: { memory: stack.core.x.memoryUsed() },
    });
  }
}
