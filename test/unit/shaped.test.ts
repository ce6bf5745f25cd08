import { expect } from 'chai';
import type { Device, DeviceHost, OutPacket } from '../../src/io/device.js';
import { ShapedDevice } from '../../src/io/shaped.js';
import type { LinkOptions } from '../../src/sim/link.js';
import { World } from '../../src/sim/world.js';
import { RecordingHost, attachNow, path } from './recording-host.js';
import { outPacket, tcpPacket } from './tcp-packet.js';

describe('io/shaped', () => {
  it('sends at the rate of the link, after its delay', () => {
    const { world, inner, shaped } = make({ rate: 8e6, delay: 3000 });
    for (let i = 0; i < 3; i++) send(shaped);
    shaped.flush();
    world.runUntil(Infinity);
    expect(inner.times).to.deep.equal([4000, 5000, 6000]);
  });

  it('reaches the rate although timers are late', () => {
    const { world, inner, shaped } = make({ rate: 80e6, queue: 1e6 }, 1100);
    for (let i = 0; i < 500; i++) send(shaped);
    shaped.flush();
    world.runUntil(Infinity);
    // 500 packets of 100 microseconds each, and at most one late timer.
    expect(inner.times).to.have.length(500);
    expect(inner.times.at(-1)).to.be.within(50_000, 51_100);
    expect(inner.flushes).to.be.within(40, 55);
  });

  it('sends at once on a path without link', () => {
    const { inner, shaped } = make(null);
    send(shaped);
    expect(inner.times).to.deep.equal([0]);
    expect(shaped.link(0)).to.equal(null);
  });

  it('waits while the inner device is full, and loses nothing', () => {
    const { world, inner, host, shaped } = make({ delay: 100 });
    for (let i = 0; i < 3; i++) send(shaped);
    shaped.flush();
    inner.room = 1;
    world.runUntil(500);
    expect(inner.times).to.deep.equal([100]);
    expect(shaped.send(0, outPacket(tcpPacket()))).to.equal(false);
    expect(host.writables).to.equal(0);
    inner.room = Infinity;
    inner.host?.writable();
    expect(inner.times).to.deep.equal([100, 500, 500]);
    expect(host.writables).to.equal(1);
    send(shaped);
    shaped.flush();
    world.runUntil(Infinity);
    expect(inner.times).to.deep.equal([100, 500, 500, 600]);
  });

  it('changes the link while it runs', () => {
    const { world, inner, shaped } = make({ delay: 10_000 });
    send(shaped);
    shaped.flush();
    shaped.shape(0, { delay: 50_000 });
    send(shaped);
    shaped.flush();
    world.runUntil(Infinity);
    expect(inner.times).to.deep.equal([10_000, 50_000]);
    shaped.shape(0, { delay: 0 });
    send(shaped);
    shaped.flush();
    expect(inner.times.at(-1)).to.equal(50_000);
    expect(shaped.link(0)?.counters.delivered).to.equal(3);
  });

  it('cuts a path in both directions, and tells the host only when asked', () => {
    const { world, inner, host, shaped } = make({ delay: 100 });
    send(shaped);
    shaped.flush();
    shaped.setUp(0, false);
    send(shaped);
    shaped.flush();
    inner.host?.receive(0, tcpPacket(), 0);
    inner.host?.receiveSegment(0, new Uint8Array(4), 1, 2, new Uint8Array(20));
    world.runUntil(Infinity);
    expect(inner.times).to.deep.equal([]);
    expect(shaped.link(0)?.counters.droppedDown).to.equal(2);
    expect([host.received.length, host.segments.length, host.states.length]).to.deep.equal([0, 0, 0]);
    shaped.setUp(0, true, true);
    inner.host?.receive(0, tcpPacket(), 0);
    send(shaped);
    shaped.flush();
    world.runUntil(Infinity);
    expect(inner.times).to.have.length(1);
    expect(host.received).to.have.length(1);
    expect(host.states).to.deep.equal([[0, true]]);
  });

  it('stops its timer on close', () => {
    const { world, inner, shaped } = make({ delay: 100 });
    send(shaped);
    shaped.flush();
    shaped.close();
    expect(world.nextEvent()).to.equal(Infinity);
    expect(inner.times).to.deep.equal([]);
  });
});

interface Fixture {
  readonly world: World;
  readonly inner: FakeDevice;
  readonly host: RecordingHost;
  readonly shaped: ShapedDevice;
}

/** `lateness`: microseconds by which every timer fires late. */
function make(link: LinkOptions | null, lateness = 0): Fixture {
  const world = new World();
  const inner = new FakeDevice(() => world.now());
  const host = new RecordingHost();
  const timers = {
    now: () => world.now(),
    at: (time: number, fn: () => void) => world.at(time + lateness, fn),
  };
  const shaped = new ShapedDevice(inner, timers, { link: () => link });
  shaped.open(host);
  attachNow(shaped, path(0, '10.0.0.1'));
  return { world, inner, host, shaped };
}

function send(device: Device): void {
  expect(device.send(0, outPacket(tcpPacket({ payload: 960 })))).to.equal(true);
}

/** Notes when packets are sent. */
class FakeDevice implements Device {
  readonly kind = 'udp';
  readonly overhead = 8;
  readonly needsChecksum = false;
  readonly times: number[] = [];
  host: DeviceHost | null = null;
  room = Infinity;
  flushes = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }
  open(host: DeviceHost): void {
    this.host = host;
  }
  attach: Device['attach'] = (_path, done) => {
    done(null);
  };
  detach(): void {
    this.times.length = 0;
  }
  bind: Device['bind'] = (_path, port, done) => {
    done(null, port);
  };
  unbind(): void {
    this.times.length = 0;
  }
  send(_path: number, packet: OutPacket): boolean {
    if (this.room === 0) return false;
    this.room--;
    expect(packet.copyTo(new Uint8Array(packet.length), 0)).to.equal(packet.length);
    this.times.push(this.#now());
    return true;
  }
  flush(): void {
    this.flushes++;
  }
  close(): void {
    this.host = null;
  }
}
