/**
 * Builds everything into dist/: the core and its unit-test face with asc, then the TypeScript with tsc.
 * A step whose inputs have not changed since its last success is skipped.
 *
 *   node scripts/build.mjs [--force] [step...]      steps: core core.debug probe probe.debug ts
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stateFile = join(root, 'dist/.build.json');
const compiledFolders = ['src', 'test', 'bench', 'tools', 'assembly'];

process.chdir(root);
process.exitCode = await build(process.argv.slice(2));

async function build(args) {
  const force = args.includes('--force');
  const wanted = args.filter((arg) => arg !== '--force');
  const steps = listSteps();
  const unknown = wanted.find((name) => !steps.some((step) => step.name === name));
  if (unknown !== undefined) {
    console.error(`build: no step is called ${unknown}; there are ${steps.map((s) => s.name).join(' ')}`);
    return 2;
  }
  mkdirSync('dist', { recursive: true });
  let failed = 0;
  for (const step of steps) {
    if (wanted.length > 0 && !wanted.includes(step.name)) continue;
    if (!(await runStep(step, force))) failed++;
  }
  return failed === 0 ? 0 : 1;
}

/** A failed step does not stop the others: one run shows the mistakes of both languages. */
async function runStep(step, force) {
  const label = step.name.padEnd(12);
  const hash = hashOf(step.inputs());
  if (!force && readState()[step.name] === hash && step.complete()) {
    console.log(`${label} unchanged`);
    return true;
  }
  const start = process.hrtime.bigint();
  const note = await step.run().catch((error) => error);
  const seconds = (Number(process.hrtime.bigint() - start) / 1e9).toFixed(1);
  const ok = !(note instanceof Error);
  if (!ok) console.error(note.message);
  console.log(`${label} ${ok ? note : 'FAILED'} (${seconds} s)`);
  writeState(step.name, ok ? hash : undefined);
  return ok;
}

function listSteps() {
  const asc = (name, entry, target) => ({
    name,
    inputs: () => [
      ...filesUnder('assembly').filter((file) => file === entry || file !== 'assembly/probe.ts'),
      ...['asconfig.json', 'scripts/compile-core.mjs', 'node_modules/assemblyscript/package.json'],
    ],
    complete: () => existsSync(`dist/${name}.wasm`),
    run: async () => {
      // Loading the compiler takes longer than finding out that it is not needed.
      const { compileCore } = await import('./compile-core.mjs');
      const bytes = await compileCore(entry, target);
      replaceFile(`dist/${name}.wasm`, bytes);
      return `dist/${name}.wasm, ${bytes.length} bytes`;
    },
  });
  const steps = [
    asc('core', 'assembly/index.ts', 'release'),
    asc('core.debug', 'assembly/index.ts', 'debug'),
  ];
  if (existsSync('assembly/probe.ts')) {
    steps.push(
      asc('probe', 'assembly/probe.ts', 'release'),
      asc('probe.debug', 'assembly/probe.ts', 'debug'),
    );
  }
  steps.push({ name: 'ts', inputs: typescriptInputs, complete: typescriptComplete, run: compileTypescript });
  return steps;
}

// ---- TypeScript -----------------------------------------------------------------------------------------

function typescriptSources() {
  return [
    ...['src', 'test', 'bench', 'tools'].flatMap(filesUnder),
    'assembly/abi.ts',
    'assembly/cc/ids.ts',
  ].filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
}

function typescriptInputs() {
  const declarations = ['src', 'test', 'bench', 'tools']
    .flatMap(filesUnder)
    .filter((file) => file.endsWith('.d.ts'));
  return [...typescriptSources(), ...declarations, 'tsconfig.json', 'package.json', 'package-lock.json'];
}

function compiledName(source) {
  return join('dist', source.replace(/\.ts$/, '.js'));
}

function typescriptComplete() {
  return typescriptSources().every((file) => existsSync(compiledName(file)));
}

async function compileTypescript() {
  const info = 'dist/.tsbuildinfo';
  // The incremental record does not notice that outputs were deleted.
  if (!typescriptComplete()) rmSync(info, { force: true });
  removeStale();
  const code = await run('node_modules/typescript/bin/tsc', [
    ...['-p', '.', '--incremental', '--tsBuildInfoFile', info],
    ...['--pretty', String(process.stdout.isTTY === true)],
  ]);
  if (code !== 0) throw new Error('tsc found errors');
  const main = 'dist/src/cli/main.js';
  if (existsSync(main)) chmodSync(main, 0o755);
  return `${typescriptSources().length} files`;
}

/** Removes what was compiled from sources that no longer exist; mocha would go on running deleted tests. */
function removeStale() {
  const sources = new Set(typescriptSources().map((file) => compiledName(file).replace(/\.js$/, '')));
  for (const folder of compiledFolders) {
    for (const file of filesUnder(`dist/${folder}`)) {
      const stem = file.replace(/(\.d\.ts|\.js)(\.map)?$/, '');
      if (stem !== file && !sources.has(stem)) rmSync(file);
    }
  }
}

function run(script, args) {
  return new Promise((resolve, reject) => {
    spawn(process.execPath, [script, ...args], { stdio: 'inherit' })
      .on('error', reject)
      .on('close', resolve);
  });
}

// ---- files and hashes -------------------------------------------------------------------------------------

/** Paths relative to the root with forward slashes, sorted, so that hashes are the same everywhere. */
function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative('.', join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    )
    .sort();
}

function hashOf(files) {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const file of files) {
    hash.update(`\0${file}\0`);
    if (existsSync(file)) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Readers see the old file or the new one, never half of one. */
function replaceFile(file, content) {
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, content);
  renameSync(temporary, file);
}

function readState() {
  try {
    return JSON.parse(readFileSync(stateFile, 'utf8'));
  } catch {
    return {};
  }
}

function writeState(step, hash) {
  replaceFile(stateFile, JSON.stringify({ ...readState(), [step]: hash }, null, 2));
}
