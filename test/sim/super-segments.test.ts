/** Devices that cut large packets into segments: whole transfers, with what the path does to the segments. */
import { expect } from 'chai';
import { CFG_CHECKSUM, CFG_ECN, CFG_SACK } from '../../assembly/abi.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { auditCore } from '../fuzz/builds.js';
import { SegmentingDevice } from '../support/segmenting-device.js';
import { Pair, done, expectWhole, start, type PairOptions, type Transfer } from './pair.js';

const OCTETS = 1_500_000;
const CLEAN: DuplexOptions = { rate: 100e6, delay: 5000, queue: 400_000 };
/** Bursts are as large there as they can be. */
const SHORT: DuplexOptions = { rate: 1e9, delay: 100, queue: 400_000 };
const LOSSY: DuplexOptions = { ...CLEAN, loss: 0.02, reorder: 0.05, reorderDelay: 6000, duplicate: 0.01 };

interface Result extends Transfer {
  readonly devices: readonly SegmentingDevice[];
}

/** A transfer both ways; the core looks at all of itself every few milliseconds. */
async function run(options: Partial<PairOptions> & { segmentation?: number }): Promise<Result> {
  const { segmentation, ...rest } = options;
  const devices: SegmentingDevice[] = [];
  const pair = await Pair.create({
    links: [CLEAN],
    numbers: { sequence: 2 ** 32 - 300_000, data: 2n ** 64n - 500_000n },
    ...rest,
    wrap: (device) => {
      const wrapped = new SegmentingDevice(device, segmentation);
      devices.push(wrapped);
      return wrapped;
    },
  });
  const audit = (): void => {
    for (const { core } of [pair.client, pair.server]) expect(auditCore(core)).to.equal(null);
    pair.world.at(pair.world.now() + 3000, audit);
  };
  audit();
  const transfer = start(pair, OCTETS, OCTETS / 2, { ipv6: rest.ipv6 ?? false });
  pair.world.runUntil(() => done(transfer), { maxTime: 120e6 });
  return { ...transfer, devices };
}

describe('super-segments in virtual time', () => {
  it('leave as few packets, with the segments that would have left otherwise', async () => {
    const result = await run({ links: [SHORT] });
    expectWhole(result);
    for (const { supers, cut, complete } of result.devices) {
      expect(cut / supers, 'segments each').to.be.above(2);
      expect(complete, 'checksums that the core computed').to.equal(0);
    }
  });

  it('never exceed what the device takes', async () => {
    const result = await run({ links: [SHORT], segmentation: 10_000 });
    expectWhole(result);
    for (const { supers, cut } of result.devices) expect(cut / supers).to.be.within(2, 7);
  });

  const wishes: readonly [string, Partial<PairOptions>][] = [
    ['on one lossy path', { links: [LOSSY] }],
    ['on two lossy paths', { links: [LOSSY, { ...LOSSY, delay: 15_000 }] }],
    ['over IPv6', { links: [LOSSY, CLEAN], ipv6: true }],
    ['with DSS checksums', { links: [LOSSY, LOSSY], client: [[CFG_CHECKSUM, 1]] }],
    ['without SACK', { links: [LOSSY], client: [[CFG_SACK, 0]] }],
    ['with ECN', { links: [{ ...LOSSY, queue: 60_000 }], client: [[CFG_ECN, 1]] }],
    ['with large frames', { links: [{ ...LOSSY, mtu: 9000 }] }],
  ];
  for (const [name, options] of wishes) {
    it(`survive loss, reordering and duplicates ${name}`, async () => {
      for (let seed = 1; seed <= 3; seed++) {
        const result = await run({ ...options, seed });
        expectWhole(result);
        expect(Math.max(...result.devices.map(({ supers }) => supers))).to.be.above(20);
      }
    });
  }

  it('go on behind a path that falls silent', async () => {
    const devices: SegmentingDevice[] = [];
    const pair = await Pair.create({
      links: [CLEAN, { ...CLEAN, rate: 50e6 }],
      wrap: (device) => {
        devices.push(new SegmentingDevice(device));
        return devices.at(-1) as SegmentingDevice;
      },
    });
    const transfer = start(pair, 4 * OCTETS, 0);
    pair.world.at(60_000, () => pair.links[0]?.setUp(false));
    pair.world.at(2e6, () => pair.links[0]?.setUp(true));
    pair.world.runUntil(() => done(transfer), { maxTime: 120e6 });
    expectWhole(transfer);
    expect(transfer.client.connection?.info().bytesReinjected).to.be.above(0);
  });
});
