/** Plait against the kernel: a table of cases, judged by data and by the counters of both sides. See `HELP`. */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { whyNoNamespaces } from './netns.js';
import type { Implementation, Pair } from './table/case.js';
import { CASES } from './table/families/index.js';
import { SHORT } from './table/short.js';
import { rowName, rowsOf, runTable, type Row, type TableOptions } from './table/table.js';

const HELP = `Plait against the kernel, in network namespaces of their own. Needs root on Linux.

  npm run interop -- [OPTION...]

  --only TEXT     rows whose name contains TEXT ("checksum", "subflows: single"); may be repeated
  --short         the short form: rows of every family, for CI
  --list          print the rows and run none
  --pairs LIST    who plays client and server (default plait-kernel,kernel-plait); also kernel-kernel, plait-plait
  --jobs N        cases at once (default 2)
  --captures DIR  captures of all links (.wire.pcap), and of Plait itself (.client.pcapng, .server.pcapng)
  --tshark        compare every field of the captures with tshark's; a difference fails the row
  --help          this

The last line is "N passed, N failed, N skipped". The exit code is 0 when no row has failed, 1 when one has, 2 when the
arguments are wrong, 130 or 143 when a signal has ended the run.`;

interface Wish {
  readonly help: boolean;
  readonly list: boolean;
  readonly rows: readonly Row[];
  readonly options: Pick<TableOptions, 'jobs' | 'captures' | 'tshark'>;
}

/** Milliseconds that removing the namespaces may take after a signal. */
const PATIENCE = 60_000;
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

try {
  const wish = understand();
  if (wish.help) console.log(HELP);
  else if (wish.list) for (const row of wish.rows) console.log(rowName(row));
  else process.exitCode = await run(wish);
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(`interop: ${error.message}; see npm run interop -- --help`);
  process.exitCode = 2;
}

async function run({ rows, options }: Wish): Promise<number> {
  const reason = whyNoNamespaces();
  if (reason !== null) {
    console.log(`Nothing can be run: ${reason}.`);
    console.log(`0 passed, 0 failed, ${String(rows.length)} skipped`);
    return 0;
  }
  if (options.captures !== null) mkdirSync(options.captures, { recursive: true });
  const stop = new AbortController();
  let signalled: number | null = null;
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      // Whoever asks again does not want to wait; what is left goes with the process.
      if (signalled !== null) process.exit(code);
      signalled = code;
      console.log(`Interrupted by ${signal}: the namespaces are removed.`);
      setTimeout(() => process.exit(code), PATIENCE).unref();
      stop.abort();
    });
  }
  const print = (line: string): void => {
    console.log(line);
  };
  const { passed, failed, skipped } = await runTable(rows, { ...options, print, stop: stop.signal });
  console.log(`${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`);
  return signalled ?? (failed === 0 ? 0 : 1);
}

/** Throws a TypeError that says what is wrong with the arguments. */
function understand(): Wish {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      short: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      pairs: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      captures: { type: 'string' },
      tshark: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { only = [''], short, help, list, captures = null, tshark } = values;
  if (tshark && captures === null) throw new TypeError('--tshark needs --captures');
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1)
    throw new TypeError(`--jobs ${values.jobs} is not a number from 1 on`);
  const cases = short ? CASES.filter(({ family, name }) => SHORT.includes(`${family}: ${name}`)) : CASES;
  const rows = rowsOf(cases, parsePairs(values.pairs)).filter((row) =>
    only.some((text) => rowName(row).includes(text)),
  );
  if (rows.length === 0) throw new TypeError(`no row is called ${only.join(' or ')}`);
  return { help, list, rows, options: { jobs, captures, tshark } };
}

/** "kernel-kernel,plait-plait": client and server of each pair. */
function parsePairs(text: string | undefined): Pair[] | undefined {
  return text?.split(',').map((pair) => {
    const sides = pair.split('-');
    if (sides.length !== 2 || !sides.every((one) => one === 'kernel' || one === 'plait'))
      throw new TypeError(`--pairs ${text} is not a list like plait-kernel,kernel-plait`);
    const [client, server] = sides as [Implementation, Implementation];
    return { client, server };
  });
}
