/** One run of data from one namespace to the other, through whatever either side's name says. */
import type { Bench } from '../test/interop/netns.js';
import type { Running } from '../test/interop/running.js';
import { LOST, type Measured } from './apps/report.js';
import { median } from './report.js';
import { linkAddress, octetsOut, openNamespaces, startApp } from './two-namespaces.js';

/** Runs of a bare sender that may lose a packet, which is never repeated. */
const TRIES = 10;
export const BARE = 'bare packets';
export const BARE_PAIR = `${BARE} to ${BARE}`;
/** Programs for Node over the kernel's MPTCP. */
export const NODE = 'node:net';
/** A link address that no interface has. */
const NOBODY = '02:00:00:00:00:00';

export interface Wish {
  /** Sender and receiver: "kernel to packet, lent". */
  readonly name: string;
  readonly seconds: number;
  /** Octets that the applications write and read at once; default: a megabyte. */
  readonly piece?: number;
}

export interface Run extends Measured {
  readonly senderCpu: number;
  /** Share of the less used path. */
  readonly share: number;
  /** Runs before this one that lost a packet. */
  readonly repeated: number;
}

/** What a report tells of runs beside their speed. */
export function details(all: readonly Run[]): Record<string, number | string> {
  return {
    smallerShare: median(all.map(({ share }) => share)),
    senderCpuPerGB: median(all.map(({ senderCpu, octets }) => senderCpu / (octets / 1e9))),
    receiverCpuPerGB: median(all.map(({ cpu, octets }) => cpu / (octets / 1e9))),
    runs: all.map((one) => Number(gigabits(one).toPrecision(3))).join(' '),
  };
}

const gigabits = ({ octets, seconds }: Measured): number => (octets * 8e-9) / seconds;

/** Runs of every wish, in so many rounds that alternate between them; by the wishes' keys. */
export async function alternate(
  wishes: ReadonlyMap<string, Wish>,
  rounds: number,
): Promise<ReadonlyMap<string, readonly Run[]>> {
  const runs = new Map<string, Run[]>([...wishes.keys()].map((key) => [key, []]));
  const bench = await openNamespaces();
  try {
    const ports = { next: 5000 };
    for (let round = 0; round < rounds; round++) {
      for (const [key, wish] of wishes) runs.get(key)?.push(await measure(bench, wish, ports));
    }
  } finally {
    await bench.close();
  }
  return runs;
}

/** The median of their speeds. */
export const rateOf = (runs: readonly Run[] = []): number => median(runs.map(gigabits));

/** A run, again where it lost a packet that nobody repeats. */
async function measure(bench: Bench, wish: Wish, ports: { next: number }): Promise<Run> {
  for (let tries = 0; tries < TRIES; tries++) {
    const run = await transfer(bench, wish, ports.next++);
    if (run !== null) return { ...run, repeated: tries };
  }
  throw new Error(`${wish.name}: each of ${String(TRIES)} runs lost a packet`);
}

/** Null: a bare sender lost a packet. */
async function transfer(
  bench: Bench,
  { name, seconds, piece }: Wish,
  port: number,
): Promise<Omit<Run, 'repeated'> | null> {
  const [from = '', to = ''] = name.split(' to ');
  const pair = name === BARE_PAIR;
  // Frames of a pair go to nobody, so that the kernel leaves them alone.
  const neighbour = pair ? NOBODY : await linkAddress(bench, 'b');
  const start = (side: 'a' | 'b', mode: string, what: string): Running => {
    const args = [mode, bench.b.address(0), String(port), String(seconds)];
    const pieces = piece === undefined ? [] : ['--piece', String(piece)];
    if (what === 'kernel') return startApp(bench, side, 'kernel.py', ...args, ...pieces);
    if (what === NODE) return startApp(bench, side, 'node-net', ...args, ...pieces);
    if (what === 'datagrams') return startApp(bench, side, 'datagrams', ...args);
    const [device = '', ...options] = what.split(', ');
    if (device !== BARE) return startApp(bench, side, 'plait', ...args, device, ...options, ...pieces);
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
