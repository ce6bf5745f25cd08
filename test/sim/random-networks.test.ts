/**
 * A thousand random networks deliver every octet in order. A failure names its seed: run it alone with
 * `PLAIT_SEED=N npx mocha dist/test/sim/random-networks.test.js`.
 */
import { runSeed } from './random-networks.js';

const FIRST = 1;
const COUNT = 1000;
const GROUP = 50;
/** Seeds beyond the thousand that once failed: options lost towards the opener only. */
const FORMER = [11047];

describe('random networks', function () {
  this.timeout(600_000);
  const only = process.env['PLAIT_SEED'];
  if (only !== undefined) {
    it(`seed ${only}`, () => runSeed(Number(only)).then(() => undefined));
    return;
  }
  for (const seed of FORMER) it(`seed ${seed}, which once failed`, () => runSeed(seed).then(() => undefined));
  for (let first = FIRST; first < FIRST + COUNT; first += GROUP) {
    it(`seeds ${first} to ${first + GROUP - 1}`, async () => {
      const failures: string[] = [];
      for (let seed = first; seed < first + GROUP; seed++) {
        try {
          await runSeed(seed);
        } catch (error) {
          failures.push(`seed ${seed}: ${(error as Error).message.split('\n')[0]}`);
        }
      }
      if (failures.length > 0) throw new Error(failures.join('\n'));
    });
  }
});
