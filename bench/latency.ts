/**
 * Round trips of one octet over an otherwise idle connection between two namespaces, Plait on both sides over each
 * device, against node:net over the same veth pair. Rounds alternate; figures are medians over them. Both sides are warmed
 * up by the same number of round trips; the first of them are a figure of their own.
 */
import { median, type Report } from './report.js';
import { openNamespaces, startApp } from './two-namespaces.js';

const ROUNDS = 5;
const PEER = 'net';
const KINDS = ['packet', 'raw', 'udp'];
const FIGURES = { p50: 'p50', p99: 'p99', cold: 'p50 of the first 1,000' } as const;

type Round = Readonly<Record<keyof typeof FIGURES, number>>;

export async function latency(report: Report): Promise<void> {
  const wanted = KINDS.filter((kind) => report.wants(kind));
  const rounds = new Map<string, Round[]>([PEER, ...wanted].map((kind) => [kind, []]));
  const bench = await openNamespaces();
  try {
    let port = 5000;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [kind, results] of rounds) {
        const args = [bench.b.address(0), String(port++), kind];
        const echo = startApp(bench, 'b', 'pingpong', 'echo', ...args);
        await echo.line();
        const ping = startApp(bench, 'a', 'pingpong', 'ping', ...args);
        results.push(JSON.parse(await ping.line()) as Round);
        await Promise.all([ping.exit, echo.exit]);
      }
    }
  } finally {
    await bench.close();
  }
  for (const kind of wanted) {
    for (const name of ['p50', 'p99', 'cold'] as const) {
      const of = (one: string): number => median((rounds.get(one) ?? []).map((result) => result[name]));
      report.add({
        case: `${kind}, ${FIGURES[name]}`,
        value: of(kind),
        unit: 'µs',
        peer: 'node:net',
        peerValue: of(PEER),
      });
    }
  }
}
