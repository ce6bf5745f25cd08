/** A backup subflow carries data when the others fail, and not before (RFC 8684 section 3.3.8). */
import { expect } from 'chai';
import { Pair, address, done, expectWhole, start, type Transfer } from './pair.js';

const LINK = { rate: 20e6, delay: 10_000, queue: 200_000 };

/** A transfer of 2 MB over path 0, with a backup subflow on path 1. */
async function withBackup(): Promise<[Pair, Transfer]> {
  const pair = await Pair.create({ links: [LINK, LINK], pairing: 'none' });
  const transfer = start(pair, 2_000_000, 0);
  const { world } = pair;
  world.runUntil(() => transfer.client.connection?.info().fullyEstablished === true, { maxTime: 1e6 });
  const backup = { local: address(1, 1), remote: address(1, 2), backup: true };
  transfer.client.connection?.mptcp.openSubflow(backup, (error) => expect(error).to.equal(null));
  world.runUntil(() => transfer.client.connection?.liveSubflows().length === 2, { maxTime: 2e6 });
  return [pair, transfer];
}

const sentOn = ({ client }: Transfer, path: string): number | undefined =>
  client.connection?.info().subflows.find(({ pathName }) => pathName === path)?.bytesSent;

describe('backup subflows', () => {
  it('rest while the regular one works', async () => {
    const [pair, transfer] = await withBackup();
    pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
    expectWhole(transfer);
    expect(sentOn(transfer, 'path1')).to.equal(0);
  });

  it('rest while the regular one falls silent for less than a retransmission timeout', async () => {
    const [pair, transfer] = await withBackup();
    const { world } = pair;
    const later = (microseconds: number): void => {
      const at = world.now() + microseconds;
      world.runUntil(() => world.now() >= at, { maxTime: microseconds + 1e6 });
    };
    later(200_000);
    pair.links[0]?.setUp(false);
    later(60_000);
    pair.links[0]?.setUp(true);
    world.runUntil(() => done(transfer), { maxTime: 60e6 });
    expectWhole(transfer);
    expect(pair.client.counters()['TCPLossProbes']).to.be.above(0);
    expect(sentOn(transfer, 'path1')).to.equal(0);
  });

  it('take over after one retransmission timeout', async () => {
    const [pair, transfer] = await withBackup();
    const { world } = pair;
    pair.links[0]?.setUp(false);
    const from = world.now();
    world.runUntil(() => done(transfer), { maxTime: 60e6 });
    expectWhole(transfer);
    expect(sentOn(transfer, 'path1')).to.be.above(1_500_000);
    // 0.8 s for the data, 0.3 s until the timeout, and slow start
    expect(world.now() - from).to.be.below(2.5e6);
  });
});
