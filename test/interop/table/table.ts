/** Runs many cases, a few at a time, each in fresh namespaces, and prints the table. */
import { Bench } from '../netns.js';
import { pairName, type Case, type Pair } from './case.js';
import { judgeCaptures } from './captures.js';
import { shareText } from './judge.js';
import { runCase, type Verdict } from './run.js';

export interface Row {
  readonly one: Case;
  readonly pair: Pair;
}

export interface TableOptions {
  /** Cases at once. */
  readonly jobs: number;
  /** Folder for captures, or null. */
  readonly captures: string | null;
  /** tshark has to agree with our dissector on all of these. */
  readonly tshark: boolean;
  readonly print: (line: string) => void;
  /** Ends the run early: rows under way and all that follow count as skipped. */
  readonly stop?: AbortSignal;
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

/** Runs the rows and prints them in their order. No namespace is left when it resolves. */
export async function runTable(rows: readonly Row[], options: TableOptions): Promise<Tally> {
  const { jobs, print, stop } = options;
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const lines: (readonly string[] | undefined)[] = [];
  let printed = 0;
  let next = 0;
  const benches = new Benches();
  const worker = async (): Promise<void> => {
    for (let i = next++; i < rows.length; i = next++) {
      const verdict = stop?.aborted === true ? null : await runOne(rows[i] as Row, benches, options);
      if (verdict === null || stop?.aborted === true) {
        tally.skipped++;
        continue;
      }
      tally[verdict.differs.length === 0 ? 'passed' : 'failed']++;
      lines[i] = report(rows[i] as Row, verdict);
      for (let ready = lines[printed]; ready !== undefined; ready = lines[++printed]) ready.forEach(print);
    }
  };
  const onStop = (): void => {
    void benches.close();
  };
  stop?.addEventListener('abort', onStop);
  try {
    await Promise.all(Array.from({ length: jobs }, worker));
  } finally {
    stop?.removeEventListener('abort', onStop);
    await benches.close();
  }
  return tally;
}

/** Whatever a case waits for ends with its namespaces and the processes inside. */
async function runOne({ one, pair }: Row, benches: Benches, options: TableOptions): Promise<Verdict> {
  const start = Date.now();
  try {
    const bench = await benches.take();
    let verdict: Verdict;
    try {
      verdict = await runCase(one, pair, bench, options.captures);
    } finally {
      await benches.give(bench);
    }
    if (!options.tshark || options.stop?.aborted === true) return verdict;
    return { ...verdict, differs: [...verdict.differs, ...(await judgeCaptures(verdict.captures))] };
  } catch (error) {
    const seconds = (Date.now() - start) / 1000;
    return { differs: [(error as Error).message], seconds, outcome: null, captures: [] };
  }
}

function report({ one, pair }: Row, { differs, seconds, outcome }: Verdict): string[] {
  const result = differs.length > 0 ? 'FAILED' : 'passed';
  const name = `${one.family}: ${one.name}`;
  const line = [name.padEnd(62), pairName(pair).padEnd(15), result.padEnd(7), `${seconds.toFixed(1)} s`];
  const share = shareText(one, outcome);
  if (share !== null) line.push(share);
  return [line.join(' '), ...differs.map((text) => `    ${text.replaceAll('\n', '\n    ')}`)];
}

/** Makes namespaces ahead of their use: links take a second to come up. */
class Benches {
  readonly #ready: Promise<Bench>[] = [];
  readonly #taken = new Set<Bench>();
  #closed = false;

  async take(): Promise<Bench> {
    const coming = this.#ready.shift() ?? this.#make();
    if (!this.#closed) this.#ready.push(this.#make());
    const bench = await coming;
    this.#taken.add(bench);
    if (this.#closed) await this.give(bench);
    return bench;
  }

  async give(bench: Bench): Promise<void> {
    await bench.close();
    this.#taken.delete(bench);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([
      ...[...this.#taken].map((bench) => this.give(bench)),
      ...this.#ready.splice(0).map(async (coming) => (await coming.catch(() => null))?.close()),
    ]);
  }

  #make(): Promise<Bench> {
    const bench = Bench.open({ paths: 4, crossed: true });
    bench.catch(() => undefined);
    return bench;
  }
}
