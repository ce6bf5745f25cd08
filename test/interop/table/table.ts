/** Runs many cases, a few at a time, each in fresh namespaces, and prints the table. */
import { Bench } from '../netns.js';
import { pairName, type Case, type Pair } from './case.js';
import { runCase, type Verdict } from './run.js';

export interface Row {
  readonly one: Case;
  readonly pair: Pair;
}

export interface TableOptions {
  /** Cases at once. */
  readonly jobs: number;
  /** Folder for captures, or null. */
  readonly pcap: string | null;
  readonly print: (line: string) => void;
}

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const DEFAULT_PAIRS: readonly Pair[] = [
  { client: 'plait', server: 'kernel' },
  { client: 'kernel', server: 'plait' },
];

export const rowName = ({ one, pair }: Row): string => `${one.family}: ${one.name} (${pairName(pair)})`;

/** One row per case and pair. `pairs` replaces the case's own. */
export function rowsOf(cases: readonly Case[], pairs?: readonly Pair[]): Row[] {
  return cases.flatMap((one) => (pairs ?? one.pairs ?? DEFAULT_PAIRS).map((pair) => ({ one, pair })));
}

/** Runs the rows and prints them in their order. A row that fails gets a second chance, and is marked. */
export async function runTable(rows: readonly Row[], options: TableOptions): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const lines: (readonly string[] | undefined)[] = [];
  let printed = 0;
  let next = 0;
  const benches = new Benches();
  const worker = async (): Promise<void> => {
    for (let i = next++; i < rows.length; i = next++) {
      const row = rows[i] as Row;
      const first = await runOne(row, benches, options.pcap);
      // The capture of what failed stays.
      const verdict = first.differs.length === 0 ? first : await runOne(row, benches, null);
      tally[verdict.differs.length === 0 ? 'passed' : 'failed']++;
      lines[i] = report(row, verdict, first);
      for (let ready = lines[printed]; ready !== undefined; ready = lines[++printed])
        ready.forEach(options.print);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.jobs }, worker));
  } finally {
    await benches.close();
  }
  return tally;
}

/** Bounded whatever happens: a row that does not end must not keep the others from being told. */
async function runOne(row: Row, benches: Benches, pcap: string | null): Promise<Verdict> {
  const work = (async (): Promise<Verdict> => {
    const bench = await benches.take();
    try {
      return await runCase(row.one, row.pair, bench, pcap);
    } finally {
      await bench.close();
    }
  })();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Verdict>((resolve) => {
    const differs = [`did not end within ${String(LIMIT / 1000)} s`];
    timer = setTimeout(() => resolve({ differs, seconds: LIMIT / 1000, outcome: null }), LIMIT);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    return { differs: [(error as Error).message], seconds: 0, outcome: null };
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

/** With the reasons of a first try that failed. */
function report(row: Row, { differs, seconds }: Verdict, first: Verdict): string[] {
  const result = differs.length > 0 ? 'FAILED' : first.differs.length > 0 ? 'passed (2nd)' : 'passed';
  const name = `${row.one.family}: ${row.one.name}`;
  const line = [name.padEnd(58), pairName(row.pair).padEnd(15), result.padEnd(13), `${seconds.toFixed(1)} s`];
  const reasons = differs.length > 0 ? differs : first.differs.map((text) => `first: ${text}`);
  return [line.join(' '), ...reasons.map((text) => `    ${text.replaceAll('\n', '\n    ')}`)];
}

/** Makes namespaces ahead of their use: links take a second to come up. */
class Benches {
  readonly #ready: Promise<Bench>[] = [];
  #closed = false;

  take(): Promise<Bench> {
    const bench = this.#ready.shift() ?? this.#make();
    if (!this.#closed) this.#ready.push(this.#make());
    return bench;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const bench of this.#ready.splice(0)) await (await bench.catch(() => null))?.close();
  }

  #make(): Promise<Bench> {
    const bench = Bench.open({ paths: 4, crossed: true });
    bench.catch(() => undefined);
    return bench;
  }
}

/** Milliseconds of one row, its namespaces included. */
const LIMIT = 60_000;
