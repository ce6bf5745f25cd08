/** MP_JOIN and priorities: points 16 to 20 of what a Linux peer expects. */
import { expect } from 'chai';
import { CFG_SUBFLOWS_MAX } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { joinHmac, tokenOf } from './crypto.js';
import { Peer, stackToken } from './peer.js';

/** A connection that the peer opened over path 0, with data both sides have seen. */
const opened = async (config: [number, number][] = []): Promise<[Bench, Peer]> => {
  const bench = await Bench.create({ paths: 2, config });
  bench.listen();
  const peer = new Peer(bench).open();
  peer.data('hello').expect({ dss: { dack: 6 } });
  return [bench, peer];
};
const accepted = async (): Promise<[Bench, Peer]> => {
  const bench = await Bench.create({ paths: 2 });
  bench.connect();
  return [bench, new Peer(bench).acceptFully()];
};
const second = (bench: Bench, first: Peer, port = 30001): Peer =>
  new Peer(bench, { session: first.session, path: 1, port });

/** The peer answers the stack's join up to the stack's third ACK. */
function answered(bench: Bench, first: Peer): Peer {
  bench.join(1);
  const peer = new Peer(bench, { session: first.session, path: 1, port: 5000 });
  const nonce = peer.takeSyn().join?.nonce ?? 0;
  const hmac = joinHmac(peer.session.key, peer.session.stackKey, 99, nonce).toString('hex', 0, 8);
  return peer.send({ flags: 'SA', join: { id: 7, hmac, nonce: 99 } });
}

describe('packets: MP_JOIN on SYN', () => {
  it('point 16: the stack sends the token of the peer, its address ID and a nonce', async () => {
    const [bench, first] = await accepted();
    bench.join(1);
    const { join, capable, window } = new Peer(bench, { session: first.session, path: 1 }).takeSyn();
    expect(join).to.containSubset({ token: tokenOf(first.session.key), id: 2, backup: false });
    expect(join?.nonce).to.not.equal(0);
    expect(capable).to.equal(null);
    expect(window).to.be.above(0);
  });

  it('point 16: an unknown token is answered by RST+ACK with reason 1', async () => {
    const [bench] = await opened();
    const peer = new Peer(bench, { port: 30009 }).send({ flags: 'S', join: { token: 0xdeadbeef, nonce: 1 } });
    peer.expect({ flags: 'RA', seq: 0, ack: 1, reset: { reason: 1, transient: false } });
    expect(bench.counter('MPJoinNoTokenFound')).to.equal(1);
  });

  it("point 16: a port that is neither the connection's nor announced is refused with reason 3", async () => {
    const [bench, first] = await opened();
    bench.stack.listen(6000, null, () => undefined).start(() => undefined);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 30001, stackPort: 6000 });
    peer.send({ flags: 'S', join: { token: stackToken(first.session), nonce: 1 } });
    peer.expect({ flags: 'RA', reset: { reason: 3 } });
    expect(bench.counter('MPJoinPortSynRx')).to.equal(0);
    expect(bench.counter('MismatchPortSynRx')).to.equal(1);
  });

  it('point 16: an accepted connection may be joined after its listener closed', async () => {
    const bench = await Bench.create({ paths: 2 });
    const listener = bench.stack.listen(5000, null, (connection) => bench.app.attach(connection));
    listener.start(() => undefined);
    const first = new Peer(bench).open();
    first.data('hello').expect({ dss: { dack: 6 } });
    listener.close();
    second(bench, first).joinNow();
  });

  it('point 17: before the connection is fully established a join to the client is refused with reason 3', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.connect(5000, 41000);
    const first = new Peer(bench).accept();
    const peer = new Peer(bench, { session: first.session, path: 1, port: 30001, stackPort: 41000 });
    peer.send({ flags: 'S', join: { token: stackToken(first.session), nonce: 1 } });
    peer.expect({ flags: 'RA', reset: { reason: 3 } });
  });

  it('point 17: before the third ACK there is no connection to join', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const first = new Peer(bench).send({ flags: 'S', capable: {} });
    first.expect({ flags: 'SA' });
    const peer = second(bench, first).send({
      flags: 'S',
      join: { token: stackToken(first.session), nonce: 1 },
    });
    peer.expect({ flags: 'RA' });
  });

  it('point 17: the limit of subflows is kept', async () => {
    const [bench, first] = await opened([[CFG_SUBFLOWS_MAX, 2]]);
    second(bench, first).joinNow();
    const third = second(bench, first, 30002);
    third.join(2).expect({ flags: 'R', reset: { reason: 3 } });
    expect(bench.counter('MPJoinRejected')).to.equal(1);
  });

  it('a repeated SYN gets the same answer', async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first).send({
      flags: 'S',
      join: { token: stackToken(first.session), nonce: 5 },
    });
    const one = peer.expect({ flags: 'SA' });
    peer.send({ flags: 'S', seq: 0, join: { token: stackToken(first.session), nonce: 5 } });
    const two = peer.expect({ flags: 'SA' });
    expect(two.join).to.deep.equal(one.join);
  });
});

describe('packets: MP_JOIN on SYN/ACK and ACK', () => {
  it('point 19: the stack proves its key on SYN/ACK and checks the proof on ACK', async () => {
    const [bench, first] = await opened();
    const { session } = first;
    const peer = second(bench, first);
    peer.send({ flags: 'S', join: { token: stackToken(session), nonce: 0x01020304, id: 1 } });
    const { join } = peer.expect({ flags: 'SA' });
    const proof = joinHmac(session.stackKey, session.key, join?.nonce ?? 0, 0x01020304).toString('hex', 0, 8);
    expect(join?.hmac).to.equal(proof);
    peer.send({ join: { hmac: '00'.repeat(20) } });
    peer.expect({ flags: 'R', reset: { reason: 1 } });
    expect(bench.counter('MPJoinAckHMacFailure')).to.equal(1);
  });

  it('point 19: the stack checks the proof on SYN/ACK and proves its key on ACK', async () => {
    const [bench, first] = await accepted();
    const peer = answered(bench, first);
    const third = peer.expect({ flags: 'A' });
    expect(third.join?.hmac).to.have.lengthOf(40);
    bench.join(1);
    const bad = new Peer(bench, { session: first.session, path: 1, port: 5000 });
    bad.takeSyn();
    bad.send({ flags: 'SA', join: { id: 7, hmac: '00'.repeat(8), nonce: 99 } });
    bad.expect({ flags: 'RA', reset: { reason: 1 } });
    expect(bench.counter('MPJoinSynAckHMacFailure')).to.equal(1);
  });

  it('point 18: the third ACK of 24 octets is repeated until the fourth packet, and no data before it', async () => {
    const [bench, first] = await accepted();
    const peer = answered(bench, first);
    const third = peer.expect({ flags: 'A', length: 0 });
    expect(third.raw).to.match(/^1e18/);
    bench.app.write('hello');
    first.expect({ data: 'hello' });
    bench.wait(1e6);
    const more = peer.drain();
    expect(more.length).to.be.above(0);
    for (const seen of more) expect(seen).to.containSubset({ length: 0, join: { hmac: third.join?.hmac } });
    peer.acknowledge();
    expect(bench.app.has('subflow-established')).to.equal(true);
    bench.wait(1e6);
    for (const seen of peer.drain()) expect(seen.join).to.equal(null);
  });

  it('point 18: the fourth packet goes at once, and again for every repeated third ACK', async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first).joinNow();
    const hmac = '0'.repeat(40);
    for (let i = 0; i < 3; i++) {
      peer.send({ join: { hmac } });
      peer.expect({ flags: 'A', length: 0, dss: { dack: 6 } });
    }
  });

  it('point 18: anything but MP_JOIN in place of the third ACK is a reset', async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first);
    peer.send({ flags: 'S', join: { token: stackToken(first.session), nonce: 1 } });
    peer.expect({ flags: 'SA' });
    peer.send();
    peer.expect({ flags: 'R', reset: { reason: 1 } });
  });

  it('point 18: a SYN/ACK without MP_JOIN is a reset, never plain TCP', async () => {
    const [bench, first] = await accepted();
    bench.join(1);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 5000 });
    peer.takeSyn();
    peer.send({ flags: 'SA' });
    peer.expect({ flags: 'RA', reset: { reason: 1 } });
    expect(bench.app.fallback).to.equal(null);
  });
});

describe('packets: lost packets of a join', () => {
  it('point 18: the SYN/ACK again gets the third ACK again', async () => {
    const [bench, first] = await accepted();
    bench.join(1);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 5000 });
    const nonce = peer.takeSyn().join?.nonce ?? 0;
    const hmac = joinHmac(peer.session.key, peer.session.stackKey, 99, nonce).toString('hex', 0, 8);
    const answer = { flags: 'SA', seq: 0, join: { id: 7, hmac, nonce: 99 } };
    const third = peer.send(answer).expect({ flags: 'A' });
    expect(peer.send(answer).expect({ flags: 'A' }).join).to.deep.equal(third.join);
  });

  it('the SYN is repeated with the same nonce and token, three times, and given up', async () => {
    const [bench, first] = await accepted();
    bench.join(1);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 5000 });
    const { join } = peer.takeSyn();
    for (const gap of [1e6, 2e6, 4e6]) expect(peer.expectAfter(gap, { flags: 'S' }).join).to.deep.equal(join);
    peer.expectNothing(60e6);
    expect(bench.app.has('subflow-closed')).to.equal(true);
    expect(bench.app.closed).to.equal(false);
    expect(bench.counter('MPJoinSynTx')).to.equal(1);
  });

  it('the SYN/ACK is repeated with the same nonce until the third ACK', async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first).send({
      flags: 'S',
      join: { token: stackToken(first.session), nonce: 7, id: 1 },
    });
    const { join } = peer.expect({ flags: 'SA' });
    for (const gap of [1e6, 2e6]) expect(peer.expectAfter(gap, { flags: 'SA' }).join).to.deep.equal(join);
    const hmac = joinHmac(first.session.key, first.session.stackKey, 7, join?.nonce ?? 0).toString(
      'hex',
      0,
      20,
    );
    peer.send({ join: { hmac } }).expect({ flags: 'A' });
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(2);
  });

  it('a refused join leaves the connection as it is', async () => {
    const [bench, first] = await accepted();
    bench.join(1);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 5000 });
    peer.takeSyn();
    peer.send({ flags: 'RA', reset: { reason: 3 } });
    expect(bench.app.has('subflow-closed')).to.equal(true);
    bench.app.write('hello');
    first.expect({ data: 'hello' });
  });
});

describe('packets: backup', () => {
  it("point 20: the bit on SYN/ACK is the answerer's own wish, no echo", async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first);
    peer.send({ flags: 'S', join: { token: stackToken(first.session), nonce: 1, backup: true } });
    peer.expect({ flags: 'SA', join: { backup: false } });
    expect(bench.counter('MPJoinSynBackupRx')).to.equal(1);
  });

  it('point 20: a backup by either side carries nothing while another subflow works', async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first).joinNow(1, true);
    bench.app.live.setNoDelay(true);
    bench.app.write('x'.repeat(5000));
    expect(first.drain().reduce((sum, { length }) => sum + length, 0)).to.equal(5000);
    expect(peer.drain().filter(({ length }) => length > 0)).to.deep.equal([]);
  });

  it("point 20: the stack's own backup subflow says so on SYN", async () => {
    const [bench, first] = await accepted();
    bench.join(1, 0, { backup: true });
    new Peer(bench, { session: first.session, path: 1 }).takeSyn({ join: { backup: true } });
  });

  it('point 20: MP_PRIO of three octets, both ways', async () => {
    const [bench, first] = await opened();
    second(bench, first).joinNow();
    const handle = bench.app.live.liveSubflows()[0]?.id ?? 0;
    expect(bench.stack.core.x.setBackup(handle, 1)).to.equal(0);
    bench.stack.kick();
    first.expect({ flags: 'A', prio: true });
    first.send({ prio: true, dss: { dack: 1 } });
    expect(bench.app.has('priority')).to.equal(true);
    expect(bench.app.live.liveSubflows()[0]?.backup).to.equal(true);
    expect(bench.counter('MPPrioRx')).to.equal(1);
  });

  it('point 20: the peer turns a subflow into a backup and back with MP_PRIO', async () => {
    const [bench, first] = await opened();
    const peer = second(bench, first).joinNow();
    first.send({ prio: true, dss: { dack: 1 } });
    bench.app.write('hello');
    peer.expect({ data: 'hello' });
    expect(first.next()).to.equal(null);
    first.send({ prio: false, dss: { dack: 6 } });
    expect(bench.app.live.liveSubflows()[0]?.backup).to.equal(false);
  });
});
