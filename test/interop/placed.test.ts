/** What comes in large packets over the device `packet` reaches `data` events in the buffers that the kernel wrote. */
import { expect } from 'chai';
import { needCommands } from '../support/needs.js';
import { KernelPeer } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces } from './netns.js';
import { expectWhole, loseSome, pathsOf, PlaitPeer, type AgentReport, type Family } from './plait-peer.js';

const SIZE = 64 << 20;
const PORT = 5001;

describe('payload in buffers of its own', () => {
  let bench: Bench;

  before(function () {
    skipWithoutNamespaces(this);
    needCommands(this, 'iptables');
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 2 });
  });

  afterEach(async () => {
    await bench?.close();
  });

  async function receive(family: Family = 4): Promise<AgentReport> {
    const { a, b } = bench;
    await b.mptcp('limits set subflow 4 add_addr_accepted 4');
    const server = new PlaitPeer(
      a,
      'server',
      a.address(0, family),
      PORT,
      '--device',
      'packet',
      ...pathsOf(a, family),
    );
    await server.port();
    const client = new KernelPeer(
      b,
      'client',
      a.address(0, family),
      PORT,
      '--send',
      String(SIZE),
      '--seed',
      'up',
    );
    const [report] = await Promise.all([server.report(), client.report()]);
    expectWhole(report, 'up', SIZE);
    return report;
  }

  for (const family of [4, 6] as const) {
    it(`is not copied, IPv${String(family)}`, async () => {
      const { counters } = await receive(family);
      expect(counters.PlacedOctets).to.be.above(1 << 20);
    });
  }

  it('survives loss', async () => {
    await loseSome(bench.a);
    const { counters } = await receive();
    expect(counters.TCPOFOQueue).to.be.above(0);
  });
});
