/** Paths that begin to lose large packets without a word (RFC 8899 section 4.3), and outages, which look alike at first. */
import { expect } from 'chai';
import { CFG_CHECKSUM } from '../../assembly/abi.js';
import { Pair, done, expectWhole, start, type Endpoint } from './pair.js';

const LINK = { rate: 20e6, delay: 10_000, queue: 200_000 };
const OCTETS = 1_000_000;
/** IPv4, TCP, timestamps, and the largest DSS. */
const HEADERS = 20 + 20 + 12 + 28;

const sizeOf = ({ connection }: Endpoint): number[] => connection?.liveSubflows().map(({ mss }) => mss) ?? [];

describe('a path that becomes narrow', () => {
  for (const checksums of [false, true]) {
    for (const [ipv6, mtu, then] of [
      [false, 1400, 1280],
      [false, 1280, 1280],
      [false, 1000, 576],
      [false, 576, 576],
      [true, 1400, 1280],
      [true, 1280, 1280],
    ] as const) {
      const title = `${ipv6 ? 'IPv6' : 'IPv4'}, ${String(mtu)} octets${checksums ? ', checksums' : ''}`;
      it(`${title}: segments become small; the transfer goes on`, async () => {
        const config = checksums ? ([[CFG_CHECKSUM, 1]] as const) : [];
        const pair = await Pair.create({
          links: [LINK],
          ipv6,
          pairing: 'none',
          client: config,
          server: config,
        });
        const transfer = start(pair, OCTETS, OCTETS, { ipv6 });
        const { client, server } = transfer;
        const half = (): boolean => Math.min(client.received, server.received) > OCTETS / 2;
        pair.world.runUntil(half, { maxTime: 10e6 });
        const link = pair.links[0];
        if (link !== undefined) link.mtu = mtu;
        const from = pair.world.now();
        let seen: number[] = [];
        const watch = (): boolean => {
          seen = [...seen, ...sizeOf(client)];
          return done(transfer);
        };
        pair.world.runUntil(watch, { maxTime: 60e6 });
        expectWhole(transfer);
        expect(seen.at(-1)).to.equal(then - HEADERS - (ipv6 ? 20 : 0));
        expect(pair.world.now() - from, 'seconds').to.be.below(12e6);
      });
    }
  }

  it('an outage changes nothing', async () => {
    for (const outage of [0.5e6, 1.5e6, 3e6, 8e6, 20e6]) {
      const pair = await Pair.create({ links: [LINK], pairing: 'none' });
      const transfer = start(pair, OCTETS, 0);
      pair.world.runUntil(() => transfer.server.received > OCTETS / 4, { maxTime: 10e6 });
      const now = pair.world.now();
      pair.links[0]?.setUp(false);
      pair.world.at(now + outage, () => pair.links[0]?.setUp(true));
      let last: number[] = [];
      pair.world.runUntil(
        () => {
          const mtu = sizeOf(transfer.client);
          if (mtu.length > 0) last = mtu;
          return done(transfer);
        },
        { maxTime: 200e6 },
      );
      expectWhole(transfer);
      expect(last[0], `${String(outage)} µs`).to.be.at.least(1500 - HEADERS);
    }
  });
});
