/** One seeded random network and the transfer over it: what the seed decides, and the judgement. */
import { SeededRandom } from '../../src/core/random.js';
import type { CoreBuild } from '../../src/core/load.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { Pair, done, expectWhole, start } from './pair.js';

/** Virtual time within which every transfer has to be over. */
const LIMIT = 900e6;

function randomLink(random: SeededRandom): DuplexOptions {
  const chance = (p: number): boolean => random.unit() < p;
  return {
    rate: random.int(1, 100) * 1e6,
    delay: random.int(100, 100_000),
    jitter: chance(0.3) ? random.int(0, 10_000) : 0,
    queue: random.int(10_000, 400_000),
    loss: chance(0.5) ? random.unit() * 0.1 : 0,
    reorder: chance(0.3) ? random.unit() * 0.1 : 0,
    reorderDelay: random.int(100, 20_000),
    duplicate: chance(0.3) ? random.unit() * 0.05 : 0,
    corrupt: chance(0.3) ? random.unit() * 0.03 : 0,
    mtu: chance(0.2) ? random.int(1280, 9000) : 1500,
  };
}

/** Throws when an octet is missing or wrong, or when the transfer does not end. */
export async function runSeed(seed: number, build: CoreBuild = 'debug'): Promise<Pair> {
  const random = new SeededRandom(seed);
  const links = Array.from({ length: random.int(1, 4) }, () => randomLink(random));
  const config: [number, number][] = random.unit() < 0.25 ? [[CFG_CHECKSUM, 1]] : [];
  const pair = await Pair.create({
    seed,
    build,
    links,
    ipv6: random.unit() < 0.3,
    pairing: random.unit() < 0.3 ? 'fullmesh' : 'laminar',
    client: config,
    server: random.unit() < 0.2 ? [[CFG_MPTCP, 0]] : config,
  });
  const ipv6 = pair.client.paths()[0]?.address.includes(':') ?? false;
  const up = random.int(0, 400_000);
  const down = random.int(0, 400_000);
  // Paths go down and come up again; the last outage ends within the first minute.
  for (const link of pair.links) {
    if (random.unit() > 0.4) continue;
    const from = random.int(0, 20e6);
    pair.world.at(from, () => link.setUp(false));
    pair.world.at(from + random.int(10e3, 30e6), () => link.setUp(true));
  }
  const transfer = start(pair, up, down, { ipv6 });
  pair.world.runUntil(() => done(transfer), { maxTime: LIMIT, maxSteps: 20e6 });
  expectWhole(transfer);
  return pair;
}

const CFG_MPTCP = 1;
const CFG_CHECKSUM = 2;
