/** A listening port as an EventEmitter. */
import { EventEmitter } from 'node:events';
import * as abi from '../../assembly/abi.js';
import type { Settings } from '../core/core.js';
import type { Connection } from '../stack/connection.js';
import type { Listener } from '../stack/listener.js';
import type { Stack } from '../stack/stack.js';
import { PlaitError } from '../errors.js';
import { flowSettings } from './flow.js';
import { checkPort } from './port.js';
import { PlaitSocket } from './socket.js';
import type { ListenOptions, Server, Socket } from './types.js';

export class PlaitServer extends EventEmitter implements Server {
  readonly #stack: Stack;
  readonly #track: (socket: PlaitSocket) => void;
  readonly #provide: (address: string) => Promise<string>;
  #listener: Listener | null = null;
  /** Calls of `listen` and `close`: what was begun before the latest one does not go on. */
  #turn = 0;
  listening = false;

  /** `provide` resolves a name, and makes a path of a local address that is none by itself. */
  constructor(
    stack: Stack,
    track: (socket: PlaitSocket) => void,
    provide: (address: string) => Promise<string>,
    onConnection?: (socket: Socket) => void,
  ) {
    super();
    this.#stack = stack;
    this.#track = track;
    this.#provide = provide;
    if (onConnection !== undefined) this.on('connection', onConnection);
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  listen(port: number, address?: string, options: ListenOptions = {}): this {
    const accept = (connection: Connection): void => {
      const socket = new PlaitSocket();
      socket.readInto(options.onread?.(socket));
      socket.attach(connection, true);
      this.#track(socket);
      this.emit('connection', socket);
    };
    checkPort(port, 0);
    const { backlog = BACKLOG, fastOpen = 0 } = options;
    const settings: Settings = [
      ...flowSettings(options),
      [abi.OPT_BACKLOG, queueLength(backlog)],
      [abi.OPT_FAST_OPEN, fastOpen],
    ];
    const start = (bare: string | null): void => {
      this.#start(this.#stack.listen(port, bare, accept, settings));
    };
    if (address === undefined || ANY.has(address)) start(null);
    else {
      const turn = ++this.#turn;
      this.#provide(address).then(
        (bare) => {
          if (turn === this.#turn) start(bare);
        },
        (error: unknown) => this.emit('error', error),
      );
    }
    return this;
  }

  #start(listener: Listener): void {
    this.#listener = listener;
    listener.start((error) => {
      if (error !== null) {
        this.#listener = null;
        // Errors come as events even when the device answered at once.
        queueMicrotask(() => this.emit('error', error));
        return;
      }
      this.listening = true;
      queueMicrotask(() => this.emit('listening'));
    });
  }

  close(): Promise<void> {
    this.#turn++;
    this.#listener?.close();
    this.#listener = null;
    this.listening = false;
    this.emit('close');
    return Promise.resolve();
  }
}

/** As for node:net. */
const BACKLOG = 511;

function queueLength(backlog: number): number {
  if (Number.isInteger(backlog) && backlog >= 0 && backlog <= 0x7fffffff) return backlog;
  throw new PlaitError('EINVAL', `backlog is ${backlog}; give a number of connections from 0 to 4096`);
}
/** Every address, as for node:net. */
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
