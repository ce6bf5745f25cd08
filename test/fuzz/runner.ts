/** The worker that fuzzes: it tells the main thread what it is about to run, so that a hang can be named and cut. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { parentPort, workerData } from 'node:worker_threads';
import { root } from '../support/root.js';
import { Arena } from './arena.js';
import { loadBuild, type Build } from './builds.js';
import { Dice } from './dice.js';
import { FORMAT_NAMES, formatArbitrary, loadFormat, type FormatName } from './formats.js';
import type { Failure } from './failure.js';
import { minimise } from './minimise.js';
import { drawSteps, mutate } from './mutate.js';
import { Novelty } from './novelty.js';
import { Player } from './play.js';
import { asFailure, prepare, runCase } from './run-case.js';
import { formatCase, LARGEST_SEED, parseCase, type Case, type Step } from './steps.js';

export interface Job {
  readonly target: string;
  readonly seed: number;
  readonly packets: number;
  readonly builds: readonly Build[];
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** Int32 0: goes up with every step; 1: length of the case's text that follows from octet 8 on. */
  readonly shared: SharedArrayBuffer;
}

export interface Report {
  readonly type: 'progress' | 'fresh' | 'failed' | 'done';
  readonly packets: number;
  readonly cases: number;
  readonly combinations: number;
  readonly peakMemory: number;
  readonly slowest: number;
  readonly build: Build;
  /** The case to keep (fresh) or to mend (failed), as text. */
  readonly text?: string;
  readonly message?: string;
}

const CORPUS = new URL('test/fuzz/corpus/', root);
const REPORT_EVERY = 2000;
/** Steps that soak draws at once. */
const BATCH = 500;

const job = workerData as Job;
const beat = new Int32Array(job.shared, 0, 2);
const room = new Uint8Array(job.shared, 8);
const dice = new Dice(job.seed);
const novelty = new Novelty();
let packets = 0;
let cases = 0;
let peakMemory = 0;
/** Longest step, milliseconds. */
let slowest = 0;
let build: Build = job.builds[0] ?? 'audit';
let reported = 0;
let lastFresh = 0;

await Promise.all(job.builds.map(prepare));
if (job.target === 'soak') await soak();
else if (isFormat(job.target)) await readers(job.target);
else explore();
report('done');

function report(type: Report['type'], rest: { text?: string; message?: string } = {}): void {
  const combinations = novelty.seen.size;
  const all: Report = { type, packets, cases, combinations, peakMemory, slowest, build, ...rest };
  parentPort?.postMessage(all);
}

function over(): boolean {
  const now = Date.now();
  if (now - reported > REPORT_EVERY) {
    reported = now;
    report('progress');
  }
  return now >= job.until || packets >= job.packets;
}

/** Tells the main thread what is about to run. */
function announce(text: string): void {
  const octets = Buffer.from(text).subarray(0, room.length);
  room.set(octets);
  Atomics.store(beat, 1, octets.length);
  Atomics.add(beat, 0, 1);
}

// ---- many short cases -----------------------------------------------------------------------------------------

function explore(): void {
  const pool = corpus(job.target);
  for (const one of pool) if (!over()) run(one, false);
  while (!over()) {
    const old = pool.length > 0 && dice.below(3) > 0;
    const one = old ? mutate(dice.of(pool), dice.of(pool), dice) : drawn();
    if (!run(one, true)) return;
    if (lastFresh > 0) pool.push(one);
  }
}

/** False: it failed. */
function run(one: Case, keep: boolean): boolean {
  build = job.builds[cases % job.builds.length] ?? 'audit';
  announce(formatCase(one));
  const start = performance.now();
  const { failure, packets: n, peakMemory: peak, fresh } = runCase(one, build, novelty);
  slowest = Math.max(slowest, (performance.now() - start) / Math.max(1, one.steps.length));
  packets += n;
  cases++;
  peakMemory = Math.max(peakMemory, peak);
  lastFresh = fresh;
  if (failure !== null) fail(one, failure);
  else if (keep && fresh > 0) report('fresh', { text: formatCase(one) });
  return failure === null;
}

function fail(one: Case, failure: Failure): void {
  const small = minimise(one, (smaller) => {
    announce(formatCase(smaller));
    return runCase(smaller, build).failure?.kind === failure.kind;
  });
  const { failure: last } = runCase(small, build);
  const message = (last ?? failure).message;
  report('failed', { text: formatCase(small, `${message} (${build})`), message });
}

function drawn(): Case {
  const seed = dice.u32();
  const count = dice.once(3) ? 20 + dice.below(60) : 100 + dice.below(300);
  return { target: job.target, seed: seed & 0xffff, steps: drawSteps(job.target, seed | 0, count) };
}

function corpus(target: string): Case[] {
  const all = readdirSync(CORPUS).sort();
  const texts = all
    .filter((name) => name.endsWith('.txt'))
    .map((name) => readFileSync(new URL(name, CORPUS), 'utf8'));
  return texts.map(parseCase).filter((one) => one.target === target);
}

// ---- readers of octets and text -------------------------------------------------------------------------------

function isFormat(name: string): name is FormatName {
  return (FORMAT_NAMES as readonly string[]).includes(name);
}

/** Inputs for one reader; `packets` counts them. A failing one is made small by fast-check. */
async function readers(name: FormatName): Promise<void> {
  const format = await loadFormat(name);
  const inputs = formatArbitrary(format);
  while (!over()) {
    announce(`${name}, seed ${job.seed}, ${packets} inputs read\n`);
    const result = fc.check(fc.property(inputs, format.read), { seed: dice.u32() | 0, numRuns: 1000 });
    packets += result.numRuns;
    cases++;
    if (!result.failed) continue;
    const [octets = new Uint8Array()] = result.counterexample ?? [];
    const message = (result.errorInstance as Error | null)?.message ?? 'failed';
    report('failed', { text: `# ${name}: ${message}\n${Buffer.from(octets).toString('hex')}\n`, message });
    return;
  }
}

// ---- one long life --------------------------------------------------------------------------------------------

/** The steps of every target against one stack that lives as long as the run. */
async function soak(): Promise<void> {
  const targets = ['stack', 'data', 'stack', 'handshake'];
  const played: Step[] = [];
  let arena: Arena | null = null;
  try {
    arena = new Arena({ module: await loadBuild(build), seed: job.seed });
    const player = new Player(arena, job.seed);
    novelty.begin(arena.stack.core);
    for (let batch = 0; !over(); batch++) {
      const target = targets[batch % targets.length] as string;
      announce(`soak, seed ${job.seed}, ${played.length} steps played\n`);
      for (const step of drawSteps(target, (job.seed * 65537 + batch) | 0, BATCH)) {
        played.push(step);
        const start = performance.now();
        player.step(step);
        slowest = Math.max(slowest, performance.now() - start);
        novelty.note(arena, player.attacker, step[0] ?? 0);
        Atomics.add(beat, 0, 1);
        packets = arena.packets;
        if (packets >= job.packets) break;
      }
      peakMemory = arena.peakMemory;
      cases++;
    }
    arena.finish();
  } catch (error) {
    const failure = asFailure(error);
    peakMemory = arena?.peakMemory ?? 0;
    const digest = createHash('sha256').update(String(job.seed)).digest('hex').slice(0, 4);
    soakFailed(played, failure, digest);
  }
}

/** The last steps are tried first: most failures need no long life. */
function soakFailed(played: readonly Step[], failure: Failure, digest: string): void {
  for (const count of [300, 3000, 30_000]) {
    const one: Case = { target: 'stack', seed: job.seed & LARGEST_SEED, steps: played.slice(-count) };
    if (runCase(one, build).failure?.kind !== failure.kind) continue;
    fail(one, failure);
    return;
  }
  const note = `${failure.message}\nonly after ${played.length} steps of --target soak --seed ${job.seed} (${digest})`;
  const last: Case = { target: 'stack', seed: job.seed & LARGEST_SEED, steps: played.slice(-300) };
  report('failed', { text: formatCase(last, note), message: failure.message });
}
