/** The second process of `plait demo`: receives until its parent lets go of it. */
import { Receiver } from '../transfer/receiver.js';
import { Store } from '../transfer/store.js';
import type { Command } from './command.js';
import type { ParentChannel } from './context.js';
import { DemoLinks, LTE, WIFI } from './demo-links.js';
import { errorLine, Exit, UsageError } from './exit.js';

/** Messages to the parent. */
export type FromReceiver =
  { readonly type: 'listening'; readonly port: number } | { readonly type: 'failed'; readonly line: string };

/** Messages from the parent. */
export interface ToReceiver {
  readonly type: 'path';
  readonly address: string;
  readonly up: boolean;
}

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
      const links = new DemoLinks();
      const host = await context.createHost({
        device: 'udp',
        paths: [WIFI.receiver, LTE.receiver],
        mtu: 1500,
      wrapDevice: links.wrap,
      });
      const server = host.createServer((socket) => {
        socket.on('error', () => undefined);
        new Receiver(socket, store).run().catch((error: unknown) => {
          tell({ type: 'failed', line: errorLine(error) });
        });
      });
      server.on('listening', () => tell({ type: 'listening', port: server.port }));
      server.on('error', (error: Error) => tell({ type: 'failed', line: errorLine(error) }));
      server.listen(0);
      await parting(parent, links);
      await host.close();
      return Exit.Ok;
    } catch (error) {
      tell({ type: 'failed', line: errorLine(error) });
      parent.disconnect();
      return Exit.Generic;
    }
  },
};

/** Does what the parent says until it is gone. It outlives an interrupt, which ends the parent first. */
async function parting(parent: ParentChannel, links: DemoLinks): Promise<void> {
  await new Promise<void>((resolve) => {
    parent.listen((message) => {
      if (message === null) {
        resolve();
        return;
      }
      const { address, up } = message as ToReceiver;
      links.setUp(address, up, false);
    });
  });
}
