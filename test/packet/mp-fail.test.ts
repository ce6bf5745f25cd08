/** MP_FAIL and infinite mappings on the only subflow, both roles (RFC 8684 section 3.7). */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { dssChecksum } from './crypto.js';
import { Peer } from './peer.js';

/** A connection with checksums, over which the peer has sent "hello" intact. */
async function verified(): Promise<Peer> {
  const bench = await Bench.create({ paths: 2 });
  bench.listen();
  const peer = new Peer(bench).open(0x81);
  peer.data('hello').expect({ dss: { dack: 6 } });
  return peer;
}

/** The same, after "world" arrived with a wrong checksum and was answered by MP_FAIL. */
async function failing(): Promise<Peer> {
  const peer = await verified();
  peer.data('world', { checksum: 1 });
  peer.expect({ flags: 'A', ack: 11, dss: { dack: 6 }, fail: 6 });
  expect(peer.bench.app.text).to.equal('hello');
  return peer;
}

describe('packets: a DSS checksum that is wrong on the only subflow', () => {
  it('sends MP_FAIL with the number of the mapping on an ACK, once, and delivers nothing', async () => {
    const peer = await failing();
    peer.expectNothing(1e6);
    peer.data('later').expect({ ack: 16, dss: { dack: 6 }, fail: null });
    expect(peer.bench.app.text).to.equal('hello');
    expect(peer.bench.app.fallback).to.equal(null);
    expect(peer.bench.counter('DataCsumErr')).to.equal(1);
    expect(peer.bench.counter('MPFailTx')).to.equal(1);
  });

  it("sends it once more for each further mapping that is wrong, as long as it is the stream's next one", async () => {
    const peer = await failing();
    peer.data('world', { dsn: 6, ssn: 11, checksum: 2 });
    peer.drain();
    expect(peer.bench.counter('DataCsumErr')).to.equal(2);
    expect(peer.bench.app.text).to.equal('hello');
  });

  it('takes the octets as they came when MP_FAIL answers, and goes on with DATA_ACKs', async () => {
    const peer = await failing();
    peer.data('later').expect({ dss: { dack: 6 } });
    peer.send({ dss: { dack: 1 }, fail: 1 });
    peer.expect({ flags: 'A', dss: { dack: 16 }, fail: null });
    expect(peer.bench.app.text).to.equal('helloworldlater');
    expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
    // The peer may go on with mappings, right or wrong, until it has new data for an infinite one.
    peer.data('again', { checksum: 3 }).expect({ ack: 21, dss: { dack: 21 } });
    peer.data('plain', { length: 0, checksum: 0 }).expect({ ack: 26, dss: null });
    expect(peer.bench.app.text).to.equal('helloworldlateragainplain');
  });

  it('ends with the DATA_FIN of a peer that has no more data for an infinite mapping', async () => {
    const peer = await failing();
    peer.send({ dss: { dack: 1 }, fail: 1 }).expect({ dss: { dack: 11 } });
    peer.dataFin(11).expect({ dss: { dack: 12 } });
    const { app } = peer.bench;
    expect(app.ended).to.equal(true);
    app.live.shutdown();
    // Our FIN says DATA_FIN as well, for a peer that still speaks Multipath TCP.
    peer.expect({ flags: 'FA', seq: 1, dss: { dack: 12, fin: true, dsn: 1, ssn: 0, length: 1 } });
    peer.send({ flags: 'FA', ack: 2, dss: { dack: 2 } }).expect({ flags: 'A', ack: 12 });
    expect(app.closed).to.equal(true);
    expect(app.error).to.equal(null);
  });

  it('says with an infinite mapping of its own, on its next data, that it is plain, too', async () => {
    const peer = await failing();
    peer.send({ dss: { dack: 1 }, fail: 1 }).expect({ dss: { dack: 11 } });
    const { app } = peer.bench;
    app.write('answer');
    peer.expect({ data: 'answer', dss: { dsn: 1, ssn: 1, length: 0, checksum: 0 } });
    peer.send({ flags: 'A' });
    app.write('more');
    peer.expect({ data: 'more', dss: null });
    expect(peer.bench.counter('InfiniteMapTx')).to.equal(1);
  });

  it('takes an infinite mapping for the answer, whether it acts on what failed or on what follows', async () => {
    for (const dsn of [6, 11]) {
      const peer = await failing();
      peer.data('infin', { dsn, ssn: dsn, length: 0, checksum: 0 }).expect({ ack: 16, dss: null });
      expect(peer.bench.app.text).to.equal('helloworldinfin');
      expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
      expect(peer.bench.counter('InfiniteMapRx')).to.equal(1);
      peer.send({ flags: 'PA', data: '!' }).expect({ ack: 17, dss: null });
    }
  });

  it('takes an infinite mapping that sends again what failed instead of what failed', async () => {
    const peer = await failing();
    peer.data('WORLD', { dsn: 6, ssn: 11, length: 0, checksum: 0 }).expect({ ack: 16, dss: null });
    expect(peer.bench.app.text).to.equal('helloWORLD');
  });

  it('takes data without any mapping, or a FIN without DSS, for the answer', async () => {
    const data = await failing();
    data.send({ flags: 'PA', data: 'plain' }).expect({ ack: 16, dss: null });
    expect(data.bench.app.text).to.equal('helloworldplain');
    const fin = await failing();
    fin.send({ flags: 'FA' });
    fin.bench.wait(50_000);
    fin.expect({ flags: 'A', ack: 12, dss: null });
    expect(fin.bench.app.text).to.equal('helloworld');
    expect(fin.bench.app.ended).to.equal(true);
  });

  it('takes FIN with DATA_FIN for the answer: MP_FAIL was lost, and the peer has no more data', async () => {
    const peer = await verified();
    peer.data('world', { checksum: 1, length: 6, fin: true });
    peer.expect({ ack: 11, dss: { dack: 6 }, fail: 6 });
    const sum = dssChecksum(peer.session.idsn + 11n, 0, 1, Buffer.alloc(0));
    peer.send({ flags: 'FA', dss: { dack: 1, dsn: 11, ssn: 0, length: 1, fin: true, checksum: sum } });
    peer.bench.wait(50_000);
    peer.expect({ ack: 12 });
    expect([peer.bench.app.text, peer.bench.app.ended]).to.deep.equal(['helloworld', true]);
    expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
  });

  it('goes on with Multipath TCP when the peer repeats what failed and it is right', async () => {
    const peer = await failing();
    peer.data('later').expect({ ack: 16, dss: { dack: 6 } });
    peer.data('world', { dsn: 6, ssn: 16 }).expect({ ack: 21, dss: { dack: 16 } });
    expect(peer.bench.app.text).to.equal('helloworldlater');
    expect(peer.bench.app.fallback).to.equal(null);
    peer.data('more').expect({ dss: { dack: 20 } });
    // No infinite mapping could be trusted any more: the next error ends the subflow.
    peer.data('wrong', { checksum: 1 }).expect({ flags: 'RA', fail: 20, reset: { reason: 6 } });
  });

  it('takes the octets as they came when nothing answers: the answer of Linux has no room beside its DATA_FIN', async () => {
    const peer = await failing();
    peer.data('later').expect({ ack: 16, dss: { dack: 6 } });
    peer.dataFin(16).expectNothing(1e6);
    peer.bench.wait(1e6);
    peer.expect({ flags: 'A', ack: 16, dss: { dack: 17 } });
    expect([peer.bench.app.text, peer.bench.app.ended]).to.deep.equal(['helloworldlater', true]);
    expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
    // Its data level has all that it waited for.
    peer.dataFin(16).expect({ ack: 16, dss: { dack: 17 } });
  });

  it('resets the subflow as soon as there is a second one', async () => {
    const peer = await failing();
    const next = new Peer(peer.bench, { session: peer.session, path: 1, port: 30001 }).joinNow();
    peer.expect({ flags: 'RA', fail: 6, reset: { reason: 6 } });
    next.data('world', { dsn: 6, ssn: 1 }).expect({ dss: { dack: 11 } });
    expect(peer.bench.app.text).to.equal('helloworld');
  });

  it('resets the subflow when its octets have been out of step before', async () => {
    const peer = await verified();
    peer.data('hello', { dsn: 1, ssn: 6 }).expect({ ack: 11, dss: { dack: 6 } });
    peer.data('world', { checksum: 1 }).expect({ flags: 'RA', fail: 6, reset: { reason: 6 } });
  });

  it('holds no more than its limit of octets meanwhile', async () => {
    const peer = await failing();
    const { bench } = peer;
    const before = bench.stack.core.x.memoryUsed();
    let last = 0;
    for (let i = 0; i < 400; i++) {
      peer.data('x'.repeat(1000));
      last = peer.drain().at(-1)?.ack ?? 0;
    }
    expect(bench.stack.core.x.memoryUsed() - before).to.be.below(1 << 20);
    // What was acknowledged is delivered, and no more was acknowledged than the ring can take.
    expect(last).to.be.above(200_000).and.to.be.below(270_000);
    peer.send({ seq: last, dss: { dack: 1 }, fail: 1 });
    expect(bench.app.text).to.equal(`helloworld${'x'.repeat(last - 11)}`);
  });
});

describe('packets: MP_FAIL received', () => {
  async function sending(): Promise<Peer> {
    const bench = await Bench.create({ paths: 2 });
    bench.connect();
    const peer = new Peer(bench).acceptFully(0x81);
    bench.app.write('first');
    peer.expect({ dss: { dsn: 1, length: 5 } });
    return peer;
  }

  it('is answered by MP_FAIL beside a DSS; the next data has an infinite mapping, all later data none', async () => {
    const peer = await sending();
    const { app } = peer.bench;
    app.live.setNoDelay(true);
    peer.send({ dss: { dack: 1 }, fail: 1 });
    const answer = peer.expect({ length: 0, dss: { dack: 1 } });
    expect(answer.fail).to.not.equal(null);
    expect(app.fallback, 'not before there is new data').to.equal(null);
    app.write('second');
    peer.send({ dss: { dack: 1 } });
    const mapped = peer.drain().find(({ length }) => length > 0);
    // It begins with the first octet that was not DATA_ACKed, wherever the segment itself begins.
    expect(mapped).to.containSubset({
      data: 'second',
      seq: 6,
      dss: { length: 0, dsn: 1, ssn: 1, checksum: 0 },
    });
    expect(app.fallback).to.equal('MP_FAIL from the peer');
    app.write('third');
    peer.send();
    expect(peer.drain().at(-1)).to.containSubset({ data: 'third', dss: null });
    expect(peer.bench.counter('InfiniteMapTx')).to.equal(1);
    expect(peer.bench.counter('MPFailRx')).to.equal(1);
  });

  it('names the mapping that arrived last', async () => {
    const peer = await sending();
    peer.data('hello', { dack: 6 }, { ack: 6 }).expect({ dss: { dack: 6 } });
    peer.data('world', { dack: 6 }).expect({ dss: { dack: 11 } });
    peer.send({ dss: { dack: 6 }, fail: 1 }).expect({ fail: 6, dss: { dack: 11 } });
  });

  it('repeats its answer instead of the data, which would be new data for a plain peer', async () => {
    const peer = await sending();
    peer.send({ ack: 6, dss: { dack: 1 }, fail: 1 }).expect({ length: 0 });
    const { fail, length } = peer.expectAfter(220_000, {}, 60_000);
    expect(fail).to.not.equal(null);
    expect(length).to.equal(0);
    peer.send({ ack: 6, dss: { dack: 6 } });
    peer.expectNothing(5e6);
  });

  it('is answered so often at most, whatever the peer acknowledges; then the connection is plain', async () => {
    for (const dack of [1, 600]) {
      const peer = await sending();
      const { bench } = peer;
      peer.send({ ack: 6, dss: { dack }, fail: 1 }).expect({ length: 0 });
      for (let i = 0; i < 40; i++) {
        bench.wait(5e6);
        if (peer.drain().length > 0) peer.send({ dss: { dack } });
      }
      expect(bench.counter('MPFailTx')).to.be.within(5, 8);
      expect(bench.app.fallback).to.equal('MP_FAIL from the peer');
      peer.expectNothing(1000e6);
      bench.app.write('later');
      peer.expect({ data: 'later', dss: { length: 0 } });
      peer.send({ ack: 11 });
      bench.app.live.shutdown();
      peer.expect({ flags: 'FA' });
    }
  });

  it('ends a stream that has no more data by DATA_FIN', async () => {
    const peer = await sending();
    peer.send({ dss: { dack: 1 }, fail: 1 }).expect({ length: 0 });
    peer.send({ ack: 6, dss: { dack: 6 } });
    peer.bench.app.live.shutdown();
    peer.expect({ flags: 'A', dss: { fin: true, dsn: 6, ssn: 0, length: 1 } });
    expect(peer.bench.app.fallback).to.equal(null);
  });

  it('means nothing on a connection that had a second subflow', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const peer = new Peer(bench).open(0x81);
    peer.data('hello').expect({ dss: { dack: 6 } });
    new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow();
    peer.send({ dss: { dack: 1 }, fail: 1 });
    peer.expectNothing(1e6);
    peer.data('world').expect({ dss: { dack: 11 } });
  });

  it('on a RST moves the data to the other subflow', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const first = new Peer(bench).open(0x81);
    first.data('hello').expect({ dss: { dack: 6 } });
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow(1, true);
    bench.app.write('answer');
    first.expect({ data: 'answer', dss: { dsn: 1 } });
    first.send({ flags: 'RA', fail: 1, reset: { reason: 6 } });
    const { dss } = second.expect({ data: 'answer', dss: { dsn: 1, ssn: 1, length: 6 } });
    expect(dss?.checksum).to.equal(dssChecksum(first.session.stackIdsn + 1n, 1, 6, Buffer.from('answer')));
    expect(bench.counter('MPFailRx')).to.equal(1);
    expect(bench.counter('MPRstRx')).to.equal(1);
  });
});

describe('packets: a checksummed mapping of which a middlebox took octets out', () => {
  /** "hello" intact, then "wor" with the mapping of "world". */
  async function shortened(): Promise<Peer> {
    const peer = await verified();
    const checksum = dssChecksum(peer.session.idsn + 6n, 6, 5, Buffer.from('world'));
    peer.data('wor', { length: 5, checksum }).expect({ ack: 9, dss: { dack: 6 }, fail: null });
    peer.expectNothing(1e6);
    return peer;
  }

  it('is answered by MP_FAIL when a probe says that nothing more is under way', async () => {
    const peer = await shortened();
    peer.send({ seq: 8, dss: { dack: 1 } }).expect({ ack: 9, dss: { dack: 6 }, fail: 6 });
    expect(peer.bench.app.text).to.equal('hello');
    expect(peer.bench.counter('DataCsumErr')).to.equal(1);
    peer.send({ seq: 9, dss: { dack: 1 }, fail: 1 }).expect({ ack: 9, dss: { dack: 11 } });
    expect(peer.bench.app.text).to.equal('hellowor');
    expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
    peer.send({ seq: 9, dss: { dack: 1, dsn: 11, ssn: 0, length: 1, fin: true, checksum: 0 } });
    peer.expect({ dss: { dack: 12 } });
    expect(peer.bench.app.ended).to.equal(true);
  });

  it('is no such mapping while there is a hole, or when all of it came later', async () => {
    const peer = await verified();
    const checksum = dssChecksum(peer.session.idsn + 6n, 6, 5, Buffer.from('world'));
    peer.data('wor', { length: 5, checksum }).expect({ ack: 9 });
    peer.data('d', { dsn: 6, ssn: 6, length: 5, checksum }, { seq: 10 }).expect({ ack: 9 });
    peer.send({ seq: 8, dss: { dack: 1 } }).expect({ ack: 9, fail: null });
    peer
      .data('l', { dsn: 6, ssn: 6, length: 5, checksum }, { seq: 9 })
      .expect({ ack: 11, dss: { dack: 11 } });
    expect(peer.bench.app.text).to.equal('helloworld');
    expect(peer.bench.app.fallback).to.equal(null);
  });

  it('is plain stream when its repetition comes in its place; the repetition is none', async () => {
    const peer = await shortened();
    peer.data('world', { dsn: 6, ssn: 11 }, { seq: 9 }).expect({ ack: 14, dss: null });
    expect(peer.bench.app.text).to.equal('hellowor');
    expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
    expect(peer.expectAfter(100_000, { dss: { dack: 11 } }).fail).to.not.equal(null);
    peer.data('again', { dsn: 11, ssn: 16 }, { seq: 14 }).expect({ ack: 19, dss: { dack: 16 } });
    expect(peer.bench.app.text).to.equal('helloworagain');
  });

  it('is asked for by the sender before it repeats anything, and repeated after an answer without MP_FAIL', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench).acceptFully(0x81);
    bench.app.write('world');
    peer.expect({ data: 'world' });
    peer.send({ ack: 6, dss: { dack: 1 } });
    const probe = peer.expectAfter(220_000, { length: 0, seq: 5, dss: { dack: 1 } }, 60_000);
    expect(probe.dss).to.not.have.property('dsn');
    peer.send({ ack: 6, dss: { dack: 1 } });
    peer.expectAfter(1_000, { data: 'world', seq: 6, dss: { dsn: 1, ssn: 6, length: 5 } }, 60_000);
  });
});
