/** Buffers grow with what a path holds, up to their limits; pacing spreads what the window lets go. */
import { expect } from 'chai';
import * as abi from '../../assembly/abi.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import type { Device, OutPacket } from '../../src/io/device.js';
import { flowConfig } from '../../src/net/flow.js';
import type { Connection } from '../../src/stack/connection.js';
import type { Stack } from '../../src/stack/stack.js';
import { Pair, done, expectWhole, start } from './pair.js';

type Config = readonly (readonly [number, number])[];

interface Outcome {
  /** Largest rings, octets. */
  readonly send: number;
  readonly receive: number;
  readonly seconds: number;
}

/** Octets of a ring (CI_*), 0 without a connection. */
function ring({ core }: Stack, connection: Connection | null, field: number): number {
  const known = connection !== null && core.x.connectionInfo(connection.handle) >= 0;
  return known ? core.scratchU32(field) : 0;
}

/** One transfer over one path. */
async function transfer(
  link: DuplexOptions,
  octets: number,
  config: Config = [],
  prepare: (pair: Pair) => void = () => undefined,
): Promise<Outcome> {
  const pair = await Pair.create({ build: 'release', links: [link], client: config, server: config });
  prepare(pair);
  const both = start(pair, octets, 0);
  let send = 0;
  let receive = 0;
  const look = (): void => {
    send = Math.max(send, ring(pair.client, both.client.connection, abi.CI_SNDBUF));
    receive = Math.max(receive, ring(pair.server, both.server.connection, abi.CI_RCVBUF));
    pair.world.at(pair.world.now() + 20_000, look);
  };
  look();
  const began = pair.world.now();
  pair.world.runUntil(() => both.server.received === octets, { maxTime: 120e6 });
  const seconds = (pair.world.now() - began) / 1e6;
  pair.world.runUntil(() => done(both), { maxTime: 60e6 });
  expectWhole(both);
  return { send, receive, seconds };
}

const MIB = 1 << 20;

describe('buffers in virtual time', () => {
  it('stay small where little is under way', async () => {
    const { send, receive } = await transfer({ rate: 20e6, delay: 2000, queue: 20_000 }, 6e6);
    expect(receive).to.equal(MIB / 4);
    expect(send).to.equal(MIB / 4);
  });

  it('grow to twice the product of rate and delay at least, and the path is full then', async () => {
    // 1.25 MB are under way, and as much more as slow start puts into the queue.
    const { send, receive, seconds } = await transfer({ rate: 100e6, delay: 50_000, queue: 8e6 }, 60e6);
    expect(receive).to.be.within(2 * MIB, 16 * MIB);
    expect(send).to.be.within(2 * MIB, 16 * MIB);
    expect((60e6 * 8) / seconds, 'bit/s').to.be.above(80e6);
  });

  it('grow with each of the two: a longer path needs more', async () => {
    const sizes: number[] = [];
    for (const delay of [5000, 20_000, 80_000]) {
      sizes.push((await transfer({ rate: 50e6, delay, queue: 1.5e6 }, 25e6)).receive);
    }
    expect(sizes).to.deep.equal([...sizes].sort((a, b) => a - b));
    expect(sizes[2]).to.be.above(sizes[0] as number);
  });

  it('keep to the limit of either side, which is what the path carries then', async () => {
    const limits: readonly (readonly [number, keyof Outcome])[] = [
      [abi.CFG_RCVBUF_MAX, 'receive'],
      [abi.CFG_SNDBUF_MAX, 'send'],
    ];
    for (const [key, side] of limits) {
      const outcome = await transfer({ rate: 100e6, delay: 50_000, queue: 2e6 }, 20e6, [[key, MIB / 2]]);
      expect(outcome[side]).to.equal(MIB / 2);
      // Half a MiB per round trip of 100 ms.
      expect((20e6 * 8) / outcome.seconds).to.be.within(25e6, 45e6);
    }
  });

  it('end at 16 MiB when nobody says otherwise', async () => {
    const { send, receive } = await transfer({ rate: 400e6, delay: 400_000, queue: 50e6 }, 150e6);
    expect([send, receive]).to.deep.equal([16 * MIB, 16 * MIB]);
  });

  it('grow no further than 4 MiB while packets wait in front of the receiver', async () => {
    const link = { rate: 400e6, delay: 200_000, queue: 50e6 };
    const behind = await transfer(link, 40e6, [], ({ server }) => {
      server.receiveRing.behind(true);
    });
    expect(behind.receive).to.equal(4 * MIB);
    const once = await transfer(link, 100e6, [], ({ server, world }) => {
      server.receiveRing.behind(true);
      world.at(world.now() + 5e6, () => {
        server.receiveRing.behind(false);
      });
    });
    expect(once.receive).to.equal(16 * MIB);
  });
});

/** Notes when octets leave. */
class Gauge {
  readonly sent: { at: number; octets: number }[] = [];
  constructor(
    readonly device: Device,
    readonly now: () => number,
  ) {
    const send = device.send.bind(device);
    device.send = (path: number, packet: OutPacket): boolean => {
      if (packet.length > 200) this.sent.push({ at: now(), octets: packet.length });
      return send(path, packet);
    };
  }

  /** Largest number of octets that left within `window` microseconds, from time `from` on. */
  peak(window: number, from: number): number {
    let most = 0;
    let first = 0;
    let sum = 0;
    for (const { at, octets } of this.sent) {
      if (at < from) {
        first++;
        continue;
      }
      sum += octets;
      for (let old = this.sent[first]; old !== undefined && old.at < at - window; old = this.sent[first]) {
        sum -= old.octets;
        first++;
      }
      most = Math.max(most, sum);
    }
    return most;
  }
}

describe('pacing in virtual time', () => {
  const LINK: DuplexOptions = { rate: 80e6, delay: 20_000, queue: 100_000 };

  async function run(config: Config, link = LINK): Promise<{ gauge: Gauge; drops: number; seconds: number }> {
    let gauge: Gauge | null = null;
    const pair = await Pair.create({
      build: 'release',
      links: [link],
      client: config,
      wrap: (device, name, world) => {
        if (name === 'client') gauge = new Gauge(device, () => world.now());
        return device;
      },
    });
    const both = start(pair, 10e6, 0);
    const began = pair.world.now();
    pair.world.runUntil(() => both.server.received === 10e6, { maxTime: 60e6 });
    const seconds = (pair.world.now() - began) / 1e6;
    pair.world.runUntil(() => done(both), { maxTime: 60e6 });
    expectWhole(both);
    return { gauge: gauge as unknown as Gauge, drops: pair.client.counters()['RetransSegs'] ?? 0, seconds };
  }

  it('spreads the window over the round trip', async () => {
    const off = await run([]);
    const on = await run(flowConfig({ pacing: true }));
    // A window of slow start leaves in one piece, or at twice the rate at which its acknowledgements come.
    expect(on.gauge.peak(1000, 0), 'octets in a millisecond').to.be.below(off.gauge.peak(1000, 0));
    expect(on.seconds).to.be.below(off.seconds * 1.5);
  });

  it('keeps to the largest rate that is allowed', async () => {
    const most = 2e6;
    const { gauge, seconds } = await run(flowConfig({ pacing: most }));
    expect(10e6 / seconds, 'octets per second').to.be.within(0.85 * most, most * 1.02);
    // The first ten segments leave at once; then a burst at a time, of what a millisecond takes or two segments.
    const [began] = gauge.sent;
    expect(gauge.peak(10_000, (began?.at ?? 0) + 100_000)).to.be.below(
      10_000 * (most / 1e6) * 1.1 + 3 * 1500,
    );
  });

  it('paces what is sent again as well', async () => {
    const most = 1e6;
    const { gauge, drops } = await run([[abi.CFG_MAX_PACING_RATE, most]], { ...LINK, loss: 0.02 });
    expect(drops).to.be.above(20);
    const [began] = gauge.sent;
    // A tail loss probe does not wait.
    expect(gauge.peak(10_000, (began?.at ?? 0) + 100_000)).to.be.below(
      10_000 * (most / 1e6) * 1.1 + 4 * 1500,
    );
  });
});
