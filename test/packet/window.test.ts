/** The shared window and data-level retransmission: points 14 and 15 of what a Linux peer expects. */
import { expect } from 'chai';
import { CFG_RCVBUF_MAX } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

const accepted = async (options: { window?: number; scale?: number } = {}): Promise<Peer> => {
  const bench = await Bench.create();
  bench.connect();
  return new Peer(bench, options).acceptFully();
};

describe('packets: the window of the connection', () => {
  it('point 14: is counted from DATA_ACK, whatever the subflow has acknowledged', async () => {
    const peer = await accepted({ scale: 0, window: 3000 });
    peer.bench.app.write('a'.repeat(8000));
    const sizes = peer.drain().map(({ length }) => length);
    expect(sizes).to.deep.equal([1436, 1436, 128]);
    // The subflow acknowledged, the data level not: the edge stays.
    peer.send({ dss: { dack: 1 } });
    peer.expectNothing(1000);
    peer.send({ dss: { dack: 1437 } });
    expect(peer.drain().map(({ length }) => length)).to.deep.equal([1436]);
  });

  it('point 14: the right edge is the largest seen; a later, smaller one does not move it back', async () => {
    const peer = await accepted({ scale: 0, window: 3000 });
    const { app } = peer.bench;
    peer.send({ dss: { dack: 1 }, window: 500 });
    app.live.setNoDelay(true);
    app.write('a'.repeat(500));
    peer.expect({ length: 500 });
    // Two subflows share the edge: a window of 500 beside an old DATA_ACK takes nothing back.
    peer.send({ dss: { dack: 501 }, window: 3000 });
    peer.send({ dss: { dack: 501 }, window: 3000 });
    app.write('b'.repeat(3000));
    expect(peer.drain().reduce((sum, { length }) => sum + length, 0)).to.equal(3000);
  });

  it('point 14: a subflow with an older edge advertises the newest one', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const first = new Peer(bench).open();
    first.data('hello').expect({ dss: { dack: 6 } });
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    let edge = 0;
    for (let i = 0; i < 20; i++) {
      const peer = i % 3 === 0 ? first : second;
      peer.data('x'.repeat(1000));
      for (const seen of peer.drain()) {
        const now = (seen.dss?.dack ?? 0) + seen.window * 128;
        expect(now, 'right edge').to.be.at.least(edge - 127);
        edge = Math.max(edge, now);
      }
    }
  });

  it('point 14: data beyond the edge is acknowledged by the subflow and dropped at the data level', async () => {
    const bench = await Bench.create({ config: [[CFG_RCVBUF_MAX, 65536]] });
    bench.listen();
    bench.app.reading = false;
    const peer = new Peer(bench).open();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.data('beyond', { dsn: 100_000 }).expect({ ack: 12, dss: { dack: 6 } });
    peer.data('inside', { dsn: 6 }).expect({ ack: 18, dss: { dack: 12 } });
  });

  it('point 14: a one-octet probe with an old DSN is a duplicate that is answered', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.data('o', { dsn: 5, ssn: 6 }).expect({ ack: 7, dss: { dack: 6 } });
    expect(bench.app.text).to.equal('hello');
  });

  it('point 14: a closed window closes, and opens again when the application reads', async () => {
    const bench = await Bench.create({ config: [[CFG_RCVBUF_MAX, 8192]] });
    bench.listen();
    bench.app.reading = false;
    const peer = new Peer(bench).open();
    for (let i = 0; i < 8; i++) peer.data('x'.repeat(1024));
    bench.wait(50_000); // with a small window few acknowledgements go at once
    expect(peer.drain().at(-1)).to.containSubset({ window: 0, dss: { dack: 8193 } });
    // A probe of the closed window is answered with the same window.
    peer.send({ seq: peer.seq - 1, dss: { dack: 1 } });
    peer.expect({ window: 0, dss: { dack: 8193 } });
    bench.app.reading = true;
    bench.app.onReadable();
    const update = peer.expect({ length: 0 });
    expect(update.window).to.be.above(0);
  });

  it('point 14: our data waits at a zero window and probes it', async () => {
    const peer = await accepted();
    peer.send({ window: 0, dss: { dack: 1 } });
    const { app } = peer.bench;
    // The edge of the handshake still stands; fill it.
    const fresh = await accepted({ scale: 0, window: 1000 });
    fresh.bench.app.write('a'.repeat(1500));
    fresh.expect({ length: 1000 });
    fresh.send({ window: 0, dss: { dack: 1001 } });
    fresh.expectAfter(200_000, { seq: 1000, length: 0 }, 50_000);
    fresh.send({ window: 0, dss: { dack: 1001 } });
    fresh.expectAfter(400_000, { seq: 1000, length: 0 }, 100_000);
    fresh.send({ window: 1000, dss: { dack: 1001 } });
    expect(fresh.drain().find(({ length }) => length > 0)?.length).to.equal(500);
    expect(app.closed).to.equal(false);
  });
});

describe('packets: data-level retransmission', () => {
  it('point 15: data that only the subflow acknowledged is sent again with the same DSN and a new SSN', async () => {
    const peer = await accepted();
    peer.bench.app.write('hello');
    peer.expect({ data: 'hello', dss: { dsn: 1, ssn: 1 } });
    peer.send({ dss: { dack: 1 } });
    peer.expectAfter(200_000, { data: 'hello', seq: 6, dss: { dsn: 1, ssn: 6, length: 5 } }, 50_000);
    peer.send({ dss: { dack: 6 } });
    expect(peer.bench.counter('MPTCPRetrans')).to.equal(1);
    expect(peer.bench.app.live.info().bytesAcked).to.equal(5);
  });

  it('point 15: a timeout moves the data to the other subflow, while the first repeats its own octets', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const first = new Peer(bench).open();
    bench.wait(20_000);
    first.data('hi').expect({ dss: { dack: 3 } });
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    bench.wait(5_000);
    second.acknowledge();
    bench.app.write('hello');
    const carrier = first.next() === null ? second : first;
    const other = carrier === first ? second : first;
    bench.wait(1e6);
    const moved = other.drain().find(({ length }) => length > 0);
    expect(moved).to.containSubset({ data: 'hello', dss: { dsn: 1, ssn: 1, length: 5 } });
    const repeated = carrier.drain().filter(({ length }) => length > 0);
    expect(repeated.length).to.be.above(0);
    for (const seen of repeated)
      expect(seen).to.containSubset({ seq: 1, data: 'hello', dss: { dsn: 1, ssn: 1 } });
  });

  it('point 15: a repetition on the subflow has its old mapping even when another path delivered the data', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const first = new Peer(bench).open();
    bench.wait(20_000);
    first.data('hi').expect({ dss: { dack: 3 } });
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    second.acknowledge();
    bench.app.write('hello');
    const carrier = first.next() === null ? second : first;
    const other = carrier === first ? second : first;
    bench.wait(500_000);
    other.drain();
    carrier.drain();
    other.send({ dss: { dack: 6 } });
    bench.wait(5e6);
    const repeated = carrier.drain().filter(({ length }) => length > 0);
    expect(repeated.length).to.be.above(0);
    for (const seen of repeated)
      expect(seen).to.containSubset({ seq: 1, data: 'hello', dss: { dsn: 1, ssn: 1 } });
  });
});
