/** Plait and Plait between two namespaces, over both devices. */
import { expect } from 'chai';
import { needCommands } from '../support/needs.js';
import { Bench, skipWithoutNamespaces } from './netns.js';
import {
  carried,
  expectPaths,
  expectWhole,
  KEEP_BACK,
  kernelResets,
  PACED,
  PACED_SIZE,
  pathsOf,
  PlaitPeer,
  swallow,
  WAIT_AT_START,
  type AgentReport,
  type Family,
} from './plait-peer.js';

const SIZE = 64 << 20;
const PORT = 5001;

interface Pair {
  readonly client: PlaitPeer;
  readonly server: PlaitPeer;
}

for (const device of ['packet', 'raw', 'udp'] as const) {
  describe(`Plait and Plait over ${device}`, () => {
    let bench: Bench;

    before(function () {
      skipWithoutNamespaces(this);
      needCommands(this, 'nft');
    });

    beforeEach(async () => {
      bench = await Bench.open({ paths: 2 });
    });

    afterEach(async () => {
      await bench?.close();
    });

    /** The client sends the pattern "up", the server "down". */
    async function start(family: Family, ...options: string[]): Promise<Pair> {
      const { a, b } = bench;
      const common = ['--device', device, ...options];
      const mine = [...common, '--seed', 'down', ...pathsOf(b, family)];
      const server = new PlaitPeer(b, 'server', '', PORT, ...mine);
      await server.port();
      const other = [...common, '--seed', 'up', '--tell', ...pathsOf(a, family)];
      return { server, client: new PlaitPeer(a, 'client', b.address(0, family), PORT, ...other) };
    }

    async function finish({ client, server }: Pair, size: number): Promise<[AgentReport, AgentReport]> {
      const reports = await Promise.all([client.report(), server.report()]);
      expectWhole(reports[0], 'down', size);
      expectWhole(reports[1], 'up', size);
      expectPaths(reports[0], 'p0', 'p1');
      // A join may reach the server's first address over the second link, before the second address is announced.
      expectPaths(reports[1], 'p0');
      expect(
        reports[1].info.subflows.filter((one) => one.bytesSent + one.bytesReceived > 0),
      ).to.have.length.above(1);
      await Promise.all([client.process.exit, server.process.exit]);
      for (const side of [bench.a, bench.b]) {
        expect(await kernelResets(side), 'RST of a kernel').to.equal(0);
      }
      return reports;
    }

    /** Waits until the client has a second subflow. */
    const joined = ({ client }: Pair): Promise<void> => client.process.says('"subflow-established"');

    async function passGates({ client, server }: Pair): Promise<void> {
      await Promise.all([client.process.passGate(), server.process.passGate()]);
    }

    /** Starts both with data that waits for the join: the first path alone might carry it all before. */
    async function startJoined(family: Family, size: number, ...options: string[]): Promise<Pair> {
      const pair = await start(family, '--send', String(size), ...WAIT_AT_START, ...options);
      await joined(pair);
      await passGates(pair);
      return pair;
    }

    for (const family of [4, 6] as const) {
      it(`moves 64 MiB both ways at once over two IPv${String(family)} paths`, async () => {
        await finish(await startJoined(family, SIZE), SIZE);
      });
    }

    it('moves data under DSS checksums', async () => {
      const size = 8 << 20;
      await finish(await startJoined(4, size, '--checksum'), size);
    });

    it('goes on when a link goes down', async () => {
      const pair = await start(4, ...PACED, ...KEEP_BACK);
      await joined(pair);
      await carried(bench.a, 0);
      await bench.a.setLink(0, false);
      await passGates(pair);
      await finish(pair, PACED_SIZE);
    });

    it('goes on when a path swallows everything', async () => {
      const pair = await start(4, ...PACED, ...KEEP_BACK);
      await joined(pair);
      await carried(bench.a, 0);
      await swallow(bench, 0);
      await passGates(pair);
      await finish(pair, PACED_SIZE);
    });
  });
}
