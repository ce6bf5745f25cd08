/** What can go wrong under the device `packet` costs a path at most, never the connection; and interfaces of other kinds. */
import { expect } from 'chai';
import { needCommands, skip } from '../support/needs.js';
import { KernelPeer } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces, type Namespace } from './netns.js';
import {
  expectWhole,
  KEEP_BACK,
  PACED,
  PACED_SIZE,
  PlaitPeer,
  WAIT_AT_START,
  type AgentReport,
} from './plait-peer.js';

const SIZE = 32 << 20;
const PORT = 5001;

describe('packet device, faults', () => {
  let bench: Bench;
  let a: Namespace;
  let b: Namespace;

  before(function () {
    skipWithoutNamespaces(this);
    needCommands(this, 'tc', 'iptables', 'ethtool');
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 2 });
    ({ a, b } = bench);
    await b.mptcp('limits set subflow 4 add_addr_accepted 4');
  });

  afterEach(async () => {
    await bench?.close();
  });

  /** Plait in `a` and the kernel in `b` send to each other; `fault` strikes once there are two subflows, and before the end. */
  async function transfer(
    options: { size: number; paced?: boolean; address?: string; paths?: string[]; joined?: boolean },
    fault: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<AgentReport> {
    const { size, paced = false, address = b.address(0), joined = true } = options;
    const { paths = [a.address(0), a.address(1)] } = options;
    const sending = paced ? PACED : ['--send', String(size), ...WAIT_AT_START];
    const kept = paced ? KEEP_BACK : [];
    const server = new KernelPeer(b, 'server', '', PORT, ...sending, ...kept, '--seed', 'down');
    await server.port();
    const mine = ['--device', 'packet', '--tell', ...sending, '--seed', 'up'];
    const client = new PlaitPeer(
      a,
      'client',
      address,
      PORT,
      ...mine,
      ...paths.flatMap((one) => ['--path', one]),
    );
    if (joined) await client.process.says('"subflow-established"');
    await fault();
    await server.process.passGate();
    if (!paced) await client.process.passGate();
    const [up, down] = await Promise.all([client.report(), server.report()]);
    expectWhole(up, 'down', size);
    expectWhole(down, 'up', size);
    expect(up).to.include({ mptcp: true, fallback: null });
    return up;
  }

  const paced = { size: PACED_SIZE, paced: true };

  for (const path of [0, 1]) {
    const dev = `p${String(path)}`;

    it(`${dev} is gone`, async () => {
      // Deleting it would take the peer's end and its address as well.
      await transfer(paced, () => a.run('ip', 'link', 'set', dev, 'netns', b.name, 'name', 'gone'));
    });

    it(`the neighbour of ${dev} does not answer any more`, async () => {
      await transfer(paced, async () => {
        await b.run('ip', 'link', 'set', dev, 'arp', 'off');
        await a.run('ip', 'neigh', 'flush', 'dev', dev);
      });
    });

    it(`the route over ${dev} is gone`, async () => {
      await transfer(paced, () => a.run('ip', 'route', 'del', `10.0.${String(path + 1)}.0/24`, 'dev', dev));
    });

    it(`${dev} refuses every packet`, async () => {
      await transfer(paced, async () => {
        // No packet fits into this queue.
        await a.run('tc', ...`qdisc add dev ${dev} root tbf rate 8kbit burst 10 limit 10`.split(' '));
      });
    });
  }

  it('an interface with a queue that is too short', async () => {
    const report = await transfer({ size: SIZE }, async () => {
      await a.run('tc', ...'qdisc add dev p0 root tbf rate 200mbit burst 70k limit 100k'.split(' '));
    });
    expect(report.subflows).to.be.at.least(2);
  });

  it('packets that the firewall does not let out', async () => {
    // Only the first packet to an unknown neighbour meets it: the join, which is tried again.
    const rule = ['OUTPUT', '-o', 'p1', '-p', 'tcp', '-j', 'DROP'];
    await a.run('iptables', '-A', ...rule);
    const report = await transfer({ ...paced, joined: false });
    expect(report.device['sendErrors']).to.be.greaterThan(0);
  });

  it('an MTU that shrinks while packets are under way', async () => {
    await transfer(paced, async () => {
      for (const side of [a, b]) await side.run('ip', 'link', 'set', 'p1', 'mtu', '1300');
    });
  });

  it('paths with different MTUs', async () => {
    for (const side of [a, b]) await side.run('ip', 'link', 'set', 'p1', 'mtu', '1280');
    const { info } = await transfer({ size: SIZE });
    const sizes = new Map(info.subflows.map(({ pathName, mss }) => [pathName, mss]));
    // Options take up to 40 octets of it.
    expect(sizes.get('p0')).to.be.within(1400, 1460);
    expect(sizes.get('p1')).to.be.within(1180, 1240);
  });

  it('interfaces whose offloads are switched off', async () => {
    for (const side of [a, b]) {
      for (const dev of ['p0', 'p1']) {
        await side.run('ethtool', '-K', dev, ...'tso off gso off gro off sg off tx off rx off'.split(' '));
      }
    }
    await transfer({ size: SIZE });
  });

  for (const family of [4, 6] as const) {
    it(`VLANs, IPv${String(family)}`, async function () {
      const numbers = {
        4: (host: number) => `10.7.0.${String(host)}`,
        6: (host: number) => `fd07::${String(host)}`,
      };
      const address = (host: number): string => numbers[family](host);
      const add = 'link add link p0 name p0.7 type vlan id 7'.split(' ');
      const reason = await a.run('ip', ...add).then(
        () => null,
        (error: Error) => error.message,
      );
      if (reason !== null) skip(this, `no VLANs here: ${reason.trim()}`);
      await b.run('ip', ...add);
      for (const [host, side] of [
        [1, a],
        [2, b],
      ] as const) {
        await side.run(
          'ip',
          'address',
          'add',
          `${address(host)}/${family === 4 ? '24' : '64'}`,
          'dev',
          'p0.7',
        );
        await side.run('ip', 'link', 'set', 'p0.7', 'up');
      }
      const { info } = await transfer({
        size: SIZE,
        address: address(2),
        paths: [address(1)],
        joined: false,
      });
      expect(info.subflows.map(({ pathName }) => pathName)).to.include('p0.7');
    });
  }

  it('says at once that no route leads to the peer', async () => {
    const client = new PlaitPeer(a, 'client', '203.0.113.9', PORT, '--device', 'packet');
    const { error, counters } = await client.report();
    expect(error).to.equal('EHOSTUNREACH');
    expect(counters).to.include({ RetransSegs: 0, TCPTimeouts: 0 });
  });
});
