/**
 * How long a program takes to start: until `plait --version` has ended, and from the start of `plait cat` to the
 * arrival of its first octet at a kernel in another namespace; the peers are the smallest programs for Node that do the
 * same. What `ip netns exec` takes is in both figures.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../test/interop/netns.js';
import type { Running } from '../test/interop/running.js';
import { root } from '../test/support/root.js';
import { median, type Report } from './report.js';
import { openNamespaces, startApp } from './two-namespaces.js';

const ROUNDS = 9;
const PORT = 5000;
const PLAIT = fileURLToPath(new URL('dist/src/cli/main.js', root));
const DEVICES = ['packet', 'raw'];

export async function startup(report: Report): Promise<void> {
  versions(report);
  const bench = await openNamespaces();
  try {
    await firstOctets(report, bench);
  } finally {
    await bench.close();
  }
}

function versions(report: Report): void {
  const ours: number[] = [];
  const peers: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(timeOf(PLAIT, '--version'));
    peers.push(timeOf('-e', 'console.log(process.version)'));
  }
  const peer = { peer: 'node -e console.log', peerValue: median(peers) };
  report.add({ case: 'plait --version', value: median(ours), unit: 'ms', ...peer });
}

/** Milliseconds until Node has ended. */
function timeOf(...args: string[]): number {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr}`);
  return performance.now() - start;
}

async function firstOctets(report: Report, bench: Bench): Promise<void> {
  const listener = startApp(bench, 'b', 'first_octet.py', '0.0.0.0', String(PORT));
  await listener.line();
  const address = bench.b.address(0);
  const commands = new Map<string, string[]>([
    ['node:net', ['-e', `require('node:net').connect(${String(PORT)}, '${address}').end('x')`]],
    ...DEVICES.map((device): [string, string[]] => [
      device,
      [PLAIT, 'cat', '--quiet', '--device', device, address, String(PORT)],
    ]),
  ]);
  const times = new Map<string, number[]>([...commands.keys()].map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, command] of commands) times.get(name)?.push(await firstOctet(bench, listener, command));
  }
  const peer = { peer: 'node:net', peerValue: median(times.get('node:net') ?? []) };
  for (const device of DEVICES) {
    const value = median(times.get(device) ?? []);
    report.add({ case: `first octet, ${device}`, value, unit: 'ms', ...peer });
  }
}

/** Milliseconds from starting Node to the first octet at the listener. */
async function firstOctet(bench: Bench, listener: Running, command: readonly string[]): Promise<number> {
  const start = process.hrtime.bigint();
  const program = bench.a.spawn(process.execPath, command);
  program.end('x');
  const { ns } = JSON.parse(await listener.line()) as { ns: number };
  const { code, stderr } = await program.exit;
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return (ns - Number(start)) / 1e6;
}
