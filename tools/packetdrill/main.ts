#!/usr/bin/env node
/** `npm run packetdrill -- [OPTIONS] FILE...`: runs scripts in the packetdrill language over this stack, or the kernel. */
import { fileURLToPath } from 'node:url';
import { loadCore } from '../../src/core/load.js';
import { loadDissector } from '../../src/inspect/dissector.js';
import { commandLine, configure } from './config.js';
import { findScripts, formatReport, runFile } from './files.js';
import { onStack } from './virtual.js';

async function main(args: readonly string[]): Promise<number> {
  const { options, rest } = commandLine(args);
  const { verbose, kernel } = configure(options);
  const host = kernel
    ? (await import('./kernel/open.js')).openKernel()
    : { open: onStack(await loadCore('release')), close: () => undefined };
  const environment = { dissector: await loadDissector(), open: host.open };
  const counts = { passed: 0, failed: 0 };
  for (const path of findScripts(rest)) {
    const reports = runFile(path, options, environment);
    if (reports.length === 0) console.log(`skip  ${path}`);
    for (const report of reports) {
      counts[report.failure === null ? 'passed' : 'failed']++;
      console.log(formatReport(report, verbose));
    }
  }
  host.close();
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0 && rest.length > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(`packetdrill: ${(error as Error).message}`);
    process.exitCode = 2;
  }
}
