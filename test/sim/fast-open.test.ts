/** TCP Fast Open between two stacks: the second connection saves a round trip, over clean and lossy links. */
import { expect } from 'chai';
import { CFG_FAST_OPEN, CFG_MPTCP, OPT_FAST_OPEN } from '../../assembly/abi.js';
import type { DuplexOptions } from '../../src/io/memory.js';
import { address, done, Endpoint, expectWhole, Pair, type Transfer } from './pair.js';

const PORT = 5000;
const DELAY = 20_000;
const BOTH = 3;

/** Opens a connection that writes in the same turn; both sides send `octets` and end. */
function open(pair: Pair, servers: Endpoint[], octets: number): Transfer {
  const client = new Endpoint(octets, 11, 22);
  const server = new Endpoint(octets, 22, 11);
  servers.push(server);
  pair.client.connect(
    1,
    0,
    address(0, 2),
    PORT,
    (error, connection) => {
      expect(error).to.equal(null);
      if (connection === null) return;
      client.attach(connection, true);
      client.connected = false;
    },
    [[OPT_FAST_OPEN, 1]],
  );
  return { client, server };
}

async function pairOf(link: DuplexOptions, config: [number, number][] = []): Promise<[Pair, Endpoint[]]> {
  const all: [number, number][] = [[CFG_FAST_OPEN, BOTH], ...config];
  const pair = await Pair.create({ links: [link, link], client: all, server: all });
  const servers: Endpoint[] = [];
  pair.server
    .listen(PORT, null, (connection) => servers.shift()?.attach(connection, true), [[OPT_FAST_OPEN, 8]])
    .start((error) => expect(error).to.equal(null));
  return [pair, servers];
}

describe('fast open in virtual time', () => {
  for (const [name, config] of [
    ['Multipath TCP', []],
    ['plain TCP', [[CFG_MPTCP, 0]]],
  ] as [string, [number, number][]][]) {
    it(`${name}: the request of the second connection arrives with its SYN`, async () => {
      const [pair, servers] = await pairOf({ rate: 50e6, delay: DELAY, queue: 100_000 }, config);
      const arrival = (octets: number): number => {
        const from = pair.world.now();
        const transfer = open(pair, servers, octets);
        pair.world.runUntil(() => transfer.server.received > 0, { maxTime: 10e6 });
        const took = pair.world.now() - from;
        pair.world.runUntil(() => done(transfer), { maxTime: 60e6 });
        expectWhole(transfer);
        return took;
      };
      expect(arrival(500)).to.be.closeTo(3 * DELAY, 1000);
      expect(arrival(500)).to.be.closeTo(DELAY, 1000);
      expect(arrival(300_000)).to.be.closeTo(DELAY, 1000);
      expect(pair.client.counters()).to.containSubset({ TCPFastOpenActive: 2, TCPFastOpenActiveFail: 0 });
      expect(pair.server.counters()).to.containSubset({ TCPFastOpenPassive: 2, TCPFastOpenCookieReqd: 1 });
      expect(pair.server.counters()['MPCapableFallbackACK']).to.equal(0);
    });
  }

  it('whatever is lost, every octet arrives once and in order', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const lossy = { rate: 20e6, delay: DELAY, queue: 100_000, loss: 0.15 };
      const [pair, servers] = await pairOf(lossy, seed % 3 === 0 ? [[CFG_MPTCP, 0]] : []);
      for (let i = 0; i < 4; i++) {
        const transfer = open(pair, servers, 20_000);
        pair.world.runUntil(() => done(transfer), { maxTime: 600e6 });
        expectWhole(transfer);
      }
    }
  });
});
