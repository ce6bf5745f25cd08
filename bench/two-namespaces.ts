/** Two namespaces with two veth paths for benchmarks: the kernel at its best, and programs on either side. */
import { fileURLToPath } from 'node:url';
import { Bench } from '../test/interop/netns.js';
import type { Running } from '../test/interop/running.js';
import { root } from '../test/support/root.js';

export type Side = 'a' | 'b';

/** What the paths of either namespace do when the kernel speaks MPTCP, and what each system's own defaults may spoil. */
const SETTINGS = [
  // The one that every kernel has and every namespace may choose; here it is as fast as cubic, and bbr is not.
  'net.ipv4.tcp_congestion_control=reno',
  'net.ipv4.tcp_wmem=4096 16384 4194304',
  'net.ipv4.tcp_rmem=4096 131072 6291456',
];

export async function openNamespaces(): Promise<Bench> {
  const bench = await Bench.open();
  try {
    for (const side of [bench.a, bench.b]) {
      await side.sysctl(...SETTINGS);
      await side.mptcp('limits set subflow 2 add_addr_accepted 2');
    }
    // The client's kernel joins at the second address when the server's has announced it.
    await bench.b.mptcp(`endpoint add ${bench.b.address(1)} dev p1 signal`);
    return bench;
  } catch (error) {
    await bench.close();
    throw error;
  }
}

/** Starts one of `bench/apps`; a name without ending is a program for Node. */
export function startApp(bench: Bench, side: Side, app: string, ...args: string[]): Running {
  const file = (path: string): string => fileURLToPath(new URL(path, root));
  return app.endsWith('.py')
    ? bench[side].spawn('python3', [file(`bench/apps/${app}`), ...args])
    : bench[side].spawn(process.execPath, [file(`dist/bench/apps/${app}.js`), ...args]);
}

/** Of a side's interface on the first path. */
export async function linkAddress(bench: Bench, side: Side): Promise<string> {
  return (await bench[side].run('cat', '/sys/class/net/p0/address')).trim();
}

/** Octets that went out on each path so far. */
export async function octetsOut(bench: Bench, side: Side): Promise<number[]> {
  const devices = Array.from({ length: bench.paths }, (_, path) => `/sys/class/net/p${String(path)}`);
  const text = await bench[side].run('cat', ...devices.map((one) => `${one}/statistics/tx_bytes`));
  return text.trim().split('\n').map(Number);
}
