/** The two paths of `plait demo` in virtual time: what its ratio comes to where no other program takes the processor. */
import { expect } from 'chai';
import { LTE, WIFI, type DemoPath } from '../../src/cli/demo-links.js';
import { ShapedDevice } from '../../src/io/shaped.js';
import { Pair, done, expectWhole, start } from './pair.js';

const MEGABIT = 1e6;
const SECOND = 1e6;
const WIFI_ID = 1;

/** Mbit/s between the times (microseconds) in `marks`; Wi-Fi is away between the second and the third. */
async function rates(
  paths: readonly DemoPath[],
  octets: number,
  marks: readonly number[],
): Promise<number[]> {
  let shaped: ShapedDevice | null = null;
  const pair = await Pair.create({
    build: 'release',
    links: paths.map(() => ({})),
    wrap: (device, name, world) => {
      if (name !== 'client') return device;
      shaped = new ShapedDevice(device, world, { link: ({ id }) => paths[id - WIFI_ID]?.link ?? null });
      return shaped;
    },
  });
  const transfer = start(pair, octets, 0);
  const { world } = pair;
  const from = world.now();
  const acked: number[] = [];
  marks.forEach((at, i) => {
    world.at(from + at, () => {
      acked.push(transfer.client.connection?.info().bytesAcked ?? 0);
      if (paths.length > 1 && i > 0) shaped?.setUp(WIFI_ID, i !== 1, true);
    });
  });
  expect(transfer.client.connection?.info().bytesAcked ?? 0, 'before the handshake').to.equal(0);
  world.runUntil(() => done(transfer), { maxTime: 60 * SECOND });
  expectWhole(transfer);
  return marks.slice(1).map((at, i) => {
    const bits = ((acked[i + 1] ?? 0) - (acked[i] ?? 0)) * 8;
    return bits / MEGABIT / ((at - (marks[i] ?? 0)) / SECOND);
  });
}

describe('the paths of the demo', () => {
  it('together carry nearly the sum, and one goes on without the other', async () => {
    const [, alone = 0] = await rates([WIFI], 14e6, [0, SECOND, 2.5 * SECOND]);
    expect(alone).to.be.within(35, 40);
    const marks = [0, 2.4, 4.7, 4.8, 5.3, 6.3].map((at) => at * SECOND);
    const [before = 0, without = 0, , back = 0, after = 0] = await rates([WIFI, LTE], 45e6, marks);
    // Slow start included.
    expect(before / alone, 'before the outage').to.be.above(1.25);
    expect(without, 'without Wi-Fi').to.be.within(15, 21);
    expect(
      back / alone,
      'a tenth of a second after it, not at the end of a timeout that has doubled',
    ).to.be.above(1.2);
    expect(after / alone, 'half a second after it').to.be.above(1.4);
  });
});
