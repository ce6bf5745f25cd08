/** DATA_ACKs, mappings and DATA_FIN, packet by packet: points 6 to 9 and 13 of what a Linux peer expects. */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { idsnOf } from './crypto.js';
import { Peer, Session } from './peer.js';

const opened = async (session = new Session()): Promise<Peer> => {
  const bench = await Bench.create();
  bench.listen();
  return new Peer(bench, { session }).open();
};
const accepted = async (): Promise<Peer> => {
  const bench = await Bench.create();
  bench.connect();
  return new Peer(bench).acceptFully();
};
/** A key whose first data sequence number is just below a multiple of 2^32. */
function keyNearWrap(distance: number): bigint {
  for (let key = 1n; ; key++) {
    if ((idsnOf(key) & 0xffffffffn) > BigInt(2 ** 32 - distance)) return key;
  }
}

describe('packets: DATA_ACK', () => {
  it('point 6: goes on data, on pure ACKs, and on FIN', async () => {
    const peer = await opened();
    const { app } = peer.bench;
    app.write('answer');
    peer.expect({ data: 'answer', dss: { dack: 1, dsn: 1, ssn: 1, length: 6 } });
    peer.data('hello', {}, { ack: 7 });
    peer.expect({ length: 0, dss: { dack: 6 } });
    app.live.shutdown();
    peer.expect({ dss: { fin: true, dack: 6 } });
    peer.dataFin();
    const fin = peer.drain().find(({ flags }) => flags.includes('F'));
    expect(fin?.dss?.dack).to.equal(7);
  });

  it('point 6: only DATA_ACK frees data, not the acknowledgement of the subflow', async () => {
    const peer = await accepted();
    const { app } = peer.bench;
    app.write('hello');
    peer.expect({ data: 'hello' });
    peer.send({ dss: { dack: 1 } });
    expect(app.live.info().bytesAcked).to.equal(0);
    peer.send({ dss: { dack: 6 } });
    expect(app.live.info().bytesAcked).to.equal(5);
  });

  it('point 6: a DATA_ACK of what was never sent is ignored', async () => {
    const peer = await accepted();
    const { app } = peer.bench;
    app.write('hello');
    peer.expect({ data: 'hello' });
    peer.send({ dss: { dack: 7 } });
    expect(app.live.info().bytesAcked).to.equal(0);
    peer.send({ dss: { dack: 6 } });
    expect(app.live.info().bytesAcked).to.equal(5);
  });

  it('point 7: has the width of the last data sequence number received', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6, dackWidth: 8 } });
    peer.data('world', { dsnWidth: 4 }).expect({ dss: { dack: 11, dackWidth: 4 } });
    peer.data('again').expect({ dss: { dack: 16, dackWidth: 8 } });
  });

  it('point 7: short before any data; our own data sequence numbers always take eight octets', async () => {
    const peer = await accepted();
    peer.bench.app.write('hello');
    peer.expect({ dss: { dackWidth: 4, dsnWidth: 8 } });
  });

  it('point 7: short data sequence numbers and DATA_ACKs are expanded across 2^32', async () => {
    const key = keyNearWrap(4000);
    const peer = await opened(new Session(key));
    const distance = 2 ** 32 - Number(idsnOf(key) & 0xffffffffn);
    peer.data('a'.repeat(distance + 500 > 1400 ? 1400 : distance), { dsnWidth: 4 });
    for (let sent = 1400; sent < distance + 2000; sent += 1400) peer.data('a'.repeat(1400), { dsnWidth: 4 });
    const acks = peer.drain().map(({ dss }) => dss?.dack ?? 0);
    expect(acks.at(-1))
      .to.be.above(0)
      .and.to.equal(peer.session.dsn - 2 ** 32 * Number(peer.session.dsn > 2 ** 31));
    expect(peer.bench.app.text.length).to.equal(peer.session.dsn - 1);
  });

  it('point 7: the stack takes 4-octet DATA_ACKs of its data', async () => {
    for (let seed = 1; seed < 4; seed++) {
      const bench = await Bench.create({ seed });
      bench.connect();
      const peer = new Peer(bench).acceptFully();
      bench.app.write('hello');
      peer.expect({ data: 'hello' });
      peer.send({ dss: { dack: 6, dackWidth: 4 } });
      expect(bench.app.live.info().bytesAcked).to.equal(5);
    }
  });
});

describe('packets: mappings', () => {
  it('point 8: one mapping covers several segments, which repeat it or go without', async () => {
    for (const repeat of [true, false]) {
      const peer = await opened();
      const text = 'abcdefghijklmnopqrst';
      for (let at = 0; at < 20; at += 5) {
        const dss = at === 0 || repeat ? { dack: 1, dsn: 1, ssn: 1, length: 20 } : null;
        peer.send({ flags: 'A', data: text.slice(at, at + 5), dss });
        peer.expect({ ack: 6 + at, dss: { dack: 6 + at } });
      }
      expect(peer.bench.app.text).to.equal(text);
    }
  });

  it('point 8: a mapping may come on a pure ACK before its octets', async () => {
    const peer = await opened();
    peer.send({ dss: { dack: 1, dsn: 1, ssn: 1, length: 5 } });
    peer.send({ flags: 'PA', data: 'hello' });
    peer.expect({ ack: 6, dss: { dack: 6 } });
    expect(peer.bench.app.text).to.equal('hello');
  });

  it('point 8: a different mapping of octets already mapped is broken', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.send({ data: 'world', dss: { dack: 1, dsn: 6, ssn: 6, length: 10 } });
    peer.expect({ dss: { dack: 11 } });
    peer.send({ data: 'wrong', dss: { dack: 1, dsn: 99, ssn: 8, length: 8 } });
    peer.expect({ ack: 16, dss: null });
    expect(peer.bench.counter('DSSNotMatching')).to.equal(1);
    expect(peer.bench.app.fallback).to.not.equal(null);
  });

  it('point 8: segments out of order with their mappings are put in order', async () => {
    const peer = await opened();
    peer.data('fghij', { dsn: 6, ssn: 6 }, { seq: 6 });
    peer.expect({ ack: 1, sack: [[6, 11]], dss: { dack: 1 } });
    peer.data('abcde', { dsn: 1, ssn: 1 }, { seq: 1 });
    peer.expect({ ack: 11, sack: null, dss: { dack: 11 } });
    expect(peer.bench.app.text).to.equal('abcdefghij');
  });

  it('point 8: data beyond the mapping falls back at once', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.send({ data: 'worldmore', dss: { dack: 1, dsn: 6, ssn: 6, length: 5 } });
    peer.expect({ ack: 15, dss: null });
    expect(peer.bench.app.text).to.equal('helloworldmore');
    expect(peer.bench.app.fallback).to.equal('a mapping that does not fit the data');
    expect(peer.bench.counter('DSSCorruptionFallback')).to.equal(1);
    expect(peer.bench.counter('DssFallback')).to.equal(0);
  });

  it('point 9: subflow sequence numbers begin with 1 whatever the ISN is', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench, { isn: 0xffff_fffe }).open();
    for (const text of ['ab', 'cd', 'ef']) peer.data(text);
    expect(peer.drain().at(-1)?.dss?.dack).to.equal(7);
    expect(bench.app.text).to.equal('abcdef');
  });

  it('point 9: a mapping that starts later than its octets falls back at once', async () => {
    const peer = await opened();
    peer.data('hello', { ssn: 100 });
    peer.expect({ ack: 6, dss: null });
    expect(peer.bench.app.text).to.equal('hello');
    expect(peer.bench.app.fallback).to.equal('a mapping that does not fit the data');
    expect(peer.bench.counter('DSSNoMatchTCP')).to.equal(1);
  });

  it('point 9: all segments of one write repeat the mapping of the whole', async () => {
    const peer = await accepted();
    peer.bench.app.live.setNoDelay(true); // the last, short segment goes at once, too
    peer.bench.app.write('z'.repeat(10_000));
    let total = 0;
    for (const seen of peer.drain()) {
      expect(seen.dss).to.containSubset({ dsn: 1, ssn: 1, length: 10_000 });
      total += seen.length;
    }
    expect(total).to.equal(10_000);
  });

  it('drops what was received before and what lies beyond the window at the data level only', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.data('hello', { dsn: 1 }).expect({ ack: 11, dss: { dack: 6 } });
    peer.data('loXYZ', { dsn: 4 }).expect({ ack: 16, dss: { dack: 9 } });
    peer.data('never', { dsn: 2 ** 31 }).expect({ ack: 21, dss: { dack: 9 } });
    expect(peer.bench.app.text).to.equal('helloXYZ');
  });
});

describe('packets: DATA_FIN', () => {
  it('point 13: alone: DSN of its own, SSN 0, length 1, no payload', async () => {
    const peer = await accepted();
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'A', length: 0, dss: { fin: true, dsn: 1, ssn: 0, length: 1, dsnWidth: 8 } });
  });

  it('point 13: with data: the length counts it', async () => {
    const peer = await accepted();
    peer.bench.app.write('bye');
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'PA', data: 'bye', dss: { fin: true, dsn: 1, ssn: 1, length: 4 } });
  });

  it('point 13: received alone and with data takes one data sequence number', async () => {
    const alone = await opened();
    alone.dataFin();
    alone.expect({ flags: 'A', ack: 1, dss: { dack: 2 } });
    expect(alone.bench.app.ended).to.equal(true);
    const together = await opened();
    together.data('bye', { fin: true });
    expect(together.drain().at(-1)).to.containSubset({ ack: 4, dss: { dack: 5 } });
    expect(together.bench.app.text).to.equal('bye');
    expect(together.bench.app.ended).to.equal(true);
  });

  it('point 13: is not acknowledged before the data below it', async () => {
    const peer = await opened();
    peer.dataFin(6);
    expect(peer.drain()).to.deep.equal([]);
    expect(peer.bench.app.ended).to.equal(false);
    peer.data('hello', { dsn: 1 });
    expect(peer.drain().at(-1)?.dss?.dack).to.equal(7);
    expect(peer.bench.app.ended).to.equal(true);
  });

  it('point 13: is repeated from about 200 ms on, doubling after the second time', async () => {
    const peer = await accepted();
    peer.bench.app.live.shutdown();
    const times = [peer.expect({ dss: { fin: true } }).time];
    peer.bench.wait(3.3e6);
    for (const seen of peer.drain()) {
      expect(seen.dss).to.containSubset({ fin: true, dsn: 1, ssn: 0, length: 1 });
      times.push(seen.time);
    }
    const gaps = times.slice(1).map((time, i) => Math.round((time - (times[i] ?? 0)) / 1e5) / 10);
    expect(gaps).to.deep.equal([0.2, 0.2, 0.4, 0.8, 1.6]);
  });

  it('point 13: FIN goes out only after both DATA_FINs are acknowledged, with the last DATA_ACK', async () => {
    const peer = await opened();
    peer.dataFin().expect({ dss: { dack: 2 } });
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'A', dss: { fin: true, dsn: 1 } });
    peer.send({ dss: { dack: 2 } });
    peer.expect({ flags: 'FA', seq: 1, dss: { dack: 2 } });
    peer.send({ flags: 'FA', ack: 2, dss: { dack: 2 } });
    peer.expect({ flags: 'A', ack: 2 });
    expect(peer.bench.app.closed).to.equal(true);
    expect(peer.bench.app.error).to.equal(null);
  });

  it('point 13: repeated after it was acknowledged, it is acknowledged again', async () => {
    const peer = await opened();
    peer.dataFin().expect({ dss: { dack: 2 } });
    peer.dataFin(1).expect({ dss: { dack: 2 } });
  });

  it('point 13: a bare FIN closes only the subflow', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.send({ flags: 'FA', dss: { dack: 1 } });
    const seen = peer.drain();
    expect(seen.some(({ flags }) => flags === 'FA')).to.equal(true);
    for (const { dss } of seen) expect(dss?.dack).to.equal(6);
    expect(peer.bench.app.ended).to.equal(false);
    expect(peer.bench.app.closed).to.equal(false);
  });

  it('point 13: octets beyond it are no part of the stream', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.dataFin().expect({ dss: { dack: 7 } });
    peer.data('never', { dsn: 7 });
    expect(peer.drain().at(-1)?.dss?.dack).to.equal(7);
    expect(peer.bench.app.text).to.equal('hello');
  });

  it('point 13: F without a mapping means nothing', async () => {
    const peer = await opened();
    peer.send({ dss: { dack: 1, fin: true } });
    expect(peer.bench.app.ended).to.equal(false);
  });

  it('point 13: both sides at once: each acknowledges the other, then FIN both ways', async () => {
    const peer = await opened();
    peer.bench.app.live.shutdown();
    peer.expect({ dss: { fin: true, dsn: 1 } });
    peer.session.dack = 1; // theirs left before ours arrived
    peer.dataFin();
    expect(peer.drain().at(-1)).to.containSubset({ dss: { dack: 2 } });
    peer.send({ dss: { dack: 2 } });
    peer.expect({ flags: 'FA', seq: 1, dss: { dack: 2 } });
    peer.send({ flags: 'FA', ack: 2, dss: { dack: 2 } }).expect({ flags: 'A', ack: 2 });
    expect(peer.bench.app.closed).to.equal(true);
    expect(peer.bench.app.error).to.equal(null);
  });
});
