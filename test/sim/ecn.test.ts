/** A network that marks packets instead of dropping them (RFC 3168): transfers slow down without a retransmission. */
import { expect } from 'chai';
import { CFG_ECN } from '../../assembly/abi.js';
import type { Device, OutPacket } from '../../src/io/device.js';
import { ForwardingDevice } from '../support/forwarding-device.js';
import { outPacket } from '../unit/tcp-packet.js';
import { done, expectWhole, Pair, start } from './pair.js';

/** Marks every so-many-th packet that is capable, and counts those that are and are not. */
class Marker extends ForwardingDevice {
  marked = 0;
  capable = 0;
  others = 0;
  readonly #buffer = new Uint8Array(65536);
  constructor(
    inner: Device,
    readonly every: number,
  ) {
    super(inner);
  }

  override send(path: number, packet: OutPacket): boolean {
    const length = packet.copyTo(this.#buffer, 0);
    const octets = this.#buffer.subarray(0, length);
    const view = new DataView(octets.buffer, 0, length);
    if ((view.getUint8(1) & 3) === 2) {
      this.capable++;
      if (this.every > 0 && this.capable % this.every === 0) {
        this.marked++;
        view.setUint8(1, view.getUint8(1) | 3);
        // One bit more in the first word: one less in the checksum.
        const sum = view.getUint16(10) - 1;
        view.setUint16(10, sum < 0 ? 0xfffe : sum);
      }
    } else {
      this.others++;
    }
    return this.inner.send(path, outPacket(octets));
  }
}

const LINK = { rate: 50e6, delay: 10_000, queue: 1_000_000 };

async function transfer(every: number, ecn: number): Promise<{ pair: Pair; marker: Marker; took: number }> {
  const markers: Marker[] = [];
  const pair = await Pair.create({
    links: [LINK, LINK],
    client: [[CFG_ECN, ecn]],
    wrap: (device) => {
      const marker = new Marker(device, every);
      markers.push(marker);
      return marker;
    },
  });
  const both = start(pair, 6_000_000, 0);
  pair.world.runUntil(() => done(both), { maxTime: 300e6 });
  expectWhole(both);
  return { pair, marker: markers[0] as Marker, took: both.client.connection === null ? 0 : pair.world.now() };
}

describe('marks instead of losses', () => {
  it('reduce the window and cost no retransmission', async () => {
    const { pair, marker } = await transfer(100, 1);
    expect(marker.marked).to.be.above(20);
    expect(pair.server.counters()['InCEPkts']).to.equal(marker.marked);
    expect(pair.client.counters()['RetransSegs']).to.equal(0);
    const windows = pair.client.counters();
    expect(windows['TCPSackRecovery']).to.equal(0);
  });

  it('slow a transfer down, the more so the more there are', async () => {
    const times: number[] = [];
    for (const every of [0, 200, 20]) times.push((await transfer(every, 1)).took);
    const [none = 0, few = 0, many = 0] = times;
    expect(few).to.be.above(none);
    expect(many).to.be.above(2 * few);
  });

  it('do not happen where nobody asked for them', async () => {
    const { marker, pair } = await transfer(20, 2);
    expect(marker.capable).to.equal(0);
    expect(marker.others).to.be.above(4000);
    expect(pair.server.counters()['InCEPkts']).to.equal(0);
  });
});
