/** A device that is full on one path holds back that path and nothing else; handlers that throw, too. */
import { expect } from 'chai';
import { CFG_SNDBUF_MAX } from '../../assembly/abi.js';
import { Bench, type App } from './bench.js';
import { dssChecksum } from './crypto.js';
import { Peer, type Seen } from './peer.js';

describe('packets: a device that is full', () => {
  async function twoPaths(paths = 2): Promise<[Bench, Peer, Peer]> {
    const bench = await Bench.create({ paths });
    bench.listen();
    const first = new Peer(bench).open();
    first.data('hello').expect({ dss: { dack: 6 } });
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    second.acknowledge();
    return [bench, first, second];
  }

  it('on one path leaves the other one working', async () => {
    const [bench, first, second] = await twoPaths();
    bench.device.full.add(1);
    bench.app.live.setNoDelay(true);
    for (let i = 0; i < 40; i++) bench.app.write('x'.repeat(1000));
    bench.settle();
    expect(first.drain()).to.deep.equal([]);
    let got = 0;
    for (let i = 0; i < 60; i++) {
      bench.wait(20_000);
      for (const { length, dss } of second.drain())
        if (length > 0) got = Math.max(got, (dss?.dsn ?? 0) + (dss?.length ?? 0));
      second.acknowledge({ dss: { dack: second.session.dack } });
    }
    expect(got, 'what was given to the full path comes over the other one').to.equal(40_001);
    second.acknowledge({ dss: { dack: 40_001 } });
    expect(bench.app.live.info().bytesAcked).to.equal(40_000);
  });

  it('for ever ends what waits behind it, as a path that loses everything does', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).openPlain();
    peer.send({ data: 'hello' });
    bench.device.full.add(1);
    bench.app.write('x'.repeat(1000));
    bench.wait(1200e6);
    expect(bench.app.error?.code).to.equal('ETIMEDOUT');
    expect(bench.stack.core.x.subflows()).to.equal(0);
  });

  it('for ever ends what waits behind it when the window has closed, too', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).openPlain();
    bench.app.write('x'.repeat(1000));
    peer.expect({ length: 1000 });
    bench.device.full.add(1);
    peer.send({ flags: 'A', ack: 1, window: 0 });
    bench.wait(1200e6);
    expect(bench.app.error?.code).to.equal('ETIMEDOUT');
    expect(bench.stack.core.x.subflows()).to.equal(0);
  });

  it('on two paths of three: the third carries what they owe, whatever it has probed for itself', async () => {
    const [bench, first] = await twoPaths(3);
    const third = new Peer(bench, { session: first.session, path: 2, port: 30002 }).joinNow();
    third.acknowledge();
    bench.device.full.add(1).add(2);
    const SIZE = 1_000_000;
    let written = 0;
    let dack = 1;
    const spans: [number, number][] = [];
    for (let i = 0; i < 200 && dack <= SIZE; i++) {
      for (let taken = 1; taken > 0 && written < SIZE;) written += taken = bench.app.write('x'.repeat(1000));
      bench.wait(100_000);
      const seen = third.drain().filter(({ length }) => length > 0);
      for (const { length, dss, seq } of seen) {
        const start = (dss?.dsn ?? 0) + seq - (dss?.ssn ?? 0);
        spans.push([start, start + length]);
      }
      spans.sort(([a], [b]) => a - b);
      for (const [start, end] of spans) if (start <= dack) dack = Math.max(dack, end);
      if (seen.length > 0) third.acknowledge({ dss: { dack } });
    }
    expect(dack).to.equal(written + 1);
  });

  it('gets what it refused, in order, before anything newer', async () => {
    const [bench, first] = await twoPaths();
    bench.device.full.add(1).add(2);
    bench.app.live.setNoDelay(true);
    for (let i = 0; i < 8; i++) bench.app.write(String(i).repeat(1000));
    bench.settle();
    bench.device.full.clear();
    bench.device.host?.writable();
    bench.settle();
    const sent = bench.device.sent.filter(({ path, data }) => path === 1 && data.length > 0);
    expect(sent.length).to.be.above(0);
    for (let i = 1; i < sent.length; i++)
      expect((sent[i]?.seq ?? 0) - (sent[i - 1]?.seq ?? 0)).to.be.above(0);
    expect(first.drain().length).to.be.above(0);
  });

  it('never sends other octets under old numbers, even after their room was given back', async () => {
    const bench = await Bench.create({ config: [[CFG_SNDBUF_MAX, 4096]] });
    bench.connect();
    const peer = new Peer(bench).acceptFully(0x81);
    const { app } = bench;
    app.live.setNoDelay(true);
    app.write('a'.repeat(1400));
    peer.expect({ length: 1400 });
    // The acknowledgement is late; the repetition waits for the device.
    bench.device.full.add(1);
    bench.wait(1e6);
    peer.send({ ack: 1401, dss: { dack: 1401 } });
    while (app.write('b'.repeat(1000)) > 0);
    bench.settle();
    bench.device.full.clear();
    bench.device.host?.writable();
    bench.settle();
    const old: Seen[] = [];
    for (const seen of peer.drain()) {
      if (seen.length === 0) continue;
      const dsn = peer.session.stackIdsn + BigInt(seen.dss?.dsn ?? 0);
      const data = Buffer.from(seen.data, 'latin1');
      if (seen.dss?.length === seen.length) {
        expect(seen.dss.checksum).to.equal(dssChecksum(dsn, seen.dss.ssn ?? 0, seen.length, data));
      }
      if (seen.seq < 1401) old.push(seen);
    }
    expect(old.length).to.be.above(0);
    for (const { data } of old) expect(data).to.match(/^a+$/);
  });

  it('keeps no more than a bounded number of packets', async () => {
    const [bench, first] = await twoPaths();
    bench.device.full.add(1).add(2);
    const before = bench.stack.core.x.memoryUsed();
    for (let i = 0; i < 5000; i++) first.data('hello', { dsn: 1, ssn: 1 }, { seq: 1 });
    expect(bench.stack.core.x.memoryUsed() - before).to.be.below(100_000);
    bench.device.full.clear();
    bench.device.host?.writable();
    bench.settle();
    expect(bench.device.sent.length).to.be.below(1100);
    first.drain();
    first.data('world');
    bench.wait(50_000);
    first.expect({ dss: { dack: 11 } });
  });
});

describe('packets: a handler that throws', () => {
  it('loses no event of another connection, nor its own later ones', async () => {
    const bench = await Bench.create();
    bench.listen();
    const first = new Peer(bench).open();
    const second = new Peer(bench, { port: 30001 }).open();
    const [one, two] = bench.apps as [App, App]; // of first and second
    one.onReadable = () => {
      throw new Error('the program has a bug');
    };
    bench.holding = true;
    first.data('hello');
    second.data('world');
    first.dataFin();
    second.dataFin();
    bench.holding = false;
    expect(() => bench.settle()).to.throw('the program has a bug');
    bench.settle();
    expect(two.text).to.equal('world');
    expect(two.ended).to.equal(true);
    expect(one.ended).to.equal(true);
    expect(first.drain().at(-1)?.dss?.dack).to.equal(7);
    expect(second.drain().at(-1)?.dss?.dack).to.equal(7);
  });
});
