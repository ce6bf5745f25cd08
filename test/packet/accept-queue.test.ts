/** The backlog of a listener: what its two queues hold, and what becomes of the rest (test/packet/listen has scripts). */
import { expect } from 'chai';
import { OPT_BACKLOG, OPT_DEFER_ACCEPT, OPT_SAVE_SYN } from '../../assembly/abi.js';
import type { Settings } from '../../src/core/core.js';
import { PlaitServer } from '../../src/net/server.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

async function listening(settings: Settings): Promise<Bench> {
  const bench = await Bench.create();
  bench.listen(5000, settings);
  return bench;
}

const knock = (bench: Bench, port: number): Peer => new Peer(bench, { port }).send({ flags: 'S' });

/** A peer whose SYN was answered. */
function answered(bench: Bench, port: number): Peer {
  const peer = knock(bench, port);
  peer.expect({ flags: 'SA' });
  return peer;
}

describe('packets: the queues of a listener', () => {
  it('handshakes beyond the backlog and one get cookies, which open connections as well', async () => {
    const bench = await listening([[OPT_BACKLOG, 1]]);
    const peers = [4001, 4002, 4003].map((port) => knock(bench, port));
    for (const peer of peers) peer.expect({ flags: 'SA' });
    expect(bench.counter('SyncookiesSent')).to.equal(1);
    for (const peer of peers) peer.send({});
    expect(bench.apps).to.have.length(3);
    expect(bench.counter('ListenOverflows')).to.equal(0);
  });

  it('connections that come in one batch wait for the program, and those beyond the backlog are dropped', async () => {
    const bench = await listening([[OPT_BACKLOG, 1]]);
    const peers = [4001, 4002, 4003].map((port) => knock(bench, port));
    for (const peer of peers) peer.expect({ flags: 'SA' });
    bench.holding = true;
    for (const peer of peers) peer.send({});
    bench.settle();
    expect(bench.apps).to.have.length(2);
    expect(bench.counter('ListenOverflows')).to.equal(1);
    bench.holding = false;
    peers[2]?.send({});
    expect(bench.apps).to.have.length(3);
  });

  it('a connection that the program has let go of leaves its place', async () => {
    const bench = await Bench.create();
    const taken: number[] = [];
    const listener = bench.stack.listen(5000, null, (connection) => taken.push(connection.handle), [
      [OPT_BACKLOG, 0],
    ]);
    listener.holds = true;
    listener.start((error) => expect(error).to.equal(null));
    const first = answered(bench, 4001).send({});
    knock(bench, 4002).expectNothing();
    expect(bench.counter('ListenOverflows')).to.equal(1);
    bench.stack.connection(taken[0] as number)?.release();
    bench.settle();
    first.expect({ flags: 'RA' });
    answered(bench, 4003);
  });

  it('another listener of the same port has queues of its own', async () => {
    const bench = await Bench.create();
    const listen = (): (() => void) => {
      const listener = bench.stack.listen(5000, null, () => undefined, [[OPT_BACKLOG, 0]]);
      listener.holds = true;
      listener.start((error) => expect(error).to.equal(null));
      return () => listener.close();
    };
    const close = listen();
    const peer = answered(bench, 4001).send({});
    close();
    listen();
    const [waiting] = [...bench.stack.connections()];
    waiting?.take();
    answered(bench, 4002).send({});
    knock(bench, 4003).expectNothing();
    peer.expectNothing();
  });

  it('a handshake whose listener is gone is not answered again', async () => {
    const bench = await Bench.create();
    const listener = bench.stack.listen(5000, null, () => undefined);
    listener.start((error) => expect(error).to.equal(null));
    const peer = answered(bench, 4001);
    listener.close();
    bench.wait(10e6);
    peer.expectNothing();
    expect(bench.stack.core.x.subflows()).to.equal(0);
  });

  it('a crowded queue forgets who does not answer earlier', async () => {
    const bench = await listening([[OPT_BACKLOG, 8]]);
    const peers = Array.from({ length: 6 }, (_, i) => knock(bench, 4001 + i));
    bench.wait(70e6);
    const answers = peers.map((peer) => peer.drain().filter(({ flags }) => flags === 'SA').length);
    // None of the six is young after a second: two give up after two repetitions, then the queue is no crowd any more.
    expect(answers.sort()).to.deep.equal([3, 3, 6, 6, 6, 6]);
  });

  it('a deferred connection is accepted with its data only', async () => {
    const bench = await listening([[OPT_DEFER_ACCEPT, 3]]);
    const peer = answered(bench, 4001).send({});
    expect(bench.apps).to.have.length(0);
    peer.send({ flags: 'PA', data: 'now' }).expect({ ack: 4 });
    expect(bench.app.text).to.equal('now');
    expect(bench.counter('TCPDeferAcceptDrop')).to.equal(1);
  });

  it('the headers of a SYN can be read once', async () => {
    const bench = await listening([[OPT_SAVE_SYN, 1]]);
    answered(bench, 4001).send({});
    const { length, octets } = bench.app.live.savedSyn(1);
    expect(octets).to.equal(null);
    const saved = Buffer.from(bench.app.live.savedSyn(length).octets ?? []);
    expect(saved.length).to.equal(length);
    expect([saved[0], saved.readUInt16BE(20), (saved[33] ?? 0) & 0x3f]).to.deep.equal([0x45, 4001, 2]);
    expect(bench.app.live.savedSyn(512).length).to.equal(0);
  });

  it('is an option of listen(), of which 511 is the default as in node:net', async () => {
    const flood = async (backlog?: number): Promise<number> => {
      const bench = await Bench.create();
      const server = new PlaitServer(bench.stack, () => undefined, Promise.resolve.bind(Promise));
      server.listen(5000, undefined, backlog === undefined ? {} : { backlog });
      for (let i = 0; i < 515; i++) knock(bench, 2000 + i);
      return bench.counter('SyncookiesSent');
    };
    expect(await flood()).to.equal(3);
    expect(await flood(600)).to.equal(0);
    const server = new PlaitServer(
      (await Bench.create()).stack,
      () => undefined,
      Promise.resolve.bind(Promise),
    );
    expect(() => server.listen(0, undefined, { backlog: -1 })).to.throw('backlog is -1');
  });
});
