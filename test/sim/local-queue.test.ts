/** A queue in front of the link that refuses what it has no room for, as an interface's does: a sign of congestion. */
import { expect } from 'chai';
import type { Device, DeviceHost, OutPacket } from '../../src/io/device.js';
import type { Timers } from '../../src/io/timers.js';
import { ForwardingDevice } from '../support/forwarding-device.js';
import { outPacket } from '../unit/tcp-packet.js';
import { done, expectWhole, Pair, start } from './pair.js';

const RATE = 10e6;
const OCTET = 8e6 / RATE; // microseconds
const QUEUE = 60_000;
const RETRY = 1000;

/** Lets out RATE bits per second, holds QUEUE octets and refuses more; whoever is refused may try again later. */
class Bucket extends ForwardingDevice {
  refused = 0;
  #host: DeviceHost | null = null;
  #emptyAt = 0;
  #waiting = false;
  readonly #header = new Uint8Array(65536);

  constructor(
    inner: Device,
    readonly timers: Timers,
    readonly tells: boolean,
  ) {
    super(inner);
  }

  override open(host: DeviceHost): void {
    this.#host = host;
    super.open(host);
  }

  override send(path: number, packet: OutPacket): boolean {
    const now = this.timers.now();
    const free = Math.max(this.#emptyAt, now);
    if ((free - now) / OCTET + packet.length > QUEUE) {
      this.refused++;
      this.#waitAndTell(packet);
      return false;
    }
    this.#emptyAt = free + packet.length * OCTET;
    const copy = new Uint8Array(packet.length);
    packet.copyTo(copy, 0);
    this.timers.at(this.#emptyAt, () => {
      this.inner.send(path, outPacket(copy));
      this.inner.flush();
    });
    return true;
  }

  #waitAndTell(packet: OutPacket): void {
    if (this.tells) this.#host?.congested(this.#header.subarray(0, packet.copyTo(this.#header, 0)));
    if (this.#waiting) return;
    this.#waiting = true;
    this.timers.at(this.timers.now() + RETRY, () => {
      this.#waiting = false;
      this.#host?.writable();
    });
  }
}

/** The round trip at the end, microseconds, and the time it took. */
async function transfer(
  tells: boolean,
  ipv6 = false,
): Promise<{ srtt: number; took: number; resent: number }> {
  const buckets: Bucket[] = [];
  const pair = await Pair.create({
    links: [{ delay: 10_000 }],
    ipv6,
    wrap: (device, name, world) => {
      if (name !== 'client') return device;
      const bucket = new Bucket(device, world, tells);
      buckets.push(bucket);
      return bucket;
    },
  });
  const flow = start(pair, 6e6, 0, { ipv6 });
  let srtt = 0;
  let resent = 0;
  pair.world.at(pair.world.now() + 4e6, () => {
    const [subflow] = flow.client.connection?.liveSubflows() ?? [];
    srtt = subflow?.srtt ?? 0;
    resent = subflow?.retransmissions ?? 0;
  });
  const from = pair.world.now();
  pair.world.runUntil(() => done(flow), { maxTime: 30e6 });
  expectWhole(flow);
  expect(buckets[0]?.refused).to.be.above(0);
  return { srtt, took: (pair.world.now() - from) / 1e6, resent };
}

describe('a full queue of an interface', () => {
  for (const ipv6 of [false, true])
    it(`makes its flow slower, without a loss, over IPv${ipv6 ? '6' : '4'}`, async () => {
      const { srtt, took, resent } = await transfer(true, ipv6);
      // Twice 10 ms of the link and 48 of a full queue.
      expect(srtt).to.be.below(75_000);
      expect(resent).to.equal(0);
      expect(took).to.be.below(5.5); // 4.8 at the least
    });

  it('would only grow in front of the device otherwise', async () => {
    const { srtt } = await transfer(false);
    expect(srtt).to.be.above(100_000);
  });
});
