/**
 * The whole check: what the machine must have, build and types, lint, tests.
 *
 *   npm test [-- arguments of mocha]
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provideNeeds } from './needs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

provideNeeds();

// Tests of an old build would only mislead.
if ((await run('build', ['scripts/build.mjs'])) !== 0) finish(['build'], 'no test was run');

const failed = [];
// Both always run: a missing blank must not hide a failing test.
for (const [name, script, ...args] of [
  ['eslint', 'node_modules/eslint/bin/eslint.js', '.'],
  ['prettier', 'node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  ['mocha', 'node_modules/mocha/bin/mocha.js', ...mochaArguments(process.argv.slice(2))],
]) {
  if ((await run(name, [script, ...args])) !== 0) failed.push(name);
}
finish(failed, 'see above');

/** Files named by the caller replace the whole suite. */
function mochaArguments(args) {
  return args.some((arg) => arg.startsWith('dist/')) ? args : [...args, 'dist/test/**/*.test.js'];
}

function finish(names, note) {
  if (names.length > 0) console.log(`FAILED: ${names.join(', ')} (${note})`);
  process.exit(names.length > 0 ? 1 : 0);
}

function run(name, args) {
  console.log(`\n--- ${name}`);
  return new Promise((resolve) => {
    spawn(process.execPath, args, { stdio: 'inherit' })
      .on('error', (error) => {
        console.error(error.message);
        resolve(1);
      })
      .on('close', (code) => resolve(code ?? 1));
  });
}
