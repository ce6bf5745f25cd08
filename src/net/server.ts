/** A listening port as an EventEmitter. */
import { EventEmitter } from 'node:events';
import * as abi from '../../assembly/abi.js';
import type { Settings } from '../core/core.js';
import type { Connection } from '../stack/connection.js';
import type { Listener } from '../stack/listener.js';
import type { Stack } from '../stack/stack.js';
import { PlaitSocket } from './socket.js';
import type { ListenOptions, Server, Socket } from './types.js';

export class PlaitServer extends EventEmitter implements Server {
  readonly #stack: Stack;
  readonly #track: (socket: PlaitSocket) => void;
  #listener: Listener | null = null;
  listening = false;

  constructor(stack: Stack, track: (socket: PlaitSocket) => void, onConnection?: (socket: Socket) => void) {
    super();
    this.#stack = stack;
    this.#track = track;
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
    const settings: Settings = options.fastOpen === undefined ? [] : [[abi.OPT_FAST_OPEN, options.fastOpen]];
    const listener = this.#stack.listen(port, address ?? null, accept, settings);
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
    return this;
  }

  close(): Promise<void> {
    this.#listener?.close();
    this.#listener = null;
    this.listening = false;
    this.emit('close');
    return Promise.resolve();
  }
}
