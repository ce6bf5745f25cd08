/** The interface of a path gets another MTU or name while subflows run over it. */
import { expect } from 'chai';
import { icmpPacket } from '../unit/icmp-packet.js';
import { tcpPacket } from '../unit/tcp-packet.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

const HEADERS = 40;

async function plain(mtu: number): Promise<Peer> {
  const bench = await Bench.create({ mtu });
  bench.listen();
  return new Peer(bench).openPlain();
}

function write(peer: Peer, octets: number): void {
  peer.bench.app.live.setNoDelay(true);
  peer.bench.app.write('x'.repeat(octets));
  peer.bench.settle();
}

/** After a round trip, and the probe of a loss that it brings. */
function acknowledge(peer: Peer, ack: number): void {
  peer.bench.wait(20e3);
  peer.drain();
  peer.send({ ack });
}

function change(peer: Peer, mtu: number, name = 'eth0'): void {
  const { stack, paths } = peer.bench;
  expect(stack.changePath(paths[0]?.id ?? 0, { name, mtu })).to.equal(null);
  peer.bench.settle();
}

describe('packets: an interface that changes', () => {
  it('a smaller MTU: what is out in larger segments is sent again in smaller ones', async () => {
    const peer = await plain(1500);
    write(peer, 2000);
    peer.expect({ seq: 1, length: 1460 });
    peer.expect({ seq: 1461, length: 540 });
    change(peer, 1000);
    peer.expect({ seq: 1, length: 960 });
    peer.expect({ seq: 961, length: 500 });
    acknowledge(peer, 2001);
    write(peer, 2000);
    expect(peer.drain().map(({ length }) => length)).to.deep.equal([960, 960, 80]);
    expect(peer.bench.app.closed).to.equal(false);
  });

  it('a larger MTU: what is new fills it, as far as the peer takes it', async () => {
    const peer = await plain(1000);
    write(peer, 1000);
    expect(peer.drain().map(({ length }) => length)).to.deep.equal([960, 40]);
    change(peer, 9000);
    peer.expectNothing();
    acknowledge(peer, 1001);
    write(peer, 2000);
    expect(peer.drain().map(({ length }) => length)).to.deep.equal([1460, 540]);
  });

  it('what a router has told still holds', async () => {
    const peer = await plain(1500);
    write(peer, 1460);
    peer.expect({ seq: 1, length: 1460 });
    const quoted = tcpPacket({
      source: peer.stackAddress,
      destination: peer.address,
      sourcePort: peer.stackPort,
      destinationPort: peer.port,
      sequence: (peer.stackIsn + 1) >>> 0,
    });
    peer.bench.inject(0, icmpPacket('192.0.2.1', 3, 4, 1200, quoted));
    acknowledge(peer, 1461);
    for (const mtu of [1300, 1500]) {
      change(peer, mtu);
      write(peer, 1200 - HEADERS);
      peer.expect({ length: 1200 - HEADERS });
      peer.expectNothing();
      acknowledge(peer, peer.bench.app.live.info().bytesWritten + 1);
    }
  });

  it('another name shows where paths and subflows are told of', async () => {
    const peer = await plain(1500);
    change(peer, 1500, 'lan0');
    expect(peer.bench.stack.paths()[0]).to.include({ name: 'lan0', mtu: 1500 });
    expect(peer.bench.app.live.info().subflows[0]?.pathName).to.equal('lan0');
  });

  it('there is no other path, and no MTU below that of any link', async () => {
    const { bench } = await plain(1500);
    expect(bench.stack.changePath(99, { name: 'eth9', mtu: 1500 })?.code).to.equal('EADDRNOTAVAIL');
    for (const mtu of [0, 255, 65536])
      expect(bench.stack.core.x.setPathMtu(bench.paths[0]?.id ?? 0, mtu)).to.be.below(0);
    expect(bench.stack.core.x.setPathMtu(99, 1500)).to.be.below(0);
  });
});
