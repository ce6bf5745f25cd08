/** `plait cat`: standard input and output over one connection. */
import { finished } from 'node:stream/promises';
import type { Socket } from '../net/types.js';
import type { Command } from './command.js';
import { say, type Context } from './context.js';
import { Exit } from './exit.js';
import { feed } from './input.js';
import { commonOptions, HOST_OPTIONS, QUIET } from './options.js';
import { Output } from './output.js';
import { withHost } from './session.js';

export const cat: Command = {
  name: 'cat',
  summary: 'connect standard input and output to a connection, as nc does',
  usage: ['cat [options] HOST PORT', 'cat [options] --listen PORT'],
  description: [
    'Sends standard input to the peer and prints what the peer sends. The end of standard input ends the sending direction only; plait exits when both directions have ended. With --listen it takes one connection.',
  ],
  options: [
    {
      name: 'listen',
      short: 'l',
      value: 'PORT',
      help: 'wait for one connection on this port; 0 takes a free one',
    },
    {
      name: 'timeout',
      short: 'w',
      value: 'SECONDS',
      help: 'give up connecting after this time (default 30)',
    },
    ...HOST_OPTIONS,
    QUIET,
  ],
  examples: [
    'plait cat --listen 9000 > backup.tar',
    'tar c photos | plait cat 192.0.2.7 9000',
    'plait cat --path 192.0.2.1 --path 198.51.100.1 2001:db8::7 9000 < file',
  ],

  async run(context, args) {
    const options = commonOptions(args);
    const listen = args.integer('listen', 0, 65535);
    const timeout = args.integer('timeout', 1, 86400);
    if (listen !== undefined && timeout !== undefined)
      throw args.wrong('--timeout does not go with --listen');
    args.expect(listen === undefined ? 2 : 0, listen === undefined ? 2 : 0);
    const [host = '', port = ''] = args.positionals;
    if (options.events === '-') throw args.wrong('--events - would mix with the data; name a file');
    const target = { host, port: listen ?? args.parseInteger('the port', port, 1, 65535) };
    return withHost(context, options, async (session) => {
      const output = new Output(context.stdout);
      const socket =
        listen === undefined
          ? await session.connect(target, timeout, output)
          : await session.accept(
              listen,
              (bound) => {
                if (!options.quiet) say(context, `listening on port ${bound}`);
              },
              output,
            );
      await join(context, socket);
      session.stopWatch();
      return Exit.Ok;
    });
  },
};

/** Resolves when both directions have ended, or when nobody reads our output any more. */
async function join({ stdin, stdout }: Context, socket: Socket): Promise<void> {
  let unread = false;
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    unread = error.code === 'EPIPE';
    socket.destroy(error);
  };
  stdout.on('error', onOutputError);
  const stop = feed(stdin, socket);
  try {
    await finished(socket);
  } catch (error) {
    if (!unread) throw error;
  } finally {
    stop();
    stdout.off('error', onOutputError);
  }
}
