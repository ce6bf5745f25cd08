/** Addresses and endpoints over IPv6, with ports, and how long ADD_ADDR is repeated. */
import { expect } from 'chai';
import { Bench } from './bench.js';
import { Peer, stackToken } from './peer.js';

type Announced = { id: number; address: string; port?: number };

async function create(lines: readonly string[], ipv6 = true): Promise<Bench> {
  const bench = await Bench.create({ paths: 3, manager: 'endpoints', ipv6 });
  bench.ip('limits set subflows 4 add_addr_accepted 4');
  for (const line of lines) bench.ip(line);
  return bench;
}
async function client(...lines: string[]): Promise<[Bench, Peer]> {
  const bench = await create(lines);
  bench.connect();
  return [bench, new Peer(bench).acceptFully()];
}
async function server(...lines: string[]): Promise<[Bench, Peer]> {
  const bench = await create(lines);
  bench.listen();
  return [bench, new Peer(bench).open()];
}
const announced = (peer: Peer): Announced[] =>
  peer
    .drain()
    .flatMap(({ add }) =>
      add === null || add.echo === true
        ? []
        : [{ id: add.id, address: add.address, ...(add.port !== undefined && { port: add.port }) }],
    );
const echo = (peer: Peer, add: Announced): Peer => peer.send({ add: { ...add, echo: true } });
const joins = (bench: Bench): string[] => {
  bench.settle();
  const all = bench.device.sent.filter(({ flags, join }) => flags === 'S' && join !== null);
  for (const packet of all) bench.device.sent.splice(bench.device.sent.indexOf(packet), 1);
  return all.map(
    (p) => `${p.source} > [${p.destination}]:${String(p.destinationPort)} id ${String(p.join?.id)}`,
  );
};

describe('packets: addresses over IPv6', () => {
  it('a subflow endpoint joins the first address; deleted, its ID is withdrawn and its subflow ends', async () => {
    const [bench, first] = await client('endpoint add fd00:2::1 subflow id 9');
    const joined = new Peer(bench, { session: first.session, path: 1, port: 5000, address: 'fd00:1::2' });
    joined.acceptJoin();
    expect(bench.app.live.liveSubflows()[1]).to.containSubset({ localId: 9, remoteId: 0 });
    bench.ip('endpoint delete id 9');
    expect(first.drain().flatMap(({ remove }) => remove ?? [])).to.deep.equal([9]);
    expect(joined.drain().map(({ flags }) => flags)).to.include('FA');
  });

  it('signal endpoints are announced with and without port, in options of 28 and 30 octets', async () => {
    const [bench, first] = await server(
      'endpoint add fd00:2::1 signal id 5',
      'endpoint add fd00:3::1 port 4430 signal id 6',
    );
    // As in Linux, those with a port come first.
    const one = first.expect({ add: { id: 6, address: 'fd00:3::1', port: 4430, echo: false } });
    expect(one.raw.slice(0, 4)).to.equal('1e1e');
    echo(first, { id: 6, address: 'fd00:3::1', port: 4430 });
    const two = first.expect({ add: { id: 5, address: 'fd00:2::1', echo: false } });
    expect(two.add?.port).to.equal(undefined);
    expect(two.raw.slice(0, 4)).to.equal('1e1c');
    echo(first, { id: 5, address: 'fd00:2::1' });
    const joined = new Peer(bench, { session: first.session, path: 2, port: 30001, stackPort: 4430 });
    joined.joinNow(3);
    expect(bench.app.live.liveSubflows()[1]).to.containSubset({
      localId: 6,
      remoteId: 3,
      local: { port: 4430 },
    });
    expect(bench.counter('MPJoinPortAckRx')).to.equal(1);
    // A port is open at its address only.
    const other = new Peer(bench, { session: first.session, path: 1, port: 30002, stackPort: 4430 });
    other.send({ flags: 'S', join: { token: stackToken(first.session), nonce: 1 } });
    other.expect({ flags: 'RA', reset: { reason: 3 } });
  });

  it('an announced address is echoed as it came and joined, at its port', async () => {
    const [bench, first] = await client();
    first.addAddr({ id: 4, address: 'fd00:2::2', port: 4430 });
    first.expect({ add: { id: 4, address: 'fd00:2::2', port: 4430, echo: true } });
    expect(joins(bench)).to.deep.equal(['fd00:2::1 > [fd00:2::2]:4430 id 1']);
    first.addAddr({ id: 5, address: 'fd00:3::2' });
    first.expect({ add: { id: 5, address: 'fd00:3::2', echo: true } });
    expect(joins(bench)).to.deep.equal(['fd00:3::1 > [fd00:3::2]:5000 id 2']);
  });

  it('an IPv4 address announced over IPv6 is echoed, and not joined where no path is of its family', async () => {
    const [bench, first] = await client();
    first.addAddr({ id: 4, address: '10.0.1.2' });
    first.expect({ add: { id: 4, address: '10.0.1.2', echo: true } });
    expect(joins(bench)).to.deep.equal([]);
  });

  it('fullmesh: every endpoint of the family joins every address', async () => {
    const [bench, first] = await client(
      'endpoint add fd00:2::1 subflow fullmesh id 2',
      'endpoint add fd00:3::1 subflow fullmesh id 3',
    );
    expect(joins(bench)).to.deep.equal([
      'fd00:2::1 > [fd00:1::2]:5000 id 2',
      'fd00:3::1 > [fd00:1::2]:5000 id 3',
    ]);
    first.addAddr({ id: 4, address: 'fd00:2::2' });
    expect(joins(bench)).to.deep.equal([
      'fd00:2::1 > [fd00:2::2]:5000 id 2',
      'fd00:3::1 > [fd00:2::2]:5000 id 3',
    ]);
  });

  it('laminar: an announced address is joined from one endpoint that is free', async () => {
    const [bench, first] = await client(
      'endpoint add fd00:1::1 laminar id 7',
      'endpoint add fd00:2::1 laminar id 8',
      'endpoint add fd00:3::1 laminar id 9',
    );
    for (const id of [4, 5, 6]) first.addAddr({ id, address: `fd00:9::${String(id)}` });
    expect(joins(bench)).to.deep.equal([
      'fd00:2::1 > [fd00:9::4]:5000 id 8',
      'fd00:3::1 > [fd00:9::5]:5000 id 9',
    ]);
    first.send({ remove: [4], dss: { dack: 1 } });
    first.addAddr({ id: 4, address: 'fd00:9::14' });
    expect(joins(bench), 'nobody is free').to.deep.equal([]);
  });

  it('implicit: a join that comes in makes an endpoint, which is not announced nor withdrawn', async () => {
    const [bench, first] = await server('endpoint add fd00:9::1 subflow id 3');
    for (const [path, port] of [
      [2, 30001],
      [1, 30002],
    ] as const) {
      new Peer(bench, { session: first.session, path, port }).joinNow(path);
    }
    expect(bench.ip('endpoint show')).to.equal(
      'fd00:9::1 id 3 subflow \nfd00:3::1 id 4 implicit \nfd00:2::1 id 5 implicit \n',
    );
    expect(bench.app.live.liveSubflows().map(({ localId }) => localId)).to.deep.equal([0, 4, 5]);
    expect(announced(first)).to.deep.equal([]);
    bench.ip('endpoint delete id 4');
    expect(first.drain().flatMap(({ remove }) => remove ?? [])).to.deep.equal([]);
    bench.ip('endpoint add fd00:2::1 signal');
    expect(bench.ip('endpoint show id 5')).to.equal('fd00:2::1 id 5 signal \n');
    expect(announced(first)).to.deep.equal([{ id: 5, address: 'fd00:2::1' }]);
  });

  it('REMOVE_ADDR with ID 0 ends the first subflow, there and here', async () => {
    const [bench, first] = await server();
    const second = new Peer(bench, { session: first.session, path: 1, port: 30001 }).joinNow();
    second.send({ remove: [0], dss: { dack: 1 } });
    expect(first.drain().map(({ flags }) => flags)).to.deep.equal(['A', 'FA']);
    second.data('still').expect({ dss: { dack: 6 } });
    expect(bench.app.text).to.equal('still');

    const [other, peer] = await client();
    const joined = other.join(1);
    expect(joined).to.be.above(0);
    new Peer(other, { session: peer.session, path: 1, port: 5000 }).acceptJoin();
    other.ip('endpoint delete id 0 fd00:1::1');
    expect(peer.drain().map(({ flags }) => flags)).to.include('FA');
  });

  it('MP_PRIO of a backup endpoint', async () => {
    const [bench, first] = await client('endpoint add fd00:2::1 subflow backup');
    const joined = new Peer(bench, { session: first.session, path: 1, port: 5000, address: 'fd00:1::2' });
    expect(joined.acceptJoin(0).bench.app.live.liveSubflows()[1]?.backup).to.equal(true);
    bench.ip('endpoint change fd00:2::1 nobackup');
    expect(joined.drain().some(({ prio }) => prio === false)).to.equal(true);
  });
});

describe('packets: repetitions of ADD_ADDR', () => {
  const times = async (timeout: number): Promise<number[]> => {
    const bench = await create(['endpoint add fd00:2::1 signal id 5']);
    bench.stack.addAddrTimeout = timeout;
    bench.listen();
    const first = new Peer(bench).open();
    const start = bench.now;
    bench.wait(1000e6);
    return first
      .drain()
      .flatMap(({ add, time }) => (add === null ? [] : [Math.round((time - start) / 1e5) / 10]));
  };

  it('begin after a retransmission timeout and double, whatever the limit is above it', async () => {
    expect(await times(120e6)).to.deep.equal([0, 0.2, 0.6, 1.4]);
  });

  it('begin after add_addr_timeout where that is shorter', async () => {
    expect(await times(0.1e6)).to.deep.equal([0, 0.1, 0.3, 0.7]);
  });

  it('do not happen when add_addr_timeout is 0', async () => {
    expect(await times(0)).to.deep.equal([0]);
  });

  it('go out on the subflow that is left', async () => {
    const [bench, first] = await server('endpoint add fd00:2::1 signal id 5');
    const second = new Peer(bench, { session: first.session, path: 2, port: 30001 }).joinNow();
    expect(announced(first)).to.deep.equal([{ id: 5, address: 'fd00:2::1' }]);
    first.send({ flags: 'RA' });
    bench.wait(3e6);
    expect(announced(second)).to.deep.equal(new Array(3).fill({ id: 5, address: 'fd00:2::1' }));
  });
});
