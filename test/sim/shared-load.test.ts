/** How well random paths are used together: no worse than the best of them alone, and near the sum of all. */
import { expect } from 'chai';
import { CFG_CC_MULTI, CFG_CC_SINGLE } from '../../assembly/abi.js';
import { CC_CUBIC } from '../../assembly/cc/ids.js';
import { SeededRandom } from '../../src/core/random.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { Pair, start } from './pair.js';

const SECOND = 1e6;
const WARM = 2 * SECOND;
const MEASURED = 4 * SECOND;
const ENDLESS = 1e12;
/** The same for one path as for several, so that only the scheduler is judged. */
const CUBIC: readonly (readonly [number, number])[] = [
  [CFG_CC_SINGLE, CC_CUBIC],
  [CFG_CC_MULTI, CC_CUBIC],
];

interface Goodput {
  readonly up: number;
  readonly down: number;
}

/** Octets within `MEASURED`; with `both`, there are as many to send the other way. */
async function goodput(seed: number, links: readonly DuplexOptions[], both: boolean): Promise<Goodput> {
  const pair = await Pair.create({ seed, build: 'release', links, client: CUBIC, server: CUBIC });
  const { client, server } = start(pair, ENDLESS, both ? ENDLESS : 0);
  const { world } = pair;
  world.runUntil(world.now() + WARM, { maxSteps: 50e6 });
  const before = [server.received, client.received] as const;
  world.runUntil(world.now() + MEASURED, { maxSteps: 50e6 });
  expect(Math.max(server.mismatch, client.mismatch), 'wrong octets').to.equal(-1);
  return { up: server.received - before[0], down: client.received - before[1] };
}

/** Rates from 1 to 30 Mbit/s and delays from 1 to 40 ms, more often small ones; queues around a round trip's octets. */
function randomLinks(random: SeededRandom): DuplexOptions[] {
  const between = (from: number, to: number): number => from * (to / from) ** random.unit();
  return Array.from({ length: random.int(2, 4) }, () => {
    const rate = between(1e6, 30e6);
    const delay = between(1000, 40_000);
    const product = (rate / 8e6) * 2 * delay;
    return { rate, delay, queue: Math.max(6000, product * between(0.5, 3)) };
  });
}

describe('random paths together', function () {
  this.timeout(120_000);

  for (const seed of [1, 2, 3, 4, 5, 6])
    it(`carry what the best carries alone at least, network ${String(seed)}`, async () => {
      const random = new SeededRandom(seed);
      const links = randomLinks(random);
      const both = seed % 2 === 0;
      const together = await goodput(seed, links, both);
      const alone: Goodput[] = [];
      for (const link of links) alone.push(await goodput(seed, [link], both));
      for (const way of both ? (['up', 'down'] as const) : (['up'] as const)) {
        const each = alone.map((one) => one[way]);
        const sum = each.reduce((a, b) => a + b, 0);
        expect(together[way] / Math.max(...each), `${way}, to the best`).to.be.above(0.95);
        expect(together[way] / sum, `${way}, to the sum`).to.be.above(0.85);
      }
    });
});
