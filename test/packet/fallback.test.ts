/** Fallback to plain TCP, infinite mappings and checksums: points 10 to 12 of what a Linux peer expects. */
import { expect } from 'chai';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { dssChecksum } from './crypto.js';
import { Peer } from './peer.js';

const opened = async (flags = 1): Promise<Peer> => {
  const bench = await Bench.create();
  bench.listen();
  return new Peer(bench).open(flags);
};
const accepted = async (flags = 1): Promise<Peer> => {
  const bench = await Bench.create();
  bench.connect();
  return new Peer(bench).acceptFully(flags);
};
const twoPaths = async (flags = 1): Promise<[Peer, Peer]> => {
  const bench = await Bench.create({ paths: 2 });
  bench.listen();
  const first = new Peer(bench).open(flags);
  first.data('hello').expect({ dss: { dack: 6 } });
  const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
  return [first, second];
};

describe('packets: fallback', () => {
  it('point 10: data without mapping as the very first is plain TCP at once', async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', data: 'hello' });
    peer.expect({ flags: 'A', ack: 6, dss: null });
    expect(peer.bench.app.text).to.equal('hello');
    expect(peer.bench.app.has('fallback')).to.equal(true);
  });

  it("point 10: after it no options go out, FIN ends the stream, and the window is the subflow's", async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', data: 'hello' }).expect({ dss: null });
    const { app } = peer.bench;
    app.write('answer');
    peer.expect({ data: 'answer', dss: null, capable: null, optionLength: 0 });
    peer.send();
    app.live.shutdown();
    peer.expect({ flags: 'FA', seq: 7, dss: null });
    peer.send({ flags: 'FA', ack: 8 });
    peer.expect({ flags: 'A', ack: 7, dss: null });
    expect(app.ended).to.equal(true);
    expect(app.closed).to.equal(true);
    expect(app.error).to.equal(null);
  });

  it('point 10: a late DSS after it is ignored', async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', data: 'hello' }).expect({ dss: null });
    peer.data('world', { dsn: 900, ssn: 6 });
    peer.expect({ ack: 11, dss: null });
    expect(peer.bench.app.text).to.equal('helloworld');
  });

  it('point 10: the token is gone: joins are refused', async () => {
    const peer = await opened();
    peer.send({ flags: 'PA', data: 'hello' }).expect({ dss: null });
    const join = new Peer(peer.bench, { session: peer.session, port: 30001 });
    const token = 0; // any: none is known
    join.send({ flags: 'S', join: { token, nonce: 1, id: 1 } });
    join.expect({ flags: 'RA', reset: { reason: 1 } });
  });

  it('point 10: with a second subflow a broken mapping resets the subflow with reason 1', async () => {
    const [first, second] = await twoPaths();
    second.data('world', { dsn: 6, ssn: 1, length: 10 }).expect({ dss: { dack: 11 } });
    second.data('wrong', { dsn: 99, ssn: 4, length: 10 });
    second.expect({ flags: 'RA', reset: { reason: 1 } });
    first.session.dsn = 11;
    first.data('still').expect({ dss: { dack: 16 } });
    expect(first.bench.counter('DSSNotMatching')).to.equal(1);
    expect(first.bench.app.text).to.equal('helloworldstill');
  });

  it('point 10: with a second subflow missing mappings reset the subflow, too', async () => {
    const [first, second] = await twoPaths();
    second.send({ flags: 'PA', data: 'what?' });
    second.drain();
    second.bench.wait(2e6);
    expect(second.drain().at(-1)).to.containSubset({ flags: 'RA', reset: { reason: 6 } });
    first.data('still').expect({ dss: { dack: 11 } });
  });

  it('point 10: after a data-level retransmission there is no way back to plain TCP', async () => {
    const peer = await accepted();
    const { bench } = peer;
    bench.app.write('hello');
    peer.expect({ data: 'hello', dss: { dsn: 1, ssn: 1 } });
    peer.send({ ack: 6, dss: { dack: 1 } });
    bench.wait(300_000);
    peer.expect({ data: 'hello', seq: 6, dss: { dsn: 1, ssn: 6 } });
    peer.data('first', { dack: 6 }, { ack: 11 }).expect({ dss: { dack: 6 } });
    peer.data('wrong', { dsn: 6, ssn: 6, length: 0 });
    peer.expect({ flags: 'RA', reset: { reason: 1 } });
    expect(bench.counter('FallbackFailed')).to.equal(1);
  });

  it('point 11: an infinite mapping is followed', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.data('world', { dsn: 6, ssn: 6, length: 0 });
    peer.expect({ ack: 11, dss: null });
    peer.send({ flags: 'PA', data: '!' }).expect({ ack: 12, dss: null });
    expect(peer.bench.app.text).to.equal('helloworld!');
    expect(peer.bench.counter('InfiniteMapRx')).to.equal(1);
    expect(peer.bench.app.fallback).to.equal('infinite mapping from the peer');
  });

  it('point 11: an infinite mapping that acts on octets delivered before does not deliver them twice', async () => {
    const peer = await opened();
    peer.data('hello').expect({ dss: { dack: 6 } });
    peer.data('world', { dsn: 1, ssn: 1, length: 0 });
    expect(peer.bench.app.text).to.equal('helloworld');
  });
});

describe('packets: checksums', () => {
  it('point 12: agreed on, every mapping of ours has one that is right', async () => {
    const peer = await accepted(0x81);
    const { app } = peer.bench;
    app.live.setNoDelay(true);
    for (const text of ['hello', 'worlds', 'a', 'x'.repeat(3001)]) {
      app.write(text);
      // One mapping for the whole write, whatever it is cut into.
      for (const { dss } of peer.drain()) {
        const dsn = peer.session.stackIdsn + BigInt(dss?.dsn ?? 0);
        const right = dssChecksum(dsn, dss?.ssn ?? 0, text.length, Buffer.from(text, 'latin1'));
        expect(dss).to.containSubset({ length: text.length, checksum: right });
      }
      peer.acknowledge();
    }
    app.live.shutdown();
    const fin = peer.expect({ dss: { fin: true, ssn: 0, length: 1 } });
    const dsn = peer.session.stackIdsn + BigInt(fin.dss?.dsn ?? 0);
    expect(fin.dss?.checksum).to.equal(dssChecksum(dsn, 0, 1, Buffer.alloc(0)));
  });

  it('point 12: the checksum counts DATA_FIN in the length', async () => {
    const peer = await accepted(0x81);
    peer.bench.app.write('bye');
    peer.bench.app.live.shutdown();
    const { dss } = peer.expect({ data: 'bye', dss: { fin: true, length: 4 } });
    const dsn = peer.session.stackIdsn + 1n;
    expect(dss?.checksum).to.equal(dssChecksum(dsn, 1, 4, Buffer.from('bye')));
  });

  it('point 12: MP_CAPABLE with data has 24 octets and the checksum', async () => {
    const bench = await Bench.create({ config: [[CFG_CHECKSUM, 1]] });
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn({ capable: { flags: 0x81 } });
    peer.send({ flags: 'SA', capable: { flags: 1, sender: peer.session.key } });
    peer.session.stackKey = peer.expect({ capable: { flags: 0x81 } }).capable?.sender ?? 0n;
    bench.app.write('hello');
    const { capable } = peer.expect({ data: 'hello', capable: { length: 5 } });
    expect(capable?.checksum).to.equal(dssChecksum(peer.session.stackIdsn + 1n, 1, 5, Buffer.from('hello')));
  });

  it('point 12: verified data is held until the whole mapping has come', async () => {
    const peer = await opened(0x81);
    const dsn = peer.session.idsn + 1n;
    const checksum = dssChecksum(dsn, 1, 10, Buffer.from('helloworld'));
    peer.send({ data: 'hello', dss: { dack: 1, dsn: 1, ssn: 1, length: 10, checksum } });
    peer.expect({ ack: 6, dss: { dack: 1 } });
    expect(peer.bench.app.text).to.equal('');
    peer.send({ data: 'world' }).expect({ ack: 11, dss: { dack: 11 } });
    expect(peer.bench.app.text).to.equal('helloworld');
  });

  it('point 12: present but not agreed, or agreed but absent: the mapping is broken', async () => {
    const present = await opened();
    present.data('hello', { checksum: 1234 });
    present.expect({ ack: 6, dss: null });
    expect(present.bench.app.text).to.equal('hello');
    expect(present.bench.app.fallback).to.not.equal(null);
    const absent = await opened(0x81);
    absent.session.checksum = false;
    absent.data('hello').expect({ ack: 6, dss: null });
    expect(absent.bench.app.text).to.equal('hello');
  });

  it('point 12: wrong in the first mapping ever on the only subflow: plain TCP', async () => {
    const peer = await opened(0x81);
    peer.data('hello', { checksum: 1 });
    peer.expect({ ack: 6, dss: null });
    expect(peer.bench.app.fallback).to.equal('wrong DSS checksum');
    expect(peer.bench.counter('DataCsumErr')).to.equal(1);
  });

  it('point 12: wrong with a second subflow: MP_FAIL on a RST with reason 6', async () => {
    const [first, second] = await twoPaths(0x81);
    second.data('world', { dsn: 6, ssn: 1, checksum: 1 });
    second.expect({ flags: 'RA', fail: 6, reset: { reason: 6 } });
    first.data('world', { dsn: 6, ssn: 6 }).expect({ dss: { dack: 11 } });
    expect(first.bench.app.text).to.equal('helloworld');
  });

  it('point 12: DATA_FIN with a checksum is taken', async () => {
    const peer = await opened(0x81);
    peer.dataFin().expect({ dss: { dack: 2 } });
    expect(peer.bench.app.ended).to.equal(true);
  });
});
