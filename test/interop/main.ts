/**
 * Plait against the kernel: a table of cases, judged by data and by the counters of both sides.
 *
 *   npm run interop -- [--list] [--pairs NAMES] [--jobs N] [--pcap DIR] [FILTER...]
 *
 * A FILTER is a part of a row's name ("checksum", "subflows: single"); a row must contain one of them. Ends with
 * `N passed, N failed, N skipped`; the exit code is 0 when none has failed.
 */
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { whyNoNamespaces } from './netns.js';
import type { Implementation, Pair } from './table/case.js';
import { CASES } from './table/families/index.js';
import { rowName, rowsOf, runTable, type Row } from './table/table.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    pcap: { type: 'string' },
  },
});

const rows = rowsOf(CASES, parsePairs(values.pairs)).filter(chosen);
if (values.list) for (const row of rows) console.log(rowName(row));
else process.exitCode = await run();

async function run(): Promise<number> {
  const reason = whyNoNamespaces();
  if (reason !== null) {
    console.log(`Nothing can be run: ${reason}.`);
    console.log(`0 passed, 0 failed, ${String(rows.length)} skipped`);
    return 0;
  }
  // The namespaces go with the process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  if (values.pcap !== undefined) mkdirSync(values.pcap, { recursive: true });
  const { passed, failed, skipped } = await runTable(rows, {
    jobs: Number(values.jobs),
    pcap: values.pcap ?? null,
    print: (line) => {
      console.log(line);
    },
  });
  console.log(`${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`);
  return failed === 0 ? 0 : 1;
}

function chosen(row: Row): boolean {
  return positionals.length === 0 || positionals.some((filter) => rowName(row).includes(filter));
}

/** "kernel-kernel,plait-plait": client and server of each pair. */
function parsePairs(text: string | undefined): Pair[] | undefined {
  return text?.split(',').map((pair) => {
    const [client, server] = pair.split('-') as [Implementation, Implementation];
    return { client, server };
  });
}
