/** Plain TCP: retransmission, recovery, ACK policy, Nagle, probes, window scale, MSS, IPv6. */
import { expect } from 'chai';
import { CFG_SACK, CFG_TIMESTAMPS, CFG_WINDOW_SCALE } from '../../assembly/abi.js';
import { Bench, type BenchOptions } from './bench.js';
import { Peer, type PeerOptions } from './peer.js';

/** A plain connection with a round trip of 20 ms, the application ready to write. */
async function opened(options: PeerOptions = {}, bench_: BenchOptions = {}): Promise<Peer> {
  const bench = await Bench.create(bench_);
  bench.listen();
  const peer = new Peer(bench, options).send({ flags: 'S' });
  peer.expect({ flags: 'SA' });
  bench.wait(20_000);
  return peer.send();
}
const MSS = 1460;
const write = (peer: Peer, octets: number): void => {
  peer.bench.app.live.setNoDelay(true);
  peer.bench.app.write('x'.repeat(octets));
};

describe('packets: retransmission', () => {
  it('the timeout has a floor of 200 ms above the round trip and doubles', async () => {
    const peer = await opened({ sackOk: null });
    write(peer, 100);
    peer.expect({ seq: 1, length: 100 });
    for (const gap of [220e3, 440e3, 880e3, 1760e3]) peer.expectAfter(gap, { seq: 1, length: 100 }, 5000);
    expect(peer.bench.counter('TCPTimeouts')).to.equal(4);
  });

  it('with SACK a tail loss probe comes first, then the timeout', async () => {
    const peer = await opened();
    write(peer, 3 * MSS);
    peer.drain();
    // Several in flight: two round trips.
    peer.expectAfter(48e3, { seq: 1 + 2 * MSS, length: MSS }, 3000);
    expect(peer.bench.counter('TCPLossProbes')).to.equal(1);
    peer.expectAfter(220e3, { seq: 1, length: MSS }, 30_000);
    expect(peer.bench.counter('TCPTimeouts')).to.equal(1);
  });

  it('gives up after 15 timeouts', async () => {
    const peer = await opened();
    write(peer, 100);
    peer.bench.wait(900e6);
    expect(peer.bench.app.closed).to.equal(false);
    peer.bench.wait(300e6);
    expect(peer.bench.app.error?.code).to.equal('ETIMEDOUT');
  });

  it('begins with ten segments (RFC 6928), with one after SYN/ACK was lost twice, as on Linux', async () => {
    const peer = await opened();
    write(peer, 20 * MSS);
    expect(peer.drain()).to.have.lengthOf(10);
    const bench = await Bench.create();
    bench.listen();
    const late = new Peer(bench).send({ flags: 'S' });
    late.expect({ flags: 'SA' });
    late.expectAfter(1e6, { flags: 'SA' });
    late.expectAfter(2e6, { flags: 'SA' });
    late.send();
    write(late, 20 * MSS);
    expect(late.drain()).to.have.lengthOf(1);
  });

  it('SACK: the hole is sent again at once when the window of reordering is over', async () => {
    const peer = await opened();
    write(peer, 8 * MSS);
    peer.drain();
    peer.bench.wait(20_000);
    peer.send({ ack: 1, sack: [[1 + MSS, 1 + 4 * MSS]] });
    const again = peer.drain().filter(({ length }) => length > 0);
    expect(again[0]).to.containSubset({ seq: 1, length: MSS });
    expect(peer.bench.counter('TCPSackRecovery')).to.equal(1);
  });

  it('NewReno without SACK: third duplicate ACK, then one hole per partial ACK', async () => {
    const peer = await opened({ sackOk: null });
    write(peer, 8 * MSS);
    peer.drain();
    peer.bench.wait(20_000);
    peer.send({ ack: 1 });
    peer.send({ ack: 1 });
    expect(peer.drain().filter(({ seq }) => seq === 1)).to.deep.equal([]);
    peer.send({ ack: 1 });
    expect(peer.drain()[0]).to.containSubset({ seq: 1, length: MSS });
    peer.send({ ack: 1 + 3 * MSS });
    expect(peer.drain()[0]).to.containSubset({ seq: 1 + 3 * MSS, length: MSS });
    peer.send({ ack: 1 + 8 * MSS });
    expect(peer.drain()).to.deep.equal([]);
    expect(peer.bench.counter('TCPRenoRecovery')).to.equal(1);
    expect(peer.bench.counter('TCPTimeouts')).to.equal(0);
  });

  it('an ACK with data or with another window is no duplicate', async () => {
    const peer = await opened({ sackOk: null });
    write(peer, 8 * MSS);
    peer.drain();
    for (let i = 0; i < 4; i++) peer.send({ flags: 'PA', ack: 1, data: 'x' });
    for (let i = 0; i < 4; i++) peer.send({ ack: 1, window: 60_000 + i });
    expect(peer.bench.counter('TCPRenoRecovery')).to.equal(0);
  });

  it('the timestamp echo shows a spurious timeout, which is undone', async () => {
    const peer = await opened({ ts: true, sackOk: null });
    write(peer, 4 * MSS);
    const [first] = peer.drain();
    const before = peer.bench.app.live.liveSubflows()[0]?.cwnd ?? 0;
    peer.bench.wait(230_000);
    expect(peer.bench.counter('TCPTimeouts')).to.equal(1);
    peer.drain();
    peer.send({ ack: 1 + MSS, ts: [peer.clock, first?.ts?.[0] ?? 0] });
    expect(peer.bench.counter('TCPLossUndo')).to.equal(1);
    expect(peer.bench.app.live.liveSubflows()[0]?.cwnd).to.be.at.least(before);
  });
});

describe('packets: acknowledgements', () => {
  it('quick at first, later every second segment or after 40 ms', async () => {
    const peer = await opened();
    const segment = 'y'.repeat(MSS);
    for (let i = 0; i < 20; i++) peer.send({ data: segment });
    peer.bench.wait(100_000);
    peer.drain();
    peer.send({ data: segment }).expectNothing(39_000);
    peer.expectAfter(1000, { ack: peer.seq }, 1500);
    peer.send({ data: segment });
    expect(peer.drain()).to.deep.equal([]);
    peer.send({ data: segment }).expect({ ack: peer.seq });
    expect(peer.bench.counter('DelayedACKs')).to.be.above(0);
  });

  it('at once for octets out of order, with SACK, and when the hole is filled', async () => {
    const peer = await opened();
    peer.send({ seq: 11, data: 'bbbbb' }).expect({ ack: 1, sack: [[11, 16]] });
    peer.send({ seq: 21, data: 'ddddd' }).expect({
      ack: 1,
      sack: [
        [21, 26],
        [11, 16],
      ],
    });
    peer.send({ seq: 1, data: 'aaaaaaaaaa' }).expect({ ack: 16, sack: [[21, 26]] });
    peer.send({ seq: 16, data: 'ccccc' }).expect({ ack: 26, sack: null });
    expect(peer.bench.app.text).to.equal('aaaaaaaaaabbbbbcccccddddd');
  });

  it('a duplicate is reported by D-SACK (RFC 2883)', async () => {
    const peer = await opened();
    peer.send({ data: 'hello' }).expect({ ack: 6 });
    peer.send({ seq: 1, data: 'hello' }).expect({ ack: 6, sack: [[1, 6]] });
    expect(peer.bench.counter('TCPDSACKOldSent')).to.equal(1);
  });

  it('a keepalive probe of the peer is answered', async () => {
    const peer = await opened();
    peer.send({ seq: 0 }).expect({ flags: 'A', seq: 1, ack: 1 });
  });
});

describe('packets: when to send', () => {
  it('Nagle holds a short segment while data is in flight; NODELAY does not', async () => {
    const peer = await opened();
    peer.bench.app.write('a');
    peer.expect({ data: 'a' });
    peer.bench.app.write('b');
    peer.bench.app.write('c');
    expect(peer.drain()).to.deep.equal([]);
    peer.send({ ack: 2 }).expect({ data: 'bc' });
    peer.bench.app.live.setNoDelay(true);
    peer.bench.app.write('d');
    peer.expect({ data: 'd' });
  });

  it('the end of the stream is not held by Nagle and rides on the last segment', async () => {
    const peer = await opened();
    peer.bench.app.write('a');
    peer.expect({ data: 'a' });
    peer.bench.app.write('b');
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'FPA', data: 'b' });
  });

  it('probes a zero window with back-off and goes on when it opens', async () => {
    const peer = await opened({ scale: 0, window: 1000 });
    write(peer, 1500);
    // A small segment is the probe timer's; silly windows are not filled before.
    peer.expectAfter(200e3, { flags: 'PA', length: 1000 }, 20e3);
    peer.send({ ack: 1001, window: 0 });
    for (const gap of [220e3, 440e3, 880e3]) {
      peer.expectAfter(gap, { seq: 1000, length: 0 }, gap / 4);
      peer.send({ ack: 1001, window: 0 });
    }
    expect(peer.bench.counter('TCPWinProbe')).to.equal(3);
    peer.send({ ack: 1001, window: 1000 }).expect({ seq: 1001, length: 500 });
  });

  it('keepalive: after two hours, every 75 seconds, nine times, then a reset', async () => {
    const peer = await opened();
    peer.bench.app.live.setKeepAlive(true);
    peer.expectAfter(7200e6, { seq: 0, length: 0 }, 1e6);
    peer.send();
    peer.expectAfter(7200e6, { seq: 0 }, 80e6);
    for (let i = 1; i < 9; i++) peer.expectAfter(75e6, { seq: 0 });
    peer.expectAfter(75e6, { flags: 'RA' });
    expect(peer.bench.app.error?.code).to.equal('ETIMEDOUT');
  });
});

describe('packets: what SYNs agree on', () => {
  it('window scale: only when both have it, unscaled on SYNs, at most 14', async () => {
    const scaled = await opened({ scale: 15, window: 1 });
    write(scaled, 15 * MSS);
    expect(scaled.drain().length).to.be.above(5); // 1 << 14
    const none = await opened({ scale: null, window: 2 * MSS });
    write(none, 15 * MSS);
    expect(none.drain()).to.have.lengthOf(2);
    none.send({ flags: 'PA', data: 'x' });
    const seen = none.drain().at(-1);
    expect(seen?.window).to.be.above(60_000);
    const off = await Bench.create({ config: [[CFG_WINDOW_SCALE, 0]] });
    off.listen();
    new Peer(off).send({ flags: 'S' }).expect({ flags: 'SA', scale: null });
  });

  it('SACK and timestamps go unoffered when the peer or the configuration lacks them', async () => {
    const bench = await Bench.create({
      config: [
        [CFG_SACK, 0],
        [CFG_TIMESTAMPS, 0],
      ],
    });
    bench.connect();
    new Peer(bench).takeSyn({ sackOk: null, ts: null });
    const bare = await Bench.create();
    bare.listen();
    new Peer(bare, { sackOk: null, scale: null })
      .send({ flags: 'S' })
      .expect({ sackOk: null, scale: null, ts: null });
  });

  for (const [mtu, ipv6, mss] of [
    [1500, false, 1460],
    [9000, false, 8960],
    [1280, true, 1220],
    [1500, true, 1440],
  ] as const) {
    it(`MSS ${String(mss)} for an MTU of ${String(mtu)} with IPv${ipv6 ? '6' : '4'}, never less for options`, async () => {
      const bench = await Bench.create({ mtu, ipv6 });
      bench.connect();
      new Peer(bench).takeSyn({ mss });
    });
  }

  it('without an MSS from the peer: 536 octets with IPv4, 1220 with IPv6', async () => {
    const v4 = await opened({ mss: null });
    write(v4, 5000);
    expect(v4.next()?.length).to.equal(536);
    const v6 = await opened({ mss: null }, { ipv6: true });
    write(v6, 5000);
    expect(v6.next()?.length).to.equal(1220);
  });

  it('segments keep to the smaller of the MSS of the peer and the MTU of the path, less options', async () => {
    const peer = await opened({ mss: 1000, ts: true });
    write(peer, 5000);
    expect(peer.next()?.length).to.equal(988);
    const narrow = await opened({ mss: 8960 });
    write(narrow, 5000);
    expect(narrow.next()).to.containSubset({ packetLength: 1500, length: 1460 });
  });

  it('carries data both ways over IPv6', async () => {
    const peer = await opened({}, { ipv6: true });
    peer.send({ flags: 'PA', data: 'hello' }).expect({ ack: 6, source: 'fd00:1::1' });
    peer.bench.app.write('world');
    peer.expect({ data: 'world' });
  });

  it('a timeout is spurious when what it repeats had arrived (RFC 3522); an echo that stands still says so once', async () => {
    for (const [echoes, age, undone] of [
      ['what was sent first', 0, [1, 2]],
      ['something older: a middlebox takes our timestamps away', 40, [1, 1]],
      ['nothing: timestamps were not agreed', null, [0, 0]],
    ] as const) {
      const peer = await opened({ ts: age !== null });
      const { bench } = peer;
      bench.wait(50_000);
      let echo: number | null = null;
      for (const times of undone) {
        write(peer, 5000);
        const [first] = peer.drain();
        if (first === undefined) throw new Error('nothing was sent');
        bench.wait(echo === null ? 1.5e6 : 10e6); // the first timeout makes round trips look long
        if (echo === null || age === 0) echo = age === null ? 1 : (first.ts?.[0] ?? 0) - age;
        peer.drain();
        peer.send({ ack: first.seq + first.length, ts: [peer.clock, echo] });
        expect(bench.counter('TCPLossUndo'), echoes).to.equal(times);
        peer.drain();
        peer.send({ ack: first.seq + 5000, ts: [peer.clock, echo] });
      }
      expect(bench.counter('TCPTimeouts')).to.be.above(1);
    }
  });

  it('drops a segment with a wrong checksum', async () => {
    const peer = await opened();
    const { bench } = peer;
    peer.send({ flags: 'PA', data: 'good' });
    const packet = Buffer.from(
      '450000290000400040060000' + '0a000002' + '0a000001' + '75301388'.padEnd(40, '0') + '50',
      'hex',
    );
    bench.inject(0, packet);
    expect(bench.app.text).to.equal('good');
    expect(bench.counter('InErrs') + bench.counter('InCsumErrors')).to.equal(1);
  });
});
