#!/usr/bin/env node
/** `npm run packetdrill -- [OPTIONS] FILE...`: runs scripts in the packetdrill language over this stack. */
import { fileURLToPath } from 'node:url';
import { loadCore } from '../../src/core/load.js';
import { loadDissector } from '../../src/inspect/dissector.js';
import { createSocketLayer } from './posix/layer.js';
import { commandLine, configure } from './config.js';
import { findScripts, formatReport, runFile } from './files.js';

async function main(args: readonly string[]): Promise<number> {
  const { options, rest } = commandLine(args);
  const { verbose } = configure(options);
  const environment = {
    module: await loadCore('release'),
    dissector: await loadDissector(),
    createLayer: createSocketLayer,
  };
  const counts = { passed: 0, failed: 0 };
  for (const path of findScripts(rest)) {
    for (const report of runFile(path, options, environment)) {
      counts[report.failure === null ? 'passed' : 'failed']++;
      console.log(formatReport(report, verbose));
    }
  }
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
