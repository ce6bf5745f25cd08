/**
 * Path MTU discovery over a real router (RFC 1191, RFC 8201): its link to the peer takes less than ours, and it says so.
 * The kernel as the sender shows what is expected.
 */
import { expect } from 'chai';
import { needCommands } from '../support/needs.js';
import { until } from '../support/until.js';
import { KernelPeer, type PeerReport } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces, type Namespace } from './netns.js';
import { expectWhole, PlaitPeer, type AgentReport } from './plait-peer.js';
import { insertRouter } from './router.js';

const MTU = 1400;
const SIZE = 1 << 20;
const PORT = 5001;
const ETHERNET = 14;
/** More than the first window: those were under way when the router spoke. */
const FIRST_FLIGHT = 20;

for (const kind of ['kernel', 'packet', 'raw'] as const) {
  for (const family of [4, 6] as const) {
    describe(`path MTU, ${kind} sends, IPv${String(family)}`, () => {
      let bench: Bench;
      let router: Namespace;

      before(async function () {
        skipWithoutNamespaces(this);
        needCommands(this, 'tcpdump', 'ethtool');
        bench = await Bench.open({ paths: 1 });
        router = await insertRouter(bench, 0, MTU);
        // The first packets through new links may be lost.
        const { a, b } = bench;
        const server = new KernelPeer(b, 'server', b.address(0, family), PORT + 1);
        await server.port();
        const client = new KernelPeer(a, 'client', b.address(0, family), PORT + 1);
        await Promise.all([client.report(), server.report()]);
      });

      after(async () => {
        await bench?.close();
      });

      it('goes on at once in smaller segments, and later connections begin with them', async () => {
        const { a, b } = bench;
        const two = ['--connections', '2'];
        const server = new KernelPeer(b, 'server', b.address(0, family), PORT, ...two);
        await server.port();
        const before = await timeouts(a);
        const filter = [
          '-nnel',
          '--immediate-mode',
          '-B',
          '16384',
          '-s',
          '160',
          '-i',
          'down',
          'tcp',
          'and',
          'src',
          'host',
        ];
        const wire = router.spawn('tcpdump', [...filter, a.address(0, family)]);
        await wire.says('listening');
        const sending = ['--send', String(SIZE), '--seed', 'up', ...two];
        const mine = ['--device', kind, '--path', a.address(0, family)];
        const client: KernelPeer | PlaitPeer =
          kind === 'kernel'
            ? new KernelPeer(a, 'client', b.address(0, family), PORT, ...sending)
            : new PlaitPeer(a, 'client', b.address(0, family), PORT, ...mine, ...sending);
        const reports: PeerReport[] = [];
        for (let i = 0; i < 2; i++) {
          const [up, down] = await Promise.all([client.report(), server.report()]);
          expect(up).to.include({ error: null });
          expectWhole(down, 'up', SIZE);
          reports.push(up);
        }
        await until(() => new Set(read(wire.outputText).map((one) => (one.fin ? one.flow : ''))).size > 2);
        await wire.kill('SIGINT');
        const packets = read(wire.outputText);
        const [first = '', second = ''] = [...new Set(packets.map(({ flow }) => flow))];
        const large = packets.filter(({ octets }) => octets > MTU);
        expect(large.length).to.be.within(1, FIRST_FLIGHT);
        expect(new Set(large.map(({ flow }) => flow))).to.deep.equal(new Set([first]));
        const full = packets.filter(({ octets }) => octets === MTU);
        expect(full.length).to.be.greaterThan(SIZE / MTU);
        // What was under way came before the first smaller one.
        const data = packets.filter(({ flow, octets }) => flow === first && octets > 600);
        expect(data.findLastIndex(({ octets }) => octets > MTU)).to.be.lessThan(2 * FIRST_FLIGHT);
        const header = family === 4 ? 40 : 60;
        const announced = new Map(
          packets.filter(({ mss }) => mss !== null).map(({ flow, mss }) => [flow, mss]),
        );
        expect([...announced]).to.deep.equal([
          [first, 1500 - header],
          [second, MTU - header],
        ]);
        if (kind === 'kernel') expect(await timeouts(a)).to.equal(before);
        else expect((reports[1] as AgentReport).counters).to.include({ TCPTimeouts: 0 });
      });
    });
  }
}

for (const family of [4, 6] as const) {
  describe(`path MTU, udp, IPv${String(family)}`, () => {
    let bench: Bench;

    before(async function () {
      skipWithoutNamespaces(this);
      needCommands(this, 'ethtool');
      bench = await Bench.open({ paths: 1 });
      await insertRouter(bench, 0, MTU);
      // The peer's own link says what Plait there announces.
      await bench.b.run('ip', 'link', 'set', 'dev', 'p0', 'mtu', '1500');
    });

    after(async () => {
      await bench?.close();
    });

    it('goes on in fragments', async () => {
      const { a, b } = bench;
      const paths = (side: Namespace): string[] => ['--device', 'udp', '--path', side.address(0, family)];
      const server = new PlaitPeer(b, 'server', '', PORT, ...paths(b));
      await server.port();
      const sending = ['--send', String(SIZE), '--seed', 'up'];
      const client = new PlaitPeer(a, 'client', b.address(0, family), PORT, ...paths(a), ...sending);
      const [up, down] = await Promise.all([client.report(), server.report()]);
      expectWhole(down, 'up', SIZE);
      expect(up).to.include({ error: null, mptcp: true });
      expect(up.device).to.include({ sendErrors: 0 });
    });
  });
}

interface Packet {
  readonly flow: string;
  /** Of the IP packet. */
  readonly octets: number;
  readonly mss: number | null;
  readonly fin: boolean;
}

/** What `tcpdump -e` has printed. */
function read(text: string): Packet[] {
  return text
    .split('\n')
    .filter((line) => line.includes('Flags ['))
    .map((line) => {
      const [, length, flow = ''] = /, length (\d+): (\S+) > /.exec(line) ?? [];
      const mss = /mss (\d+)/.exec(line)?.[1];
      return {
        flow,
        octets: Number(length) - ETHERNET,
        mss: mss === undefined ? null : Number(mss),
        fin: line.includes('Flags [F'),
      };
    });
}

/** The kernel's retransmission timeouts in a namespace. */
async function timeouts(side: Namespace): Promise<number> {
  return (await side.mptcpCounters('TCPTimeouts'))['TCPTimeouts'] ?? 0;
}
