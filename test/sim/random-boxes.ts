/** One seeded middlebox between two stacks: what the seed decides, and the judgement. */
import { SeededRandom } from '../../src/core/random.js';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import {
  alter,
  coalesce,
  isSyn,
  proxyAcks,
  rewriteIsn,
  split,
  strip,
  type Direction,
  type Script,
} from '../middlebox/scripts.js';
import { headerBox, type Box } from './header-boxes.js';
import { Middlebox } from './middlebox.js';
import { Pair, done, expectWhole, start, type Transfer } from './pair.js';

const RTT = 20_000;
/** MP_FAIL after 100 ms, then a data-level timeout and the round trips of both; or one retransmission. */
const COST = 100_000 + 240_000 + 2 * RTT;
/** Where a subflow has to go, another one is waited for; no transfer may take longer. */
const LIMIT = 65e6;

/** Those that change octets, split or join segments, or take options away. */
function streamBox(random: SeededRandom): Box {
  const way: Direction = random.unit() < 0.5 ? 'up' : 'down';
  const n = random.int(0, 80);
  const at = random.unit();
  const size = random.int(1, 20);
  const place = (data: Buffer): number => Math.floor(at * Math.max(0, data.length - size));
  const cut = (data: Buffer, put: Buffer): Buffer =>
    Buffer.concat([data.subarray(0, place(data)), put, data.subarray(place(data) + size)]);
  const insert = (data: Buffer): Buffer =>
    Buffer.concat([data.subarray(0, place(data)), Buffer.alloc(size, 43), data.subarray(place(data))]);
  const always = random.unit() < 0.3;
  const changed = (name: string, change: (data: Buffer) => Buffer): Box => ({
    name: `${name} ${size} octets at ${at.toFixed(2)}, segment ${n}${always ? ' and later' : ''}, ${way}`,
    script: alter(way, n, (data) => (data.length < 50 ? data : change(data)), always),
    alters: true,
  });
  const same = (name: string, script: Script): Box => ({
    name: `${name}, ${way}, ${n}`,
    script,
    alters: false,
  });
  const boxes: (() => Box)[] = [
    () => changed('replaces', (data) => cut(data, Buffer.alloc(Math.min(size, data.length), 43))),
    () => changed('puts in', insert),
    () => changed('cuts out', (data) => cut(data, Buffer.alloc(0))),
    () => same('splits with copies', split(way, true)),
    () => same('splits', split(way, false)),
    () => same('joins', coalesce(way, 1 + (n % 10))),
    () =>
      same(
        'strips SYNs',
        strip((segment, direction) => isSyn(segment) && direction === way),
      ),
    () => {
      let count = 0;
      return same(
        'strips later',
        strip((segment, direction) => direction === way && !isSyn(segment) && count++ >= n),
      );
    },
    () => same('acknowledges', proxyAcks(way)),
    () => same('renumbers', rewriteIsn(random.u32(), random.u32())),
  ];
  const made = boxes[random.int(0, boxes.length - 1)];
  if (made === undefined) throw new Error('no box');
  return made();
}

const KINDS = { stream: streamBox, header: headerBox } as const;
export type BoxKind = keyof typeof KINDS;

/** Throws when a transfer does not end, when octets are wrong without cause, or when it takes too long. */
export async function runBox(seed: number, kind: BoxKind): Promise<void> {
  const random = new SeededRandom(seed);
  const paths = random.unit() < 0.6 ? 1 : 2;
  const boxed = random.int(0, paths - 1);
  const checksums = random.unit() < 0.6;
  const up = random.unit() < 0.3 ? 0 : random.int(1, 150_000);
  const down = random.unit() < 0.3 ? 0 : random.int(1, 150_000);
  const box = KINDS[kind](random);
  const what = `${paths} paths, ${checksums ? 'checksums, ' : ''}up ${up}, down ${down}; box on ${boxed} ${box.name}`;
  const setup = { paths, boxed, checksums, up, down };
  try {
    const [transfer, time] = await run(setup, box);
    const { client, server } = transfer;
    if (!done(transfer)) throw new Error('stall');
    const multipath = client.connection?.info().mptcp === true && server.connection?.info().mptcp === true;
    if (!box.alters || (checksums && multipath)) expectWhole(transfer);
    if (client.error !== null || server.error !== null) throw new Error(String(client.error ?? server.error));
    if (box.times === Infinity) return;
    const [, free] = await run(setup, null);
    // Unnoticed, a box may change the repetition as well.
    const times = box.times ?? (box.alters && !checksums ? 2 : 1);
    if (time - free > times * COST) throw new Error(`cost ${Math.round((time - free) / 1000)} ms`);
  } catch (error) {
    throw new Error(`seed ${seed}: ${String((error as Error).message).split('\n')[0]}: ${what}`, {
      cause: error,
    });
  }
}

interface Setup {
  readonly paths: number;
  readonly boxed: number;
  readonly checksums: boolean;
  readonly up: number;
  readonly down: number;
}

async function run(setup: Setup, box: Box | null): Promise<[Transfer, number]> {
  const { paths, boxed, checksums, up, down } = setup;
  const config = checksums ? ([[CFG_CHECKSUM, 1]] as const) : [];
  const pair = await Pair.create({
    links: Array.from({ length: paths }, () => ({ rate: 100e6, delay: RTT / 2, queue: 1e6 })),
    pairing: paths === 1 && box?.breaks !== true ? 'none' : 'laminar',
    client: config,
    server: config,
    wrap: (device, name) =>
      name === 'client' && box !== null
        ? new Middlebox(device, (segment, direction) =>
            [segment.source, segment.destination].includes(`10.0.${boxed}.1`)
              ? box.script(segment, direction)
              : [{ segment, direction }],
          )
        : device,
  });
  pair.world.runUntil(1000);
  const transfer = start(pair, up, down);
  try {
    pair.world.runUntil(() => done(transfer), { maxTime: LIMIT, maxSteps: 1e5 });
  } catch {
    // `done` says it.
  }
  return [transfer, pair.world.now()];
}
