/** A router between the two sides, whose link to `b` takes smaller packets than its link to `a`, for both IP versions. */
import type { Bench, Namespace } from './netns.js';

/**
 * Puts it into a path. Peers go on announcing what their own links take, so that only the router tells of the smaller
 * one; and its links cut nothing, so that what passes there are packets as on a wire.
 */
export async function insertRouter(bench: Bench, path: number, mtu: number): Promise<Namespace> {
  const { a, b } = bench;
  const box = await bench.insertBox(path, 'router');
  const name = `p${String(path)}`;
  const run = async (side: Namespace, command: string): Promise<void> => {
    const [program = '', ...rest] = command.split(' ');
    await side.run(program, ...rest);
  };
  await box.sysctl(
    ...['all', 'up', 'down', 'lo'].map((one) => `net.ipv6.conf.${one}.disable_ipv6=0`),
    'net.ipv6.conf.all.forwarding=1',
    'net.ipv6.conf.all.accept_dad=0',
    ...['up', 'down'].flatMap((one) => [
      `net.ipv6.conf.${one}.proxy_ndp=1`,
      `net.ipv6.neigh.${one}.proxy_delay=0`,
      `net.ipv4.neigh.${one}.proxy_delay=0`,
    ]),
    // Every packet that is too large is answered.
    'net.ipv4.icmp_ratelimit=0',
    'net.ipv6.icmp.ratelimit=0',
  );
  for (const [device, near, far, own] of [
    ['up', b, a, '2001:db8:0:1::1'],
    ['down', a, b, '2001:db8:0:2::1'],
  ] as const) {
    await run(box, `ip -6 address add ${own}/128 dev ${device} nodad`);
    await run(box, `ip -6 route replace ${near.address(path, 6)}/128 dev ${device}`);
    await run(box, `ip -6 neigh add proxy ${far.address(path, 6)} dev ${device}`);
  }
  await run(box, `ip link set dev up mtu ${String(mtu)}`);
  await run(b, `ip link set dev ${name} mtu ${String(mtu)}`);
  await run(b, `ip route replace 10.0.${String(path + 1)}.0/24 dev ${name} advmss 1460`);
  await run(
    b,
    `ip -6 route replace dead:beef:${String(path + 1)}::/64 dev ${name} proto kernel metric 256 advmss 1440`,
  );
  for (const [side, device] of [
    [a, name],
    [box, 'down'],
    [box, 'up'],
    [b, name],
  ] as const) {
    await run(side, `ethtool -K ${device} tso off gso off gro off`);
  }
  return box;
}
