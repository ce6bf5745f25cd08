/** Endpoints and limits between two whole stacks: the words of `ip mptcp` on both sides, a transfer, what came of it. */
import { expect } from 'chai';
import { applyIpMptcp } from '../../src/path/ip-mptcp.js';
import type { PathManager } from '../../src/path/path-manager.js';
import type { Stack } from '../../src/stack/stack.js';
import { Pair, address, done, expectWhole, start, type Transfer } from './pair.js';

const LINK = { rate: 20e6, delay: 5000, queue: 100_000 };

interface Setup {
  readonly client?: readonly string[];
  readonly server?: readonly string[];
  readonly ipv6?: boolean;
  readonly up?: number;
  readonly down?: number;
}

const ip = (stack: Stack, line: string): string => applyIpMptcp(stack.policy as PathManager, line);

async function begin({
  client = [],
  server = [],
  ipv6 = false,
  up = 2e6,
  down = 0,
}: Setup): Promise<[Pair, Transfer]> {
  const pair = await Pair.create({ links: [LINK, LINK, LINK], pairing: 'endpoints', ipv6 });
  // Joins cross over: from any address of one side to any of the other.
  for (const [i, link] of pair.links.entries()) {
    for (let j = 0; j < 3; j++)
      if (i !== j) pair.network.share(link, address(i, 1, ipv6), address(j, 2, ipv6));
  }
  const limits = 'limits set subflows 4 add_addr_accepted 4';
  for (const line of [limits, ...client]) ip(pair.client, line);
  for (const line of [limits, ...server]) ip(pair.server, line);
  return [pair, start(pair, up, down, { ipv6 })];
}

async function run(setup: Setup): Promise<[Pair, Transfer]> {
  const [pair, transfer] = await begin(setup);
  pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
  expectWhole(transfer);
  return [pair, transfer];
}

/** Local and remote address of every subflow that carried data, as path numbers. */
const used = ({ client }: Transfer): string[] =>
  (client.connection?.info().subflows ?? [])
    .filter(({ bytesSent, bytesReceived }) => bytesSent + bytesReceived > 0)
    .map(({ local, remote }) => `${pathOf(local.address)}>${pathOf(remote.address)}`)
    .sort();
const pathOf = (text: string): number =>
  [0, 1, 2].findIndex((path) =>
    [1, 2].some((host) => [false, true].some((ipv6) => address(path, host, ipv6) === text)),
  );

describe('endpoints in virtual time', () => {
  for (const ipv6 of [false, true]) {
    const at = (path: number, host: number): string => address(path, host, ipv6);
    const family = ipv6 ? 'IPv6' : 'IPv4';

    it(`${family}: subflow endpoints of the opener`, async () => {
      const [pair, transfer] = await run({
        ipv6,
        client: [`endpoint add ${at(1, 1)} subflow`, `endpoint add ${at(2, 1)} subflow`],
      });
      expect(used(transfer)).to.deep.equal(['0>0', '1>0', '2>0']);
      expect(pair.server.counters()['MPJoinAckRx']).to.equal(2);
    });

    it(`${family}: signal endpoints of the answerer, one with a port`, async () => {
      const [pair, transfer] = await run({
        ipv6,
        server: [`endpoint add ${at(1, 2)} signal`, `endpoint add ${at(2, 2)} port 4430 signal`],
      });
      expect(used(transfer)).to.deep.equal(['0>0', '1>1', '2>2']);
      const { AddAddrTx, EchoAdd, MPJoinPortAckRx } = pair.server.counters();
      expect([AddAddrTx, EchoAdd, MPJoinPortAckRx]).to.deep.equal([2, 2, 1]);
    });

    it(`${family}: fullmesh of two by two`, async () => {
      const [, transfer] = await run({
        ipv6,
        client: [`endpoint add ${at(1, 1)} subflow fullmesh`, `endpoint add ${at(0, 1)} subflow fullmesh`],
        server: [`endpoint add ${at(1, 2)} signal`],
      });
      expect(used(transfer)).to.deep.equal(['0>0', '0>1', '1>0', '1>1']);
    });

    it(`${family}: limits hold on either side`, async () => {
      const [pair, transfer] = await run({
        ipv6,
        client: [`endpoint add ${at(1, 1)} subflow`, `endpoint add ${at(2, 1)} subflow`],
        server: ['limits set subflows 1 add_addr_accepted 0'],
      });
      expect(used(transfer)).to.have.lengthOf(2);
      expect(pair.server.counters()['MPJoinRejected']).to.equal(1);
    });

    it(`${family}: an endpoint added in the middle joins, one deleted takes its subflow along`, async () => {
      const [pair, transfer] = await begin({
        ipv6,
        up: 4e6,
        client: [`endpoint add ${at(1, 1)} subflow id 3`],
      });
      pair.world.at(200_000, () => void ip(pair.client, `endpoint add ${at(2, 1)} subflow id 4`));
      pair.world.at(400_000, () => void ip(pair.client, 'endpoint delete id 3'));
      pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
      expectWhole(transfer);
      expect(used(transfer)).to.deep.equal(['0>0', '1>0', '2>0']);
      expect(pair.server.counters()['RmAddr']).to.equal(1);
      expect(transfer.server.connection?.info().mptcp).to.equal(true);
    });

    it(`${family}: the first address is deleted in the middle; the rest goes on elsewhere`, async () => {
      const [pair, transfer] = await begin({ ipv6, up: 4e6, client: [`endpoint add ${at(1, 1)} subflow`] });
      pair.world.at(300_000, () => void ip(pair.client, `endpoint delete id 0 ${at(0, 1)}`));
      pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
      expectWhole(transfer);
      expect(pair.server.counters()['RmAddr']).to.equal(1);
    });
  }

  it('every path goes away in the middle, and another one comes before the close timeout, or after it', async () => {
    for (const [seconds, whole] of [
      [5, true],
      [59, true],
      [61, false],
    ] as const) {
      const pair = await Pair.create({ links: [LINK, LINK] });
      const transfer = start(pair, 2e6, 1e6);
      const { client, world } = pair;
      const [device] = client.paths().map(({ id }) => client.deviceOf(id));
      world.at(200_000, () => client.paths().forEach(({ id }) => client.removePath(id)));
      world.at(200_000 + seconds * 1e6, () => {
        if (device) client.addPath(device, { name: 'path1', address: address(1, 1), mtu: 1500 });
      });
      // Who has octets in flight when the other side falls silent gives up after its timeouts (RFC 9293's R2, a quarter of an hour).
      world.runUntil(() => done(transfer), { maxTime: 1200e6 });
      if (whole) expectWhole(transfer);
      else
        expect([transfer.client.error?.code, transfer.server.error?.code]).to.deep.equal([
          'ETIMEDOUT',
          'ETIMEDOUT',
        ]);
    }
  });

  it('a short exchange leaves no join behind that is refused', async () => {
    const fast = { rate: 1e9, delay: 5000, queue: 1e6 };
    for (const pairing of ['laminar', 'fullmesh'] as const) {
      for (let seed = 1; seed <= 20; seed++) {
        // The answer takes more than one round trip, so that joins could begin; they would arrive after its end.
        const links = [fast, { ...fast, delay: 3000 * seed }];
        const pair = await Pair.create({ seed, links, pairing });
        const transfer = start(pair, 100, 30_000);
        pair.world.runUntil(() => done(transfer), { maxTime: 10e6 });
        expectWhole(transfer);
        pair.world.runUntil(pair.world.now() + 5e6);
        for (const stack of [pair.client, pair.server]) {
          const { MPJoinRejected, MPJoinNoTokenFound, MPRstTx, MPRstRx } = stack.counters();
          const refused = [MPJoinRejected, MPJoinNoTokenFound, MPRstTx, MPRstRx];
          expect(refused, `${pairing}, seed ${seed}`).to.deep.equal([0, 0, 0, 0]);
        }
      }
    }
  });
});
