#!/usr/bin/env node
/** The program `plait`. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runProcess } from './process.js';

await runProcess(
  // Loaded when it is needed: help and version work without WASM.
  async (options) => (await import('../net/host.js')).createHost(options),
  (args) => fork(fileURLToPath(import.meta.url), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
);
