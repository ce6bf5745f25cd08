/** The bench is sane: two kernels in it talk MPTCP over both paths. */
import { expect } from 'chai';
import { KernelPeer } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces } from './netns.js';
import { patternSha256 } from './pattern.js';
import { carried, counted, KEEP_BACK, PACED, PACED_SIZE, WAIT_AT_START } from './plait-peer.js';

const SIZE = 64 << 20;
/** A join goes to another address than the first subflow, and needs a listener there. */
const ANY = { 4: '0.0.0.0', 6: '::' };

describe('kernel to kernel', () => {
  let bench: Bench | null = null;

  before(function () {
    skipWithoutNamespaces(this);
  });

  beforeEach(async () => {
    bench = await Bench.open({ paths: 2 });
  });

  afterEach(async () => {
    await bench?.close();
    bench = null;
  });

  for (const family of [4, 6] as const) {
    it(`moves 64 MiB both ways at once over two IPv${String(family)} subflows`, async () => {
      const { a, b } = bench as Bench;
      for (const side of [a, b]) await side.mptcp('limits set subflow 2 add_addr_accepted 2');
      await b.mptcp(`endpoint add ${b.address(1, family)} dev p1 signal`);

      const sending = ['--send', String(SIZE), ...WAIT_AT_START];
      const server = new KernelPeer(b, 'server', ANY[family], 0, ...sending, '--seed', 'down');
      const port = await server.port();
      const client = new KernelPeer(a, 'client', b.address(0, family), port, ...sending, '--seed', 'up');
      await counted(b, 'MPJoinAckRx', 1);
      await Promise.all([server.process.passGate(), client.process.passGate()]);
      const [there, here] = await Promise.all([server.report(), client.report()]);

      expect(here).to.include({ error: null, received: SIZE, mptcp: true, subflows: 2 });
      expect(there).to.include({ error: null, received: SIZE, mptcp: true, subflows: 2 });
      expect(here.receivedSha256).to.equal(patternSha256('down', SIZE));
      expect(there.receivedSha256).to.equal(patternSha256('up', SIZE));

      const counters = await b.mptcpCounters();
      expect(counters).to.include({
        MPCapableSYNRX: 1,
        MPJoinSynRx: 1,
        MPJoinAckRx: 1,
        EchoAdd: 1,
        DataCsumErr: 0,
      });
    });
  }

  it('goes on over the other path when a link goes down', async () => {
    const { a, b } = bench as Bench;
    for (const side of [a, b]) await side.mptcp('limits set subflow 2 add_addr_accepted 2');
    await b.mptcp(`endpoint add ${b.address(1)} dev p1 signal`);
    // A kernel that has ended its direction takes no joins.
    const server = new KernelPeer(b, 'server', ANY[4], 0, '--gate', '1');
    const client = new KernelPeer(a, 'client', b.address(0), await server.port(), ...PACED, ...KEEP_BACK);
    await counted(b, 'MPJoinAckRx', 1);
    await carried(a, 0);
    await a.setLink(0, false);
    await server.process.passGate();
    await client.process.passGate();
    const there = await server.report();
    expect(there).to.include({ error: null, received: PACED_SIZE, mptcp: true });
    expect(there.receivedSha256).to.equal(patternSha256('plait', PACED_SIZE));
    await client.report();
  });
});
