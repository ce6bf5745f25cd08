/** A path's packets leave through its own interface, whatever the routing table prefers. */
import { expect } from 'chai';
import { needCommands } from '../support/needs.js';
import { until } from '../support/until.js';
import { tcpPacket } from '../unit/tcp-packet.js';
import { DeviceAgent } from './device-control.js';
import { Bench, skipWithoutNamespaces } from './netns.js';

/** Addresses behind the other side's interfaces. */
const FAR = { 4: '198.51.100.9', 6: '2001:db8:ffff::9' } as const;

for (const kind of ['packet', 'raw', 'udp'] as const) {
  describe(`${kind} device, routing`, () => {
    let bench: Bench;

    before(async function () {
      skipWithoutNamespaces(this);
      needCommands(this, 'tcpdump');
      bench = await Bench.open({ paths: 2 });
      const { a, b } = bench;
      for (const family of [4, 6] as const) {
        await b.run('ip', 'address', 'add', `${FAR[family]}/${family === 4 ? '32' : '128'}`, 'dev', 'lo');
        for (const path of [0, 1]) {
          const route = `route add default via ${b.address(path, family)} dev p${String(path)} metric ${String(100 + path)}`;
          await a.run('ip', `-${String(family)}`, ...route.split(' '));
        }
      }
    });

    after(async () => {
      await bench?.close();
    });

    /** Sends from a side's path, and waits for the packet at p1. */
    async function leaves(
      family: 4 | 6,
      destination: string,
      side: 'a' | 'b' = 'a',
      from = 1,
    ): Promise<void> {
      const watched = ['-nnl', '--immediate-mode', '-i', 'p1', 'dst', 'host', destination];
      const wire = bench.b.spawn('tcpdump', watched);
      await wire.says('listening');
      const agent = await DeviceAgent.start(bench[side], kind);
      const path = { id: 1, name: `p${String(from)}`, address: bench[side].address(from, family), mtu: 1500 };
      expect(await agent.attach(path)).to.equal(null);
      const sourcePort = (await agent.bind(1, 0)) as number;
      agent.send(1, tcpPacket({ source: path.address, destination, sourcePort }));
      const line = `${path.address}.${String(sourcePort)} > ${destination}.443`;
      await until(
        () => wire.outputText.includes(line),
        () => `"${line}" in ${wire.outputText}`,
      );
      await Promise.all([agent.process.kill(), wire.kill()]);
    }

    for (const family of [4, 6] as const) {
      it(`leaves through the path's interface to a network that another is attached to, IPv${String(family)}`, async () => {
        // The neighbour there is known: the kernel would not be asked to find it.
        const known = `neigh replace ${bench.b.address(0, family)} lladdr 02:00:00:00:00:01 dev p0`;
        await bench.a.run('ip', ...known.split(' '));
        await leaves(family, bench.b.address(0, family));
        await bench.a.run('ip', 'neigh', 'flush', 'dev', 'p0');
      });
    }

    if (kind === 'packet') {
      it('leaves through the only interface that leads there, with its neighbour unknown, IPv6', async () => {
        await bench.b.run('ip', 'neigh', 'flush', 'dev', 'p1');
        await leaves(6, bench.a.address(1, 6), 'b', 0);
      });
    }

    for (const rules of [false, true]) {
      for (const family of [4, 6] as const) {
        const how = rules ? 'rules for source addresses' : 'two default routes';
        it(`leaves through the path's interface with ${how}, IPv${String(family)}`, async () => {
          const { a, b } = bench;
          if (rules) {
            const flag = `-${String(family)}`;
            await a.run('ip', flag, 'route', 'del', 'default', 'dev', 'p1');
            await a.run('ip', flag, 'rule', 'add', 'from', a.address(1, family), 'table', '7');
            await a.run('ip', flag, 'route', 'add', 'default', 'via', b.address(1, family), 'table', '7');
          }
          await leaves(family, FAR[family]);
        });
      }
    }
  });
}
