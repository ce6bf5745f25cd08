/**
 * One connection between two network namespaces over two veth paths, from application to application: Plait over each
 * of its devices and the kernel's MPTCP, in every pairing, against what the kernel does with itself in the same run.
 * Sender and receiver are processes of their own. Rounds alternate between all cases; figures are medians.
 */
import type { Bench } from '../test/interop/netns.js';
import type { Measured } from './apps/report.js';
import { median, type Report } from './report.js';
import { octetsOut, openNamespaces, startApp } from './two-namespaces.js';

const ROUNDS = 5;
const SECONDS = 1;

interface Case {
  readonly name: string;
  readonly peer?: string;
  /** Of the ratio to the peer. */
  readonly least?: number;
}

const KERNEL = 'kernel to kernel';
const BLAST = 'datagrams to datagrams';
const CASES: readonly Case[] = [
  { name: KERNEL },
  { name: 'packet to kernel', peer: KERNEL, least: 1 },
  { name: 'kernel to packet', peer: KERNEL, least: 1 },
  { name: 'packet to packet', peer: KERNEL, least: 1 },
  // The application looks at the octets where they were received, and has no copy of its own.
  { name: 'kernel to packet, lent', peer: KERNEL },
  { name: 'raw to kernel', peer: KERNEL },
  { name: 'kernel to raw', peer: KERNEL },
  { name: 'raw to raw', peer: KERNEL },
  { name: BLAST },
  { name: 'udp to udp', peer: BLAST },
];

interface Run extends Measured {
  readonly senderCpu: number;
  /** Share of the less used path. */
  readonly share: number;
}

export async function wire(report: Report): Promise<void> {
  const wanted = CASES.filter(({ name }) => report.wants(name));
  const cases = CASES.filter((one) =>
    wanted.some(({ name, peer }) => one.name === name || one.name === peer),
  );
  const runs = new Map<string, Run[]>(cases.map(({ name }) => [name, []]));
  const bench = await openNamespaces();
  try {
    let port = 5000;
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name } of cases) runs.get(name)?.push(await transfer(bench, name, port++));
    }
  } finally {
    await bench.close();
  }
  const rates = (name: string): number => median((runs.get(name) ?? []).map(gigabits));
  for (const { name, peer, least } of wanted) {
    const all = runs.get(name) ?? [];
    report.add({
      case: name,
      value: rates(name),
      unit: 'Gbit/s',
      ...(peer === undefined ? {} : { peer, peerValue: rates(peer) }),
      ...(least === undefined ? {} : { limit: { leastRatio: least } }),
      detail: {
        smallerShare: median(all.map(({ share }) => share)),
        senderCpuPerGB: median(all.map(({ senderCpu, octets }) => senderCpu / (octets / 1e9))),
        receiverCpuPerGB: median(all.map(({ cpu, octets }) => cpu / (octets / 1e9))),
        runs: all.map((one) => Number(gigabits(one).toPrecision(3))).join(' '),
      },
    });
  }
}

const gigabits = ({ octets, seconds }: Measured): number => (octets * 8e-9) / seconds;

async function transfer(bench: Bench, name: string, port: number): Promise<Run> {
  const [from = '', to = ''] = name.split(' to ');
  const start = (side: 'a' | 'b', mode: string, what: string): ReturnType<typeof startApp> => {
    const args = [mode, bench.b.address(0), String(port), String(SECONDS)];
    if (what === 'kernel') return startApp(bench, side, 'kernel.py', ...args);
    if (what === 'datagrams') return startApp(bench, side, 'datagrams', ...args);
    return startApp(bench, side, 'plait', ...args, ...what.split(', '));
  };
  const receiver = start('b', 'receive', to);
  await receiver.line();
  const before = await octetsOut(bench, 'a');
  const sender = start('a', 'send', from);
  const [received, sent] = (await Promise.all([receiver.line(), sender.line()])).map(
    (line) => JSON.parse(line) as Measured,
  );
  const after = await octetsOut(bench, 'a');
  const used = after.map((octets, path) => octets - (before[path] ?? 0));
  await Promise.all([receiver.exit, sender.exit]);
  if (received === undefined || sent === undefined) throw new Error(`${name}: no result`);
  if (from !== 'datagrams' && received.octets !== sent.octets) {
    throw new Error(`${name}: ${String(received.octets)} of ${String(sent.octets)} octets arrived`);
  }
  return {
    ...received,
    senderCpu: sent.cpu,
    share: Math.min(...used) / used.reduce((sum, octets) => sum + octets, 0),
  };
}
