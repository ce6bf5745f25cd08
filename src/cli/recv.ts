/** `plait recv`: takes in what one `plait send` sends. */
import { Receiver } from '../transfer/receiver.js';
import { Store } from '../transfer/store.js';
import type { Command } from './command.js';
import { say } from './context.js';
import { commonOptions, HOST_OPTIONS, QUIET } from './options.js';
import { withHost, type Session } from './session.js';
import { DEFAULT_PORT, follow } from './transfer.js';

export const recv: Command = {
  name: 'recv',
  summary: 'receive files and directories from one "plait send"',
  usage: ['recv [options]'],
  description: [
    'Waits for one sender, takes in what it sends, and exits. A file appears under its name when it is complete and its SHA-256 is right, and not before; it replaces an older one at once. Nothing is ever written outside the directory or through a symbolic link in it.',
    'Whoever can reach the port can send. Use --bind, a firewall or a trusted network where that matters; the data is not encrypted.',
  ],
  options: [
    {
      name: 'port',
      short: 'p',
      value: 'PORT',
      help: `port to listen on (default ${DEFAULT_PORT}); 0 takes a free one`,
    },
    {
      name: 'dir',
      short: 'd',
      value: 'DIR',
      help: 'directory to put the files into (default: the current one)',
    },
    {
      name: 'timeout',
      short: 'w',
      value: 'SECONDS',
      help: 'give up when a sender is silent for this time (default 60)',
    },
    ...HOST_OPTIONS,
    QUIET,
  ],
  examples: ['plait recv', 'plait recv --dir ~/incoming --port 6000'],

  async run(context, args) {
    const options = commonOptions(args);
    args.expect(0, 0);
    const port = args.integer('port', 0, 65535) ?? DEFAULT_PORT;
    const timeout = args.integer('timeout', 1, 86400);
    const store = await Store.open(args.text('dir') ?? '.');
    return withHost(context, options, async (session) => {
      const socket = await session.accept(port, (bound) => announce(session, bound));
      const receiver = new Receiver(socket, store, timeout === undefined ? undefined : timeout * 1000);
      return follow(session, socket, 'received', receiver.progress, receiver.run());
    });
  },
};

function announce({ context, host, options }: Session, port: number): void {
  if (options.quiet) return;
  const addresses =
    options.bind ??
    host
      .paths()
      .map(({ address }) => address)
      .join(', ');
  say(context, `listening on port ${port} of ${addresses} (${host.device})`);
}
