/** Counters with the kernel's names, and its meaning: what was measured on Linux 6.18 is marked so. */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

async function opened(
  paths = 1,
  config: readonly (readonly [number, number])[] = [],
): Promise<[Bench, Peer]> {
  const bench = await Bench.create({ paths, config });
  bench.listen();
  const peer = new Peer(bench).open();
  peer.data('hello').expect({ dss: { dack: 6 } });
  return [bench, peer];
}

const read = (bench: Bench, ...names: string[]): number[] => names.map((name) => bench.counter(name));

describe('packets: counters', () => {
  it('data beyond a hole of the data sequence: each piece, those behind all others, those known (6.18)', async () => {
    const [bench, first] = await opened(2);
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    const seen: number[][] = [];
    for (const [dsn, length] of [
      [200, 100],
      [300, 100],
      [600, 100],
      [400, 100],
      [200, 100],
      [500, 200],
      [900, 300],
    ] as const) {
      const ssn = second.seq;
      second.send({ flags: 'PA', data: 'x'.repeat(length), dss: { dack: 1, dsn, ssn, length } });
      seen.push(read(bench, 'OFOQueue', 'OFOQueueTail', 'DuplicateData'));
    }
    expect(seen).to.deep.equal([
      [1, 0, 0],
      [2, 1, 0],
      [3, 2, 0],
      [4, 2, 0],
      [5, 2, 1],
      [6, 2, 1], // the kernel drops the old copy of the second half, which counts there
      [7, 3, 1],
    ]);
    // 300 and 400 continue what was there; 500 joins both.
    expect(bench.counter('OFOMerge')).to.equal(3);
    expect(bench.counter('NoDSSInWindow')).to.equal(0);
  });

  it('MPCurrEstab: connections whose own direction is open, plain ones that began as Multipath TCP too (6.18)', async () => {
    const [bench, peer] = await opened();
    expect(bench.counter('MPCurrEstab')).to.equal(1);
    peer.send({ flags: 'PA', data: 'what?' });
    expect(bench.app.fallback).to.not.equal(null);
    expect(bench.counter('MPCurrEstab')).to.equal(1);
    bench.app.live.shutdown();
    bench.settle();
    expect(bench.counter('MPCurrEstab')).to.equal(0);

    const [other, another] = await opened();
    another.dataFin();
    expect([other.app.ended, other.counter('MPCurrEstab')]).to.deep.equal([true, 1]);
    another.send({ flags: 'RA' });
    other.wait(61e6);
    expect([other.app.closed, other.counter('MPCurrEstab')]).to.deep.equal([true, 0]);
  });

  it('MPCurrEstab: an opener that was refused the option counts, a plain connection that came in does not (6.18)', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'SA' });
    expect(bench.counter('MPCurrEstab')).to.equal(1);

    const other = await Bench.create();
    other.listen();
    new Peer(other).openPlain();
    expect(other.counter('MPCurrEstab')).to.equal(0);
  });

  it('MPCapableSYNRX only where Multipath TCP is spoken (6.18)', async () => {
    const bench = await Bench.create();
    bench.listen(5000, [[abi.OPT_MULTIPATH, 0]]);
    const peer = new Peer(bench);
    peer.send({ flags: 'S', capable: { flags: 1 } });
    peer.expect({ flags: 'SA', capable: null });
    expect(bench.counter('MPCapableSYNRX')).to.equal(0);
  });

  it('a join while the connection is half open: its token is not known yet (6.18)', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const peer = new Peer(bench);
    peer.send({ flags: 'S', capable: { flags: 1 } });
    peer.expect({ flags: 'SA' });
    const second = new Peer(bench, { session: peer.session, path: 1, port: 30001 });
    second.send({ flags: 'S', join: second.joinSyn(1) });
    second.expect({ flags: 'RA', reset: { reason: 1 } });
    expect(read(bench, 'MPJoinSynRx', 'MPJoinNoTokenFound', 'MPJoinRejected')).to.deep.equal([1, 1, 0]);
    expect(read(bench, 'OutRsts', 'MPRstTx'), 'MPRstTx is of subflows').to.deep.equal([1, 0]);
  });

  it('REMOVE_ADDR by address IDs, as it comes and as it goes (6.18)', async () => {
    const [bench, peer] = await opened();
    bench.stack.withdraw(bench.app.live, [3, 4, 5]);
    bench.settle();
    expect(peer.drain().flatMap(({ remove }) => remove ?? [])).to.deep.equal([3, 4, 5]);
    expect(bench.counter('RmAddrTx')).to.equal(3);
    peer.send({ remove: [7, 8], dss: { dack: 1 } });
    expect(bench.counter('RmAddr')).to.equal(2);
  });

  it('a SYN with MP_CAPABLE to a port for joins only', async () => {
    const bench = await Bench.create({ manager: 'endpoints' });
    bench.ip('endpoint add 10.0.0.1 signal port 5555');
    const peer = new Peer(bench, { stackPort: 5555 });
    peer.send({ flags: 'S', capable: { flags: 1 } });
    peer.expect({ flags: 'RA', reset: { reason: 3 } });
    expect(bench.counter('MPCapableEndpAttempt')).to.equal(1);
  });

  it('a join without memory', async () => {
    const [bench, peer] = await opened(2);
    bench.stack.core.x.configure(abi.CFG_MEMORY_MAX, 1);
    let code: string | undefined;
    bench.stack.join(bench.app.live, 1, '10.0.1.2', 30000, { local: 2, remote: 0 }, (error) => {
      code = error?.code;
    });
    expect(code).to.equal('ENOBUFS');
    expect(bench.counter('MPJoinSynTxCreatSkErr')).to.equal(1);
    expect(bench.counter('MemoryDrop')).to.be.above(0);
    bench.stack.core.x.configure(abi.CFG_MEMORY_MAX, 512 << 20);
    peer.data('still').expect({ dss: { dack: 11 } });
  });

  it('opens, refusals, resets and packets of TCP', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench);
    peer.takeSyn();
    peer.send({ flags: 'RA' });
    expect(read(bench, 'ActiveOpens', 'AttemptFails', 'EstabResets')).to.deep.equal([1, 1, 0]);

    const [other, live] = await opened();
    const sent = other.counter('OutSegs');
    live.data('world').expect({ dss: { dack: 11 } });
    expect(other.counter('OutSegs')).to.equal(sent + 1);
    live.send({ flags: 'RA' });
    expect(read(other, 'EstabResets', 'OutRsts')).to.deep.equal([1, 0]);
  });

  it('resets beyond their ration', async () => {
    const bench = await Bench.create({ config: [[abi.CFG_RST_RATE, 4]] });
    for (let i = 0; i < 100; i++) new Peer(bench, { port: 20_000 + i, stackPort: 9 }).send({ flags: 'S' });
    const resets = bench.counter('OutRsts');
    expect(resets).to.be.within(1, 6);
    expect(bench.counter('OutRstsSkipped')).to.equal(100 - resets);
  });

  it('loss probes, timeouts and what is given up', async () => {
    const [bench, peer] = await opened();
    for (let i = 0; i < 4; i++) {
      bench.wait(1000);
      bench.app.write('warm');
      const { dss } = peer.expect({ data: 'warm' });
      bench.wait(10_000);
      peer.send({ dss: { dack: (dss?.dsn ?? 0) + 4 } });
    }
    bench.app.write('x'.repeat(4000));
    const segments = peer.drain();
    const [, second, last] = segments;
    if (second === undefined || last === undefined) throw new Error('too little was sent');
    bench.wait(10_000);
    // The last one is lost; its probe repairs that.
    peer.send({ ack: second.seq, dss: { dack: peer.session.dack - second.length - last.length } });
    bench.wait(40_000);
    expect(bench.counter('TCPLossProbes')).to.equal(1);
    peer.send({ ack: last.seq + last.length, dss: { dack: peer.session.dack } });
    // Only an acknowledgement of something newer tells that the first copy was lost.
    peer.drain();
    bench.app.write('more');
    const more = peer.expect({ data: 'more' });
    bench.wait(10_000);
    peer.send({ ack: more.seq + 4, dss: { dack: (more.dss?.dsn ?? 0) + 4 } });
    expect(bench.counter('TCPLossProbeRecovery')).to.equal(1);
    bench.app.write('y'.repeat(4000));
    bench.wait(3e6);
    expect(read(bench, 'TCPTimeouts', 'TCPSlowStartRetrans').every((n) => n > 0)).to.equal(true);
    bench.wait(2000e6);
    expect(bench.counter('TCPAbortOnTimeout')).to.equal(1);
  });

  it('a D-SACK of the peer, segments beyond a hole, probes of an idle connection', async () => {
    const [bench, peer] = await opened();
    bench.app.write('abc');
    peer.expect({ data: 'abc' });
    peer.send({ ack: 4, dss: { dack: 4 }, sack: [[1, 4]] });
    expect(bench.counter('TCPDSACKRecv')).to.equal(1);
    peer.data('later', { dsn: 9, ssn: 9 }, { seq: 9 });
    expect(bench.counter('TCPOFOQueue')).to.equal(1);
    peer.data('gap', { dsn: 6, ssn: 6 }, { seq: 6 });
    peer.drain();
    bench.app.live.setKeepAlive(true);
    bench.wait(7201e6);
    expect(bench.counter('TCPKeepAlive')).to.be.above(0);
  });
});
