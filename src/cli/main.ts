#!/usr/bin/env node
/** The program `plait`. */
import { runProcess } from './process.js';

await runProcess(
  // Loaded when it is needed: help and version work without WASM.
  async (options) => (await import('../net/host.js')).createHost(options),
  import.meta.url,
);
