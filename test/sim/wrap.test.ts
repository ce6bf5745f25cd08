/** Whole transfers across the ends of the sequence spaces: 2^32 of subflows and of short forms, 2^64 of the data. */
import { expect } from 'chai';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { SeededRandom } from '../../src/core/random.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { auditCore, type Numbers } from '../fuzz/builds.js';
import { alter, stripped, type Script } from '../middlebox/scripts.js';
import { Middlebox } from './middlebox.js';
import { Pair, done, expectWhole, start, type Transfer } from './pair.js';

const OCTETS = 200_000;

/** Ends of the data sequence space that a transfer may cross. */
const DATA_ENDS = { '2^31': 2n ** 31n, '2^32': 2n ** 32n, '2^63': 2n ** 63n, '2^64': 2n ** 64n } as const;

const numbersBefore = (end: bigint, data: number, sequence: number): Numbers => ({
  data: BigInt.asUintN(64, end - BigInt(data)),
  sequence: 2 ** 32 - sequence,
});

/** Data sequence numbers and DATA_ACKs lose their upper half now and then. */
const narrow =
  (random: SeededRandom): Script =>
  (segment, direction) => {
    const { dss } = segment;
    if (dss === null || random.unit() < 0.5) return [{ segment, direction }];
    const short: typeof dss = { ...dss };
    if (dss.dack !== undefined) Object.assign(short, { dackWidth: 4, dack: dss.dack & 0xffffffffn });
    if (dss.dsn !== undefined) Object.assign(short, { dsnWidth: 4, dsn: dss.dsn & 0xffffffffn });
    return [{ segment: { ...segment, dss: short }, direction }];
  };

/** Options are gone from data segments of either side once this much has passed. */
const stripAfter = (octets: number): Script => {
  let passed = 0;
  return (segment, direction) => {
    passed += segment.data.length;
    return [{ segment: passed > octets ? stripped(segment) : segment, direction }];
  };
};

interface Setup {
  readonly numbers: Numbers;
  readonly seed?: number;
  readonly links?: readonly DuplexOptions[];
  readonly script?: Script;
  readonly checksums?: boolean;
  /** Virtual times at which a link goes down and up again. */
  readonly outage?: readonly [from: number, to: number];
}

const CLEAN: DuplexOptions = { rate: 20e6, delay: 5000, queue: 100_000 };
const LOSSY: DuplexOptions = { ...CLEAN, loss: 0.03, reorder: 0.1, reorderDelay: 8000, duplicate: 0.02 };

async function run(setup: Setup): Promise<Transfer> {
  const { numbers, seed = 1, links = [CLEAN], script, checksums = false, outage } = setup;
  const config = checksums ? ([[CFG_CHECKSUM, 1]] as const) : [];
  const pair = await Pair.create({
    ...{ seed, links, numbers, client: config, server: config },
    wrap: (device, name) =>
      script !== undefined && name === 'client' ? new Middlebox(device, script) : device,
  });
  if (outage !== undefined) {
    pair.world.at(outage[0], () => pair.links[0]?.setUp(false));
    pair.world.at(outage[1], () => pair.links[0]?.setUp(true));
  }
  const transfer = start(pair, OCTETS, OCTETS);
  pair.world.runUntil(() => done(transfer), { maxTime: 120e6 });
  for (const { core } of [pair.client, pair.server]) expect(auditCore(core)).to.equal(null);
  return transfer;
}

const isMultipath = ({ client, server }: Transfer): boolean =>
  client.connection?.info().mptcp === true && server.connection?.info().mptcp === true;

describe('sequence numbers wrap in virtual time', () => {
  for (const [name, end] of Object.entries(DATA_ENDS)) {
    for (const checksums of [false, true]) {
      const title = `data crosses ${name}${checksums ? ' with checksums' : ''}`;
      it(`${title}: two paths with loss, reordering and duplicates, numbers of both widths`, async () => {
        const random = new SeededRandom(7);
        for (let seed = 1; seed <= 3; seed++) {
          const data = random.int(1, OCTETS - 1);
          const transfer = await run({
            ...{ seed, checksums, links: [LOSSY, { ...LOSSY, delay: 12_000 }] },
            numbers: numbersBefore(end, data, random.int(1, OCTETS / 2)),
            script: narrow(new SeededRandom(seed)),
          });
          expectWhole(transfer);
          expect(isMultipath(transfer), `${data} octets before the end`).to.equal(true);
        }
      });

      it(`${title}: a path falls silent before it, and what it carried goes again on the other`, async () => {
        for (const data of [60_000, 100_000, 150_000]) {
          const transfer = await run({
            ...{ checksums, links: [CLEAN, { ...CLEAN, rate: 5e6 }], outage: [60_000, 5e6] },
            numbers: numbersBefore(end, data, 20_000),
          });
          expectWhole(transfer);
          expect(isMultipath(transfer)).to.equal(true);
          const { client, server } = transfer;
          const reinjected = [client, server].map(
            ({ connection }) => connection?.info().bytesReinjected ?? 0,
          );
          expect(Math.max(...reinjected), 'octets sent again').to.be.above(0);
        }
      });
    }

    it(`data crosses ${name} as plain TCP: options vanish before, at, and after it`, async () => {
      for (const data of [OCTETS / 2, 20_000, 1000, 1]) {
        const transfer = await run({
          numbers: numbersBefore(end, data, 30_000),
          script: stripAfter(40_000),
        });
        expectWhole(transfer);
        expect(transfer.client.connection?.info().fallback).to.not.equal(null);
      }
    });

    it(`data crosses ${name} behind an infinite mapping in either direction`, async () => {
      for (const data of [60_000, 20_000, 1000, 1]) {
        for (const direction of ['up', 'down'] as const) {
          // One segment is altered: octets are wrong, but as many as were sent, and MP_FAIL makes the rest plain.
          const flip = (octets: Buffer): Buffer =>
            Buffer.from(octets.map((one, i) => (i === 9 ? one ^ 1 : one)));
          const { client, server } = await run({
            numbers: numbersBefore(end, data, 50_000),
            ...{ checksums: true, script: alter(direction, 6, flip) },
          });
          expect(client.error ?? server.error).to.equal(null);
          expect([client.received, server.received]).to.deep.equal([OCTETS, OCTETS]);
          expect([client.connection, server.connection].map((one) => one?.info().mptcp)).to.deep.equal([
            false,
            false,
          ]);
        }
      }
    });
  }

  it('the last octet, DATA_FIN, and the octet after none: every edge', async () => {
    for (const [before, sequence] of [
      [1, 1],
      [2, 2],
      [OCTETS, OCTETS],
      [OCTETS + 1, OCTETS + 1],
      [OCTETS + 2, OCTETS + 2],
    ] as const) {
      for (const end of [2n ** 32n, 2n ** 64n]) {
        const transfer = await run({ numbers: numbersBefore(end, before, sequence) });
        expectWhole(transfer);
        expect(isMultipath(transfer), `${before} before ${end}`).to.equal(true);
      }
    }
  });
});
