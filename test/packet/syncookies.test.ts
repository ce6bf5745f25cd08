/** Handshakes answered without state: what a SYN cookie brings back, and what is refused. */
import { expect } from 'chai';
import { CFG_HALF_OPEN_MAX, CFG_SYN_COOKIES } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { joinHmac } from './crypto.js';
import { Peer, Session, stackToken, type PeerOptions, type Seen } from './peer.js';

const ALWAYS: [number, number] = [CFG_SYN_COOKIES, 2];

const server = async (...config: [number, number][]): Promise<Bench> => {
  const bench = await Bench.create({ paths: 2, config: config.length > 0 ? config : [ALWAYS] });
  bench.listen();
  return bench;
};

/** Up to the SYN/ACK with the cookie. */
function asked(bench: Bench, options: PeerOptions = {}): [Peer, Seen] {
  const peer = new Peer(bench, { ts: true, ...options }).send({ flags: 'S', capable: {} });
  return [peer, peer.expect({ flags: 'SA', ack: 1, capable: { version: 1, flags: 1 } })];
}
const keysOf = ({ session }: Peer): { sender: bigint; receiver: bigint } => ({
  sender: session.key,
  receiver: session.stackKey,
});

/** Nothing is remembered of whoever has proved nothing. */
function expectNoState(bench: Bench, before: number): void {
  expect(bench.stack.core.x.connections()).to.equal(0);
  expect(bench.stack.core.x.subflows()).to.equal(0);
  expect(bench.stack.core.x.memoryUsed()).to.equal(before);
  expect(bench.stack.core.x.deadline()).to.equal(Infinity);
}

describe('packets: SYN cookies', () => {
  it('no state before the third ACK, which makes the connection that the SYN asked for', async () => {
    const bench = await server();
    const before = bench.stack.core.x.memoryUsed();
    const [peer, answer] = asked(bench);
    expectNoState(bench, before);
    expect(answer).to.containSubset({ mss: 1460, sackOk: true, scale: 8, window: 64240 });
    peer.send({ capable: keysOf(peer) });
    peer.data('hello').expect({ flags: 'A', ack: 6, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('hello');
    expect(bench.app.fallback).to.equal(null);
    expect(bench.app.live.info().fullyEstablished).to.equal(true);
    expect(bench.counter('SyncookiesSent')).to.equal(1);
    expect(bench.counter('SyncookiesRecv')).to.equal(1);
    expect(bench.counter('SyncookiesFailed')).to.equal(0);
    expect(bench.counter('TCPReqQFullDoCookies')).to.equal(1);
    expect(bench.counter('MPCapableACKRX')).to.equal(1);
    expect(bench.counter('PassiveOpens')).to.equal(1);
  });

  it('window scale and SACK come back with the timestamp', async () => {
    const bench = await server();
    const [peer] = asked(bench, { scale: 3, window: 5000 });
    peer.send({ capable: keysOf(peer) });
    // One segment beyond a hole is reported with SACK, and 40,000 octets of window take 28 segments.
    peer.data('late', { dsn: 11, ssn: 11 }, { seq: 11 }).expect({ sack: [[11, 15]] });
    bench.app.write('x'.repeat(100_000));
    let sent = 0;
    for (let i = 0; i < 20; i++) {
      for (const { length } of peer.drain()) sent += length;
      peer.send({ dss: { dack: 1 + sent } });
    }
    expect(sent).to.equal(100_000);
  });

  it('the segment size comes back as the next smaller one of four', async () => {
    for (const [mss, taken] of [
      [1460, 1460],
      [1459, 1440],
      [1400, 1300],
      [600, 536],
      [300, 536],
      [9000, 1460],
    ] as const) {
      const bench = await server();
      const [peer] = asked(bench, { mss });
      peer.send({ capable: keysOf(peer) });
      // 12 for timestamps and 24 for MP_CAPABLE or DSS with 4-octet DATA_ACK are reserved.
      expect(bench.app.live.liveSubflows()[0]?.mss, `of ${String(mss)}`).to.equal(taken - 36);
    }
  });

  it('without timestamps only the segment size comes back, so nothing else is offered', async () => {
    const bench = await server();
    const [peer, answer] = asked(bench, { ts: false });
    expect(answer).to.containSubset({ mss: 1460, sackOk: null, scale: null, ts: null });
    peer.send({ capable: keysOf(peer) });
    peer.data('hello').expect({ dss: { dack: 6 } });
    expect(bench.app.fallback).to.equal(null);
  });

  it('timestamps go on from the one that carried the options', async () => {
    const bench = await server();
    const [peer, answer] = asked(bench);
    peer.send({ capable: keysOf(peer) });
    const { ts } = peer.data('x').expect({ flags: 'A' });
    const passed = (ts?.[0] ?? 0) - (answer.ts?.[0] ?? 0);
    expect(passed).to.be.within(0, 128);
  });

  it('plain TCP', async () => {
    const bench = await server();
    const peer = new Peer(bench, { ts: true }).openPlain();
    peer.send({ flags: 'PA', data: 'plain' }).expect({ ack: 6, dss: null });
    expect(bench.app.text).to.equal('plain');
    expect(bench.app.fallback).to.equal('peer or network without MP_CAPABLE');
  });

  it('IPv6', async () => {
    const bench = await Bench.create({ ipv6: true, config: [ALWAYS] });
    bench.listen();
    const [peer] = asked(bench);
    peer.send({ capable: keysOf(peer) });
    peer.data('six').expect({ dss: { dack: 4 } });
    expect(bench.app.live.liveSubflows()[0]?.mss).to.equal(1440 - 36);
  });

  it('the first data with MP_CAPABLE stands in for a lost third ACK', async () => {
    const bench = await server();
    const [peer] = asked(bench);
    peer.send({ flags: 'PA', data: 'hello', capable: { ...keysOf(peer), length: 5 } });
    peer.expect({ flags: 'A', ack: 6, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('hello');
  });

  it('data that overtakes the third ACK brings no cookie back, and may be repeated after it', async () => {
    const bench = await server();
    const [peer] = asked(bench);
    peer.data('world', { dsn: 6, ssn: 6 }, { seq: 6 });
    peer.expect({ flags: 'R' });
    expect(bench.counter('SyncookiesFailed')).to.equal(1);
    peer.send({ flags: 'PA', seq: 1, data: 'hello', capable: { ...keysOf(peer), length: 5 } });
    peer.drain();
    peer.data('world', { dsn: 6, ssn: 6 }, { seq: 6 });
    expect(bench.app.text).to.equal('helloworld');
  });

  it('keys: another than ours in the echo means plain TCP', async () => {
    const bench = await server();
    const [peer] = asked(bench);
    peer.send({ capable: { sender: 5n, receiver: 6n } });
    expect(bench.app.fallback).to.equal('third packet of the handshake without MP_CAPABLE');
    expect(bench.counter('MPCapableFallbackACK')).to.equal(1);
  });

  it('keys: an echo from another port, address or sequence number is not ours', async () => {
    const bench = await server();
    const [peer] = asked(bench);
    const { stackKey } = peer.session;
    for (const options of [{ port: 30077 }, { address: '10.0.0.77' }, { isn: 77 }]) {
      const session = new Session();
      const [other] = asked(bench, { ...options, session });
      expect(session.stackKey).to.not.equal(stackKey);
      other.send({ capable: { sender: session.key, receiver: stackKey } });
    }
    expect(bench.apps).to.have.lengthOf(3);
    for (const app of bench.apps) expect(app.fallback).to.not.equal(null);
  });

  it('checksums: A of the third ACK holds', async () => {
    const bench = await server();
    const [peer] = asked(bench);
    peer.send({ capable: { ...keysOf(peer), flags: 0x81 } });
    peer.session.checksum = true;
    peer.data('hello').expect({ dss: { dack: 6 } });
    expect(bench.app.fallback).to.equal(null);
  });

  it('a third ACK that comes again after its subflow broke has a key in use: plain TCP, and the first lives on', async () => {
    const bench = await server();
    const [peer] = asked(bench);
    const third = { seq: 1, ack: 1, capable: keysOf(peer) };
    peer.send(third);
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.send({ flags: 'RA' });
    expect(bench.app.closed).to.equal(false);
    peer.send(third);
    expect(bench.counter('MPFallbackTokenInit')).to.equal(1);
    expect(bench.apps).to.have.lengthOf(2);
    expect(bench.apps[1]?.live.info().mptcp).to.equal(false);
    new Peer(bench, { session: peer.session, path: 1, port: 30001, ts: true }).joinNow();
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
  });

  it('a wrong acknowledgement gets a reset, and no state', async () => {
    const bench = await server();
    const before = bench.stack.core.x.memoryUsed();
    const [peer] = asked(bench);
    for (const ack of [2, 1 << 24, 12345, -70000]) {
      peer.send({ ack, capable: keysOf(peer) }).expect({ flags: 'R' });
    }
    expectNoState(bench, before);
    expect(bench.counter('SyncookiesFailed')).to.equal(4);
  });

  it('a cookie is good for the minute that it was made in and the next', async () => {
    for (const [minutes, good] of [
      [0.9, true],
      [1.5, true],
      [2.1, false],
    ] as const) {
      const bench = await server();
      const [peer] = asked(bench);
      bench.wait(minutes * 60e6);
      peer.send({ capable: keysOf(peer) });
      expect(bench.app.connected, `${String(minutes)} minutes`).to.equal(good);
      if (!good) peer.expect({ flags: 'R' });
    }
  });

  it('without cookies under way an ACK is no proof of anything', async () => {
    const bench = await server([CFG_SYN_COOKIES, 1]);
    new Peer(bench).send({ seq: 1, ack: 1, capable: { sender: 1n, receiver: 2n } }).expect({ flags: 'R' });
    expect(bench.counter('SyncookiesFailed')).to.equal(0);
  });
});

describe('packets: the limit of half-open handshakes', () => {
  const knock = (bench: Bench, count: number): Peer[] =>
    Array.from({ length: count }, (_, i) =>
      new Peer(bench, { port: 40000 + i, session: new Session(BigInt(i + 1)) }).send({
        flags: 'S',
        capable: {},
      }),
    );

  it('beyond it cookies are given', async () => {
    const bench = await server([CFG_HALF_OPEN_MAX, 3]);
    const peers = knock(bench, 6);
    for (const peer of peers) peer.expect({ flags: 'SA' });
    expect(bench.counter('SyncookiesSent')).to.equal(3);
    expect(bench.stack.core.x.connections()).to.equal(3);
    for (const peer of peers) peer.send({ capable: keysOf(peer) });
    expect(bench.apps.map(({ fallback }) => fallback)).to.deep.equal(Array(6).fill(null));
    // There is room again.
    knock(bench, 1);
    expect(bench.counter('SyncookiesSent')).to.equal(3);
  });

  it('or, with cookies forbidden, the SYN is dropped', async () => {
    const bench = await server([CFG_HALF_OPEN_MAX, 3], [CFG_SYN_COOKIES, 0]);
    const peers = knock(bench, 5);
    for (const peer of peers.slice(0, 3)) peer.expect({ flags: 'SA' });
    for (const peer of peers.slice(3)) peer.expectNothing();
    expect(bench.counter('TCPReqQFullDrop')).to.equal(2);
    expect(bench.counter('ListenDrops')).to.equal(2);
  });

  it('who never answers makes room in the end', async () => {
    const bench = await server([CFG_HALF_OPEN_MAX, 3]);
    const before = bench.stack.core.x.subflows();
    knock(bench, 3);
    bench.wait(70e6);
    expect(bench.stack.core.x.subflows()).to.equal(before);
    knock(bench, 1);
    expect(bench.counter('SyncookiesSent')).to.equal(0);
  });
});

describe('packets: joins answered without state', () => {
  /** A connection, and a join up to the SYN/ACK with the cookie. */
  const joining = async (): Promise<{ bench: Bench; first: Peer; peer: Peer; answer: Seen }> => {
    const bench = await server();
    const [first] = asked(bench);
    first.send({ capable: keysOf(first) });
    first.data('hello').expect({ dss: { dack: 6 } });
    const peer = new Peer(bench, { session: first.session, path: 1, port: 30001, ts: true });
    peer.send({
      flags: 'S',
      join: { token: stackToken(first.session), nonce: 0x21222324, id: 9, backup: true },
    });
    return { bench, first, peer, answer: peer.expect({ flags: 'SA' }) };
  };
  const proof = ({ session }: Peer, answer: Seen): string =>
    joinHmac(session.key, session.stackKey, 0x21222324, answer.join?.nonce ?? 0).toString('hex', 0, 20);

  it('the SYN makes no subflow, the third ACK does', async () => {
    const { bench, peer, answer } = await joining();
    const { session } = peer;
    const expected = joinHmac(session.stackKey, session.key, answer.join?.nonce ?? 0, 0x21222324);
    expect(answer.join).to.containSubset({ id: 3, hmac: expected.toString('hex', 0, 8) });
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
    peer.send({ join: { hmac: proof(peer, answer) } });
    peer.expect({ flags: 'A', dss: { dack: 6 } });
    const [, joined] = bench.app.live.liveSubflows();
    expect(joined).to.containSubset({ state: 'ESTABLISHED', remoteId: 9, localId: 3, backup: true });
    expect(bench.counter('MPJoinSynRx')).to.equal(1);
    expect(bench.counter('MPJoinAckRx')).to.equal(1);
    peer.data(' you', { dsn: 6 });
    expect(bench.app.text).to.equal('hello you');
  });

  it('a wrong proof leaves nothing behind', async () => {
    const { bench, peer } = await joining();
    peer.send({ join: { hmac: '00'.repeat(20) } }).expect({ flags: 'R', reset: { reason: 1 } });
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(1);
    expect(bench.counter('MPJoinAckHMacFailure')).to.equal(1);
  });

  it('an ACK without proof is no new connection', async () => {
    const { bench, peer } = await joining();
    peer.send({}).expect({ flags: 'R', reset: { reason: 1 } });
    expect(bench.apps).to.have.lengthOf(1);
  });

  it('a proof without its SYN is refused', async () => {
    const { bench, peer, answer } = await joining();
    const hmac = proof(peer, answer);
    peer.send({ join: { hmac } }).expect({ flags: 'A' });
    const other = new Peer(bench, { session: peer.session, path: 1, port: 30002, ts: true });
    other.send({ flags: 'S' }).expect({ flags: 'SA' });
    other.send({ join: { hmac } }).expect({ flags: 'R', reset: { reason: 1 } });
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(2);
  });

  it('a connection that has ended meanwhile is not joined', async () => {
    const { bench, peer, answer } = await joining();
    bench.app.live.abort();
    bench.settle();
    peer.send({ join: { hmac: proof(peer, answer) } }).expect({ flags: 'R', reset: { reason: 1 } });
    expect(bench.counter('MPJoinNoTokenFound')).to.equal(1);
  });
});
