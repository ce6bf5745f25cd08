/** MP_FASTCLOSE of ours on ACK (RFC 8684 section 3.5, option A); option R is in close-states.test.ts and in scripts. */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Pair, start } from '../sim/pair.js';
import { Peer } from './peer.js';

const RTT = 20_000;

async function opened(paths = 1, ts = false): Promise<[Bench, Peer]> {
  const bench = await Bench.create({ paths, config: [[abi.CFG_FASTCLOSE_RETRIES, 3]] });
  bench.listen();
  const peer = new Peer(bench, { ts });
  peer.send({ flags: 'S', capable: { flags: 1 } }).expect({ flags: 'SA' });
  bench.wait(RTT);
  peer.send({ capable: { flags: 1, sender: peer.session.key, receiver: peer.session.stackKey } });
  peer.data('hello').expect({ dss: { dack: 6 } });
  return [bench, peer];
}

const subflows = (bench: Bench): number => bench.stack.core.x.subflows();

describe('packets: MP_FASTCLOSE on ACK', () => {
  it('is over for the program at once; a RST ends the subflow', async () => {
    const [bench, peer] = await opened(1, true);
    bench.app.live.abort();
    const { key } = peer.session;
    peer.expect({ flags: 'A', seq: 1, ack: 6, length: 0, fastclose: key, reset: null, dss: null });
    expect([bench.app.closed, bench.app.error?.code]).to.deep.equal([true, 'ECONNABORTED']);
    peer.send({ flags: 'RA', ts: null });
    peer.expectNothing(10e6);
    expect(bench.counter('MPFastcloseTx')).to.equal(1);
    expect(bench.counter('MPCurrEstab')).to.equal(0);
  });

  it('is repeated after a retransmission timeout, doubled each time, three times; then RST says it', async () => {
    const [bench, peer] = await opened();
    bench.app.live.abort();
    const { key } = peer.session;
    peer.expect({ flags: 'A', fastclose: key });
    const rto = RTT + 200_000;
    for (const wait of [rto, 2 * rto, 4 * rto]) peer.expectAfter(wait, { flags: 'A', fastclose: key }, 5000);
    peer.expectAfter(8 * rto, { flags: 'RA', fastclose: key, reset: { reason: 0 } }, 5000);
    peer.expectNothing(100e6);
    expect(bench.counter('MPFastcloseTx')).to.equal(5);
    // Nothing is left: the four-tuple is nobody's.
    peer.send().expect({ flags: 'R' });
  });

  it('goes on one subflow; the others get a RST that says nothing of it', async () => {
    const [bench, first] = await opened(2);
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    bench.app.live.abort();
    first.expect({ flags: 'A', fastclose: first.session.key });
    second.expect({ flags: 'RA', fastclose: null, reset: null });
    first.send({ flags: 'R' });
    [first, second].forEach((peer) => peer.expectNothing(10e6));
  });

  it('of both sides at once: RST answers', async () => {
    const [bench, peer] = await opened();
    bench.app.live.abort();
    peer.expect({ flags: 'A', fastclose: peer.session.key });
    peer.send({ fastclose: peer.session.stackKey });
    peer.expect({ flags: 'RA', fastclose: peer.session.key });
    peer.expectNothing(10e6);
  });

  it('data, and a RST beyond the window, do not answer it', async () => {
    const [bench, peer] = await opened();
    bench.app.live.abort();
    peer.expect({ fastclose: peer.session.key });
    peer.data('still');
    const { seq } = peer;
    peer.send({ flags: 'R', seq: seq + 70_000_000 });
    peer.expectAfter(RTT + 200_000, { flags: 'A', fastclose: peer.session.key }, 5000);
    peer.send({ flags: 'R', seq });
    peer.expectNothing(10e6);
  });

  it('what has not proved anything, or became plain, is reset', async () => {
    const [bench, peer] = await opened();
    peer.send({ flags: 'PA', data: 'plain' });
    peer.drain();
    bench.app.live.abort();
    peer.expect({ flags: 'RA', fastclose: null });
    peer.expectNothing(10e6);
    expect(subflows(bench)).to.equal(0);
  });

  it('reaches the peer over a path that loses half of its packets, mostly', async () => {
    let told = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const pair = await Pair.create({
        seed,
        links: [{ rate: 10e6, delay: RTT / 2, queue: 1e6 }],
        client: [[abi.CFG_FASTCLOSE_RETRIES, 3]],
      });
      const { client, server } = start(pair, 1000, 1e6);
      pair.world.runUntil(() => client.received > 50_000, { maxTime: 5e6 });
      pair.links[0]?.update({ loss: 0.5 });
      client.connection?.abort();
      pair.world.runUntil(pair.world.now() + 5e6);
      if (server.error?.code === 'ECONNRESET') told++;
      expect(pair.client.core.x.subflows(), `seed ${String(seed)}`).to.equal(0);
    }
    expect(told).to.be.at.least(15);
  });
});
