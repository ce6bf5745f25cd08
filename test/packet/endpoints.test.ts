/** The path manager of endpoints and limits, packet by packet: what Linux 6.18 does with the same `ip mptcp` lines. */
import { expect } from 'chai';
import { Bench, type BenchOptions, type Recorded } from './bench.js';
import { Peer } from './peer.js';

type Setup = (bench: Bench) => void;

const create = (options: BenchOptions = {}): Promise<Bench> =>
  Bench.create({ paths: 3, manager: 'endpoints', ...options });

/** The stack opened a connection on path 0; the peer has accepted it fully. */
const client = async (
  setup: Setup,
  options: BenchOptions & { flags?: number } = {},
): Promise<[Bench, Peer]> => {
  const bench = await create(options);
  setup(bench);
  bench.connect();
  return [bench, new Peer(bench).acceptFully(options.flags)];
};

/** The stack accepted a connection on path 0. */
const server = async (setup: Setup, options: BenchOptions = {}): Promise<[Bench, Peer]> => {
  const bench = await create(options);
  setup(bench);
  bench.listen();
  const peer = new Peer(bench).open();
  return [bench, peer];
};

/** Takes what the stack sent since the last call, and keeps the join SYNs. */
const joins = (bench: Bench): { from: string; to: string; port: number; id: number; backup: boolean }[] => {
  bench.settle();
  const all = bench.device.sent.filter(({ flags, join }) => flags === 'S' && join !== null);
  for (const packet of all) bench.device.sent.splice(bench.device.sent.indexOf(packet), 1);
  return all.map((p: Recorded) => ({
    from: p.source,
    to: p.destination,
    port: p.destinationPort,
    id: p.join?.id ?? -1,
    backup: p.join?.backup ?? false,
  }));
};
const adds = (peer: Peer): { id: number; address: string; port?: number }[] =>
  peer
    .drain()
    .flatMap(({ add }) =>
      add === null || add.echo === true
        ? []
        : [{ id: add.id, address: add.address, ...(add.port !== undefined && { port: add.port }) }],
    );
const removes = (peer: Peer): number[][] =>
  peer.drain().flatMap(({ remove }) => (remove === null ? [] : [remove]));

/** The peer answers a join of the stack that goes to it. */
const answer = (
  bench: Bench,
  first: Peer,
  path: number,
  address?: string,
  remoteId = 0,
  port = 5000,
): Peer => {
  const peer = new Peer(bench, {
    session: first.session,
    path,
    port,
    ...(address !== undefined && { address }),
  });
  return peer.acceptJoin(remoteId);
};

describe('packets: subflow endpoints', () => {
  it('each joins the first address of the peer, up to the limit of subflows', async () => {
    const [bench] = await client((b) => {
      b.ip('endpoint add 10.0.1.1 subflow');
      b.ip('endpoint add 10.0.2.1 subflow id 9 dev path2');
    });
    expect(joins(bench)).to.deep.equal([
      { from: '10.0.1.1', to: '10.0.0.2', port: 5000, id: 1, backup: false },
      { from: '10.0.2.1', to: '10.0.0.2', port: 5000, id: 9, backup: false },
    ]);
    const [limited] = await client((b) => {
      b.ip('limits set subflows 1');
      b.ip('endpoint add 10.0.1.1 subflow');
      b.ip('endpoint add 10.0.2.1 subflow');
    });
    expect(joins(limited)).to.have.lengthOf(1);
  });

  it('the one of the first subflow is in use already', async () => {
    const [bench] = await client((b) => b.ip('endpoint add 10.0.0.1 subflow'));
    expect(joins(bench)).to.deep.equal([]);
  });

  it('the side that accepted the connection joins announced addresses only', async () => {
    const [bench, peer] = await server((b) => {
      b.ip('limits set add_addr_accepted 1');
      b.ip('endpoint add 10.0.1.1 subflow');
    });
    expect(joins(bench)).to.deep.equal([]);
    peer.addAddr({ id: 4, address: '10.0.2.2', port: 6000 });
    expect(joins(bench)).to.containSubset([{ from: '10.0.2.1', to: '10.0.2.2', port: 6000 }]);
  });

  it('a raised limit lets the next one join', async () => {
    const [bench] = await client((b) => {
      b.ip('limits set subflows 0');
      b.ip('endpoint add 10.0.1.1 subflow');
    });
    expect(joins(bench)).to.deep.equal([]);
    bench.ip('limits set subflows 1');
    expect(joins(bench)).to.have.lengthOf(1);
  });

  it('a backup endpoint joins with the B flag, and MP_PRIO speaks for the first subflow', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('endpoint add 10.0.0.1 subflow backup');
      b.ip('endpoint add 10.0.1.1 subflow backup');
    });
    expect(joins(bench)).to.containSubset([{ from: '10.0.1.1', backup: true }]);
    expect(peer.drain().filter(({ prio }) => prio === true)).to.have.lengthOf(1);
    expect(bench.counter('MPPrioTx')).to.equal(1);
  });

  it('added at run time it joins live connections; deleted, it is withdrawn and its subflow ends with FIN', async () => {
    const [bench, peer] = await client(() => undefined);
    bench.ip('endpoint add 10.0.1.1 subflow id 7');
    const joined = answer(bench, peer, 1, '10.0.0.2');
    peer.drain();
    bench.ip('endpoint delete id 7');
    expect(removes(peer)).to.deep.equal([[7]]);
    joined.expect({ flags: 'A' });
    joined.expect({ flags: 'FA', reset: null });
    joined.send({ flags: 'FA', dss: { dack: 1 } });
    joined.drain();
    bench.wait(60e6);
    expect(joins(bench), 'not tried again').to.deep.equal([]);
    bench.ip('endpoint add 10.0.1.1 subflow id 7');
    expect(joins(bench), 'added again').to.have.lengthOf(1);
  });

  it('change backup sends MP_PRIO both ways', async () => {
    const [bench, peer] = await client((b) => b.ip('endpoint add 10.0.1.1 subflow id 7'));
    const joined = answer(bench, peer, 1, '10.0.0.2');
    bench.ip('endpoint change id 7 backup');
    joined.expect({ flags: 'A', prio: true });
    expect(bench.app.live.liveSubflows()[1]?.backup).to.equal(true);
    bench.ip('endpoint change id 7 nobackup');
    joined.expect({ flags: 'A', prio: false });
    expect(peer.next()).to.equal(null);
  });

  it('what the peer has not got is not withdrawn', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('limits set subflows 0');
      b.ip('endpoint add 10.0.1.1 subflow');
      b.ip('endpoint add 10.0.2.1 fullmesh');
    });
    peer.drain();
    bench.ip('endpoint delete id 1');
    bench.ip('endpoint flush');
    peer.expectNothing(1e6);
    expect(bench.counter('RmAddrTx')).to.equal(0);
  });
});

describe('packets: signal endpoints', () => {
  it('are announced one after the other, by either side; the first address is known', async () => {
    const signal: Setup = (b) => {
      b.ip('endpoint add 10.0.0.1 signal');
      b.ip('endpoint add 10.0.1.1 signal');
      b.ip('endpoint add 10.0.2.1 signal id 9');
    };
    for (const side of [client, server]) {
      const [bench, peer] = await side(signal);
      expect(adds(peer)).to.deep.equal([{ id: 2, address: '10.0.1.1' }]);
      peer.addAddr({ id: 2, address: '10.0.1.1', echo: true });
      expect(adds(peer)).to.deep.equal([{ id: 9, address: '10.0.2.1' }]);
      expect(joins(bench)).to.deep.equal([]);
    }
  });

  it('ADD_ADDR is repeated after about a timeout, doubled, three times; then comes the next address', async () => {
    const [bench, peer] = await server((b) => {
      b.ip('endpoint add 10.0.1.1 signal');
      b.ip('endpoint add 10.0.2.1 signal');
    });
    peer.drain();
    const rto = bench.app.live.liveSubflows()[0]?.rto ?? 0;
    for (const wait of [rto, 2 * rto, 4 * rto]) peer.expectAfter(wait, { add: { id: 1, echo: false } });
    expect(adds(peer), 'the next one').to.deep.equal([{ id: 2, address: '10.0.2.1' }]);
    bench.wait(200e6);
    expect(adds(peer)).to.deep.equal(Array.from({ length: 3 }, () => ({ id: 2, address: '10.0.2.1' })));
    expect(bench.counter('AddAddrTx')).to.equal(8);
  });

  it('an echo counts when ID, address and port are right', async () => {
    const [bench, peer] = await server((b) => b.ip('endpoint add 10.0.1.1 port 4430 signal'));
    expect(adds(peer)).to.deep.equal([{ id: 1, address: '10.0.1.1', port: 4430 }]);
    peer.addAddr({ id: 1, address: '10.0.1.1', echo: true });
    peer.addAddr({ id: 1, address: '10.0.1.2', port: 4430, echo: true });
    peer.addAddr({ id: 2, address: '10.0.1.1', port: 4430, echo: true });
    bench.wait(1e6);
    expect(adds(peer).length, 'repeated all the same').to.be.greaterThan(0);
    peer.addAddr({ id: 1, address: '10.0.1.1', port: 4430, echo: true });
    bench.wait(60e6);
    expect(adds(peer)).to.deep.equal([]);
  });

  it('deleted, it is withdrawn, and the joins to it end; added again, it is announced again', async () => {
    const [bench, peer] = await server((b) => b.ip('endpoint add 10.0.1.1 signal id 9'));
    peer.drain();
    peer.addAddr({ id: 9, address: '10.0.1.1', echo: true });
    const joined = new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow(5);
    expect(bench.app.live.liveSubflows()[1]?.localId).to.equal(9);
    peer.drain();
    bench.ip('endpoint delete id 9');
    expect(removes(peer)).to.deep.equal([[9]]);
    joined.expect({ flags: 'A' });
    joined.expect({ flags: 'FA' });
    bench.ip('endpoint add 10.0.1.1 signal id 9');
    expect(adds(peer)).to.deep.equal([{ id: 9, address: '10.0.1.1' }]);
  });

  it('signal and subflow: announced and joined from', async () => {
    const [bench, peer] = await client((b) => b.ip('endpoint add 10.0.1.1 signal subflow'));
    expect(adds(peer)).to.deep.equal([{ id: 1, address: '10.0.1.1' }]);
    expect(joins(bench)).to.containSubset([{ from: '10.0.1.1', id: 1 }]);
  });

  it('flush withdraws what was announced in one option, and ends subflows without a word', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('endpoint add 10.0.1.1 subflow');
      b.ip('endpoint add 10.0.2.1 signal');
      b.ip('endpoint add 10.0.9.1 signal');
    });
    const joined = answer(bench, peer, 1, '10.0.0.2');
    peer.addAddr({ id: 2, address: '10.0.2.1', echo: true });
    peer.drain();
    bench.ip('endpoint flush');
    expect(removes(peer)).to.deep.equal([[2, 3]]);
    joined.expect({ flags: 'A' });
    joined.expect({ flags: 'FA' });
    expect(bench.ip('endpoint show')).to.equal('');
  });

  it('a port listens for joins only, and there the endpoint has its ID and backup flag', async () => {
    const [bench, peer] = await server((b) => b.ip('endpoint add 10.0.1.1 port 4430 signal backup id 9'));
    expect(adds(peer)).to.deep.equal([{ id: 9, address: '10.0.1.1', port: 4430 }]);
    const stranger = new Peer(bench, { path: 1, port: 30009, stackPort: 4430 });
    stranger.send({ flags: 'S', capable: { flags: 1 } }).expect({ flags: 'RA' });
    const options = { session: peer.session, path: 1, port: 30001, stackPort: 4430 };
    new Peer(bench, options).joinNow(5);
    expect(bench.app.live.liveSubflows()[1]).to.containSubset({
      localId: 9,
      backup: true,
      local: { port: 4430 },
    });
    bench.ip('endpoint delete id 9');
    const late = new Peer(bench, { ...options, port: 30002 });
    late.send({ flags: 'S', join: late.joinSyn(6) }).expect({ flags: 'RA', reset: { reason: 3 } });
  });
});

describe('packets: announced addresses', () => {
  const accept: Setup = (b) => b.ip('limits set add_addr_accepted 2 subflows 2');

  it('are echoed always, and joined within the limits, from where the route leads', async () => {
    const [bench, peer] = await client(() => undefined);
    peer.addAddr({ id: 4, address: '10.0.1.2' }).expect({ add: { id: 4, echo: true } });
    expect(joins(bench), 'add_addr_accepted is 0').to.deep.equal([]);
    const [willing, other] = await client(accept);
    other
      .addAddr({ id: 4, address: '10.0.1.2', port: 4430 })
      .expect({ add: { id: 4, port: 4430, echo: true } });
    other.addAddr({ id: 5, address: '10.0.9.2' });
    other.addAddr({ id: 6, address: '10.0.2.2' });
    expect(joins(willing)).to.deep.equal([
      { from: '10.0.1.1', to: '10.0.1.2', port: 4430, id: 1, backup: false },
      { from: '10.0.0.1', to: '10.0.9.2', port: 5000, id: 0, backup: false },
    ]);
    expect(willing.ip('endpoint show'), 'where the join came from').to.equal('10.0.1.1 id 1 implicit \n');
  });

  it('an address that a subflow has already is not joined', async () => {
    const [bench, peer] = await client(accept);
    peer.addAddr({ id: 4, address: '10.0.0.2' }).expect({ add: { id: 4, echo: true } });
    expect(joins(bench)).to.deep.equal([]);
  });

  it('ID 0 has to be the first address', async () => {
    const [bench, peer] = await client(accept);
    peer.addAddr({ id: 0, address: '10.0.1.2' }).expect({ add: { id: 0, echo: true } });
    expect(joins(bench)).to.deep.equal([]);
  });

  it('fullmesh: from every such endpoint, and from a new one to every address', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('limits set add_addr_accepted 1 subflows 4');
      b.ip('endpoint add 10.0.0.1 fullmesh');
      b.ip('endpoint add 10.0.1.1 fullmesh');
    });
    peer.addAddr({ id: 4, address: '10.0.2.2' });
    expect(joins(bench).map(({ from, to, id }) => [from, to, id])).to.deep.equal([
      ['10.0.0.1', '10.0.2.2', 0],
      ['10.0.1.1', '10.0.2.2', 2],
    ]);
    bench.ip('endpoint add 10.0.2.1 subflow fullmesh');
    expect(joins(bench).map(({ from, to, id }) => [from, to, id])).to.deep.equal([
      ['10.0.2.1', '10.0.0.2', 3],
      ['10.0.2.1', '10.0.2.2', 3],
    ]);
  });

  it('laminar: from one endpoint that is free', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('limits set add_addr_accepted 3 subflows 3');
      b.ip('endpoint add 10.0.0.1 laminar');
      b.ip('endpoint add 10.0.1.1 laminar');
      b.ip('endpoint add 10.0.2.1 laminar');
    });
    peer.addAddr({ id: 4, address: '10.0.9.2' });
    peer.addAddr({ id: 5, address: '10.0.9.3' });
    peer.addAddr({ id: 6, address: '10.0.9.4' });
    expect(joins(bench).map(({ from, to }) => [from, to])).to.deep.equal([
      ['10.0.1.1', '10.0.9.2'],
      ['10.0.2.1', '10.0.9.3'],
    ]);
  });

  it('withdrawn and announced again they are joined again', async () => {
    const [bench, peer] = await client((b) => b.ip('limits set add_addr_accepted 1 subflows 1'));
    peer.addAddr({ id: 4, address: '10.0.1.2' });
    const joined = answer(bench, peer, 1, '10.0.1.2', 4);
    peer.send({ remove: [4], dss: { dack: 1 } });
    joined.drain();
    bench.wait(1e6);
    expect(joins(bench)).to.deep.equal([]);
    peer.addAddr({ id: 4, address: '10.0.1.2' });
    expect(joins(bench)).to.have.lengthOf(1);
  });

  it('flag C of the peer: nothing to the first address; an announced one is joined from a subflow endpoint', async () => {
    const [bench, peer] = await client((b) => b.ip('endpoint add 10.0.1.1 subflow id 7'), { flags: 0x21 });
    expect(joins(bench)).to.deep.equal([]);
    peer.addAddr({ id: 4, address: '10.0.1.2' });
    expect(joins(bench)).to.deep.equal([
      { from: '10.0.1.1', to: '10.0.1.2', port: 5000, id: 7, backup: false },
    ]);
  });
});

describe('packets: ndiffports', () => {
  it('opens N subflows over the first pair, and a lost one again', async () => {
    const bench = await Bench.create({ paths: 2, manager: 'ndiffports:3' });
    bench.connect();
    const peer = new Peer(bench).acceptFully();
    const ports = new Set<number>();
    for (let i = 0; i < 2; i++) {
      const joined = new Peer(bench, { session: peer.session, port: 5000 }).acceptJoin();
      ports.add(joined.stackPort);
      if (i === 0) continue;
      joined.send({ flags: 'RA' });
      expect(joins(bench)).to.deep.equal([]);
      bench.wait(1e6);
    }
    expect(ports.size).to.equal(2);
    expect(joins(bench)).to.deep.equal([
      { from: '10.0.0.1', to: '10.0.0.2', port: 5000, id: 0, backup: false },
    ]);
  });
});

describe('packets: joins that come in', () => {
  it('are bounded by the limit of subflows', async () => {
    const [bench, peer] = await server((b) => b.ip('limits set subflows 1'));
    new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow(5);
    const late = new Peer(bench, { session: peer.session, path: 1, port: 30002 });
    late.join(6).expect({ flags: 'R', reset: { reason: 3 } });
    const [closed, other] = await server((b) => b.ip('limits set subflows 0'));
    const one = new Peer(closed, { session: other.session, path: 1, port: 30002 });
    one.join(6).expect({ flags: 'R', reset: { reason: 3 } });
  });

  it('make an implicit endpoint of the address, which is not announced nor withdrawn', async () => {
    const [bench, peer] = await server((b) => b.ip('endpoint add 10.0.9.1 subflow id 3'));
    for (const [path, port] of [
      [2, 30001],
      [1, 30002],
    ] as const) {
      new Peer(bench, { session: peer.session, path, port }).joinNow(path);
    }
    expect(bench.ip('endpoint show')).to.equal(
      '10.0.9.1 id 3 subflow \n10.0.2.1 id 4 implicit \n10.0.1.1 id 5 implicit \n',
    );
    expect(bench.app.live.liveSubflows().map(({ localId }) => localId)).to.deep.equal([0, 4, 5]);
    bench.ip('endpoint add 10.0.1.1 signal');
    expect(bench.ip('endpoint show id 5')).to.equal('10.0.1.1 id 5 signal \n');
    peer.drain();
    bench.ip('endpoint delete id 4');
    expect(removes(peer)).to.deep.equal([]);
  });

  it('the SYN/ACK says what the endpoint wants', async () => {
    const [bench, peer] = await server((b) => b.ip('endpoint add 10.0.1.1 signal backup id 9'));
    const joined = new Peer(bench, { session: peer.session, path: 1, port: 30001 });
    joined.send({ flags: 'S', join: joined.joinSyn(5) });
    joined.expect({ flags: 'SA', join: { id: 9, backup: true } });
  });
});

describe('packets: an interface that goes down and keeps its address', () => {
  it('moves what is in flight, keeps the subflow, and takes its ACKs wherever they come from', async () => {
    const [bench, peer] = await client((b) => b.ip('endpoint add 10.0.1.1 subflow'));
    const joined = answer(bench, peer, 1, '10.0.0.2');
    peer.drain();
    joined.drain();
    const [first] = bench.paths;
    bench.app.write('in flight');
    const sent = peer.expect({ data: 'in flight' });
    bench.stack.pathState(first?.id ?? 0, false);
    bench.settle();
    joined.expect({ data: 'in flight' });
    expect(peer.drain()).to.deep.equal([]);
    expect(bench.counter('SubflowStale')).to.equal(1);
    bench.app.write('meanwhile');
    joined.expect({ data: 'meanwhile' });
    // The weak host: the first subflow's packets come through another interface.
    peer.send({ flags: 'A', ack: sent.seq + 9, dss: { dack: 10 } });
    expect(bench.counter('SubflowRecover')).to.equal(1);
    expect(
      peer
        .drain()
        .concat(joined.drain())
        .some(({ flags, remove }) => flags.includes('R') || remove !== null),
    ).to.equal(false);
  });

  it('coming up again, its endpoint joins if it has no subflow', async () => {
    const [bench, peer] = await client((b) => b.ip('endpoint add 10.0.1.1 subflow'));
    const second = bench.paths[1]?.id ?? 0;
    const joined = answer(bench, peer, 1, '10.0.0.2');
    bench.stack.pathState(second, false);
    bench.stack.pathState(second, true);
    expect(joins(bench), 'it is in use').to.deep.equal([]);
    bench.stack.pathState(second, false);
    joined.send({ flags: 'RA' });
    bench.wait(100e6);
    expect(joins(bench)).to.deep.equal([]);
    bench.stack.pathState(second, true);
    expect(joins(bench)).to.have.lengthOf(1);
  });
});

describe('packets: ID 0 and what fails', () => {
  it('delete id 0 withdraws the first address and ends the first subflow; the endpoint may be joined from again', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('limits set subflows 3');
      b.ip('endpoint add 10.0.0.1 subflow');
      b.ip('endpoint add 10.0.1.1 subflow');
    });
    const joined = answer(bench, peer, 1, '10.0.0.2');
    joined.drain();
    bench.ip('endpoint delete id 0 10.0.0.1');
    expect(removes(joined)).to.deep.equal([[0]]);
    peer.expect({ flags: 'A' });
    peer.expect({ flags: 'FA' });
    bench.ip('endpoint add 10.0.2.1 subflow');
    expect(joins(bench).map(({ from, id }) => [from, id])).to.deep.equal([
      ['10.0.0.1', 0],
      ['10.0.2.1', 3],
    ]);
  });

  for (const [what, reason, flags, wait] of [
    ['transient', 0, 1, 1e6],
    ['transient and about resources', 2, 1, 10e6],
  ] as const) {
    it(`a refusal that is ${what} is tried again after ${wait / 1e6} s`, async () => {
      const [bench, peer] = await client((b) => b.ip('endpoint add 10.0.1.1 subflow'));
      for (const factor of [1, 2]) {
        const joined = new Peer(bench, { session: peer.session, path: 1, port: 5000, address: '10.0.0.2' });
        joined.takeSyn();
        joined.send({ flags: 'RA', reset: { reason, transient: flags === 1 } });
        bench.wait(wait * factor - 1e5);
        expect(joins(bench)).to.deep.equal([]);
        bench.wait(1e5);
      }
      expect(joins(bench)).to.have.lengthOf(1);
    });
  }

  it('a refusal that is permanent is not tried again, and neither is a join without an answer', async () => {
    const [bench, peer] = await client((b) => {
      b.ip('endpoint add 10.0.1.1 subflow');
      b.ip('endpoint add 10.0.2.1 subflow');
    });
    const joined = new Peer(bench, { session: peer.session, path: 1, port: 5000, address: '10.0.0.2' });
    joined.takeSyn();
    joined.send({ flags: 'RA', reset: { reason: 3, transient: false } });
    bench.wait(60e6);
    joins(bench);
    bench.wait(1200e6);
    expect(joins(bench)).to.deep.equal([]);
  });

  it('while one direction has ended, a join waits some round trips for the other one to end', async () => {
    const [bench, peer] = await client(() => undefined);
    peer.dataFin();
    bench.ip('endpoint add 10.0.1.1 subflow');
    bench.wait(49e3);
    expect(joins(bench)).to.deep.equal([]);
    bench.wait(2e3);
    expect(joins(bench).map(({ from }) => from)).to.deep.equal(['10.0.1.1']);
  });

  it('without any subflow, every path is tried at once, and again', async () => {
    const [bench, peer] = await client(() => undefined);
    peer.send({ flags: 'RA' });
    expect(joins(bench).map(({ from, to, id }) => [from, to, id])).to.deep.equal([
      ['10.0.0.1', '10.0.0.2', 0],
      ['10.0.1.1', '10.0.0.2', 1],
    ]);
  });
});
