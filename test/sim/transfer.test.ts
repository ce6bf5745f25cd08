/** Whole transfers between two stacks in virtual time. */
import { expect } from 'chai';
import { Pair, done, expectWhole, start } from './pair.js';

describe('transfers in virtual time', () => {
  it('moves both directions over one clean path', async () => {
    const pair = await Pair.create({ links: [{ rate: 50e6, delay: 5000, queue: 100_000 }] });
    const transfer = start(pair, 300_000, 200_000);
    pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
    expectWhole(transfer);
    expect(transfer.client.connection?.info().mptcp).to.equal(true);
  });

  it('uses two paths at once', async () => {
    const pair = await Pair.create({
      links: [
        { rate: 40e6, delay: 7500, queue: 200_000 },
        { rate: 20e6, delay: 25_000, queue: 200_000 },
      ],
    });
    const transfer = start(pair, 20_000_000, 0);
    const t0 = pair.world.now();
    pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
    const seconds = (pair.world.now() - t0) / 1e6;
    expectWhole(transfer);
    const rate = (20_000_000 * 8) / seconds / 1e6;
    const shares = transfer.client.connection?.info().subflows.map((s) => s.bytesSent);
    expect(rate, `${rate.toFixed(1)} Mbit/s, shares ${shares?.join()}`).to.be.above(48);
  });
});
