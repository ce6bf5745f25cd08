/**
 * One connection between two network namespaces over two veth paths, from application to application: Plait over each
 * of its devices and the kernel's MPTCP, in every pairing, against what the kernel does with itself in the same run, and
 * against what a program without a stack reaches through packet sockets. Sender and receiver are processes of their own.
 * Rounds alternate between all cases; figures are medians.
 */
import type { Bench } from '../test/interop/netns.js';
import type { Running } from '../test/interop/running.js';
import { LOST, type Measured } from './apps/report.js';
import { median, type Report } from './report.js';
import { linkAddress, octetsOut, openNamespaces, startApp } from './two-namespaces.js';

const ROUNDS = 5;
/** Code is compiled in the first 0.2 of them. */
const SECONDS = 3;
/** Of rows that are slow whatever has been compiled. */
const SHORT = 1;
/** Runs of a bare sender that may lose a packet, which is never repeated. */
const TRIES = 10;

interface Case {
  readonly name: string;
  /** Default SECONDS. */
  readonly seconds?: number;
  readonly peer?: string;
  /** What any program can reach this way. */
  readonly bound?: string;
  /** Of the ratio to the peer. */
  readonly least?: number;
}

const KERNEL = 'kernel to kernel';
const BLAST = 'datagrams to datagrams';
const BARE = 'bare packets';
const BARE_TO_KERNEL = `${BARE} to kernel`;
const KERNEL_TO_BARE = `kernel to ${BARE}`;
const KERNEL_TO_BARE_LENT = `${KERNEL_TO_BARE}, lent`;
const BARE_PAIR = `${BARE} to ${BARE}`;
/** A link address that no interface has. */
const NOBODY = '02:00:00:00:00:00';
const CASES: readonly Case[] = [
  { name: KERNEL },
  { name: BARE_TO_KERNEL, peer: KERNEL },
  { name: KERNEL_TO_BARE, peer: KERNEL },
  { name: KERNEL_TO_BARE_LENT, peer: KERNEL },
  { name: BARE_PAIR, peer: KERNEL },
  { name: 'packet to kernel', peer: KERNEL, least: 1, bound: BARE_TO_KERNEL },
  { name: 'kernel to packet', peer: KERNEL, least: 1, bound: KERNEL_TO_BARE },
  { name: 'packet to packet', peer: KERNEL, least: 1, bound: BARE_PAIR },
  // The application looks at the octets where they were received, and has no copy of its own.
  { name: 'kernel to packet, lent', peer: KERNEL, bound: KERNEL_TO_BARE_LENT },
  { name: 'raw to kernel', peer: KERNEL, seconds: SHORT },
  { name: 'kernel to raw', peer: KERNEL, seconds: SHORT },
  { name: 'raw to raw', peer: KERNEL, seconds: SHORT },
  { name: BLAST, seconds: SHORT },
  { name: 'udp to udp', peer: BLAST, seconds: SHORT },
];

interface Run extends Measured {
  readonly senderCpu: number;
  /** Share of the less used path. */
  readonly share: number;
  /** Runs before this one that lost a packet. */
  readonly repeated: number;
}

export async function wire(report: Report): Promise<void> {
  const wanted = CASES.filter(({ name }) => report.wants(name));
  const cases = CASES.filter((one) =>
    wanted.some(({ name, peer, bound }) => [name, peer, bound].includes(one.name)),
  );
  const runs = new Map<string, Run[]>(cases.map(({ name }) => [name, []]));
  const bench = await openNamespaces();
  try {
    const ports = { next: 5000 };
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of cases) runs.get(one.name)?.push(await measure(bench, one, ports));
    }
  } finally {
    await bench.close();
  }
  const rates = (name: string): number => median((runs.get(name) ?? []).map(gigabits));
  for (const { name, peer, bound, least } of wanted) {
    const all = runs.get(name) ?? [];
    report.add({
      case: name,
      value: rates(name),
      unit: 'Gbit/s',
      ...(peer === undefined ? {} : { peer, peerValue: rates(peer) }),
      ...(bound === undefined ? {} : { bound, boundValue: rates(bound) }),
      ...(least === undefined ? {} : { limit: { leastRatio: least } }),
      detail: {
        smallerShare: median(all.map(({ share }) => share)),
        senderCpuPerGB: median(all.map(({ senderCpu, octets }) => senderCpu / (octets / 1e9))),
        receiverCpuPerGB: median(all.map(({ cpu, octets }) => cpu / (octets / 1e9))),
        runs: all.map((one) => Number(gigabits(one).toPrecision(3))).join(' '),
        ...(name === BARE_TO_KERNEL
          ? { repeated: all.reduce((sum, { repeated }) => sum + repeated, 0) }
          : {}),
      },
    });
  }
}

const gigabits = ({ octets, seconds }: Measured): number => (octets * 8e-9) / seconds;

/** A run, again where it lost a packet that nobody repeats. */
async function measure(
  bench: Bench,
  { name, seconds = SECONDS }: Case,
  ports: { next: number },
): Promise<Run> {
  for (let tries = 0; tries < TRIES; tries++) {
    const run = await transfer(bench, name, seconds, ports.next++);
    if (run !== null) return { ...run, repeated: tries };
  }
  throw new Error(`${name}: each of ${String(TRIES)} runs lost a packet`);
}

/** Null: a bare sender lost a packet. */
async function transfer(
  bench: Bench,
  name: string,
  seconds: number,
  port: number,
): Promise<Omit<Run, 'repeated'> | null> {
  const [from = '', to = ''] = name.split(' to ');
  const pair = name === BARE_PAIR;
  // Frames of a pair go to nobody, so that the kernel leaves them alone.
  const neighbour = pair ? NOBODY : await linkAddress(bench, 'b');
  const start = (side: 'a' | 'b', mode: string, what: string): Running => {
    const args = [mode, bench.b.address(0), String(port), String(seconds)];
    if (what === 'kernel') return startApp(bench, side, 'kernel.py', ...args);
    if (what === 'datagrams') return startApp(bench, side, 'datagrams', ...args);
    const [device = '', ...options] = what.split(', ');
    if (device !== BARE) return startApp(bench, side, 'plait', ...args, device, ...options);
    const app = pair ? 'bare-pair' : `bare-${mode}`;
    return startApp(bench, side, app, ...args, 'p0', neighbour, ...options);
  };
  const receiver = start('b', 'receive', to);
  await receiver.line();
  const before = await octetsOut(bench, 'a');
  const sender = start('a', 'send', from);
  const lines = await Promise.all([receiver.line(), sender.line()]).catch(async (error: unknown) => {
    await receiver.kill();
    if ((await sender.exit).code === LOST) return null;
    throw error;
  });
  if (lines === null) return null;
  const [received, sent] = lines.map((line) => JSON.parse(line) as Measured);
  const after = await octetsOut(bench, 'a');
  const used = after.map((octets, path) => octets - (before[path] ?? 0));
  await Promise.all([receiver.exit, sender.exit]);
  if (received === undefined || sent === undefined) throw new Error(`${name}: no result`);
  if (!pair && from !== 'datagrams' && received.octets !== sent.octets) {
    throw new Error(`${name}: ${String(received.octets)} of ${String(sent.octets)} octets arrived`);
  }
  return {
    ...received,
    senderCpu: sent.cpu,
    share: Math.min(...used) / used.reduce((sum, octets) => sum + octets, 0),
  };
}
