/** One command's run with a host: connecting, accepting, interruption, statistics, and an end in good order. */
import { finished } from 'node:stream/promises';
import { PlaitError } from '../errors.js';
import type { Host, Socket } from '../net/types.js';
import { problemOf } from '../transfer/report.js';
import { say, type Context } from './context.js';
import { errorLine, exitCode, Interrupted } from './exit.js';
import type { CommonOptions } from './options.js';
import type { Output } from './output.js';
import { applyPathOptions } from './path-options.js';
import { statsLine } from './stats.js';
import type { Target } from './target.js';

/** Runs `body` with a host, reports what it throws, and closes everything. Resolves with the exit code. */
export async function withHost(
  context: Context,
  options: CommonOptions,
  body: (session: Session) => Promise<number>,
): Promise<number> {
  const session = new Session(context, options, await context.createHost(options.host));
  const interrupt = (): void => session.interrupt();
  context.signal.addEventListener('abort', interrupt);
  if (context.signal.aborted) interrupt();
  let finish = (): Promise<void> => Promise.resolve();
  try {
    finish = await applyPathOptions(context, options, session.host);
    return await body(session);
  } catch (thrown) {
    const error = context.signal.aborted ? new Interrupted() : thrown;
    say(context, errorLine(error));
    return exitCode(problemOf(error).code);
  } finally {
    context.signal.removeEventListener('abort', interrupt);
    await session.close();
    await finish();
  }
}

export class Session {
  readonly context: Context;
  readonly options: CommonOptions;
  readonly host: Host;
  /** Octets that count as the result; without it, all that the socket moved. */
  bytes: number | null = null;
  #socket: Socket | null = null;
  #started = 0;
  #stopped = 0;
  #reject: ((error: Error) => void) | null = null;

  constructor(context: Context, options: CommonOptions, host: Host) {
    this.context = context;
    this.options = options;
    this.host = host;
  }

  /** Resolves when the handshake is done. `timeout` is in seconds; what comes goes to `output`, or waits to be read. */
  async connect(target: Target, timeout: number | undefined, output?: Output): Promise<Socket> {
    const { bind } = this.options;
    return this.#wait((resolve, reject) => {
      const socket: Socket = this.host.connect({
        ...target,
        ...(output !== undefined && { onread: output.reads(() => socket) }),
        ...(bind !== undefined && { localAddress: bind }),
        ...(timeout !== undefined && { timeout: timeout * 1000 }),
      });
      this.#adopt(socket);
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
      socket.once('close', () =>
        reject(new PlaitError('ECONNRESET', 'the connection ended in the handshake')),
      );
    });
  }

  /** Listens until one connection has come, and calls `announce` with the port once peers can connect. `output`: as above. */
  async accept(port: number, announce: (port: number) => void, output?: Output): Promise<Socket> {
    return this.#wait((resolve, reject) => {
      const server = this.host.createServer((socket) => {
        if (this.#socket !== null) {
          socket.destroy();
          return;
        }
        this.#adopt(socket);
        // The port stays taken as long as the connection lives, so there is nothing to wait for.
        void server.close().catch(() => undefined);
        resolve(socket);
      });
      server.once('error', reject);
      server.once('listening', () => announce(server.port));
      server.listen(port, this.options.bind, {
        ...(output !== undefined && { onread: (socket) => output.reads(() => socket) }),
      });
    });
  }

  /** Milliseconds since the handshake, until `stopWatch`. */
  get elapsed(): number {
    return this.#started === 0 ? 0 : (this.#stopped || this.context.now()) - this.#started;
  }

  /** Takes the time of the end. */
  stopWatch(): void {
    this.#stopped = this.context.now();
  }

  /** Aborts the connection; whoever waits for anything gets an error. */
  interrupt(): void {
    this.#socket?.resetAndDestroy();
    this.#reject?.(new Interrupted());
  }

  /** Prints the statistics if they were asked for, and closes the host. */
  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket !== null && !socket.destroyed) await settled(socket);
    socket?.destroy();
    if (this.options.stats) {
      const info = socket?.info();
      const bytes = this.bytes ?? (info === undefined ? 0 : info.bytesWritten + info.bytesRead);
      say(this.context, statsLine(this.host, socket, { bytes, milliseconds: this.elapsed }));
    }
    await this.host.close();
  }

  #adopt(socket: Socket): void {
    this.#socket = socket;
    const start = (): void => {
      this.#started = this.context.now();
    };
    if (socket.connecting) socket.once('connect', start);
    else start();
    // Errors also reach whoever uses the stream; here they must only not end the process.
    socket.on('error', () => undefined);
  }

  async #wait<T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    if (this.context.signal.aborted) throw new Interrupted();
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#reject = reject;
        start(resolve, reject);
      });
    } finally {
      this.#reject = null;
    }
  }
}

/** Waits a little for a connection whose both ends have ended to close by itself. */
async function settled(socket: Socket): Promise<void> {
  if (!socket.writableEnded || !socket.readableEnded) return;
  await finished(socket, { signal: AbortSignal.timeout(PARTING) }).catch(() => undefined);
}

/** Milliseconds for the last acknowledgements. */
const PARTING = 5000;
