/** Joins that are refused or not made, and why: reasons and counters as Linux 6.18 has them. */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { PlaitError } from '../../src/errors.js';
import { Bench } from './bench.js';
import { joinHmac } from './crypto.js';
import { Peer, stackToken } from './peer.js';

const NONCE = 0x21222324;

async function opened(config: [number, number][] = []): Promise<[Bench, Peer]> {
  const bench = await Bench.create({ paths: 2, config });
  bench.listen();
  const peer = new Peer(bench).open();
  peer.data('hello').expect({ dss: { dack: 6 } });
  return [bench, peer];
}

async function accepted(flags = 1): Promise<[Bench, Peer]> {
  const bench = await Bench.create({ paths: 2 });
  bench.connect();
  return [bench, new Peer(bench).acceptFully(flags)];
}

/** The peer's join up to the SYN/ACK, and what its third ACK has to prove. */
function begun(bench: Bench, first: Peer, options: { stackPort?: number; nonce?: number } = {}) {
  const { stackPort = 5000, nonce = NONCE } = options;
  const peer = new Peer(bench, { session: first.session, path: 1, port: 30001, stackPort });
  peer.send({ flags: 'S', join: { token: stackToken(first.session), nonce, id: 1 } });
  const answer = peer.expect({ flags: 'SA' });
  const { key, stackKey } = first.session;
  const hmac = joinHmac(key, stackKey, nonce, answer.join?.nonce ?? 0).toString('hex', 0, 20);
  return { peer, hmac };
}

/** The code with which the stack refuses to join from path 1, null when it does not. */
function joinError(bench: Bench, remote: string, port: number): string | null {
  let code: string | null = null;
  const [, path] = bench.paths;
  const ids = { local: 2, remote: 0 };
  bench.stack.join(bench.app.live, path?.id ?? 0, remote, port, ids, (error) => (code = error?.code ?? null));
  bench.settle();
  return code;
}

describe('packets: joins refused', () => {
  it('a wrong proof: RST without ACK and reason 1, and it counts as no third ACK', async () => {
    const [bench, first] = await opened();
    const { peer } = begun(bench, first);
    peer.send({ join: { hmac: '00'.repeat(20) } });
    peer.expect({ flags: 'R', seq: 1, reset: { reason: 1, transient: false } });
    expect(bench.counter('MPJoinAckHMacFailure')).to.equal(1);
    expect(bench.counter('MPJoinAckRx')).to.equal(0);
  });

  it('a connection that came to its end between SYN and third ACK: reason 3', async () => {
    const [bench, first] = await opened();
    const { peer, hmac } = begun(bench, first);
    first.dataFin();
    bench.app.live.shutdown();
    bench.settle();
    first.drain();
    first.acknowledge();
    peer.send({ join: { hmac } });
    peer.expect({ flags: 'R', reset: { reason: 3 } });
    expect(bench.counter('MPJoinRejected')).to.equal(1);
  });

  it('joins beyond those that may wait for their third ACK: reason 2, and none once the first has proved itself', async () => {
    const [bench, first] = await opened([[abi.CFG_PENDING_JOINS_MAX, 1]]);
    const { peer, hmac } = begun(bench, first);
    const other = new Peer(bench, { session: first.session, path: 1, port: 30002 });
    const syn = { flags: 'S', seq: 0, join: { token: stackToken(first.session), nonce: 2, id: 2 } };
    other.send(syn).expect({ flags: 'RA', reset: { reason: 2, transient: true } });
    peer.send({ join: { hmac } });
    peer.expect({ flags: 'A' });
    other.send(syn).expect({ flags: 'SA' });
  });

  it('a nonce of 0 is as good as any', async () => {
    const [bench, first] = await opened();
    const { peer, hmac } = begun(bench, first, { nonce: 0 });
    peer.send({ join: { hmac } });
    peer.expect({ flags: 'A', join: null });
    expect(bench.app.live.info().subflows).to.have.lengthOf(2);
  });

  it('address ID 0 from another address is as good as any, too', async () => {
    const [bench, first] = await opened();
    new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow(0);
    expect(bench.app.live.info().subflows.map(({ remoteId }) => remoteId)).to.deep.equal([0, 0]);
  });
});

describe('packets: joins at announced ports', () => {
  it('come in on the connection that announced the port, and are counted', async () => {
    const [bench, first] = await opened();
    bench.app.live.mptcp.announce('10.0.1.1', { port: 4430 });
    first.drain();
    new Peer(bench, { session: first.session, path: 1, port: 30001, stackPort: 4430 }).joinNow();
    expect(bench.counter('MPJoinPortSynRx')).to.equal(1);
    expect(bench.counter('MPJoinPortAckRx')).to.equal(1);
    expect(bench.counter('MPJoinAckRx')).to.equal(1);
  });

  it('are refused for a connection that did not announce it, although it is open', async () => {
    const [bench, first] = await opened();
    const other = new Peer(bench, { port: 30100 }).open();
    bench.app.live.mptcp.announce('10.0.1.1', { port: 4430 });
    first.drain();
    const peer = new Peer(bench, { session: other.session, path: 1, port: 30001, stackPort: 4430 });
    peer.send({ flags: 'S', join: { token: stackToken(other.session), nonce: 1 } });
    peer.expect({ flags: 'RA', reset: { reason: 3 } });
    expect(bench.counter('MismatchPortSynRx')).to.equal(1);
    expect(bench.counter('MPJoinRejected')).to.equal(0);
  });

  it('are refused with the third ACK when the announcement was withdrawn meanwhile', async () => {
    const [bench, first] = await opened();
    const id = bench.app.live.mptcp.announce('10.0.1.1', { port: 4430 });
    first.drain();
    const { peer, hmac } = begun(bench, first, { stackPort: 4430 });
    bench.app.live.mptcp.remove(id);
    bench.settle();
    peer.send({ join: { hmac } });
    peer.expect({ flags: 'R', reset: { reason: 3 } });
    expect(bench.counter('MismatchPortAckRx')).to.equal(1);
  });

  it('repeated announcements keep one port per address ID', async () => {
    const [bench, first] = await opened();
    const { mptcp } = bench.app.live;
    mptcp.announce('10.0.1.1', { id: 9, port: 4430 });
    mptcp.announce('10.0.1.1', { id: 9, port: 4431 });
    first.drain();
    const join = { token: stackToken(first.session), nonce: 1 };
    const at = (stackPort: number): Peer =>
      new Peer(bench, { session: first.session, path: 1, port: 30001, stackPort });
    at(4430).send({ flags: 'S', join }).expect({ flags: 'RA' });
    at(4431).send({ flags: 'S', join }).expect({ flags: 'SA' });
  });
});

describe('packets: flag C', () => {
  it('of the peer: no join leaves for its first address and port; others may', async () => {
    const [bench] = await accepted(0x21);
    expect(joinError(bench, '10.0.0.2', 5000)).to.equal('EPIPE');
    expect(joinError(bench, '10.0.0.2', 5001)).to.equal(null);
    expect(joinError(bench, '10.0.1.2', 5000)).to.equal(null);
    expect(bench.counter('MPJoinSynTx')).to.equal(2);
  });

  it('of a peer that opened the connection: the same', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const peer = new Peer(bench);
    peer.send({ flags: 'S', capable: { flags: 0x21 } });
    peer.expect({ flags: 'SA' });
    const { key, stackKey } = peer.session;
    peer.send({ capable: { flags: 0x21, sender: key, receiver: stackKey } });
    peer.data('hello');
    expect(joinError(bench, '10.0.0.2', 30000)).to.equal('EPIPE');
    expect(joinError(bench, '10.0.0.2', 5000)).to.equal(null);
  });

  it('of ours is an advice: a join to the first address is taken nevertheless, as by Linux', async () => {
    const [bench, first] = await opened([[abi.CFG_DENY_JOIN, 1]]);
    new Peer(bench, { session: first.session, path: 0, port: 30001 }).joinNow();
  });
});

describe('packets: joins that cannot be sent', () => {
  it('a port that cannot be bound, a four-tuple in use', async () => {
    const [bench] = await accepted();
    const { device } = bench;
    const bind = device.bind.bind(device);
    device.bind = (_path, _port, done) => done(new PlaitError('EADDRINUSE', 'taken'), 0);
    expect(joinError(bench, '10.0.1.2', 5000)).to.not.equal(null);
    expect(bench.counter('MPJoinSynTxBindErr')).to.equal(1);
    device.bind = (path, _port, done) => bind(path, 41234, done);
    expect(joinError(bench, '10.0.1.2', 5000)).to.equal(null);
    expect(joinError(bench, '10.0.1.2', 5000)).to.equal('EADDRINUSE');
    expect(bench.counter('MPJoinSynTxConnectErr')).to.equal(1);
    expect(bench.counter('MPJoinSynTx')).to.equal(1);
  });
});
