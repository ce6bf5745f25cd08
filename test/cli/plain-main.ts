/** The program `plait` over the stand-in host, as a process of its own. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runProcess } from '../../src/cli/process.js';
import { createPlainHost } from './plain-host.js';

await runProcess(createPlainHost, (args) =>
  fork(fileURLToPath(import.meta.url), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
);
