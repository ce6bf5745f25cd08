import { expect } from 'chai';
import { ManualClock } from '../../src/core/clock.js';
import { PlaitError } from '../../src/errors.js';
import { Checksum, type OutPacket } from '../../src/io/device.js';
import { MemoryNetwork, type MemoryDevice, type MemoryNetworkOptions } from '../../src/io/memory.js';
import { MemoryPipe, type DirectHost, type PipeOptions } from '../../src/io/pipe.js';
import { RecordingHost, attachNow, bindNow, path } from './recording-host.js';
import { outPacket, tcpPacket } from './tcp-packet.js';

describe('io/memory', () => {
  it('carries a packet between the addresses of a link after its delay', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2', { delay: 1000 });
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    const octets = tcpPacket({ payload: 100 });
    expect(a.device.send(0, outPacket(octets))).to.equal(true);
    net.run(999);
    expect(b.host.received).to.have.length(0);
    net.run(1000);
    expect(b.host.received).to.have.length(1);
    expect(b.host.received[0]).to.include({ path: 0, checksum: Checksum.Unknown });
    expect([...(b.host.received[0]?.packet ?? [])]).to.deep.equal([...octets]);
    expect(a.host.received).to.have.length(0);
  });

  it('chooses the link by both addresses, IPv4 and IPv6', () => {
    const net = new TestNetwork();
    const links = [
      net.network.connect('10.0.0.1', '10.0.1.1'),
      net.network.connect('10.0.0.1', '10.0.1.2'),
      net.network.connect('fd00::1', 'fd00:1::1'),
    ];
    const a = net.host('10.0.0.1', 'fd00:0:0::1');
    const b = net.host('10.0.1.1', '10.0.1.2', 'fd00:1::1');
    a.device.send(0, outPacket(tcpPacket({ source: '10.0.0.1', destination: '10.0.1.2' })));
    a.device.send(1, outPacket(tcpPacket({ source: 'fd00::1', destination: 'fd00:1::1' })));
    b.device.send(0, outPacket(tcpPacket({ source: '10.0.1.1', destination: '10.0.0.1' })));
    net.run(0);
    expect(b.host.received.map((received) => received.path)).to.deep.equal([1, 2]);
    expect(a.host.received.map((received) => received.path)).to.deep.equal([0]);
    expect(
      links.map(({ forward, backward }) => [forward.counters.sent, backward.counters.sent]),
    ).to.deep.equal([
      [0, 1],
      [1, 0],
      [1, 0],
    ]);
  });

  it('counts packets whose addresses no link joins', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.1.1');
    const a = net.host('10.0.0.1', '10.0.0.9');
    net.host('10.0.1.1');
    a.device.send(0, outPacket(tcpPacket({ source: '10.0.0.1', destination: '10.0.1.9' })));
    a.device.send(0, outPacket(tcpPacket({ source: '10.0.0.9', destination: '10.0.1.1' })));
    a.device.send(1, outPacket(tcpPacket({ source: '10.0.0.9', destination: '10.0.1.1' })));
    a.device.send(0, outPacket(new Uint8Array(3)));
    expect(net.network.counters.noRoute).to.equal(4);
    expect(net.network.nextDelivery()).to.equal(Infinity);
  });

  it('shares one link among several pairs of addresses', () => {
    const net = new TestNetwork();
    const link = net.network.connect('10.0.0.1', '10.0.1.1', { rate: 8e6 });
    net.network.share(link, '10.0.0.2', '10.0.1.2');
    const a = net.host('10.0.0.1', '10.0.0.2');
    const b = net.host('10.0.1.1', '10.0.1.2');
    a.device.send(0, outPacket(tcpPacket({ source: '10.0.0.1', destination: '10.0.1.1', payload: 960 })));
    a.device.send(1, outPacket(tcpPacket({ source: '10.0.0.2', destination: '10.0.1.2', payload: 960 })));
    net.run(1000);
    expect(b.host.received.map((received) => received.path)).to.deep.equal([0]);
    net.run(2000);
    expect(b.host.received.map((received) => received.path)).to.deep.equal([0, 1]);
  });

  it('drops and counts packets above the MTU of the link', () => {
    const net = new TestNetwork();
    const link = net.network.connect('10.0.0.1', '10.0.0.2', { mtu: 1400 });
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    a.device.send(0, outPacket(tcpPacket({ payload: 1361 })));
    a.device.send(0, outPacket(tcpPacket({ payload: 1360 })));
    link.mtu = 1399;
    a.device.send(0, outPacket(tcpPacket({ payload: 1360 })));
    net.run(0);
    expect(b.host.received.map(({ packet }) => packet.length)).to.deep.equal([1400]);
    expect(net.network.counters.tooBig).to.equal(2);
  });

  it('gives the way back its own options', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2', { delay: 100, backward: { delay: 300 } });
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    b.device.send(0, outPacket(tcpPacket({ source: '10.0.0.2', destination: '10.0.0.1' })));
    a.device.send(0, outPacket(tcpPacket()));
    net.run(100);
    expect([a.host.received.length, b.host.received.length]).to.deep.equal([0, 1]);
    net.run(300);
    expect(a.host.received).to.have.length(1);
  });

  it('lets a corrupted packet through to a host that checks', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2', { corrupt: 1 });
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    expect(a.device.needsChecksum).to.equal(true);
    const octets = tcpPacket({ payload: 50 });
    a.device.send(0, outPacket(octets));
    net.run(0);
    expect([...(b.host.received[0]?.packet ?? [])]).not.to.deep.equal([...octets]);
  });

  it('says that checksums are good when none are computed', () => {
    const net = new TestNetwork({ needsChecksum: false });
    net.network.connect('10.0.0.1', '10.0.0.2');
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    a.device.send(0, outPacket(tcpPacket()));
    net.run(0);
    expect(a.device.needsChecksum).to.equal(false);
    expect(b.host.received[0]?.checksum).to.equal(Checksum.Good);
  });

  it('delivers in order of arrival, then of links, and at most 64 packets at a time', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.1.1', { delay: 200 });
    net.network.connect('10.0.0.2', '10.0.1.2', { delay: 100 });
    const a = net.host('10.0.0.1', '10.0.0.2');
    const b = net.host('10.0.1.1', '10.0.1.2');
    for (let i = 0; i < 70; i++) {
      a.device.send(0, outPacket(tcpPacket({ source: '10.0.0.1', destination: '10.0.1.1' })));
      a.device.send(1, outPacket(tcpPacket({ source: '10.0.0.2', destination: '10.0.1.2' })));
    }
    net.clock.advanceTo(200);
    expect(net.network.deliver(200)).to.equal(64);
    expect(net.network.deliver(200)).to.equal(64);
    expect(net.network.deliver(200)).to.equal(12);
    const paths = b.host.received.map((received) => received.path);
    expect(paths).to.deep.equal([...Array<number>(70).fill(1), ...Array<number>(70).fill(0)]);
  });

  it('counts packets that the host has no room for, and calls onInput', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2');
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    let inputs = 0;
    b.device.onInput = () => inputs++;
    b.host.room = 1;
    a.device.send(0, outPacket(tcpPacket()));
    a.device.send(0, outPacket(tcpPacket()));
    net.run(0);
    expect(net.network.counters.ringFull).to.equal(1);
    expect(inputs).to.equal(2);
  });

  it('cuts and joins a link without telling the hosts', () => {
    const net = new TestNetwork();
    const link = net.network.connect('10.0.0.1', '10.0.0.2', { delay: 100 });
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    a.device.send(0, outPacket(tcpPacket()));
    link.setUp(false);
    a.device.send(0, outPacket(tcpPacket()));
    net.run(1000);
    link.setUp(true);
    link.update({ delay: 0 });
    a.device.send(0, outPacket(tcpPacket()));
    net.run(1000);
    expect(b.host.received).to.have.length(1);
    expect(link.forward.counters.droppedDown).to.equal(2);
    expect([...a.host.states, ...b.host.states]).to.deep.equal([]);
  });

  it('takes an interface down and tells its host', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2');
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    net.network.setInterface('10.0.0.2', false);
    net.network.setInterface('10.0.0.2', false);
    a.device.send(0, outPacket(tcpPacket()));
    b.device.send(0, outPacket(tcpPacket({ source: '10.0.0.2', destination: '10.0.0.1' })));
    net.run(0);
    net.network.setInterface('10.0.0.2', true);
    expect(b.host.states).to.deep.equal([
      [0, false],
      [0, true],
    ]);
    expect(net.network.counters.noPath).to.equal(2);
    expect(a.host.received.length + b.host.received.length).to.equal(0);
  });

  it('refuses bad addresses, addresses in use and links that exist', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2');
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    expect(attachNow(b.device, path(1, '10.0.0.1'))).to.equal('EADDRINUSE');
    expect(attachNow(b.device, path(1, 'localhost'))).to.equal('EINVAL');
    expect(attachNow(net.network.device(), path(1, '10.0.0.3'))).to.equal('ERR_SOCKET_CLOSED');
    expect(() => net.network.connect('10.0.0.2', '10.0.0.1')).to.throw(PlaitError, /joined already/);
    expect(() => net.network.connect('10.0.0.2', 'x')).to.throw(PlaitError, /not an IP address/);
    // A detached address is free again, and its packets are lost.
    b.device.detach(0);
    a.device.send(0, outPacket(tcpPacket()));
    net.run(0);
    expect(net.network.counters.noPath).to.equal(1);
    expect(attachNow(a.device, path(7, '10.0.0.2'))).to.equal(null);
  });

  it('binds ports per path, chooses free ones from 49152 upward, and counts bindings', () => {
    const { device } = new TestNetwork().host('10.0.0.1', '10.0.0.2');
    expect(bindNow(device, 0, 0)).to.equal(49152);
    expect(bindNow(device, 0, 0)).to.equal(49153);
    expect(bindNow(device, 1, 0)).to.equal(49152);
    expect(bindNow(device, 0, 49154)).to.equal(49154);
    expect(bindNow(device, 0, 49154)).to.equal(49154);
    expect(bindNow(device, 0, 0)).to.equal(49155);
    expect(bindNow(device, 0, 65536)).to.equal('EINVAL');
    expect(bindNow(device, 5, 80)).to.equal('EADDRNOTAVAIL');
    for (let port = 49156; port <= 65535; port++) bindNow(device, 0, 0);
    expect(bindNow(device, 0, 0)).to.equal('EADDRINUSE');
    device.unbind(0, 49154);
    expect(bindNow(device, 0, 0)).to.equal('EADDRINUSE');
    device.unbind(0, 49154);
    expect(bindNow(device, 0, 0)).to.equal(49154);
  });

  it('forgets everything on close', () => {
    const net = new TestNetwork();
    net.network.connect('10.0.0.1', '10.0.0.2');
    const a = net.host('10.0.0.1');
    const b = net.host('10.0.0.2');
    a.device.send(0, outPacket(tcpPacket()));
    b.device.close();
    b.device.close();
    net.run(0);
    expect(b.host.received).to.have.length(0);
    expect(attachNow(a.device, path(1, '10.0.0.2'))).to.equal(null);
  });
});

describe('io/pipe', () => {
  it('hands packets over in order when pumped, to the path of their destination', () => {
    const { pipe, b } = makePipe(['10.0.0.1'], ['10.0.1.1', 'fd00::2']);
    pipe.a.send(0, outPacket(tcpPacket({ destination: '10.0.1.1', sequence: 1 })));
    pipe.a.send(0, outPacket(tcpPacket({ source: 'fd00::1', destination: 'fd00::2', sequence: 2 })));
    pipe.a.send(0, outPacket(tcpPacket({ destination: '10.9.9.9' })));
    expect(b.received).to.have.length(0);
    expect(pipe.nextDelivery()).to.equal(-Infinity);
    expect(pipe.pump()).to.equal(3);
    expect(b.received.map((received) => received.path)).to.deep.equal([0, 1]);
    expect(pipe.b.noRoute).to.equal(1);
    expect(pipe.nextDelivery()).to.equal(Infinity);
  });

  it('pushes back instead of dropping', () => {
    const { pipe, a, b } = makePipe(['10.0.0.1'], ['10.0.0.2'], { capacity: 3 });
    b.room = 1;
    const sent = [1, 2, 3, 4].map((sequence) => pipe.a.send(0, outPacket(tcpPacket({ sequence }))));
    expect(sent).to.deep.equal([true, true, true, false]);
    expect(pipe.pump()).to.equal(1);
    expect(a.writables).to.equal(1);
    expect(pipe.a.send(0, outPacket(tcpPacket({ sequence: 4 })))).to.equal(true);
    expect(pipe.pump()).to.equal(0);
    b.room = Infinity;
    expect(pipe.pump()).to.equal(3);
    expect(b.received.map(({ packet }) => packet[27])).to.deep.equal([1, 2, 3, 4]);
  });

  it('copies straight into a host that can take it, between single paths', () => {
    const pipe = new MemoryPipe({ needsChecksum: false });
    const host = new RingHost();
    pipe.a.open(new RecordingHost());
    pipe.b.open(host);
    attachNow(pipe.a, path(0, '10.0.0.1'));
    attachNow(pipe.b, path(4, '10.0.0.2'));
    pipe.a.send(0, outPacket(tcpPacket({ payload: 10 })));
    expect(host.ring.slice(0, 50)).to.deep.equal(tcpPacket({ payload: 10 }));
    expect(host.direct).to.equal(1);
    expect(pipe.nextDelivery()).to.equal(Infinity);
    // With no room, or more than one path, it queues.
    host.direct = -Infinity;
    pipe.a.send(0, outPacket(tcpPacket()));
    host.direct = 0;
    pipe.a.send(0, outPacket(tcpPacket()));
    expect(pipe.pump()).to.equal(2);
    attachNow(pipe.b, path(5, '10.0.0.3'));
    pipe.a.send(0, outPacket(tcpPacket({ destination: '10.0.0.3' })));
    expect(pipe.pump()).to.equal(1);
    expect(host.direct).to.equal(0);
    expect(host.received.map((received) => received.path)).to.deep.equal([4, 4, 5]);
  });

  it('drops what was sent to an end that closed', () => {
    const { pipe, b } = makePipe(['10.0.0.1'], ['10.0.0.2']);
    pipe.a.send(0, outPacket(tcpPacket()));
    pipe.b.close();
    expect(pipe.pump()).to.equal(1);
    expect(b.received).to.have.length(0);
    expect(pipe.nextDelivery()).to.equal(Infinity);
  });
});

interface TestHost {
  readonly device: MemoryDevice;
  readonly host: RecordingHost;
}

class TestNetwork {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork;

  constructor(options: MemoryNetworkOptions = {}) {
    this.network = new MemoryNetwork(this.clock, options);
  }

  /** A host with a path 0, 1, ... for each address. */
  host(...addresses: string[]): TestHost {
    const device = this.network.device();
    const host = new RecordingHost();
    device.open(host);
    addresses.forEach((address, id) => {
      expect(attachNow(device, path(id, address))).to.equal(null);
    });
    return { device, host };
  }

  /** Moves to `time` and delivers all that is due. */
  run(time: number): void {
    this.clock.advanceTo(time);
    while (this.network.nextDelivery() <= time) this.network.deliver(time);
  }
}

function makePipe(
  near: readonly string[],
  far: readonly string[],
  options: PipeOptions = {},
): { pipe: MemoryPipe; a: RecordingHost; b: RecordingHost } {
  const pipe = new MemoryPipe(options);
  const a = new RecordingHost();
  const b = new RecordingHost();
  pipe.a.open(a);
  pipe.b.open(b);
  near.forEach((address, id) => attachNow(pipe.a, path(id, address)));
  far.forEach((address, id) => attachNow(pipe.b, path(id, address)));
  return { pipe, a, b };
}

/** Takes packets into a buffer of its own; none while `direct` is negative. */
class RingHost extends RecordingHost implements DirectHost {
  readonly ring = new Uint8Array(2048);
  direct = 0;

  receivePack(): boolean {
    return false;
  }

  receiveFrom(_path: number, packet: OutPacket): boolean {
    if (this.direct < 0) return false;
    this.direct++;
    packet.copyTo(this.ring, 0);
    return true;
  }
}
