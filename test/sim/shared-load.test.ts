/** How well random paths are used together: no worse than the best of them alone, and near the sum of all. */
import { expect } from 'chai';
import { CFG_CC_MULTI, CFG_CC_SINGLE } from '../../assembly/abi.js';
import { CC_CUBIC } from '../../assembly/cc/ids.js';
import { SeededRandom } from '../../src/core/random.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { bestAlone, goodput, twoPaths, type Goodput } from './together.js';

const NETWORKS = 12;

/** The same for one path as for several, so that only the scheduler is judged. */
const CUBIC: readonly (readonly [number, number])[] = [
  [CFG_CC_SINGLE, CC_CUBIC],
  [CFG_CC_MULTI, CC_CUBIC],
];

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

describe('random paths together', () => {
  for (const seed of [1, 2, 3, 4, 5, 6])
    it(`carry what the best carries alone at least, network ${String(seed)}`, async () => {
      const random = new SeededRandom(seed);
      const links = randomLinks(random);
      const both = seed % 2 === 0;
      const load = { seed, both, config: CUBIC, from: 2, to: 6 };
      const together = await goodput({ ...load, links });
      const alone: Goodput[] = [];
      for (const link of links) alone.push(await goodput({ ...load, links: [link] }));
      for (const way of both ? (['up', 'down'] as const) : (['up'] as const)) {
        const each = alone.map((one) => one[way]);
        const sum = each.reduce((a, b) => a + b, 0);
        expect(together[way] / Math.max(...each), `${way}, to the best`).to.be.above(0.95);
        expect(together[way] / sum, `${way}, to the sum`).to.be.above(0.85);
      }
    });

  it('carry what the best carries alone, too, where what is lost on a long path takes a second to arrive', async () => {
    // More is in flight meanwhile than three quarters of the first buffers: they have to grow although nothing is freed.
    const links = [
      { rate: 25e6, delay: 5000, queue: 54_000 },
      { rate: 1e6, delay: 126_000, queue: 63_000, loss: 0.009 },
    ];
    const load = { seed: 186, links, config: CUBIC, from: 3, to: 8 };
    expect((await goodput(load)).up / (await bestAlone(load))).to.be.above(0.97);
  });

  it('find the window open when one begins faster than the other has its first round trip', async () => {
    const links = [
      { rate: 100e6, delay: 41_000, queue: 308_000 },
      { rate: 10e6, delay: 88_000, queue: 110_000 },
    ];
    const load = { seed: 48, links, config: [], from: 2, to: 5 };
    expect((await goodput(load)).up / (await bestAlone(load))).to.be.above(0.95);
  });
});

/**
 * The defaults: CUBIC alone, LIA (RFC 6356) together, which is to have what Reno has on the better path. Where CUBIC has
 * more than Reno, on long paths that lose now and then, both together fall short of it.
 */
describe('two random paths with the default congestion control', () => {
  it('seldom carry less than nine tenths of what the better one carries alone', async () => {
    const ratios: number[] = [];
    for (let seed = 1; seed <= NETWORKS; seed++) {
      const load = { seed, links: twoPaths(new SeededRandom(seed)), from: 3, to: 8 };
      ratios.push((await goodput(load)).up / (await bestAlone(load)));
    }
    const text = ratios.map((ratio, i) => `${String(i + 1)}: ${ratio.toFixed(2)}`).join(', ');
    expect(ratios.filter((ratio) => ratio < 0.9).length, text).to.be.at.most(1);
    expect(Math.min(...ratios), text).to.be.above(0.8);
  });
});
