/** SYNs with MP_CAPABLE that vanish: plain TCP after two, and the memory of it. And what flag C says and forbids. */
import { expect } from 'chai';
import {
  CFG_BLACKHOLE_TIMEOUT,
  CFG_DENY_JOIN,
  CFG_SYN_RETRANS_FALLBACK,
  OPT_MULTIPATH,
} from '../../assembly/abi.js';
import { App, Bench } from './bench.js';
import { Peer, Session, type Seen } from './peer.js';

const HOUR = 3600e6;
const MEMORY = 'SYNs with MP_CAPABLE were swallowed lately';

/** Opens; the peer has the SYN. */
function opened(bench: Bench, settings: [number, number][] = []): [App, Peer] {
  const app = new App();
  bench.device.sent.length = 0;
  bench.open(app, { settings });
  return [app, new Peer(bench, { session: new Session(7n) })];
}

/** Opens, and the peer refuses. The SYN. */
function tried(bench: Bench): Seen {
  const [, peer] = opened(bench);
  const syn = peer.takeSyn();
  peer.send({ flags: 'RA', ack: 1 });
  return syn;
}

/** A connection whose SYN is answered only when it goes without MP_CAPABLE. */
function swallowed(bench: Bench): App {
  const [app, peer] = opened(bench);
  const { seq } = peer.takeSyn({ capable: { flags: 1 } });
  peer.expectAfter(1e6, { flags: 'S', capable: { flags: 1 } });
  peer.expectAfter(1e6, { flags: 'S', seq, capable: { flags: 1 } });
  peer.expectAfter(1e6, { flags: 'S', seq, capable: null });
  peer.send({ flags: 'SA' }).expect({ flags: 'A', capable: null });
  return app;
}

describe('packets: a black hole for MP_CAPABLE', () => {
  it('the third repetition of a SYN goes without, with the same number, and plain TCP it is', async () => {
    const bench = await Bench.create();
    const app = swallowed(bench);
    expect(app.live.info()).to.containSubset({
      mptcp: false,
      fallback: 'SYN with MP_CAPABLE was not answered',
    });
    expect(bench.counter('MPCapableSYNTX')).to.equal(1);
    expect(bench.counter('MPCapableSYNTXDrop')).to.equal(1);
    expect(bench.counter('Blackhole')).to.equal(1);
    expect(bench.counter('MPCapableFallbackSYNACK')).to.equal(0);
  });

  it('for an hour openers do without, and for twice as long after the next time', async () => {
    const bench = await Bench.create();
    for (const [times, wait] of [
      [1, HOUR],
      [2, 2 * HOUR],
      [3, 4 * HOUR],
    ] as const) {
      swallowed(bench);
      const [app, peer] = opened(bench);
      peer.takeSyn({ capable: null });
      peer.send({ flags: 'SA' }).expect({ flags: 'A' });
      expect(app.live.info().fallback).to.equal(MEMORY);
      expect(bench.counter('MPCapableSYNTXDisabled')).to.equal(2 * times - 1);
      bench.wait(wait - 1e6);
      expect(tried(bench).capable).to.equal(null);
      bench.wait(2e6);
    }
  });

  it('at most 64 hours', async () => {
    const bench = await Bench.create();
    for (let i = 0; i < 8; i++) {
      swallowed(bench);
      bench.wait(64 * HOUR);
    }
    swallowed(bench);
    bench.wait(63 * HOUR);
    expect(tried(bench).capable).to.equal(null);
    bench.wait(2 * HOUR);
    expect(tried(bench).capable).to.not.equal(null);
  });

  it('a connection that gets through ends the memory', async () => {
    const bench = await Bench.create();
    swallowed(bench);
    bench.wait(HOUR);
    const [, peer] = opened(bench);
    peer.takeSyn();
    peer.send({ flags: 'SA', capable: { sender: 7n } }).expect({ flags: 'A' });
    swallowed(bench);
    bench.wait(HOUR + 1e6); // an hour again, not two
    opened(bench)[1].takeSyn({ capable: { flags: 1 } });
  });

  it('without the memory every connection tries', async () => {
    const bench = await Bench.create({ config: [[CFG_BLACKHOLE_TIMEOUT, 0]] });
    swallowed(bench);
    opened(bench)[1].takeSyn({ capable: { flags: 1 } });
    expect(bench.counter('Blackhole')).to.equal(0);
  });

  it('a peer that answers without MP_CAPABLE at once is no black hole', async () => {
    const bench = await Bench.create();
    const [, peer] = opened(bench);
    peer.takeSyn();
    peer.send({ flags: 'SA' }).expect({ flags: 'A' });
    expect(bench.counter('MPCapableFallbackSYNACK')).to.equal(1);
    opened(bench)[1].takeSyn({ capable: { flags: 1 } });
  });

  it('the number of tries can be set, and who asked for plain TCP is told so', async () => {
    const bench = await Bench.create({ config: [[CFG_SYN_RETRANS_FALLBACK, 1]] });
    const [, peer] = opened(bench);
    peer.takeSyn();
    peer.expectAfter(1e6, { flags: 'S', capable: { flags: 1 } });
    peer.expectAfter(1e6, { flags: 'S', capable: null });
    peer.send({ flags: 'SA' });
    const [app, plain] = opened(bench, [[OPT_MULTIPATH, 0]]);
    plain.takeSyn({ capable: null });
    plain.send({ flags: 'SA' });
    expect(app.live.info().fallback).to.equal('multipath is switched off here');
  });
});

describe('packets: flag C of MP_CAPABLE', () => {
  it('is on every form of the option when the host says so', async () => {
    const bench = await Bench.create({ config: [[CFG_DENY_JOIN, 1]] });
    bench.listen();
    new Peer(bench).send({ flags: 'S', capable: {} }).expect({ flags: 'SA', capable: { flags: 0x21 } });
    const [app, peer] = opened(bench);
    peer.takeSyn({ capable: { flags: 0x21 } });
    peer.send({ flags: 'SA', capable: { sender: 7n } }).expect({ flags: 'A', capable: { flags: 0x21 } });
    app.write('hello');
    peer.expect({ data: 'hello', capable: { flags: 0x21, length: 5 } });
  });
});
