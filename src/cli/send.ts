/** `plait send`: files and directories to a `plait recv`. */
import { scan } from '../transfer/scan.js';
import { Sender } from '../transfer/sender.js';
import type { Command } from './command.js';
import { commonOptions, HOST_OPTIONS, QUIET } from './options.js';
import { withHost } from './session.js';
import { parseTarget } from './target.js';
import { DEFAULT_PORT, follow } from './transfer.js';

export const send: Command = {
  name: 'send',
  summary: 'send files and directories to a host that runs "plait recv"',
  usage: ['send [options] FILE... HOST[:PORT]'],
  description: [
    `Sends files and whole directories with their permissions and times. Exit code 0 means that the receiver has every one of them in place and checked its SHA-256. The port is ${DEFAULT_PORT} unless HOST says otherwise; an IPv6 address with a port is written [address]:port.`,
    'Links to files are sent as the files they lead to. Links to directories, devices, pipes and sockets inside a directory are reported and not sent.',
  ],
  options: [
    {
      name: 'timeout',
      short: 'w',
      value: 'SECONDS',
      help: 'give up after this time without an answer (default 30 to connect, then 60)',
    },
    ...HOST_OPTIONS,
    QUIET,
  ],
  examples: [
    'plait send film.mkv 192.0.2.7',
    'plait send photos notes.txt [2001:db8::7]:6000',
    'plait send --path 192.0.2.1 --path 198.51.100.1 film.mkv server.example',
  ],

  async run(context, args) {
    const options = commonOptions(args);
    args.expect(2, Infinity);
    const target = parseTarget(args, args.positionals.at(-1) ?? '', DEFAULT_PORT);
    const timeout = args.integer('timeout', 1, 86400);
    const found = await scan(args.positionals.slice(0, -1));
    return withHost(context, options, async (session) => {
      const socket = await session.connect(target, timeout);
      const sender = new Sender(socket, found.entries, timeout === undefined ? undefined : timeout * 1000);
      const running = sender.run().then((report) => ({
        ...report,
        failures: [...found.failures, ...report.failures],
      }));
      return follow(session, socket, 'sent', sender.progress, running);
    });
  },
};
