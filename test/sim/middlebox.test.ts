/** Transfers through scripted middleboxes: every row of the fallback table, with what it may cost in virtual time. */
import { expect } from 'chai';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import type { Connection } from '../../src/stack/connection.js';
import { Pair, done, expectWhole, start, type Endpoint } from './pair.js';
import {
  alter,
  coalesce,
  isSyn,
  proxyAcks,
  rewriteIsn,
  split,
  strip,
  type Script,
} from '../middlebox/scripts.js';
import { Middlebox } from './middlebox.js';

const RTT = 20_000;
/** A retransmission timeout on these links: 200 ms above the round trip. */
const RTO = 240_000;
/** One retransmission or one round trip, and the transmission of what waited for it. */
const COST = RTO + 2 * RTT;

interface Result {
  readonly time: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly reasons: readonly [string | null, string | null];
  readonly pair: Pair;
}

interface Shape {
  readonly up: number;
  readonly down: number;
}
const SHAPES = {
  'both ways': { up: 150_000, down: 150_000 },
  'up only': { up: 150_000, down: 0 },
  'down only': { up: 0, down: 150_000 },
} as const satisfies Record<string, Shape>;

async function run(script: Script | null, { up, down }: Shape, checksums = false): Promise<Result> {
  const config = checksums ? ([[CFG_CHECKSUM, 1]] as const) : [];
  const pair = await Pair.create({
    links: [{ rate: 100e6, delay: RTT / 2, queue: 1e6 }],
    pairing: 'none',
    client: config,
    server: config,
    wrap: (device, name) => (script !== null && name === 'client' ? new Middlebox(device, script) : device),
  });
  const transfer = start(pair, up, down);
  pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
  const reason = (connection: Connection | null): string | null => connection?.info().fallback ?? null;
  const { client, server } = transfer;
  return {
    time: pair.world.now(),
    client,
    server,
    reasons: [reason(client.connection), reason(server.connection)],
    pair,
  };
}

const baselines = new Map<string, number>();
async function baseline(shape: Shape, checksums: boolean): Promise<number> {
  const key = JSON.stringify([shape, checksums]);
  const known = baselines.get(key);
  if (known !== undefined) return known;
  const { time } = await run(null, shape, checksums);
  baselines.set(key, time);
  return time;
}

/** What a run through a box may cost beyond one without it, and why each side is plain TCP in the end. */
interface Expected {
  readonly shape?: Shape;
  readonly checksums?: boolean;
  readonly cost: number;
  /** Not compared when undefined. */
  readonly client: string | null | undefined;
  readonly server: string | null | undefined;
  /** Octets that the box put in, towards the server and towards the client. */
  readonly extra?: readonly [number, number];
  /** First octet that the box has changed, at the server or at the client; undefined: some octet. */
  readonly changed?: number | undefined;
}

async function through(script: Script, expected: Expected): Promise<Result> {
  const shape = expected.shape ?? SHAPES['both ways'];
  const result = await run(script, shape, expected.checksums);
  const { client, server } = result;
  const [atServer, atClient] = expected.extra ?? [0, 0];
  expect(client.error ?? server.error).to.equal(null);
  expect(server.received, 'octets at the server').to.equal(shape.up + atServer);
  expect(client.received, 'octets at the client').to.equal(shape.down + atClient);
  const wrong = Math.max(client.mismatch, server.mismatch);
  if ('changed' in expected && expected.changed === undefined) expect(wrong, 'wrong octets').to.be.above(0);
  else expect(wrong, 'first wrong octet').to.equal(expected.changed ?? -1);
  if (expected.client !== undefined) expect(result.reasons[0], 'client').to.equal(expected.client);
  if (expected.server !== undefined) expect(result.reasons[1], 'server').to.equal(expected.server);
  const cost = result.time - (await baseline(shape, expected.checksums ?? false));
  expect(cost, 'microseconds beyond a path without the box').to.be.below(expected.cost);
  return result;
}

describe('middleboxes in virtual time', () => {
  it('a box that changes nothing changes nothing', async () => {
    await through((segment, direction) => [{ segment, direction }], { cost: 1, client: null, server: null });
  });

  describe('that strip options', () => {
    it('from the SYN', async () => {
      await through(
        strip((segment, direction) => isSyn(segment) && direction === 'up'),
        {
          cost: RTT,
          client: 'peer or network without MP_CAPABLE',
          server: 'peer or network without MP_CAPABLE',
        },
      );
    });

    it('from the SYN/ACK', async () => {
      await through(
        strip((segment, direction) => isSyn(segment) && direction === 'down'),
        {
          cost: RTT,
          client: 'peer or network without MP_CAPABLE',
          server: 'third packet of the handshake without MP_CAPABLE',
        },
      );
    });

    for (const [name, shape] of Object.entries(SHAPES)) {
      it(`from all but SYNs, towards the server, data ${name}`, async () => {
        await through(
          strip((segment, direction) => !isSyn(segment) && direction === 'up'),
          {
            shape,
            cost: RTT,
            client: 'no DSS from the peer',
            server: 'third packet of the handshake without MP_CAPABLE',
          },
        );
      });

      it(`from all but SYNs, both ways, data ${name}`, async () => {
        await through(
          strip((segment) => !isSyn(segment)),
          {
            shape,
            cost: RTT,
            client: 'no DSS from the peer',
            server: 'third packet of the handshake without MP_CAPABLE',
          },
        );
      });

      for (const where of ['up', 'down', 'both'] as const) {
        for (const n of [1, 12]) {
          it(`from the ${n === 1 ? 'second' : `${String(n + 1)}th`} segment with data on, ${where === 'both' ? 'both ways' : where}, data ${name}`, async () => {
            let count = 0;
            const result = await through(
              strip((segment, direction) => {
                if (segment.data.length > 0) count++;
                return count > n && (where === 'both' || where === direction);
              }),
              { shape, cost: COST, client: undefined, server: undefined },
            );
            const plain = result.reasons.filter((reason) => reason !== null);
            for (const reason of plain) {
              expect(reason).to.be.oneOf([
                'no DSS from the peer',
                'data without a mapping',
                'a mapping that does not fit the data',
                'DSS from the peer ceased',
                'MP_FAIL from the peer',
                'infinite mapping from the peer',
              ]);
            }
          });
        }
      }
    }
  });

  describe('that drop SYNs with MP_CAPABLE', () => {
    it('cost two retransmissions of the SYN', async () => {
      await through((segment, direction) => (segment.capable === null ? [{ segment, direction }] : []), {
        cost: 7e6 + 5 * RTT, // the window begins with one segment then
        client: 'SYN with MP_CAPABLE was not answered',
        server: 'peer or network without MP_CAPABLE',
      });
    });
  });

  describe('that change payload', () => {
    const invert = (data: Buffer): Buffer => {
      const changed = Buffer.from(data);
      changed.writeUInt8(~data.readUInt8(7) & 255, 7);
      return changed;
    };
    const longer = (data: Buffer): Buffer =>
      Buffer.concat([data.subarray(0, 7), Buffer.from('++'), data.subarray(7)]);
    const shorter = (data: Buffer): Buffer => Buffer.concat([data.subarray(0, 7), data.subarray(9)]);
    const none = { client: undefined, server: undefined };

    for (const which of ['up', 'down'] as const) {
      const shape = SHAPES[`${which} only`];
      for (const both of [false, true]) {
        const given = both ? SHAPES['both ways'] : shape;
        const kind = `${which}, data ${both ? 'both ways' : 'one way only'}`;

        it(`in the first segment, ${kind}, with checksums: plain TCP at once`, async () => {
          const result = await through(alter(which, 0, invert), {
            ...{ shape: given, checksums: true, cost: COST, changed: 7 },
            ...none,
          });
          expect(result.reasons[which === 'up' ? 1 : 0]).to.equal('wrong DSS checksum');
        });

        it(`once later, ${kind}, with checksums: MP_FAIL, then plain TCP`, async () => {
          const result = await through(alter(which, 59, invert), {
            ...{ shape: given, checksums: true, cost: COST },
            ...none,
            changed: undefined,
          });
          const receiver = which === 'up' ? result.pair.server : result.pair.client;
          expect(receiver.counters()['DataCsumErr']).to.equal(1);
          expect(receiver.counters()['MPFailTx']).to.equal(1);
          expect(result.reasons[which === 'up' ? 1 : 0]).to.equal('wrong DSS checksum');
        });

        it(`in every segment from the 60th on, ${kind}, with checksums: MP_FAIL, then plain TCP`, async () => {
          const result = await through(alter(which, 59, invert, true), {
            ...{ shape: given, checksums: true, cost: COST },
            ...none,
            changed: undefined,
          });
          expect(result.reasons[which === 'up' ? 1 : 0]).to.equal('wrong DSS checksum');
        });

        for (const [size, change, more] of [
          ['longer', longer, 2],
          ['shorter', shorter, -2],
        ] as const) {
          it(`and make the 60th segment ${size}, ${kind}, with checksums: MP_FAIL, then plain TCP`, async () => {
            const result = await through(alter(which, 59, change), {
              ...{ shape: given, checksums: true, cost: COST },
              ...none,
              extra: which === 'up' ? [more, 0] : [0, more],
              changed: undefined,
            });
            expect(result.reasons[which === 'up' ? 1 : 0]).to.equal('wrong DSS checksum');
          });
        }

        it(`and make the 60th segment longer, ${kind}, without checksums: plain TCP`, async () => {
          const result = await through(alter(which, 59, longer), {
            ...{ shape: given, cost: COST },
            ...none,
            extra: which === 'up' ? [2, 0] : [0, 2],
            changed: undefined,
          });
          expect(result.reasons[which === 'up' ? 1 : 0]).to.equal('a mapping that does not fit the data');
        });
      }
    }
  });

  describe('that acknowledge data by themselves', () => {
    for (const which of ['up', 'down'] as const) {
      for (const [name, shape] of Object.entries(SHAPES)) {
        it(`${which}, data ${name}: nothing is lost, nothing is repeated`, async () => {
          const result = await through(proxyAcks(which), {
            shape,
            cost: COST,
            client: undefined,
            server: undefined,
          });
          if (which === 'down' || shape.up === 0) expect(result.reasons).to.deep.equal([null, null]);
        });
      }
    }

    it('and then lose it: the data level repeats it on the only subflow', async () => {
      const result = await through(proxyAcks('down', [14]), {
        shape: SHAPES['down only'],
        cost: COST,
        client: null,
        server: null,
      });
      expect(result.pair.server.counters()['MPTCPRetrans']).to.be.above(0);
    });

    for (const [down, delay, ...places] of [
      [600_000, 200, 0, 14, 45],
      [600_000, RTT / 2, 0, 14, 45, 200],
      [4_000_000, 200, 0, 14, 45, 200],
      [4_000_000, RTT / 2, 0, 14, 45, 200],
    ] as const) {
      for (const lost of places) {
        it(`lose packet ${lost} of ${down} octets at ${delay} µs: the other subflow carries it all, theirs ends`, async () => {
          const script = proxyAcks('down', [lost]);
          const pair = await Pair.create({
            links: [0, 1].map(() => ({ rate: 100e6, delay, queue: 1e6 })),
            wrap: (device, name) =>
              name === 'client'
                ? new Middlebox(device, (segment, direction) =>
                    [segment.source, segment.destination].includes('10.0.0.1')
                      ? script(segment, direction)
                      : [{ segment, direction }],
                  )
                : device,
          });
          pair.world.runUntil(1000);
          const transfer = start(pair, 0, down);
          pair.world.runUntil(() => done(transfer), { maxTime: (down * 8) / 100 + 2 * COST });
          expectWhole(transfer);
          expect(pair.server.counters()).to.include({ MPRstTx: 1, MPJoinRejected: 0 });
        });
      }
    }
  });

  describe('that rewrite, split and join', () => {
    it('initial sequence numbers: nothing happens', async () => {
      await through(rewriteIsn(0x7fff_1234, 0x8123_4567), { cost: 1, client: null, server: null });
    });

    for (const which of ['up', 'down'] as const) {
      for (const copies of [true, false]) {
        it(`split segments ${which}, options on ${copies ? 'both halves' : 'the first half'}: nothing happens`, async () => {
          for (const checksums of [false, true]) {
            await through(split(which, copies), { checksums, cost: RTT, client: null, server: null });
          }
        });
      }

      for (const [name, shape] of Object.entries(SHAPES)) {
        it(`join segments ${which}, data ${name}`, async () => {
          for (const n of [1, 10]) {
            const result = await through(coalesce(which, n), {
              shape,
              cost: COST,
              client: undefined,
              server: undefined,
            });
            const joined = which === 'up' ? shape.up > 0 : shape.down > 0;
            if (!joined) expect(result.reasons).to.deep.equal([null, null]);
          }
        });
      }
    }
  });

  it('that changes payload on one of two paths ends the subflow there, and no octet is wrong', async () => {
    const checksums = [[CFG_CHECKSUM, 1]] as const;
    const box = alter('up', 40, (data) => Buffer.alloc(data.length), true);
    const pair = await Pair.create({
      links: [
        { rate: 20e6, delay: RTT / 2, queue: 1e6 },
        { rate: 20e6, delay: RTT / 2, queue: 1e6 },
      ],
      client: checksums,
      server: checksums,
      wrap: (device, name) =>
        name === 'client'
          ? new Middlebox(device, (segment, direction) => {
              const there = [segment.source, segment.destination].includes('10.0.1.1');
              return there ? box(segment, direction) : [{ segment, direction }];
            })
          : device,
    });
    const transfer = start(pair, 2_000_000, 0);
    pair.world.runUntil(() => done(transfer), { maxTime: 10e6 });
    expectWhole(transfer);
    expect(transfer.client.connection?.info().mptcp).to.equal(true);
    const counters = pair.server.counters();
    expect(counters['MPFailTx']).to.be.above(0);
    expect(counters['MPRstTx']).to.be.at.least(counters['MPFailTx'] ?? 0);
    expect(pair.client.counters()['MPFailRx']).to.equal(counters['MPFailTx']);
  });
});
