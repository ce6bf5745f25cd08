/** MP_FASTCLOSE, MP_TCPRST and the quiet killers: points 24 and 25 of what a Linux peer expects. */
import { expect } from 'chai';
import { CFG_CLOSE_TIMEOUT } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

const opened = async (config: [number, number][] = []): Promise<[Bench, Peer, Peer]> => {
  const bench = await Bench.create({ paths: 2, config });
  bench.listen();
  const first = new Peer(bench).open();
  first.data('hello').expect({ dss: { dack: 6 } });
  const second = new Peer(bench, { session: first.session, path: 1, port: 30001 });
  return [bench, first, second];
};

describe('packets: resets', () => {
  it("point 24: abort sends RST with MP_FASTCLOSE of the peer's key and MP_TCPRST on every subflow", async () => {
    const [bench, first, second] = await opened();
    second.joinNow();
    bench.app.live.abort();
    for (const peer of [first, second]) {
      peer.expect({ flags: 'RA', fastclose: first.session.key, reset: { reason: 0, transient: false } });
    }
    expect(bench.app.closed).to.equal(true);
    expect(bench.counter('MPFastcloseTx')).to.equal(2);
  });

  it('point 24: received on an ACK with our key: RST with reason 0 on every subflow', async () => {
    const [bench, first, second] = await opened();
    second.joinNow();
    first.send({ fastclose: first.session.stackKey });
    for (const peer of [first, second]) {
      peer.expect({ flags: 'RA', fastclose: null, reset: { reason: 0 } });
    }
    expect(bench.app.error?.code).to.equal('ECONNRESET');
    expect(bench.counter('MPFastcloseRx')).to.equal(1);
  });

  it('point 24: received on a RST in sequence, it ends the connection', async () => {
    const [bench, first, second] = await opened();
    second.joinNow();
    first.send({ flags: 'RA', fastclose: first.session.stackKey, reset: { reason: 0 } });
    second.expect({ flags: 'RA', reset: { reason: 0 } });
    // RFC 9293 section 3.5.2: a RST is not answered.
    first.expectNothing(1000);
    expect(bench.app.closed).to.equal(true);
  });

  it('point 24: on a RST out of sequence it gets a challenge ACK', async () => {
    const [bench, first] = await opened();
    first.send({ flags: 'RA', seq: first.seq + 10, fastclose: first.session.stackKey });
    first.expect({ flags: 'A', ack: 6, seq: 1 });
    expect(bench.app.closed).to.equal(false);
  });

  it('point 24: a wrong key is ignored', async () => {
    const [bench, first] = await opened();
    first.send({ fastclose: first.session.stackKey ^ 1n });
    first.expectNothing(1000);
    expect(bench.app.closed).to.equal(false);
  });

  it('point 24: MP_TCPRST beside no RST is ignored', async () => {
    const [bench, first] = await opened();
    first.send({ reset: { reason: 1 }, dss: { dack: 1 } });
    first.expectNothing(1000);
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
    expect(bench.counter('MPRstRx')).to.equal(0);
  });

  it('point 24: a RST ends one subflow; the connection goes on with the other', async () => {
    const [bench, first, second] = await opened();
    second.joinNow();
    first.send({ flags: 'R', reset: { reason: 6, transient: true } });
    expect(bench.counter('MPRstRx')).to.equal(1);
    second.data('world', { ssn: 1 }).expect({ dss: { dack: 11 } });
    expect(bench.app.text).to.equal('helloworld');
  });

  it('point 24: what the ended subflow had in flight goes out on the other', async () => {
    const [bench, first, second] = await opened();
    second.joinNow(1, true);
    bench.app.write('answer');
    first.expect({ data: 'answer', dss: { dsn: 1 } });
    first.send({ flags: 'R' });
    second.expect({ data: 'answer', dss: { dsn: 1, ssn: 1, length: 6 } });
  });

  it('point 24: a connection without subflows can be joined again within the close timeout', async () => {
    const [bench, first, second] = await opened();
    first.send({ flags: 'R' });
    bench.wait(30e6);
    expect(bench.app.closed).to.equal(false);
    second.joinNow();
    bench.wait(60e6);
    expect(bench.app.closed).to.equal(false);
    second.data('world', { ssn: 1 });
    expect(bench.app.text).to.equal('helloworld');
  });

  it('point 24: and ends with an error after it', async () => {
    const [bench, first] = await opened([[CFG_CLOSE_TIMEOUT, 60e6]]);
    first.send({ flags: 'R' });
    bench.wait(59e6);
    expect(bench.app.closed).to.equal(false);
    bench.wait(2e6);
    expect(bench.app.error?.code).to.equal('ETIMEDOUT');
  });

  it('point 24: after a fallback abort is a plain RST, and RST is the end', async () => {
    for (const byPeer of [true, false]) {
      const bench = await Bench.create();
      bench.listen();
      const peer = new Peer(bench).openPlain();
      if (byPeer) peer.send({ flags: 'R' });
      else {
        bench.app.live.abort();
        peer.expect({ flags: 'RA', fastclose: null, reset: null });
      }
      expect(bench.app.closed).to.equal(true);
    }
  });
});

describe('packets: quiet killers', () => {
  it('point 25: a simultaneous open becomes plain TCP and works', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'S', capable: {} });
    peer.expect({ flags: 'SA', seq: 0, ack: 1, capable: null });
    peer.send({ flags: 'SA', seq: 0 });
    bench.settle();
    expect(bench.app.connected).to.equal(true);
    expect(bench.counter('SimultConnectFallback')).to.equal(1);
    peer.drain();
    bench.app.write('hi');
    peer.expect({ data: 'hi', dss: null });
  });

  it('point 25: the third SYN retransmission goes without MP_CAPABLE, with the same ISN', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    const first = peer.takeSyn({ capable: { version: 1 } });
    const capable: boolean[] = [];
    const times: number[] = [];
    for (const gap of [1e6, 1e6, 1e6, 1e6]) {
      const { sequence, ...syn } = { sequence: peer.stackIsn, ...peer.expectAfter(gap, { flags: 'S' }) };
      expect(sequence).to.equal(peer.stackIsn);
      capable.push(syn.capable !== null);
      times.push(syn.time - first.time);
    }
    expect(capable).to.deep.equal([true, true, false, false]);
    expect(times).to.deep.equal([1e6, 2e6, 3e6, 4e6]);
    peer.send({ flags: 'SA' });
    peer.expect({ flags: 'A', capable: null });
    expect(bench.app.fallback).to.equal('SYN with MP_CAPABLE was not answered');
  });

  it('point 25: ten SYN retransmissions, five of them a second apart, then a timeout after 131 seconds', async () => {
    const bench = await Bench.create();
    bench.connect();
    new Peer(bench).takeSyn();
    bench.wait(130e6);
    expect(bench.app.closed).to.equal(false);
    bench.wait(2e6);
    expect(bench.app.error?.code).to.equal('ETIMEDOUT');
    expect(bench.device.sent).to.have.lengthOf(10);
  });

  it('point 25: a key of 0 from the peer is refused', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'SA', capable: { sender: 0n } });
    peer.expect({ flags: 'A', capable: null });
    expect(bench.app.connected).to.equal(true);
    expect(bench.app.fallback).to.contain('MP_CAPABLE');
  });

  it('point 25: data on a join before its third ACK is a reset', async () => {
    const [bench, first, second] = await opened();
    second.send({
      flags: 'S',
      join: { token: Number.parseInt(bench.app.live.info().localToken ?? '', 16), nonce: 1 },
    });
    second.expect({ flags: 'SA' });
    second.data('early', { ssn: 1 });
    second.expect({ flags: 'R', reset: { reason: 1 } });
    expect(bench.app.text).to.equal('hello');
    expect(first.next()).to.equal(null);
  });

  it('point 25: data in a SYN is not lost: it comes again after the handshake', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench);
    peer.send({ flags: 'S', data: 'early', capable: {} });
    peer.expect({ flags: 'SA', ack: 1 });
    const { session } = peer;
    peer.send({ seq: 1, capable: { sender: session.key, receiver: session.stackKey } });
    peer.seq = 1;
    peer.data('early');
    peer.expect({ ack: 6, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('early');
  });
});
