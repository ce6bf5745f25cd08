/** The demo's view of its receiving process. */
import type { ChildProcess } from 'node:child_process';
import { PlaitError } from '../errors.js';
import type { Context } from './context.js';
import type { FromReceiver } from './demo-receiver.js';

export class DemoPeer {
  /** Port on which the process listens. */
  readonly port: number;
  /** Rejects when the process fails or ends by itself. */
  readonly lost: Promise<never>;
  readonly #child: ChildProcess;

  /** Resolves when the process listens. */
  static async start(context: Context, directory: string): Promise<DemoPeer> {
    const child = await context.fork(['demo-receiver', directory]);
    const lost = new Promise<never>((_, reject) => {
      child.on('message', (message: FromReceiver) => {
        if (message.type === 'failed') reject(failed(message.line.replace(/^plait: /, '')));
      });
      child.on('error', reject);
      child.on('exit', () => reject(failed('its receiving process ended early')));
    });
    // Whoever waits for something else at that time hears of it by racing with it.
    lost.catch(() => undefined);
    const listening = new Promise<number>((resolve) => {
      child.on('message', (message: FromReceiver) => {
        if (message.type === 'listening') resolve(message.port);
      });
    });
    try {
      return new DemoPeer(child, await Promise.race([listening, lost]), lost);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  private constructor(child: ChildProcess, port: number, lost: Promise<never>) {
    this.#child = child;
    this.port = port;
    this.lost = lost;
  }

  /** Lets the process end, and waits for it. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      if (child.connected) child.disconnect();
    });
  }
}

const failed = (why: string): PlaitError =>
  new PlaitError('ECONNABORTED', `the demo stopped: ${why}`, LOOPBACK);

const LOOPBACK =
  'it needs the loopback addresses 127.0.0.2 to 127.0.0.4 (on macOS: sudo ifconfig lo0 alias 127.0.0.2, and so on)';
/** Milliseconds until an end is forced. */
const PATIENCE = 3000;
