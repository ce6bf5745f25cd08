/**
 * Builds everything into dist/: the core, its unit-test face and the dissector with asc, then the TypeScript with tsc.
 * A step whose inputs have not changed since its last success is skipped.
 *
 *   node scripts/build.mjs [--force] [step...]      steps: core core.debug probe probe.debug inspect ts
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
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileInspect } from './compile-inspect.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stateFile = join(root, 'dist/.build.json');
const inspectFolder = 'assembly/inspect';
const inspectRuntime = 'dist/src/inspect/as-bind.js';
const sourceFolders = ['src', 'test', 'bench', 'tools'];
/** Numbers that both sides of a boundary share: AssemblyScript and TypeScript at once. */
const sharedNumbers = [
  'assembly/abi.ts',
  'assembly/mib.ts',
  'assembly/cc/ids.ts',
  'assembly/inspect/layout.ts',
];

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
      ...importedBy(entry),
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
  steps.push(asc('audit.debug', 'assembly/audit.ts', 'audit'));
  if (existsSync('assembly/probe.ts')) {
    steps.push(
      asc('probe', 'assembly/probe.ts', 'release'),
      asc('probe.debug', 'assembly/probe.ts', 'debug'),
    );
  }
  steps.push({ name: 'inspect', inputs: inspectInputs, complete: inspectComplete, run: makeInspect });
  steps.push({ name: 'ts', inputs: typescriptInputs, complete: typescriptComplete, run: compileTypescript });
  return steps;
}

/** An AssemblyScript file and all that it imports, directly or not. */
function importedBy(entry, found = new Set()) {
  if (found.has(entry) || !existsSync(entry)) return [...found];
  found.add(entry);
  for (const [, name] of readFileSync(entry, 'utf8').matchAll(/ from '(\.[^']*)'/g)) {
    importedBy(`${join(dirname(entry), name).split(sep).join('/')}.ts`, found);
  }
  return [...found].sort();
}

// ---- the dissector: a workspace with an older compiler, which as-bind needs ---------------------------------

function inspectInputs() {
  return [
    ...importedBy(`${inspectFolder}/index.ts`),
    ...['asconfig.json', 'package.json'].map((name) => `${inspectFolder}/${name}`),
  ];
}

function inspectComplete() {
  return existsSync('dist/inspect.wasm') && existsSync(inspectRuntime);
}

async function makeInspect() {
  const modules = `${inspectFolder}/node_modules`;
  if (!existsSync(`${modules}/as-bind`)) {
    throw new Error('the compiler of the workspace assembly/inspect is not installed; run "npm ci"');
  }
  const temporary = `dist/inspect.${process.pid}.wasm`;
  await compileInspect(inspectFolder, temporary);
  renameSync(temporary, 'dist/inspect.wasm');
  // as-bind's package brings a compiler along; what runs is this one file.
  mkdirSync(dirname(inspectRuntime), { recursive: true });
  const licence = readFileSync(`${modules}/as-bind/LICENSE`, 'utf8').trim();
  const runtime = readFileSync(`${modules}/as-bind/dist/as-bind.esm.js`, 'utf8');
  replaceFile(inspectRuntime, `/*! as-bind\n\n${licence}\n*/\n${runtime}`);
  return `dist/inspect.wasm, ${statSync('dist/inspect.wasm').size} bytes`;
}

// ---- TypeScript -----------------------------------------------------------------------------------------

function typescriptSources() {
  return [...sourceFolders.flatMap(filesUnder), ...sharedNumbers].filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.d.ts'),
  );
}

function declarations() {
  return sourceFolders.flatMap(filesUnder).filter((file) => file.endsWith('.d.ts'));
}

function typescriptInputs() {
  return [...typescriptSources(), ...declarations(), 'tsconfig.json', 'package.json', 'package-lock.json'];
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
  // What a declaration describes was not compiled from a source of ours.
  const sources = new Set(
    [...typescriptSources(), ...declarations()].map((file) => join('dist', file.replace(/(\.d)?\.ts$/, ''))),
  );
  for (const folder of [...sourceFolders, 'assembly']) {
    for (const file of filesUnder(`dist/${folder}`)) {
      const stem = file.replace(/(\.d\.ts|\.js)(\.map)?$/, '');
      if (stem !== file && !sources.has(stem)) rmSync(file);
    }
  }
}

function run(script, args, cwd = '.') {
  return new Promise((resolve, reject) => {
    spawn(process.execPath, [script, ...args], { stdio: 'inherit', cwd })
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
