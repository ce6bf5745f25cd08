/**
 * npm run bench -- [NAME...] [--all] [--only TEXT] [--markdown]
 *
 * Without names: what needs no network. One JSON line per figure, or with --markdown the table of docs/performance.md
 * (the lines go to stderr then). `--only` keeps the cases of `wire` and the others with independent cases whose names
 * contain TEXT. The exit code is 1 if a limit does not hold or a benchmark could not be made.
 */
import { parseArgs } from 'node:util';
import { attacks } from './attacks.js';
import { connections } from './connections.js';
import { core } from './core.js';
import { flood } from './flood.js';
import { latency } from './latency.js';
import { markdown } from './markdown.js';
import { Report, type Line } from './report.js';
import { pieces } from './pieces.js';
import { startup } from './startup.js';
import { wire } from './wire.js';

const BENCHES: Readonly<Record<string, (report: Report) => Promise<void>>> = {
  core,
  flood,
  attacks,
  wire,
  pieces,
  connections,
  latency,
  startup,
};
const WITHOUT_NETWORK = ['core', 'flood'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, markdown: { type: 'boolean' }, only: { type: 'string' } },
});

const chosen = positionals.length > 0 ? positionals : WITHOUT_NETWORK;
const names = values.all === true ? Object.keys(BENCHES) : chosen;
const unknown = names.find((name) => BENCHES[name] === undefined);
if (unknown === undefined) {
  await measure();
} else {
  console.error(`bench: no benchmark is called ${unknown}; there are ${Object.keys(BENCHES).join(' ')}`);
  process.exitCode = 2;
}

async function measure(): Promise<void> {
  const lines: Line[] = [];
  for (const name of names) {
    const print = values.markdown === true ? console.error : console.log;
    const report = new Report(name, values.only, print);
    try {
      await BENCHES[name]?.(report);
    } catch (error) {
      console.error(`bench: ${name}: ${(error as Error).stack ?? String(error)}`);
      process.exitCode = 1;
    }
    lines.push(...report.lines);
  }
  if (values.markdown === true) console.log(markdown(lines));
  for (const { bench, case: name } of lines.filter(({ ok }) => ok === false)) {
    console.error(`bench: ${bench}, ${name}: misses its limit`);
    process.exitCode = 1;
  }
}
