/** Subflows and addresses of one connection by hand: `connection.mptcp`. */
import { expect } from 'chai';
import type { PlaitError } from '../../src/errors.js';
import { Bench, type BenchOptions } from './bench.js';
import { Peer } from './peer.js';

const client = async (options: BenchOptions = {}): Promise<[Bench, Peer]> => {
  const bench = await Bench.create({ paths: 3, manager: 'none', ...options });
  bench.connect();
  return [bench, new Peer(bench).acceptFully()];
};
const codeOf = (fn: () => unknown): string => {
  try {
    fn();
  } catch (error) {
    return (error as PlaitError).code;
  }
  return 'no error';
};
/** Opens a subflow; what came of it. */
const open = (bench: Bench, options: object): { code: string; subflow: number } => {
  const end = { code: 'none yet', subflow: 0 };
  bench.app.live.mptcp.openSubflow(options, (error, subflow) => {
    end.code = error === null ? 'open' : error.code;
    end.subflow = subflow;
  });
  bench.settle();
  return end;
};

describe('packets: subflows and addresses by hand', () => {
  it('announce sends ADD_ADDR until the echo comes; remove sends REMOVE_ADDR once', async () => {
    const [bench, peer] = await client();
    const { mptcp } = bench.app.live;
    expect(mptcp.announce('10.0.1.1', { id: 9 })).to.equal(9);
    peer.expect({ add: { id: 9, address: '10.0.1.1', echo: false } });
    bench.wait(3e6);
    expect(peer.drain().filter(({ add }) => add !== null)).to.have.lengthOf(3);
    mptcp.remove(9);
    peer.expect({ remove: [9] });
    expect(codeOf(() => mptcp.remove(9))).to.equal('EINVAL');
    peer.expectNothing(60e6);
  });

  it('announce takes the ID of the path, or a free one; with a port, joins come in there', async () => {
    const [bench, peer] = await client();
    const { mptcp } = bench.app.live;
    const id = mptcp.announce('10.0.2.1', { port: 4430 });
    expect(id).to.equal(4); // as for joins from there
    peer.expect({ add: { id, address: '10.0.2.1', port: 4430 } });
    expect(mptcp.announce('10.0.99.1')).to.equal(1);
    const joined = { session: peer.session, path: 2, stackPort: 4430 };
    new Peer(bench, { ...joined, port: 30001 }).joinNow(5);
    expect(mptcp.subflows()[1]).to.containSubset({ localId: 4, remoteId: 5, local: { port: 4430 } });
    mptcp.remove(id);
    const late = new Peer(bench, { ...joined, port: 30002 });
    late.send({ flags: 'S', join: late.joinSyn(6) }).expect({ flags: 'RA' });
  });

  it('openSubflow joins and tells when it is established', async () => {
    const [bench, peer] = await client();
    const end = open(bench, {
      local: '10.0.1.1',
      localId: 7,
      remote: '10.0.1.2',
      remotePort: 6000,
      backup: true,
    });
    expect(end.code).to.equal('none yet');
    const joined = new Peer(bench, { session: peer.session, path: 1, port: 6000 });
    const syn = joined.takeSyn({ join: { id: 7, backup: true } });
    expect(syn.sourcePort).to.not.equal(0);
    joined.send({ flags: 'RA' });
    expect(end.code).to.equal('ECONNREFUSED');
    const again = open(bench, { local: '10.0.1.1', remotePort: 6000 });
    new Peer(bench, { session: peer.session, path: 1, port: 6000, address: '10.0.0.2' }).acceptJoin();
    expect(again.code).to.equal('open');
    expect(bench.app.live.mptcp.subflows()[1]).to.include({ id: again.subflow, localId: 3 });
  });

  it('openSubflow with everything left out makes one more over the first pair', async () => {
    const [bench, peer] = await client();
    const end = open(bench, {});
    new Peer(bench, { session: peer.session, port: 5000 }).acceptJoin();
    expect(end.code).to.equal('open');
    expect(bench.app.live.mptcp.subflows()[1]).to.include({ localId: 0 });
  });

  it('closeSubflow ends one with FIN, by handle or by addresses; setBackup sends MP_PRIO', async () => {
    const [bench, peer] = await client();
    const { mptcp } = bench.app.live;
    const { subflow } = ((): { subflow: number } => {
      const end = open(bench, { local: '10.0.1.1' });
      new Peer(bench, { session: peer.session, path: 1, port: 5000, address: '10.0.0.2' }).acceptJoin();
      return end;
    })();
    const joined = new Peer(bench, { session: peer.session, path: 1, port: 5000, address: '10.0.0.2' });
    joined.stackPort = mptcp.subflows()[1]?.local.port ?? 0;
    const name = { local: '10.0.1.1', localPort: joined.stackPort, remote: '10.0.0.2', remotePort: 5000 };
    mptcp.setBackup(name, true);
    joined.expect({ prio: true });
    mptcp.setBackup(subflow, false);
    joined.expect({ prio: false });
    mptcp.closeSubflow(name);
    joined.expect({ flags: 'A' });
    joined.expect({ flags: 'FA' });
    expect(bench.counter('RmSubflow')).to.equal(1);
    expect(codeOf(() => mptcp.closeSubflow({ ...name, remotePort: 1 }))).to.equal('ESRCH');
    expect(codeOf(() => mptcp.setBackup(1234567, true))).to.equal('ESRCH');
    bench.wait(60e6);
    expect(peer.drain().every(({ flags }) => flags === 'A')).to.equal(true);
  });

  it('what cannot be done has a code', async () => {
    const [bench] = await client();
    const { mptcp } = bench.app.live;
    expect(codeOf(() => mptcp.announce('10.0.1.1', { id: 0 }))).to.equal('EINVAL');
    expect(codeOf(() => mptcp.announce('10.0.1.1', { id: 256 }))).to.equal('EINVAL');
    expect(codeOf(() => mptcp.announce('eth0'))).to.equal('EINVAL');
    expect(open(bench, { local: '10.0.9.1' }).code).to.equal('EADDRNOTAVAIL');
    expect(open(bench, { remote: 'peer' }).code).to.equal('EINVAL');
    bench.app.live.release();
    expect(codeOf(() => mptcp.remove(1))).to.equal('ERR_SOCKET_CLOSED');

    const plain = await Bench.create({ manager: 'none' });
    plain.listen();
    new Peer(plain).openPlain();
    expect(codeOf(() => plain.app.live.mptcp.announce('10.0.1.1'))).to.equal('EOPNOTSUPP');
    const early = await Bench.create({ manager: 'none' });
    early.connect();
    new Peer(early).accept();
    expect(codeOf(() => early.app.live.mptcp.announce('10.0.1.1'))).to.equal('EAGAIN');
  });

  it('the end of the connection ends what was asked for', async () => {
    const [bench, peer] = await client();
    const end = open(bench, { local: '10.0.1.1' });
    peer.send({ flags: 'RA', fastclose: peer.session.stackKey });
    expect(end.code).to.not.equal('none yet').and.not.equal('open');
  });
});
