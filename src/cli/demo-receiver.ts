/** The second process of `plait demo`: receives until its parent lets go of it. */
import { Receiver } from '../transfer/receiver.js';
import { Store } from '../transfer/store.js';
import type { Command } from './command.js';
import type { ParentChannel } from './context.js';
import { MTU, RECEIVER } from './demo-links.js';
import { errorLine, Exit, UsageError } from './exit.js';

/** Messages to the parent. */
export type FromReceiver =
  { readonly type: 'listening'; readonly port: number } | { readonly type: 'failed'; readonly line: string };

export const demoReceiver: Command = {
  name: 'demo-receiver',
  summary: 'the receiving process of "plait demo"',
  usage: ['demo-receiver DIR'],
  description: ['Started by "plait demo".'],
  options: [],
  examples: [],
  hidden: true,

  async run(context, args) {
    args.expect(1, 1);
    const { parent } = context;
    if (parent === null) throw new UsageError('this command is a part of "plait demo"', 'run "plait demo"');
    const tell = (message: FromReceiver): void => parent.send(message);
    try {
      const store = await Store.open(args.positionals[0] ?? '');
      const host = await context.createHost({ device: 'udp', paths: [RECEIVER], mtu: MTU });
      const server = host.createServer((socket) => {
        socket.on('error', () => undefined);
        new Receiver(socket, store).run().catch((error: unknown) => {
          tell({ type: 'failed', line: errorLine(error) });
        });
      });
      server.on('listening', () => tell({ type: 'listening', port: server.port }));
      server.on('error', (error: Error) => tell({ type: 'failed', line: errorLine(error) }));
      server.listen(0);
      await orphaned(parent);
      await host.close();
      return Exit.Ok;
    } catch (error) {
      tell({ type: 'failed', line: errorLine(error) });
      parent.disconnect();
      return Exit.Generic;
    }
  },
};

/** Resolves when the parent is gone. This process outlives an interrupt, which ends the parent first. */
async function orphaned(parent: ParentChannel): Promise<void> {
  await new Promise<void>((resolve) => {
    parent.onGone(resolve);
  });
}
