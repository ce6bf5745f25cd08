/** One side becomes plain TCP by itself; the other finds out, or is told, and no octet is lost or doubled. */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

describe('packets: the stack becomes plain, the peer goes on with mappings', () => {
  /** "hello" arrived with a mapping, then "world" where a middlebox has joined it with "more!". */
  async function coalesced(): Promise<Peer> {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.send({ data: 'worldmore!', dss: { dack: 1, dsn: 6, ssn: 6, length: 5 } });
    peer.expect({ ack: 16, dss: null });
    peer.session.dsn = 16;
    return peer;
  }

  it('is told by MP_FAIL before its data level repeats anything, and gets DATA_ACKs', async () => {
    const peer = await coalesced();
    peer.expectAfter(100_000, { flags: 'A', ack: 16, dss: { dack: 16 }, fail: 16 });
    peer.data('next.').expect({ ack: 21, dss: { dack: 21 }, fail: null });
    expect(peer.bench.app.text).to.equal('helloworldmore!next.');
    peer.expectNothing(5e6);
  });

  it('has its repetitions dropped and acknowledged', async () => {
    const peer = await coalesced();
    peer.data('more!', { dsn: 11, ssn: 16 }).expect({ ack: 21 });
    expect(peer.bench.app.text).to.equal('helloworldmore!');
    peer.data('next.', { dsn: 16, ssn: 21 }).expect({ ack: 26 });
    expect(peer.bench.app.text).to.equal('helloworldmore!next.');
    peer.expectAfter(100_000, { dss: { dack: 21 } });
    expect(peer.bench.counter('DuplicateData')).to.equal(1);
  });

  it('has to send what came beyond a hole again: the hole may be a repetition', async () => {
    const peer = await coalesced();
    peer.data('next.', { dsn: 16, ssn: 21 }, { seq: 21 }).expect({ ack: 16, sack: null });
    peer.data('more!', { dsn: 11, ssn: 16 }, { seq: 16 }).expect({ ack: 21 });
    peer.data('next.', { dsn: 16, ssn: 21 }, { seq: 21 }).expect({ ack: 26 });
    expect(peer.bench.app.text).to.equal('helloworldmore!next.');
  });

  it('is not told when it has followed', async () => {
    const peer = await coalesced();
    peer.data('plain', { length: 0, dsn: 16 }).expect({ ack: 21, dss: null });
    peer.expectNothing(5e6);
    expect(peer.bench.app.text).to.equal('helloworldmore!plain');
  });

  it('gets no DATA_ACKs any more once it sends without mappings', async () => {
    const peer = await coalesced();
    peer.expectAfter(100_000, { fail: 16 });
    peer.send({ flags: 'PA', data: 'plain' }).expect({ ack: 21, dss: null });
    peer.expectNothing(5e6);
  });

  it('ends its stream by DATA_FIN', async () => {
    const peer = await coalesced();
    peer.dataFin(16);
    expect(peer.bench.app.ended).to.equal(true);
    peer.drain();
    peer.bench.wait(100_000);
    expect(peer.drain().at(-1)).to.containSubset({ dss: { dack: 17 } });
  });

  it('ends its stream by DATA_FIN on data', async () => {
    const peer = await coalesced();
    peer.data('end', { dsn: 16, fin: true }).expect({ ack: 19 });
    expect(peer.bench.app.text).to.equal('helloworldmore!end');
    expect(peer.bench.app.ended).to.equal(true);
  });

  it('does not end at a DATA_FIN that Linux says while data still waits for room', async () => {
    const peer = await coalesced();
    const fin = { dack: 1, dsn: 21, ssn: 0, length: 1, fin: true };
    peer.send({ dss: fin });
    expect(peer.bench.app.ended).to.equal(false);
    peer.data('next.', { dsn: 16, ssn: 16 });
    expect(peer.bench.app.text).to.equal('helloworldmore!next.');
    peer.send({ dss: fin });
    expect(peer.bench.app.ended).to.equal(true);
  });

  it('does not end before all data has come', async () => {
    const peer = await coalesced();
    peer.session.dsn = 21;
    peer.send({ seq: 21, dss: { dack: 1, dsn: 21, ssn: 0, length: 1, fin: true } });
    expect(peer.bench.app.ended).to.equal(false);
    peer.data('next.', { dsn: 16, ssn: 16 }, { seq: 16 });
    peer.dataFin(21);
    expect(peer.bench.app.text).to.equal('helloworldmore!next.');
    expect(peer.bench.app.ended).to.equal(true);
  });

  it('learns from an infinite mapping on our data', async () => {
    const peer = await coalesced();
    peer.expectAfter(100_000, { fail: 16 });
    peer.bench.app.write('answer');
    peer.expect({ data: 'answer', dss: { dsn: 1, ssn: 1, length: 0 } });
  });

  it('is left alone when nothing of it was ever acknowledged: it finds out by itself', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.data('hello', { ssn: 100 }).expect({ ack: 6, dss: null });
    peer.expectNothing(5e6);
  });
});

describe('packets: the peer becomes plain, the stack finds out', () => {
  async function sending(): Promise<Peer> {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench).acceptFully();
    bench.app.write('first');
    peer.expect({ data: 'first', dss: { dsn: 1 } });
    peer.send({ dss: { dack: 6 } });
    bench.app.write('second');
    peer.expect({ data: 'second', dss: { dsn: 6 } });
    return peer;
  }

  it('from acknowledgements without DSS: it asks, and falls back when the answer has none', async () => {
    const peer = await sending();
    peer.send({ ack: 12 });
    peer.expectAfter(200_000, { length: 0, seq: 11 }, 50_000);
    peer.send({ ack: 12 });
    expect(peer.bench.app.fallback).to.equal('DSS from the peer ceased');
    peer.bench.app.write('third');
    peer.expect({ data: 'third', seq: 12, dss: null });
    expect(peer.bench.app.live.info().bytesAcked).to.equal(11);
    peer.expectNothing(100_000);
  });

  it('but repeats the data when the answer has a DSS: a proxy had acknowledged it', async () => {
    const peer = await sending();
    peer.send({ ack: 12 });
    peer.expectAfter(200_000, { length: 0, seq: 11 }, 50_000);
    peer.send({ ack: 12, dss: { dack: 6 } });
    const again = peer.expectAfter(400_000, { data: 'second', seq: 12, dss: { dsn: 6, ssn: 12 } }, 200_000);
    expect(again.length).to.equal(6);
    expect(peer.bench.app.fallback).to.equal(null);
  });

  it('asks again when no answer comes', async () => {
    const peer = await sending();
    peer.send({ ack: 12 });
    peer.expectAfter(200_000, { length: 0, seq: 11 }, 50_000);
    peer.expectAfter(400_000, { length: 0, seq: 11 }, 50_000);
  });

  it('from data without a mapping at once', async () => {
    const peer = await sending();
    peer.data('hello', { dack: 6 }, { ack: 12 }).expect({ dss: { dack: 6 } });
    peer.send({ flags: 'PA', data: 'plain', ack: 12 }).expect({ ack: 11, dss: null });
    expect(peer.bench.app.text).to.equal('helloplain');
    expect(peer.bench.app.fallback).to.equal('data without a mapping');
  });
});
