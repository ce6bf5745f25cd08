/**
 * Connections per second that a server takes from the kernel's MPTCP in another namespace over two paths: Plait over
 * packet sockets, against the kernel. `handshakes` stay open, `short connections` carry 1 KB each way and close. Before
 * that, 10,000 connections rest at Plait. Each run has namespaces of its own: ports that closed connections still hold in
 * the client's kernel make its next ones slower, up to twenty times.
 */
import type { Bench } from '../test/interop/netns.js';
import { median, type Report } from './report.js';
import { openNamespaces, startApp } from './two-namespaces.js';

const ROUNDS = 5;
const COUNT = 3000;
const MANY = 10_000;
const PORT = 5000;
const IDLE_SECONDS = 2;
/** Looks until the joins that were lost in the rush have been repeated. */
const LOOKS = 20;

const KINDS = { hold: 'handshakes', visit: 'short connections' } as const;
type Kind = keyof typeof KINDS;

interface State {
  readonly connections: number;
  readonly subflows: number;
  readonly rss: number;
  readonly cpuPerSecond: number;
}

export async function arrivals(report: Report): Promise<void> {
  await inNamespaces((bench) => resting(report, bench));
  for (const kind of ['hold', 'visit'] as const) {
    const ours: number[] = [];
    const kernels: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(await inNamespaces((bench) => perSecond(bench, kind, 'serve')));
      kernels.push(await inNamespaces((bench) => perSecond(bench, kind, 'serve.py')));
    }
    const peer = { peer: 'kernel', peerValue: median(kernels) };
    report.add({ case: `packet: ${KINDS[kind]}`, value: median(ours), unit: 'per second', ...peer });
  }
}

async function inNamespaces<T>(measure: (bench: Bench) => Promise<T>): Promise<T> {
  const bench = await openNamespaces();
  try {
    return await measure(bench);
  } finally {
    await bench.close();
  }
}

async function perSecond(bench: Bench, kind: Kind, server: string): Promise<number> {
  const serving = startApp(bench, 'b', server, String(PORT), 'packet');
  await serving.line();
  const visiting = startApp(bench, 'a', 'visits.py', bench.b.address(0), String(PORT), String(COUNT), kind);
  const { seconds } = JSON.parse(await visiting.line()) as { seconds: number };
  visiting.end('');
  await visiting.exit;
  serving.end('');
  await serving.kill();
  return COUNT / seconds;
}

async function resting(report: Report, bench: Bench): Promise<void> {
  const serving = startApp(bench, 'b', 'serve', String(PORT), 'packet');
  await serving.line();
  const look = async (seconds: number): Promise<State> => {
    serving.write(`${String(seconds)}\n`);
    return JSON.parse(await serving.line()) as State;
  };
  const before = await look(0.1);
  const visiting = startApp(bench, 'a', 'visits.py', bench.b.address(0), String(PORT), String(MANY), 'hold');
  await visiting.line();
  let state = await look(1);
  for (let looks = 0; state.subflows < 2 * MANY && looks < LOOKS; looks++) state = await look(1);
  state = await look(IDLE_SECONDS);
  if (state.connections !== MANY) throw new Error(`only ${String(state.connections)} connections`);
  report.add({
    case: 'packet: 10,000 at rest, subflows',
    value: state.subflows,
    unit: '',
    limit: { least: 2 * MANY },
  });
  const each = (state.rss - before.rss) / MANY;
  report.add({ case: 'packet: 10,000 at rest, whole process', value: each, unit: 'octets each' });
  report.add({
    case: 'packet: 10,000 at rest, processor',
    value: state.cpuPerSecond * 1000,
    unit: 'ms per second',
  });
  visiting.end('');
  await visiting.exit;
  serving.end('');
  await serving.exit;
}
