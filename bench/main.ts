/** Runs the benchmarks named on the command line, all of them when none is named: `npm run bench -- core`. */
import { core } from './core.js';
import { flood } from './flood.js';

const BENCHES: Readonly<Record<string, () => Promise<boolean>>> = { core, flood };

const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : Object.keys(BENCHES)) {
  const run = BENCHES[name];
  if (run === undefined) {
    console.error(`bench: no benchmark is called ${name}; there are ${Object.keys(BENCHES).join(' ')}`);
    process.exitCode = 2;
  } else if (!(await run())) {
    process.exitCode = 1;
  }
}
