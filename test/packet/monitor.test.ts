/** The event stream of subflows and addresses: kinds, attributes and order of `ip mptcp monitor` on Linux 6.18. */
import { expect } from 'chai';
import type { PathEvent } from '../../src/stack/monitor.js';
import { Bench, type BenchOptions } from './bench.js';
import { Peer } from './peer.js';

const watched = async (options: BenchOptions = {}): Promise<[Bench, PathEvent[]]> => {
  const bench = await Bench.create({ paths: 2, manager: 'endpoints', ...options });
  const events: PathEvent[] = [];
  bench.stack.monitor.listen((event) => events.push(event));
  return [bench, events];
};

describe('packets: events of subflows and addresses', () => {
  it('a connection that was opened here', async () => {
    const [bench, events] = await watched();
    bench.ip('limits set subflows 2 add_addr_accepted 1');
    bench.connect(5000, 40001);
    const first = new Peer(bench).accept();
    const token = bench.app.live.info().localToken;
    const whole = { saddr4: '10.0.0.1', daddr4: '10.0.0.2', sport: 40001, dport: 5000 };
    const created = { event: 'CREATED', token, remid: 0, locid: 0, ...whole, server_side: 0 };
    expect(events.splice(0)).to.deep.equal([created]);
    first.acknowledge();
    expect(events.splice(0)).to.deep.equal([{ ...created, event: 'ESTABLISHED' }]);

    first.addAddr({ id: 4, address: '10.0.1.2', port: 4430 });
    expect(events.splice(0)).to.deep.equal([
      { event: 'ANNOUNCED', token, remid: 4, daddr4: '10.0.1.2', dport: 4430 },
    ]);
    const joined = new Peer(bench, { session: first.session, path: 1, port: 4430 }).acceptJoin(4);
    const pair = { saddr4: '10.0.1.1', daddr4: '10.0.1.2', sport: joined.stackPort, dport: 4430 };
    const subflow = { token, remid: 4, locid: 1, ...pair, backup: 0 };
    expect(events.splice(0)).to.deep.equal([{ event: 'SF_ESTABLISHED', ...subflow }]);

    joined.send({ prio: true, dss: { dack: 1 } });
    expect(events.splice(0)).to.deep.equal([{ event: 'SF_PRIORITY', ...subflow, backup: 1 }]);
    joined.send({ flags: 'RA', reset: { reason: 2, transient: true } });
    expect(events.splice(0)).to.deep.equal([
      { event: 'SF_CLOSED', ...subflow, backup: 1, error: 104, reset_reason: 2, reset_flags: 1 },
    ]);
    first.send({ remove: [4], dss: { dack: 1 } });
    expect(events.splice(0)).to.deep.equal([{ event: 'REMOVED', token, remid: 4 }]);
    bench.app.live.release();
    bench.settle();
    expect(events.splice(0)).to.deep.equal([{ event: 'CLOSED', token }]);
  });

  it('a connection that was accepted, over IPv6; the listener, too', async () => {
    const [bench, events] = await watched({ ipv6: true });
    bench.listen();
    expect(events.splice(0)).to.deep.equal([{ event: 'LISTENER_CREATED', saddr4: '0.0.0.0', sport: 5000 }]);
    const peer = new Peer(bench).open();
    const token = bench.app.live.info().localToken;
    const ends = { saddr6: 'fd00:1::1', daddr6: 'fd00:1::2', sport: 5000, dport: 30000 };
    const created = { event: 'CREATED', token, remid: 0, locid: 0, ...ends, server_side: 1, flags: 2 };
    expect(events.splice(0)).to.deep.equal([created, { ...created, event: 'ESTABLISHED' }]);
    peer.drain();
    bench.ip('endpoint add fd00:2::1 port 4430 signal');
    expect(events.splice(0)).to.deep.equal([{ event: 'LISTENER_CREATED', saddr6: 'fd00:2::1', sport: 4430 }]);
    bench.ip('endpoint flush');
    expect(events.splice(0)).to.deep.equal([{ event: 'LISTENER_CLOSED', saddr6: 'fd00:2::1', sport: 4430 }]);
  });

  it('flag C of the peer shows in the flags', async () => {
    const [bench, events] = await watched();
    bench.connect();
    new Peer(bench).accept(0x21);
    expect(events[0]).to.include({ event: 'CREATED', server_side: 0, flags: 1 });
  });

  it('plain TCP is none of its business', async () => {
    const [bench, events] = await watched();
    bench.listen();
    events.length = 0;
    new Peer(bench).openPlain();
    bench.app.live.release();
    bench.settle();
    expect(events).to.deep.equal([]);
  });

  it('a join that fails is told; what ends with the connection is not', async () => {
    const [bench, events] = await watched();
    bench.ip('endpoint add 10.0.1.1 subflow');
    bench.connect();
    const first = new Peer(bench).acceptFully();
    const joined = new Peer(bench, { session: first.session, path: 1, port: 5000, address: '10.0.0.2' });
    joined.takeSyn();
    joined.send({ flags: 'RA' });
    expect(events.at(-1)).to.include({ event: 'SF_CLOSED', locid: 1, error: 111 });
    events.length = 0;
    first.send({ flags: 'RA', fastclose: first.session.stackKey });
    expect(events.map(({ event }) => event)).to.deep.equal(['CLOSED']);
  });

  it('no event has a key in it', async () => {
    const [bench, events] = await watched();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.addAddr({ id: 4, address: '10.0.1.2' });
    new Peer(bench, { session: peer.session, path: 1, port: 30001 }).joinNow(5);
    const text = JSON.stringify(events);
    for (const key of [peer.session.key, peer.session.stackKey]) {
      expect(text).to.not.include(key.toString(16)).and.not.include(key.toString());
    }
  });
});
