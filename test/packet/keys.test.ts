/** Keys: one of their own for every connection, and nowhere but on the wire. */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { Peer, Session } from './peer.js';

/** The same eight octets for ever: every key is the one before. */
const STUCK = { fill: (target: Uint8Array): void => void target.fill(0x5a) };

describe('packets: keys', () => {
  it('a key whose token another connection has is not taken: plain TCP after four draws', async () => {
    const bench = await Bench.create({ random: STUCK });
    bench.listen();
    const first = new Peer(bench).open();
    expect(first.session.stackKey).to.equal(0x5a5a5a5a5a5a5a5an);
    const second = new Peer(bench, { port: 30001, session: new Session(2n) });
    second.send({ flags: 'S', capable: {} }).expect({ flags: 'SA', capable: null });
    expect(bench.counter('MPFallbackTokenInit')).to.equal(1);
    bench.connect();
    new Peer(bench).takeSyn({ capable: null });
    expect(bench.counter('MPFallbackTokenInit')).to.equal(2);
    // The first one is as it was.
    first.data('hello').expect({ dss: { dack: 6 } });
  });

  it('neither key shows in figures, events, counters or errors', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const first = new Peer(bench).open();
    first.data('hello').expect({ dss: { dack: 6 } });
    new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    const seen: unknown[] = [bench.app.live.info(), bench.stack.counters()];
    first.send({ fastclose: first.session.stackKey });
    expect(bench.app.closed).to.equal(true);
    const { error, events } = bench.app;
    seen.push(bench.app.live.info(), bench.stack.counters(), events, error?.message, error?.stack);
    const text = JSON.stringify(seen).toLowerCase();
    for (const key of [first.session.key, first.session.stackKey]) {
      const hex = key.toString(16).padStart(16, '0');
      const reversed = Buffer.from(hex, 'hex').reverse().toString('hex');
      for (const form of [hex, reversed, key.toString(10)]) expect(text).to.not.include(form);
    }
  });
});
