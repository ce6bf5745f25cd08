/** Every limit is run into: what meets it is refused and counted, and the connection goes on. */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import { addressBytes } from '../../src/core/address.js';
import { auditCore, loadBuild, sackedWork } from '../fuzz/builds.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

const opened = async (key: number, value: number, paths = 1): Promise<[Bench, Peer]> => {
  const bench = await Bench.create({ paths, config: [[key, value]] });
  bench.listen();
  const peer = new Peer(bench).open();
  peer.data('hello').expect({ dss: { dack: 6 } });
  return [bench, peer];
};
const memory = (bench: Bench): number => bench.stack.core.x.memoryUsed();

/** Grows the congestion window; where each segment in flight begins, and the end. */
function inFlight(bench: Bench, peer: Peer): number[] {
  for (let round = 0; ; round++) {
    bench.app.write('x'.repeat(900_000));
    const sent = peer.drain().filter(({ length }) => length > 0);
    const end = Math.max(...sent.map(({ seq, length }) => seq + length));
    if (round === 6) return [...sent.map(({ seq }) => seq), end];
    bench.wait(1000);
    for (const { seq, length } of sent) peer.send({ ack: seq + length, dss: { dack: seq + length } });
  }
}

function parts(edges: number[]): [number, number][] {
  const at = (share: number): number => edges[Math.floor((edges.length - 1) * share)] ?? 0;
  return [
    [at(0.5), at(0.7)],
    [at(0.7), at(1)],
    [edges[1] ?? 0, at(0.3)],
  ];
}

describe('packets: limits', () => {
  it('mappings without data, from the last to the first', async () => {
    const [bench, peer] = await opened(abi.CFG_MAPPINGS_MAX, 16);
    const before = memory(bench);
    for (let i = 3000; i > 0; i -= 3) {
      peer.send({ dss: { dack: 1, dsn: peer.session.dsn + i, ssn: peer.seq + i, length: 1 } });
    }
    expect(bench.counter('MappingDrop')).to.equal(1000 - 16);
    expect(memory(bench) - before).to.be.at.most(2048);
    peer.data('world');
    expect(bench.app.text).to.equal('helloworld');
  });

  it('segments beyond holes; they count as not received', async () => {
    const [bench, peer] = await opened(abi.CFG_RANGES_MAX, 4);
    const { seq, session } = peer;
    const { dsn } = session;
    const piece = (i: number): void => void peer.data('x', { dsn: dsn + i, ssn: seq + i }, { seq: seq + i });
    for (let i = 1; i < 20; i += 2) piece(i);
    expect(bench.counter('TCPOFODrop')).to.equal(10 - 4);
    for (let i = 0; i < 20; i++) piece(i);
    expect(bench.app.text).to.equal(`hello${'x'.repeat(20)}`);
  });

  it('data beyond holes, in order for its subflow; it counts as lost', async () => {
    const [bench, peer] = await opened(abi.CFG_RANGES_MAX, 4);
    const { dsn } = peer.session;
    for (let i = 1; i < 20; i += 2) peer.data('x', { dsn: dsn + i });
    expect(bench.counter('DataOFODrop')).to.equal(10 - 4);
    expect(bench.counter('TCPOFODrop')).to.equal(0);
    peer.acknowledge();
    for (let i = 0; i < 20; i++) peer.data('y', { dsn: dsn + i });
    // Of what was refused nothing was kept.
    expect(bench.app.text).to.equal(`hello${'yx'.repeat(4)}${'y'.repeat(12)}`);
  });

  it('octets that wait for their mapping', async () => {
    const [bench, peer] = await opened(abi.CFG_HELD_MAX, 4096);
    const before = memory(bench);
    for (let i = 1; i <= 50; i++) {
      peer.send({ flags: 'PA', data: 'x', dss: { dack: 1 }, seq: peer.seq + 4096 });
    }
    expect(bench.counter('HeldDrop')).to.be.above(0);
    expect(memory(bench) - before).to.be.at.most(4096 + 4096);
  });

  it('octets of all connections that wait', async () => {
    const [bench, peer] = await opened(abi.CFG_HELD_STACK_MAX, 2048);
    const other = new Peer(bench, { port: 30005 }).open();
    other.data('there').expect({ dss: { dack: 6 } });
    for (const one of [peer, other])
      one.send({ flags: 'PA', data: 'x', dss: { dack: 1 }, seq: one.seq + 100 });
    expect(bench.counter('HeldDrop')).to.equal(1);
  });

  it('announcements that wait for a packet', async () => {
    const [bench, peer] = await opened(abi.CFG_SIGNALS_MAX, 2);
    const { core } = bench.stack;
    core.setAddresses(addressBytes('10.7.0.1'));
    const done = [10, 11, 12, 13].map((id) => core.x.announce(bench.app.live.handle, id, 0));
    expect(done).to.deep.equal([0, 0, abi.E_LIMIT, abi.E_LIMIT]);
    bench.stack.kick();
    expect(bench.counter('AddAddrTxDrop')).to.equal(2);
    expect(peer.drain().filter(({ add }) => add !== null)).to.have.length(2);
  });

  it('announcements of the peer: many at once, then one a second', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.data('hello');
    const announce = (count: number): void => {
      for (let i = 0; i < count; i++) peer.addAddr({ id: 9, address: `10.9.0.${String(i + 1)}` });
    };
    const taken = (): number => bench.app.events.filter(({ type }) => type === 'announced').length;
    announce(100);
    expect(taken()).to.equal(32);
    expect(bench.counter('AddAddrDrop')).to.equal(68);
    expect(peer.drain().filter(({ add }) => add?.echo === true)).to.have.length(32);
    bench.wait(3_500_000);
    announce(100);
    expect(taken()).to.equal(35);
  });

  for (const [name, next] of [
    ['everything again', (edges: number[]) => [[edges[1], edges.at(-1)]]],
    ['its last segment again', (edges: number[]) => [[edges.at(-2), edges.at(-1)]]],
    ['everything in parts', (edges: number[]) => parts(edges)],
  ] as const) {
    it(`work for SACK that reports ${name}`, async () => {
      const bench = await Bench.create({
        module: await loadBuild('audit'),
        config: [[abi.CFG_RECORDS_MAX, 4096]],
      });
      bench.listen();
      const peer = new Peer(bench, { scale: 10 }).open();
      const edges = inFlight(bench, peer);
      expect(edges.length).to.be.above(200);
      const { core } = bench.stack;
      const ack = edges[0] ?? 0;
      // An honest receiver reports one segment more each time.
      for (const end of edges.slice(2)) peer.send({ ack, sack: [[edges[1] ?? 0, end]] });
      const honest = sackedWork(core);
      expect(honest, 'honest').to.be.below(5 * edges.length);
      for (let i = 0; i < 1000; i++) peer.send({ ack, sack: next(edges) as [number, number][] });
      expect(sackedWork(core) - honest, 'hostile').to.be.below(5000);
      expect(auditCore(core)).to.equal(null);
      peer.send({ ack: edges.at(-1) ?? 0, dss: { dack: edges.at(-1) ?? 0 } });
    });
  }

  it('segments in flight', async () => {
    const [bench, peer] = await opened(abi.CFG_RECORDS_MAX, 3);
    bench.app.write('y'.repeat(20_000));
    const sent = peer.drain().filter(({ length }) => length > 0);
    expect(sent).to.have.length(3);
    expect(bench.counter('RecordsFull')).to.be.above(0);
    peer.acknowledge();
    expect(peer.drain().filter(({ length }) => length > 0)).to.have.length(3);
  });

  it('subflows in TIME-WAIT', async () => {
    const bench = await Bench.create({ config: [[abi.CFG_TIME_WAIT_MAX, 1]] });
    bench.listen();
    for (const port of [30000, 30001, 30002]) {
      const peer = new Peer(bench, { port }).openPlain();
      bench.apps.at(-1)?.live.shutdown();
      peer.expect({ flags: 'FA' });
      peer.send({ flags: 'FA' });
      peer.drain();
    }
    expect(bench.stack.core.x.subflows()).to.equal(1);
    expect(bench.counter('TCPTimeWaitOverflow')).to.equal(2);
  });

  it('memory: a new connection is refused, an old one goes on', async () => {
    const [bench, peer] = await opened(abi.CFG_MEMORY_MAX, 10_019_235);
    for (let port = 30100; port < 30120; port++) {
      const other = new Peer(bench, { port }).send({ flags: 'S', capable: {} });
      if (other.next() === null) break;
      other.seq = 1;
    }
    new Peer(bench, { port: 30200 }).send({ flags: 'S', capable: {} });
    expect(memory(bench)).to.be.at.most(10_019_235);
    peer.data('world');
    expect(bench.app.text).to.equal('helloworld');
  });

  it('private copies and data ranges of a silent path', async () => {
    for (const [key, counter] of [
      [abi.CFG_PRIVATE_MAX, 'PrivateFull'],
      [abi.CFG_REINJECTIONS_MAX, 'ReinjectDrop'],
    ] as const) {
      const [bench, first] = await opened(key, 1, 2);
      const other = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
      // Segment by segment, so that the data of both subflows is interleaved.
      for (let i = 0; i < 12; i++) {
        bench.app.write('z'.repeat(1400));
        bench.settle();
      }
      bench.wait(3e6);
      expect(bench.counter(counter), counter).to.be.above(0);
      other.drain();
    }
  });
});
