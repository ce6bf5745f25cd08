/** Explicit Congestion Notification (RFC 3168), and the type of service that it shares an octet with. */
import { expect } from 'chai';
import { CFG_CC_SINGLE, CFG_ECN, CFG_SYN_COOKIES, OPT_TOS } from '../../assembly/abi.js';
import { CC_RENO } from '../../assembly/cc/ids.js';
import { Bench, type BenchOptions } from './bench.js';
import { joinHmac } from './crypto.js';
import { Peer, stackToken, type Fields, type PeerOptions, type Seen } from './peer.js';

const ASK: [number, number] = [CFG_ECN, 1];
const NEVER: [number, number] = [CFG_ECN, 0];
const [NOT_ECT, ECT1, ECT0, CE] = [0, 1, 2, 3];
const MSS = 1424;

/** A connection that the peer opened with ECE and CWR. */
async function listening(options: BenchOptions = {}, peerOptions: PeerOptions = {}): Promise<[Bench, Peer]> {
  const bench = await Bench.create({ paths: 2, ...options });
  bench.listen();
  const peer = new Peer(bench, peerOptions);
  peer.send({ flags: 'SEC', capable: {} }).expect({ flags: 'SAE' });
  peer.send({ capable: { sender: peer.session.key, receiver: peer.session.stackKey } });
  return [bench, peer];
}

/** Octets that are in flight, all of them new. */
const flight = (seen: readonly Seen[]): number => seen.reduce((sum, { length }) => sum + length, 0);

describe('packets: agreeing on ECN', () => {
  it('a SYN with ECE and CWR is answered with ECE, on packets that are not capable themselves', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).send({ flags: 'SEC', capable: {} });
    peer.expect({ flags: 'SAE', tos: NOT_ECT });
    peer.expectAfter(1e6, { flags: 'SAE' });
    peer.send({ capable: { sender: peer.session.key, receiver: peer.session.stackKey } });
    expect(bench.app.live.liveSubflows()[0]?.ecn).to.equal(true);
  });

  for (const [what, config, fields] of [
    ['without both bits', [], { flags: 'S' }],
    ['with ECE alone', [], { flags: 'SE' }],
    ['with CWR alone', [], { flags: 'SC' }],
    ['on a packet that claims to be capable', [], { flags: 'SEC', tos: ECT0 }],
    ['where it is switched off', [NEVER], { flags: 'SEC' }],
  ] as [string, [number, number][], Fields][]) {
    it(`not with a SYN ${what}`, async () => {
      const bench = await Bench.create({ config });
      bench.listen();
      const peer = new Peer(bench).send(fields).expect({ flags: 'SA' });
      expect(peer.tos).to.equal(NOT_ECT);
      new Peer(bench).send({ seq: 1, ack: 1 });
    });
  }

  it('the stack asks when it is told to, and not otherwise', async () => {
    const bench = await Bench.create({ config: [ASK] });
    bench.connect();
    new Peer(bench).takeSyn({ flags: 'SEC', tos: NOT_ECT });
    const quiet = await Bench.create();
    quiet.connect();
    new Peer(quiet).takeSyn({ flags: 'S' });
  });

  for (const [flags, agreed] of [
    ['SAE', true],
    ['SA', false],
    ['SAEC', false],
    ['SAC', false],
  ] as const) {
    it(`an answer ${flags} ${agreed ? 'agrees' : 'does not'}`, async () => {
      const bench = await Bench.create({ config: [ASK] });
      bench.connect();
      const peer = new Peer(bench);
      peer.takeSyn();
      peer.send({ flags, capable: { sender: peer.session.key } }).expect({ flags: 'A', tos: NOT_ECT });
      expect(bench.app.live.liveSubflows()[0]?.ecn).to.equal(agreed);
      bench.app.write('hello');
      peer.expect({ data: 'hello', tos: agreed ? ECT0 : NOT_ECT });
    });
  }

  it('a SYN that is sent again asks no more', async () => {
    const bench = await Bench.create({ config: [ASK] });
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn({ flags: 'SEC' });
    peer.expectAfter(1e6, { flags: 'S' });
    peer.send({ flags: 'SA', capable: { sender: peer.session.key } }).expect({ flags: 'A' });
    expect(bench.app.live.liveSubflows()[0]?.ecn).to.equal(false);
  });

  it('each subflow agrees for itself', async () => {
    const bench = await Bench.create({ paths: 2, config: [ASK] });
    bench.connect();
    const first = new Peer(bench);
    first.takeSyn();
    first.send({ flags: 'SA', capable: { sender: first.session.key } });
    first.session.stackKey = first.expect({ flags: 'A' }).capable?.sender ?? 0n;
    first.acknowledge();
    bench.join(1);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 5000 });
    const nonce = peer.takeSyn({ flags: 'SEC' }).join?.nonce ?? 0;
    const hmac = joinHmac(peer.session.key, peer.session.stackKey, 99, nonce).toString('hex', 0, 8);
    peer.send({ flags: 'SAE', join: { id: 7, hmac, nonce: 99 } }).expect({ flags: 'A' });
    expect(bench.app.live.liveSubflows().map(({ ecn }) => ecn)).to.deep.equal([false, true]);
    const [listener, opener] = await listening();
    new Peer(listener, { session: opener.session, path: 1, port: 30001 })
      .send({ flags: 'SEC', join: { token: stackToken(opener.session), nonce: 1 } })
      .expect({ flags: 'SAE' });
  });

  it('a SYN cookie brings it back with the timestamp, and gives it up without', async () => {
    for (const ts of [true, false]) {
      const bench = await Bench.create({ config: [[CFG_SYN_COOKIES, 2]] });
      bench.listen();
      const peer = new Peer(bench, { ts }).send({ flags: 'SEC', capable: {} });
      peer.expect({ flags: ts ? 'SAE' : 'SA' });
      peer.send({ capable: { sender: peer.session.key, receiver: peer.session.stackKey } });
      expect(bench.app.live.liveSubflows()[0]?.ecn).to.equal(ts);
    }
  });

  it('not on a path where marks would not be seen', async () => {
    const bench = await Bench.create({ hidesEcn: true, config: [ASK] });
    bench.listen();
    new Peer(bench).send({ flags: 'SEC' }).expect({ flags: 'SA' });
    bench.connect();
    new Peer(bench).takeSyn({ flags: 'S' });
  });

  it('IPv6', async () => {
    const bench = await Bench.create({ ipv6: true });
    bench.listen();
    const peer = new Peer(bench).send({ flags: 'SEC' });
    peer.expect({ flags: 'SAE', tos: NOT_ECT });
    peer.send();
    bench.app.write('hello');
    peer.expect({ data: 'hello', tos: ECT0 });
    peer.send({ flags: 'PA', data: 'x', tos: CE }).expect({ flags: 'AE' });
  });
});

describe('packets: a mark on what the stack receives', () => {
  it('is told with every ACK and segment until the peer says CWR', async () => {
    const [bench, peer] = await listening();
    peer.data('one', {}, { tos: ECT0 });
    bench.wait(50_000);
    for (const { flags } of peer.drain()) expect(flags).to.equal('A');
    peer.data('two', {}, { tos: CE }).expect({ flags: 'AE', ack: 7, tos: NOT_ECT });
    peer.data('three', {}, { tos: ECT0 });
    bench.wait(50_000);
    for (const { flags } of peer.drain()) expect(flags).to.equal('AE');
    bench.app.write('answer');
    peer.expect({ flags: 'PAE', data: 'answer' });
    peer.data('four', {}, { flags: 'PAC', tos: ECT0 }).expect({ flags: 'A' });
    expect(bench.counter('InCEPkts')).to.equal(1);
  });

  it('is acknowledged at once, out of order as well', async () => {
    const [bench, peer] = await listening();
    for (let i = 0; i < 20; i++) {
      peer.data('x');
      bench.wait(50_000);
      peer.drain();
    }
    peer.data('w');
    bench.app.write('answer');
    peer.drain();
    peer.data('y', {}, { tos: ECT0 });
    peer.expectNothing(); // the next answer may come along
    bench.wait(50_000);
    peer.drain();
    peer.data('z', {}, { tos: CE }).expect({ flags: 'AE' });
    peer.data('later', { dsn: 40, ssn: 40 }, { seq: 40, tos: CE }).expect({ flags: 'AE', sack: [[40, 45]] });
  });

  it('counts in the segment that says CWR, too', async () => {
    const [, peer] = await listening();
    peer.data('one', {}, { tos: CE }).expect({ flags: 'AE' });
    peer.data('two', {}, { flags: 'PAC', tos: CE }).expect({ flags: 'AE' });
    peer.data('three', {}, { flags: 'PAC', tos: ECT1 }).expect({ flags: 'A' });
  });

  it('means nothing where ECN was not agreed on', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).openPlain();
    peer.send({ flags: 'PA', data: 'x', tos: CE }).expect({ flags: 'A' });
  });
});

describe('packets: a mark on what the stack sends', () => {
  const RENO: [number, number] = [CFG_CC_SINGLE, CC_RENO];

  it('new data is capable, acknowledgements and what is sent again are not', async () => {
    const [bench, peer] = await listening();
    bench.app.write('hello');
    peer.expect({ data: 'hello', tos: ECT0 });
    bench.wait(1e6);
    const again = peer.drain();
    expect(again).to.not.have.lengthOf(0);
    for (const { tos } of again) expect(tos).to.equal(NOT_ECT);
    peer.acknowledge();
    peer.data('x').expect({ flags: 'A', tos: NOT_ECT });
  });

  it('reduces the window as a loss does, once, and says so with the next new data', async () => {
    const [bench, peer] = await listening({ config: [RENO] });
    bench.app.write('x'.repeat(100_000));
    const first = peer.drain();
    expect(flight(first)).to.be.closeTo(10 * MSS, 2 * MSS);
    const before = bench.app.live.liveSubflows()[0]?.cwnd ?? 0;
    const sent: Seen[] = [];
    // One segment after the other is acknowledged, each time with ECE.
    for (const { seq, length } of first) {
      peer.send({ flags: 'AE', ack: seq + length, dss: { dack: seq + length } });
      sent.push(...peer.drain());
    }
    const { ssthresh = 0 } = bench.app.live.liveSubflows()[0] ?? {};
    expect(ssthresh).to.be.within(before / 2 - 1, before / 2 + 1);
    expect(sent.map(({ flags }) => flags.includes('C')).indexOf(true), 'first new data').to.equal(0);
    expect(sent.filter(({ flags }) => flags.includes('C'))).to.have.lengthOf(1);
    expect(bench.counter('RetransSegs')).to.equal(0);
    // The next round trip brings the window to ssthresh, and out of the reduction.
    for (const { seq, length } of sent) peer.send({ ack: seq + length, dss: { dack: seq + length } });
    expect(bench.app.live.liveSubflows()[0]?.cwnd).to.be.within(ssthresh, ssthresh + 1);
    // A mark of this round trip counts again.
    const [next] = peer.drain();
    peer.send({ flags: 'AE', ack: (next?.seq ?? 0) + (next?.length ?? 0) });
    expect(bench.app.live.liveSubflows()[0]?.ssthresh).to.be.below(ssthresh);
  });

  it('and a loss in the same round trip reduces no further', async () => {
    const [bench, peer] = await listening({ config: [RENO] });
    bench.app.write('x'.repeat(100_000));
    const first = peer.drain();
    const [one, , three, four, five] = first.map(({ seq, length }) => seq + length);
    peer.send({ flags: 'AE', ack: one ?? 0 });
    const { ssthresh } = bench.app.live.liveSubflows()[0] ?? {};
    for (const end of [three, four, five]) {
      peer.send({ flags: 'AE', ack: one ?? 0, sack: [[(one ?? 0) + MSS, end ?? 0]] });
    }
    bench.wait(50_000);
    expect(bench.counter('TCPSackRecovery')).to.equal(1);
    expect(bench.app.live.liveSubflows()[0]?.ssthresh).to.equal(ssthresh);
  });

  it('ECE with nothing in flight means nothing', async () => {
    const [bench, peer] = await listening();
    bench.app.write('x');
    peer.drain();
    peer.acknowledge();
    const before = bench.app.live.liveSubflows()[0]?.ssthresh;
    peer.send({ flags: 'AE' });
    expect(bench.app.live.liveSubflows()[0]?.ssthresh).to.equal(before);
  });

  it('ECE means nothing where ECN was not agreed on', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    bench.app.write('x'.repeat(30_000));
    const before = bench.app.live.liveSubflows()[0]?.ssthresh;
    const [first] = peer.drain();
    peer.send({ flags: 'AE', ack: (first?.seq ?? 0) + (first?.length ?? 0) });
    expect(bench.app.live.liveSubflows()[0]?.ssthresh).to.equal(before);
    bench.app.write('y');
    for (const { tos, flags } of peer.drain()) {
      expect(tos).to.equal(NOT_ECT);
      expect(flags).to.not.include('C');
    }
  });

  it('a timeout is told with CWR as well', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench, { sackOk: false }).send({ flags: 'SEC' });
    peer.expect({ flags: 'SAE' });
    peer.send();
    bench.app.write('x'.repeat(2000));
    expect(peer.drain().map(({ tos }) => tos)).to.deep.equal([ECT0, ECT0]);
    peer.send({ ack: 1461 });
    bench.wait(1e6);
    const again = peer.drain();
    expect(again).to.not.have.lengthOf(0);
    for (const { flags, tos } of again) expect({ flags, tos }).to.deep.equal({ flags: 'PA', tos: NOT_ECT });
    peer.send({ ack: 2001 });
    bench.app.write('new');
    peer.expect({ data: 'new', flags: 'PAC', tos: ECT0 });
  });
});

describe('packets: type of service', () => {
  it('is that of the connection on every packet, from the SYN on', async () => {
    const bench = await Bench.create({ config: [ASK] });
    bench.open(bench.app, { settings: [[OPT_TOS, 0xb8 | 3]] });
    const peer = new Peer(bench);
    peer.takeSyn({ tos: 0xb8 });
    peer.send({ flags: 'SAE', capable: { sender: peer.session.key } }).expect({ tos: 0xb8 });
    bench.app.write('hello');
    peer.expect({ data: 'hello', tos: 0xb8 | ECT0 });
    bench.app.live.setOption(OPT_TOS, 0x20);
    bench.app.write('hello');
    bench.wait(1e6);
    for (const { tos } of peer.drain()) expect(tos & 0xfc).to.equal(0x20);
  });

  it('of a listener is that of its connections and their answers, and of joins', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen(5000, [[OPT_TOS, 0x48]]);
    const peer = new Peer(bench).send({ flags: 'S', capable: {} });
    peer.expect({ flags: 'SA', tos: 0x48 });
    peer.send({ capable: { sender: peer.session.key, receiver: peer.session.stackKey } });
    peer.data('x').expect({ tos: 0x48 });
    new Peer(bench, { session: peer.session, path: 1, port: 30001 })
      .send({ flags: 'S', join: { token: stackToken(peer.session), nonce: 1 } })
      .expect({ flags: 'SA', tos: 0x48 });
  });
});
