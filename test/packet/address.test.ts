/** ADD_ADDR, REMOVE_ADDR and the option budget: points 19 and 21 to 23 of what a Linux peer expects. */
import { expect } from 'chai';
import ipaddr from 'ipaddr.js';
import { Bench } from './bench.js';
import { addressHmac } from './crypto.js';
import { Peer, type Seen } from './peer.js';

const opened = async (
  options: { ipv6?: boolean; ts?: boolean; manager?: boolean } = {},
): Promise<[Bench, Peer]> => {
  const bench = await Bench.create({
    paths: 2,
    ipv6: options.ipv6 === true,
    manager: options.manager === true,
  });
  bench.listen();
  const peer = new Peer(bench, { ts: options.ts === true }).open();
  peer.data('hello');
  peer.drain();
  return [bench, peer];
};
const second = (bench: Bench, first: Peer, port = 30001): Peer =>
  new Peer(bench, { session: first.session, path: 1, port });

const hmacOf = (peer: Peer, { add }: Seen): string => {
  const octets = Uint8Array.from(ipaddr.parse(add?.address ?? '').toByteArray());
  return addressHmac(peer.session.stackKey, peer.session.key, add?.id ?? 0, octets, add?.port ?? 0);
};

describe('packets: ADD_ADDR', () => {
  for (const [address, port, ipv6] of [
    ['10.0.1.1', 0, false],
    ['10.0.1.1', 443, false],
    ['2001:db8::1', 0, true],
    ['2001:db8::1', 8080, true],
  ] as const) {
    it(`point 21: ${address} ${port === 0 ? 'without port' : 'with port'} goes alone on a pure ACK, HMAC right`, async () => {
      const [bench, peer] = await opened({ ipv6 });
      bench.app.live.announcer.announce(2, address, port, () => undefined);
      const seen = peer.expect({
        flags: 'A',
        length: 0,
        seq: 1,
        ack: 6,
        dss: null,
        add: { id: 2, address, echo: false },
      });
      expect(seen.add?.port).to.equal(port === 0 ? undefined : port);
      expect(seen.add?.hmac, 'point 19: rightmost 64 bits, port 0 if absent').to.equal(hmacOf(peer, seen));
      expect(seen.prio).to.equal(null);
      expect(bench.counter('AddAddrTx')).to.equal(1);
    });
  }

  for (const [address, port] of [
    ['10.9.0.1', undefined],
    ['10.9.0.1', 4430],
    ['2001:db8::9', undefined],
    ['2001:db8::9', 4430],
  ] as const) {
    it(`point 21: the echo repeats id, ${address}${port === undefined ? '' : ' and port'}, without HMAC`, async () => {
      const [bench, peer] = await opened();
      peer.addAddr(port === undefined ? { id: 9, address } : { id: 9, address, port });
      const { add } = peer.expect({ flags: 'A', length: 0, dss: null, add: { id: 9, address, echo: true } });
      expect(add?.port).to.equal(port);
      expect(add?.hmac).to.equal(undefined);
      expect(bench.app.has('announced')).to.equal(true);
    });
  }

  it('point 21: a wrong HMAC is ignored silently', async () => {
    const [bench, peer] = await opened();
    peer.addAddr({ id: 9, address: '10.9.0.1', hmac: '0123456789abcdef' });
    peer.expectNothing(1e6);
    expect(bench.app.has('announced')).to.equal(false);
    expect(bench.counter('AddAddrDrop')).to.equal(1);
  });

  it('point 21: a repeated announcement is echoed again', async () => {
    const [, peer] = await opened();
    for (let i = 0; i < 3; i++) {
      peer.addAddr({ id: 9, address: '10.9.0.1' });
      peer.expect({ add: { id: 9, echo: true } });
    }
  });

  it('point 21: is repeated without an echo, three times at most; an echo ends that', async () => {
    const [bench, peer] = await opened({ manager: true });
    bench.wait(60e6);
    const adds = peer.drain().filter(({ add }) => add !== null);
    // The first one went out with the first packets, which opened() has taken.
    expect(adds).to.have.lengthOf(3);
    for (const { add } of adds) expect(add).to.containSubset({ id: 3, address: '10.0.1.1', echo: false });
    const [echoing, other] = await opened({ manager: true });
    other.addAddr({ id: 3, address: '10.0.1.1', echo: true });
    echoing.wait(60e6);
    expect(other.drain().filter(({ add }) => add !== null)).to.have.lengthOf(0);
    expect(echoing.counter('EchoAdd')).to.equal(1);
    expect(echoing.counter('PortAdd')).to.equal(0);
    other.addAddr({ id: 4, address: '10.0.2.1', port: 4430, echo: true });
    expect(echoing.counter('PortAdd')).to.equal(1);
  });

  it('point 21: an ACK with ADD_ADDR is no duplicate ACK', async () => {
    const [bench, peer] = await opened();
    bench.app.live.setNoDelay(true);
    bench.app.write('x'.repeat(6000));
    peer.drain();
    for (let i = 0; i < 4; i++) {
      peer.addAddr({ id: 9 + i, address: `10.9.0.${String(i + 1)}` });
    }
    expect(peer.drain().filter(({ length }) => length > 0)).to.deep.equal([]);
    expect(bench.counter('TCPFastRetrans')).to.equal(0);
  });

  it('point 21: the path manager joins an announced address, with its port', async () => {
    const bench = await Bench.create({ paths: 2, manager: true });
    bench.connect();
    const first = new Peer(bench).acceptFully();
    first.addAddr({ id: 9, address: '10.0.1.2', port: 4430 });
    bench.wait(3e6);
    const syn = bench.device.sent.find(
      (p) => p.destination === '10.0.1.2' && p.flags === 'S' && p.destinationPort === 4430,
    );
    expect(syn?.join?.id).to.equal(3);
    expect(first.drain().some(({ add }) => add?.echo === true)).to.equal(true);
  });

  it('point 22: an address that took the id of another one replaces it', async () => {
    const [bench, peer] = await opened();
    peer.addAddr({ id: 9, address: '10.9.0.1' }).expect({ add: { address: '10.9.0.1' } });
    peer.addAddr({ id: 9, address: '10.9.0.2' }).expect({ add: { address: '10.9.0.2', echo: true } });
    expect(bench.app.events.filter(({ type }) => type === 'announced')).to.have.lengthOf(2);
  });
});

describe('packets: REMOVE_ADDR', () => {
  it('point 22: ends the subflows of these remote ids and no others', async () => {
    const [bench, first] = await opened();
    const joined = second(bench, first).joinNow(5);
    const other = second(bench, first, 30002).joinNow(6);
    first.send({ remove: [5, 77], dss: { dack: 1 } });
    joined.expect({ flags: 'A', dss: { dack: 6 } });
    joined.expect({ flags: 'FA', seq: 1, dss: { dack: 6 } });
    joined.send({ flags: 'FA', ack: 2, dss: { dack: 1 } });
    expect(other.next()).to.equal(null);
    expect(bench.counter('RmAddr'), 'one per address ID, as the kernel counts').to.equal(2);
    expect(bench.app.live.liveSubflows()).to.have.lengthOf(2);
  });

  it('point 22: moves what these subflows have in flight to others', async () => {
    const [bench, first] = await opened();
    const joined = second(bench, first).joinNow(5, true);
    bench.app.write('answer');
    first.expect({ data: 'answer', dss: { dsn: 1 } });
    joined.send({ remove: [0], dss: { dack: 1 } });
    joined.expect({ data: 'answer', dss: { dsn: 1, ssn: 1, length: 6 } });
  });

  it('point 22: eight ids at once', async () => {
    const [bench, first] = await opened();
    const joined = second(bench, first).joinNow(8);
    first.send({ remove: [1, 2, 3, 4, 5, 6, 7, 8], dss: { dack: 1 } });
    joined.expect({ flags: 'A' });
    joined.expect({ flags: 'FA' });
  });

  it('point 22: id 0 is the first subflow; the connection goes on with the other', async () => {
    const [bench, first] = await opened();
    const joined = second(bench, first).joinNow(5);
    joined.send({ remove: [0], dss: { dack: 1 } });
    first.expect({ flags: 'A' });
    first.expect({ flags: 'FA' });
    joined.data('world').expect({ dss: { dack: 11 } });
    expect(bench.app.text).to.equal('helloworld');
  });

  it('point 22: goes out on a subflow that stays, beside a DSS', async () => {
    const [bench, first] = await opened();
    const joined = second(bench, first).joinNow(5);
    bench.stack.withdraw(bench.app.live, [0]);
    joined.expect({ flags: 'A', remove: [0], dss: { dack: 6 } });
    expect(first.next()).to.equal(null);
    bench.stack.withdraw(bench.app.live, [3]);
    first.expect({ flags: 'A', remove: [3] });
  });

  it('point 22: the id of a joined subflow is that of MP_JOIN, on both sides', async () => {
    const [bench, first] = await opened();
    second(bench, first).joinNow(42);
    const subflow = bench.app.live.liveSubflows()[1];
    expect(subflow).to.containSubset({ remoteId: 42, localId: 3 });
  });
});

describe('packets: the option budget', () => {
  it('point 23: SYN, SYN/ACK and third ACK keep to 40 octets with timestamps', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.listen();
    const peer = new Peer(bench, { ts: true });
    peer.send({ flags: 'S', capable: {} });
    expect(peer.expect({ flags: 'SA' }).optionLength).to.equal(32);
    const client = await Bench.create({ paths: 2 });
    client.connect();
    const other = new Peer(client, { ts: true });
    expect(other.takeSyn().optionLength).to.equal(24);
    other.send({ flags: 'SA', capable: { sender: other.session.key } });
    expect(other.expect({ flags: 'A' }).optionLength).to.equal(32);
  });

  it('point 23: data with timestamps fills 40 octets at most and the packet the MTU', async () => {
    for (const flags of [1, 0x81]) {
      const bench = await Bench.create();
      bench.listen();
      const peer = new Peer(bench, { ts: true }).open(flags);
      peer.data('hello');
      peer.drain();
      bench.app.write('x'.repeat(20_000));
      const [full] = peer.drain();
      expect(full?.optionLength).to.equal(40);
      expect(full?.packetLength).to.equal(1500);
      expect(full?.raw).to.match(/^0101080a.{16}1e1[ac]20/);
    }
  });

  it('point 23: a pure ACK holds SACK blocks before the DSS, as Linux 6.18 sends them', async () => {
    const [, peer] = await opened({ ts: true });
    peer.data('c', { dsn: 8, ssn: 8 }, { seq: 8 });
    peer.data('e', { dsn: 10, ssn: 10 }, { seq: 10 });
    peer.data('g', { dsn: 12, ssn: 12 }, { seq: 12 });
    const seen = peer.drain().at(-1);
    expect(seen?.sack).to.deep.equal([[12, 13]]); // 12 + 12 + 12 octets: one block is all that fits
    expect(seen?.raw).to.match(/^0101080a.{16}0101050a.{16}1e0c2003.{16}$/);
  });

  it('point 23: ADD_ADDR of IPv6 with port leaves the timestamps out', async () => {
    const [bench, peer] = await opened({ ts: true, ipv6: true });
    bench.app.live.announcer.announce(2, '2001:db8::1', 8080, () => undefined);
    const seen = peer.expect({ add: { port: 8080 } });
    expect(seen.ts).to.equal(null);
    expect(seen.optionLength).to.equal(32);
  });

  it('point 23: a joined SYN, SYN/ACK and ACK fit with timestamps', async () => {
    const bench = await Bench.create({ paths: 2 });
    bench.connect();
    const first = new Peer(bench, { ts: true }).acceptFully();
    bench.join(1);
    const peer = new Peer(bench, { session: first.session, path: 1, port: 5000, ts: true });
    expect(peer.takeSyn({ join: { id: 2 } }).optionLength).to.equal(32);
  });
});
