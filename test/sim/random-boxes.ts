/** One seeded middlebox between two stacks: what the seed decides, and the judgement. */
import { expect } from 'chai';
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
import type { DuplexOptions } from '../../src/io/memory.js';
import { chain } from '../middlebox/options.js';
import { headerBox, type Box } from './header-boxes.js';
import { Middlebox } from './middlebox.js';
import { Pair, done, expectWhole, start, type Transfer } from './pair.js';

const RTT = 20_000;
/** MP_FAIL after 100 ms, then a data-level timeout and the round trips of both; or one retransmission. */
const COST = 100_000 + 240_000 + 2 * RTT;
/** Where a subflow has to go, another one is waited for; no transfer may take longer. */
const LIMIT = 65e6;
const BAD_LIMIT = 300e6;

/** It keeps a segment until another one comes, however long that takes: beside losses that is worse than a loss. */
const HOLDS: Partial<Box> = { alone: true };

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
  const changed = (name: string, change: (data: Buffer) => Buffer, resizes = true): Box => ({
    name: `${name} ${size} octets at ${at.toFixed(2)}, segment ${n}${always ? ' and later' : ''}, ${way}`,
    script: alter(way, n, (data) => (data.length < 50 ? data : change(data)), always),
    alters: true,
    // It does not follow what is lost or overtaken behind it.
    alone: resizes,
  });
  const same = (name: string, script: Script, more: Partial<Box> = {}): Box => ({
    name: `${name}, ${way}, ${n}`,
    script,
    alters: false,
    ...more,
  });
  const boxes: (() => Box)[] = [
    () => changed('replaces', (data) => cut(data, Buffer.alloc(Math.min(size, data.length), 43)), false),
    () => changed('puts in', insert),
    () => changed('cuts out', (data) => cut(data, Buffer.alloc(0))),
    () => same('splits with copies', split(way, true)),
    () => same('splits', split(way, false)),
    () => same('joins', coalesce(way, 1 + (n % 10)), HOLDS),
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
        { fatal: true },
      );
    },
    () => same('acknowledges', proxyAcks(way), { alone: true }),
    () => same('renumbers', rewriteIsn(random.u32(), random.u32())),
  ];
  const made = boxes[random.int(0, boxes.length - 1)];
  if (made === undefined) throw new Error('no box');
  return made();
}

/** Two boxes, one behind the other, on paths that lose, reorder and repeat: what it costs is not judged. */
function twoBoxes(random: SeededRandom): Box {
  const draw = (): Box => {
    for (;;) {
      const box = random.unit() < 0.5 ? streamBox(random) : headerBox(random);
      if (box.alone !== true) return box;
    }
  };
  const [near, far] = [draw(), draw()];
  return {
    name: `${near.name}; then ${far.name}`,
    script: chain(near.script, far.script),
    alters: near.alters || far.alters,
    // Where octets change or mappings vanish after data was repeated, the only subflow has to go (RFC 8684 section 3.7).
    fatal: [near, far].some(({ alters, fatal }) => alters || fatal === true),
    times: Infinity,
    loss: random.unit() * 0.03,
  };
}

const KINDS = { stream: streamBox, header: headerBox, two: twoBoxes } as const;
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
    // What is said last may be lost with the subflow: no peer is left that could say it again.
    if (!done(transfer) && !(box.breaks === true && client.closed)) throw new Error('stall');
    const multipath = client.connection?.info().mptcp === true && server.connection?.info().mptcp === true;
    const failed = client.error !== null || server.error !== null;
    if (failed && box.fatal === true && (box.loss !== undefined || box.breaks === true)) {
      if (!box.alters) expect([client.mismatch, server.mismatch]).to.deep.equal([-1, -1]);
      return;
    }
    if (!box.alters || (checksums && multipath)) expectWhole(transfer);
    if (failed) throw new Error(String(client.error ?? server.error));
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

const bad = (box: Box | null): DuplexOptions =>
  box?.loss === undefined
    ? {}
    : { loss: box.loss, reorder: box.loss, reorderDelay: 3000, duplicate: box.loss / 2 };

async function run(setup: Setup, box: Box | null): Promise<[Transfer, number]> {
  const { paths, boxed, checksums, up, down } = setup;
  const config = checksums ? ([[CFG_CHECKSUM, 1]] as const) : [];
  const pair = await Pair.create({
    links: Array.from({ length: paths }, () => ({ rate: 100e6, delay: RTT / 2, queue: 1e6, ...bad(box) })),
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
    pair.world.runUntil(() => done(transfer), {
      maxTime: box?.loss === undefined ? LIMIT : BAD_LIMIT,
      maxSteps: 2e5,
    });
  } catch {
    // `done` says it.
  }
  return [transfer, pair.world.now()];
}
