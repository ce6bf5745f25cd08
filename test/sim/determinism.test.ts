/** The same seed gives the same packets at the same times: two captures, octet for octet. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { capture } from '../../src/io/capture.js';
import type { CoreBuild } from '../../src/core/load.js';
import { Pair, done, expectWhole, start } from './pair.js';
import { UNSTEADY_LINKS } from './unsteady-links.js';

async function captured(seed: number, build: CoreBuild): Promise<{ digest: string; octets: number }> {
  const hash = createHash('sha256');
  let octets = 0;
  const pair = await Pair.create({
    seed,
    build,
    links: UNSTEADY_LINKS,
    wrap: (device, _name, world) =>
      capture(device, world.clock, (chunk) => {
        hash.update(chunk);
        octets += chunk.length;
      }),
  });
  const transfer = start(pair, 400_000, 300_000);
  pair.world.runUntil(() => done(transfer), { maxTime: 600e6 });
  expectWhole(transfer);
  return { digest: hash.digest('hex'), octets };
}

describe('determinism', () => {
  for (const build of ['debug', 'release'] as const) {
    it(`gives the same capture for the same seed (${build})`, async () => {
      const first = await captured(7, build);
      const second = await captured(7, build);
      expect(first.octets).to.be.above(700_000);
      expect(second).to.deep.equal(first);
    });
  }

  it('gives the same capture in the release and the debug build', async () => {
    expect(await captured(7, 'release')).to.deep.equal(await captured(7, 'debug'));
  });

  it('gives another capture for another seed', async () => {
    const first = await captured(7, 'debug');
    const second = await captured(8, 'debug');
    expect(second.digest).to.not.equal(first.digest);
  });
});
