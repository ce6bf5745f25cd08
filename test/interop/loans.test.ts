/** Large writes over the device `packet`, which leave from the application's memory, to the kernel. */
import { expect } from 'chai';
import { needCommands } from '../support/needs.js';
import { KernelPeer } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces } from './netns.js';
import { expectWhole, loseSome, PlaitPeer, type AgentReport } from './plait-peer.js';

const SIZE = 96 << 20;
/** Large enough to be lent; in whole blocks of the pattern. */
const PIECE = 2 << 20;
const PORT = 5001;

describe('large writes', () => {
  let bench: Bench;

  before(function () {
    skipWithoutNamespaces(this);
    needCommands(this, 'iptables');
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 2 });
    await bench.b.mptcp('limits set subflow 4 add_addr_accepted 4');
  });

  afterEach(async () => {
    await bench?.close();
  });

  async function send(): Promise<AgentReport> {
    const server = new KernelPeer(bench.b, 'server', '', PORT);
    await server.port();
    const mine = ['--send', String(SIZE), '--piece', String(PIECE), '--seed', 'up'];
    const client = new PlaitPeer(bench.a, 'client', bench.b.address(0), PORT, ...mine);
    const [report, received] = await Promise.all([client.report(), server.report()]);
    expect(report.error).to.equal(null);
    expectWhole(received, 'up', SIZE);
    return report;
  }

  it('leave from the application, and the buffer is its own again after each', async () => {
    const { counters } = await send();
    expect(counters.LentOctets).to.be.above(PIECE);
  });

  it('survive loss', async () => {
    await loseSome(bench.b);
    const { counters } = await send();
    expect(counters.RetransSegs).to.be.above(0);
  });
});
