/** Limits of what strangers can make this side do: each is refused beyond its number, and counted. */
import { expect } from 'chai';
import { CFG_PENDING_JOINS_MAX, CFG_RST_RATE } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Peer, stackToken } from './peer.js';

describe('packets: limits', () => {
  const strays = (peer: Peer, count: number): number => {
    for (let i = 0; i < count; i++) peer.send({ flags: 'A', seq: i, ack: i });
    return peer.drain().length;
  };

  it('resets for segments that belong to nobody: half to one and a half of the number per second', async () => {
    const bench = await Bench.create({ config: [[CFG_RST_RATE, 100]] });
    const peer = new Peer(bench, { stackPort: 9 });
    const rations = new Set<number>();
    let skipped = 0;
    for (let second = 0; second < 5; second++) {
      const resets = strays(peer, 300);
      expect(resets).to.be.within(50, 150);
      rations.add(resets);
      skipped += 300 - resets;
      bench.wait(1e6);
    }
    expect(rations.size, 'different rations').to.be.above(1);
    expect(bench.counter('OutRstsSkipped')).to.equal(skipped);
    expect(bench.counter('OutRsts')).to.equal(1500 - skipped);
  });

  it('without a ration every one is answered', async () => {
    const bench = await Bench.create({ config: [[CFG_RST_RATE, 0]] });
    expect(strays(new Peer(bench, { stackPort: 9 }), 2000)).to.equal(2000);
  });

  it('joins that wait for their third ACK', async () => {
    const bench = await Bench.create({ paths: 2, config: [[CFG_PENDING_JOINS_MAX, 2]] });
    bench.listen();
    const first = new Peer(bench).open();
    first.data('hello').expect({ dss: { dack: 6 } });
    const join = (port: number): Peer =>
      new Peer(bench, { session: first.session, path: 1, port }).send({
        flags: 'S',
        join: { token: stackToken(first.session), nonce: port },
      });
    join(30001).expect({ flags: 'SA' });
    join(30002).expect({ flags: 'SA' });
    join(30003).expect({ flags: 'RA', reset: { reason: 2 } });
    expect(bench.counter('MPJoinRejected')).to.equal(1);
    bench.wait(70e6); // both have given up
    join(30004).expect({ flags: 'SA' });
  });
});
