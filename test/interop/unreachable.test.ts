/**
 * A host that answers SYNs with ICMP errors: attempts end with the error that the kernel's own end with, and joins never
 * end their connection.
 */
import { expect } from 'chai';
import { needCommands } from '../support/needs.js';
import { KernelPeer } from './kernel-peer.js';
import { Bench, skipWithoutNamespaces } from './netns.js';
import { expectWhole, PlaitPeer } from './plait-peer.js';

/** What nft(8) calls them. */
const REJECTS = {
  4: [
    ...['net-unreachable', 'host-unreachable', 'prot-unreachable', 'port-unreachable'],
    ...['net-prohibited', 'host-prohibited', 'admin-prohibited'],
  ],
  6: ['no-route', 'admin-prohibited', 'addr-unreachable', 'port-unreachable', 'policy-fail', 'reject-route'],
} as const;
const FIRST_PORT = 5100;
const SIZE = 1 << 20;

describe('unreachable hosts', () => {
  let bench: Bench;

  before(async function () {
    skipWithoutNamespaces(this);
    needCommands(this, 'nft');
    bench = await Bench.open({ paths: 2 });
    const { b } = bench;
    await b.sysctl('net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0');
    await b.run('nft', 'add table inet answers');
    await b.run('nft', 'add chain inet answers input { type filter hook input priority 0; }');
    for (const family of [4, 6] as const) {
      for (const [i, name] of REJECTS[family].entries()) {
        const how = `meta nfproto ipv${String(family)} tcp dport ${String(FIRST_PORT + i)}`;
        const reject = `reject with ${family === 4 ? 'icmp' : 'icmpv6'} type ${name}`;
        await b.run('nft', `add rule inet answers input ${how} ${reject}`);
      }
    }
  });

  after(async () => {
    await bench?.close();
  });

  for (const family of [4, 6] as const) {
    for (const [i, name] of REJECTS[family].entries()) {
      it(`end an attempt as they end the kernel's, IPv${String(family)}, ${name}`, async () => {
        const { a, b } = bench;
        const to = ['client', b.address(0, family), FIRST_PORT + i] as const;
        const kernel = await new KernelPeer(a, ...to).report();
        expect(kernel.error).to.match(/^E/);
        for (const device of i === 0 ? ['packet', 'raw'] : ['packet']) {
          const mine = ['--device', device, '--path', a.address(0, family)];
          const plait = await new PlaitPeer(a, ...to, ...mine).report();
          expect(plait.error, device).to.equal(kernel.error);
        }
      });
    }

    it(`that a join meets leave the connection alone, IPv${String(family)}`, async () => {
      const { a, b } = bench;
      const port = FIRST_PORT + REJECTS[family].indexOf('port-unreachable');
      const [first, second] = [b.address(0, family), b.address(1, family)];
      // Of this version only: attempts over the other one come after this test.
      const open = `meta nfproto ipv${String(family)} iifname p0 tcp dport ${String(port)} accept`;
      await b.run('nft', `insert rule inet answers input ${open}`);
      await b.mptcp('limits set subflow 4 add_addr_accepted 4', `endpoint add ${second} signal`);
      const server = new KernelPeer(b, 'server', family === 4 ? '0.0.0.0' : '::', port);
      await server.port();
      const mine = ['--device', 'packet', '--tell', '--send', String(SIZE), '--seed', 'up', '--gate', '1000'];
      const paths = [0, 1].flatMap((path) => ['--path', a.address(path, family)]);
      const client = new PlaitPeer(a, 'client', first, port, ...mine, ...paths);
      // The join from the second address to the first one may be refused too: the kernel takes none once it has sent its
      // DATA_FIN, which this server, having nothing to send, does at once.
      await client.process.says('"host unreachable"');
      await client.process.passGate();
      const [up, down] = await Promise.all([client.report(), server.report()]);
      expect(up).to.include({ error: null, mptcp: true });
      const joined = up.info.subflows.filter(({ remote }) => remote.address === second);
      expect(joined.filter(({ state, bytesSent }) => state === 'ESTABLISHED' || bytesSent > 0)).to.deep.equal(
        [],
      );
      expect(up.counters['IcmpInMsgs']).to.be.greaterThan(0);
      expectWhole(down, 'up', SIZE);
      await b.mptcp('endpoint flush');
    });
  }
});
