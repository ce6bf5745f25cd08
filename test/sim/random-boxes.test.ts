/**
 * Random middleboxes: every transfer ends, with the right octets unless the box changed some unnoticed, and costs no more
 * than one round trip or one retransmission. A failure names its seed: `PLAIT_SEED=N npx mocha
 * dist/test/sim/random-boxes.test.js` runs it alone.
 */
import { runBox } from './random-boxes.js';

const COUNT = 120;
/** Later seeds that once failed: stalls, and repetitions taken for new data. */
const FORMER = [
  ...[130, 173, 188, 223, 229, 249, 250, 268, 273],
  ...[405, 488, 691, 717, 889, 1086, 1106, 1636, 2026], // DATA_FIN to a peer that was plain, or to a box that strips it
  ...[3218, 3739, 6467, 6868], // octets without a mapping and FIN while a join is refused
];

describe('random middleboxes', function () {
  this.timeout(120_000);
  const only = process.env['PLAIT_SEED'];
  const seeds = [...Array.from({ length: COUNT }, (_, i) => i + 1), ...FORMER];
  it(only === undefined ? `${seeds.length} seeds` : `seed ${only}`, async () => {
    const failures: string[] = [];
    for (const seed of only === undefined ? seeds : [Number(only)]) {
      try {
        await runBox(seed);
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
    if (failures.length > 0) throw new Error(failures.join('\n'));
  });
});
