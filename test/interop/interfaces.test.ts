/** What the address list makes of links that go down and addresses that are not ready. */
import { expect } from 'chai';
import { fileURLToPath } from 'node:url';
import type { LocalAddress } from '../../src/path/interfaces.js';
import { until } from '../support/until.js';
import { Bench, skipWithoutNamespaces, type Namespace } from './netns.js';

const MODULE = fileURLToPath(new URL('../../src/io/interfaces.js', import.meta.url));
const SCRIPT = `import { localAddresses } from '${MODULE}'; console.log(JSON.stringify(localAddresses()));`;

describe('local addresses', () => {
  let bench: Bench;

  before(async function () {
    skipWithoutNamespaces(this);
    bench = await Bench.open({ paths: 2, mtu: 1400 });
  });

  after(async () => {
    await bench?.close();
  });

  async function list(where: Namespace): Promise<LocalAddress[]> {
    return JSON.parse(
      await where.run(process.execPath, '--input-type=module', '-e', SCRIPT),
    ) as LocalAddress[];
  }

  const names = (addresses: LocalAddress[]): string[] =>
    [...new Set(addresses.map((one) => one.name))].sort();

  it('are those of every interface, with its MTU', async () => {
    let found: LocalAddress[] = [];
    // The kernel makes those of the link by itself, a while after the link is up.
    await until(async () => (found = await list(bench.a)).filter((one) => one.linkLocal).length === 2);
    expect(names(found)).to.deep.equal(['lo', 'p0', 'p1']);
    const index = Number((await bench.a.run('cat', '/sys/class/net/p0/ifindex')).trim());
    const path = { name: 'p0', index, mtu: 1400, loopback: false, linkLocal: false };
    expect(found).to.deep.include({ ...path, address: bench.a.address(0), family: 4 });
    expect(found).to.deep.include({
      ...path,
      address: bench.a.address(0, 6),
      family: 6,
    });
  });

  it('do not include those of an interface that is down', async () => {
    await bench.a.setLink(0, false);
    try {
      expect(names(await list(bench.a))).to.deep.equal(['lo', 'p1']);
      // The other end keeps its addresses and loses its carrier.
      await until(async () => names(await list(bench.b)).join() === 'lo,p1');
    } finally {
      await bench.a.setLink(0, true);
    }
    await until(async () => names(await list(bench.b)).join() === 'lo,p0,p1');
  });

  it('do not include an IPv6 address that is still probed for duplicates', async () => {
    const { a } = bench;
    await a.run('sysctl', '-qw', 'net.ipv6.conf.p1.accept_dad=1', 'net.ipv6.conf.all.accept_dad=1');
    await a.run('sysctl', '-qw', 'net.ipv6.conf.p1.dad_transmits=100');
    await a.run('ip', 'address', 'add', '2001:db8::77/64', 'dev', 'p1');
    expect(await a.run('ip', 'address', 'show', 'dev', 'p1')).to.match(/2001:db8::77.* tentative/);
    expect((await list(a)).map((one) => one.address)).to.not.include('2001:db8::77');
  });

  it('carry the interface, not the label of an alias', async () => {
    await bench.a.run('ip', 'address', 'add', '203.0.113.5/24', 'dev', 'p1', 'label', 'p1:alias');
    expect((await list(bench.a)).find((one) => one.address === '203.0.113.5')).to.include({ name: 'p1' });
  });
});
