/**
 * npm run fuzz -- [--minutes N] [--packets N] [--target NAME] [--seed S] [--build audit|release|both] [--keep]
 *
 * Goes on from the committed corpus. A failing input is made small, written to test/fuzz/corpus and ends the run with
 * exit code 1. The last line is one JSON object.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { root } from '../support/root.js';
import type { Build } from './builds.js';
import { FORMAT_NAMES } from './formats.js';
import type { Job, Report } from './runner.js';

const TARGETS: readonly string[] = ['stack', 'handshake', 'data', 'soak', ...FORMAT_NAMES];
/** Milliseconds without a step after which a run counts as hanging. */
const PATIENCE = 60_000;
const LOOK = 2000;
const TEXT_ROOM = 1 << 20;

const CORPUS = new URL('test/fuzz/corpus/', root);

interface Options {
  readonly targets: readonly string[];
  readonly seed: number;
  readonly minutes: number;
  readonly packets: number;
  readonly builds: readonly Build[];
  readonly keep: boolean;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      packets: { type: 'string' },
      target: { type: 'string' },
      seed: { type: 'string', default: '1' },
      build: { type: 'string', default: 'both' },
      keep: { type: 'boolean', default: false },
    },
  });
  const { target, build } = values;
  if (target !== undefined && !TARGETS.includes(target)) {
    throw new Error(`no target "${target}"; there are ${TARGETS.join(', ')}`);
  }
  if (!['audit', 'release', 'both'].includes(build)) throw new Error(`no build "${build}"`);
  const number = (text: string | undefined, otherwise: number): number => {
    const value = text === undefined ? otherwise : Number(text);
    if (!(value > 0)) throw new Error(`"${text ?? ''}" is no number above 0`);
    return value;
  };
  const limited = values.packets !== undefined;
  return {
    targets: target === undefined ? TARGETS : [target],
    seed: number(values.seed, 1),
    minutes: number(values.minutes, limited ? 600 : 1),
    packets: number(values.packets, Infinity),
    builds: build === 'both' ? ['audit', 'release'] : [build as Build],
    keep: values.keep,
  };
}

async function main(): Promise<number> {
  const { targets, seed, minutes, packets, builds, keep } = options();
  const share = (minutes * 60_000) / targets.length;
  const results: Result[] = [];
  for (const target of targets) {
    const until = Date.now() + share;
    results.push(await fuzz({ target, seed, packets, builds, until }, keep));
    if (results.at(-1)?.failed !== undefined) break;
  }
  const failed = results.filter((result) => result.failed !== undefined).length;
  console.log(JSON.stringify({ fuzz: results, failed }));
  return failed === 0 ? 0 : 1;
}

interface Result {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  readonly packets: number;
  readonly cases: number;
  readonly combinations: number;
  readonly peakMemory: number;
  readonly slowestStepMs: number;
  readonly failed?: string;
  readonly reproducer?: string;
}

/** Runs one target in a worker and watches over it. */
function fuzz(job: Omit<Job, 'shared'>, keep: boolean): Promise<Result> {
  const shared = new SharedArrayBuffer(8 + TEXT_ROOM);
  const beat = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL('./runner.js', import.meta.url), { workerData: { ...job, shared } });
  const start = performance.now();
  let last: Report | null = null;
  let failed: string | undefined;
  let reproducer: string | undefined;

  const failing = (text: string, message: string): void => {
    failed = message;
    const isCase = text.split('\n').some((line) => line.startsWith('target '));
    reproducer = save('failed', text, isCase ? '.txt' : '.hex');
    console.log(`${job.target}: FAILED with seed ${job.seed}: ${message}`);
    console.log(`${job.target}: reproducer in ${reproducer}`);
  };

  return new Promise((resolve) => {
    let seen = -1;
    let since = performance.now();
    const watch = setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now !== seen) {
        seen = now;
        since = performance.now();
      } else if (performance.now() - since > PATIENCE) {
        const text = Buffer.from(new Uint8Array(shared, 8, Atomics.load(beat, 1))).toString();
        failing(`# hang: no step ended within ${PATIENCE / 1000} s\n${text}`, 'hang');
        void worker.terminate();
      }
    }, LOOK);
    const end = (): void => {
      clearInterval(watch);
      const { packets = 0, cases = 0, combinations = 0, peakMemory = 0, slowest = 0 } = last ?? {};
      const seconds = Math.round((performance.now() - start) / 100) / 10;
      const slowestStepMs = Math.round(slowest * 10) / 10;
      const { target, seed } = job;
      resolve({
        ...{ target, seed, seconds, packets, cases, combinations, peakMemory, slowestStepMs },
        ...(failed === undefined ? {} : { failed }),
        ...(reproducer === undefined ? {} : { reproducer }),
      });
    };
    worker.on('message', (report: Report) => {
      last = report;
      if (report.type === 'progress') console.log(progress(job, report, performance.now() - start));
      if (report.type === 'failed') failing(report.text ?? '', report.message ?? '');
      if (report.type === 'fresh' && keep) save(job.target, report.text ?? '');
    });
    worker.on('error', (error) => {
      failed ??= error.stack ?? error.message;
      console.log(`${job.target}: the runner itself failed: ${failed}`);
    });
    worker.on('exit', end);
  });
}

function progress(job: Omit<Job, 'shared'>, report: Report, ms: number): string {
  const { packets, cases, combinations, peakMemory, build } = report;
  const rate = Math.round(packets / (ms / 1000));
  const memory = (peakMemory / (1 << 20)).toFixed(1);
  return (
    `${job.target} (${build}): ${packets} packets, ${rate}/s, ${cases} cases, ` +
    `${combinations} combinations, at most ${memory} MiB`
  );
}

function save(stem: string, text: string, kind = '.txt'): string {
  const name = `${stem}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}${kind}`;
  writeFileSync(new URL(name, CORPUS), text);
  return `test/fuzz/corpus/${name}`;
}

process.exitCode = await main().catch((error: Error) => {
  console.error(`fuzz: ${error.message}`);
  return 2;
});
