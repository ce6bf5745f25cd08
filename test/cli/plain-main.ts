/** The program `plait` over the stand-in host, as a process of its own. */
import { runProcess } from '../../src/cli/process.js';
import { createPlainHost } from './plain-host.js';

await runProcess(createPlainHost, import.meta.url);
