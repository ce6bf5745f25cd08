/** A connection as a Duplex stream. */
import { Duplex } from 'node:stream';
import type { PlaitError } from '../errors.js';
import type { Connection, ConnectionEvent, ConnectionHandler } from '../stack/connection.js';
import type { ConnectionInfo } from '../stack/info.js';
import { SocketPaths } from './socket-paths.js';
import type { OnRead, Socket } from './types.js';

/** Octets read from the receive ring in one piece. */
const CHUNK = 65536;
/** The same for `onread`, whose buffer stays in the cache so while a batch is copied to it. */
const PIECE = 131072;

const NOTHING: ConnectionInfo = {
  mptcp: false,
  fallback: null,
  fullyEstablished: false,
  state: 'CLOSED',
  localToken: null,
  remoteToken: null,
  bytesWritten: 0,
  bytesRead: 0,
  bytesAcked: 0,
  bytesReinjected: 0,
  subflows: [],
};

export class PlaitSocket extends Duplex implements Socket, ConnectionHandler {
  #mptcp: SocketPaths | null = null;
  #connection: Connection | null = null;
  #connecting = true;
  /** What is written while it connects goes with the SYN. */
  #fastOpen = false;
  /** What `_write` could not place yet. */
  #pending: { chunks: Uint8Array[]; offset: number; done: (error?: Error | null) => void } | null = null;
  #final: ((error?: Error | null) => void) | null = null;
  #destroyed: ((error: Error | null) => void) | null = null;
  #destroyError: Error | null = null;
  #wantsData = false;
  #onread: OnRead | null = null;
  /** `onread` has octets on loan. */
  #lends = false;
  #peerEnded = false;

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 256 * 1024 });
  }

  /** @internal Before `attach`. */
  readInto(onread: OnRead | undefined): void {
    this.#onread = onread ?? null;
    this.#wantsData = onread !== undefined;
  }

  /** @internal */
  attach(connection: Connection, connected: boolean, fastOpen = false): void {
    if (this.destroyed) {
      connection.release();
      return;
    }
    this.#connection = connection;
    connection.handler = this;
    if (this.#onread === null) connection.takeBuffers();
    if (connected) this.#connecting = false;
    this.#fastOpen = fastOpen;
    if (fastOpen) this.#flush();
  }

  get mptcp(): SocketPaths {
    this.#mptcp ??= new SocketPaths(() => this.#connection);
    return this.#mptcp;
  }
  get connecting(): boolean {
    return this.#connecting;
  }
  get remoteAddress(): string {
    return this.#connection?.remoteAddress ?? '';
  }
  get remotePort(): number {
    return this.#connection?.remotePort ?? 0;
  }
  get localAddress(): string {
    return this.#connection?.localAddress ?? '';
  }
  get localPort(): number {
    return this.#connection?.localPort ?? 0;
  }

  info(): ConnectionInfo {
    return this.#connection?.info() ?? NOTHING;
  }

  setNoDelay(on = true): this {
    this.#connection?.setNoDelay(on);
    return this;
  }

  setKeepAlive(on = true): this {
    this.#connection?.setKeepAlive(on);
    return this;
  }

  resetAndDestroy(): this {
    if (this.#connection !== null && !this.#connection.over) this.#connection.abort();
    return this.destroy();
  }

  /** A stream that nothing is pushed into asks for data only once; `onread` goes on with every call. */
  override resume(): this {
    if (this.#onread !== null && !this.#wantsData) {
      this.#wantsData = true;
      queueMicrotask(() => {
        if (!this.#connecting) this.#pull();
      });
    }
    return super.resume();
  }

  // ---- what the connection reports ------------------------------------------------------------------------------

  onConnected(): void {
    this.#connecting = false;
    this.emit('connect');
    this.#flush();
  }

  onReadable(): void {
    if (this.#wantsData) this.#pull();
  }

  onWritable(): void {
    this.#flush();
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#wantsData) this.#pull();
  }

  onClosed(error: PlaitError | null): void {
    if (error !== null && !this.destroyed) {
      this.destroy(error);
      return;
    }
    this.#finishDestroy();
  }

  onEvent(event: ConnectionEvent): void {
    this.emit('mptcp', event);
  }

  // ---- stream ---------------------------------------------------------------------------------------------------

  override _read(): void {
    this.#wantsData = true;
    if (!this.#connecting) this.#pull();
  }

  #pull(): void {
    const connection = this.#connection;
    if (connection === null || this.#lends) return;
    while (this.#wantsData && !this.destroyed) {
      const ready = connection.available();
      if (ready === 0) {
        if (this.#peerEnded) this.#pushEnd();
        return;
      }
      if (this.#onread === null) {
        this.#wantsData = this.push(connection.readBuffer(CHUNK));
      } else {
        const { buffer, callback } = this.#onread;
        if (buffer === undefined) {
          this.#lend(connection, callback);
          continue;
        }
        const target = typeof buffer === 'function' ? buffer() : buffer;
        this.#wantsData = callback(connection.readInto(target, PIECE), target) !== false;
      }
    }
  }

  #lend(connection: Connection, callback: OnRead['callback']): void {
    this.#lends = true;
    try {
      this.#wantsData = connection.readLent((octets) => callback(octets.length, octets)) !== false;
    } finally {
      this.#lends = false;
    }
  }

  #pushEnd(): void {
    this.#wantsData = false;
    this.push(null);
    if (this.#onread !== null) this.read(0); // nobody else reads, and `end` comes with a read
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#pending = { chunks: [chunk], offset: 0, done };
    if (!this.#connecting || this.#fastOpen) this.#flush();
  }

  override _writev(
    chunks: { chunk: Uint8Array; encoding: string }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#pending = { chunks: chunks.map(({ chunk }) => chunk), offset: 0, done };
    if (!this.#connecting || this.#fastOpen) this.#flush();
  }

  #flush(): void {
    const connection = this.#connection;
    const pending = this.#pending;
    if (connection === null || this.destroyed) return;
    if (pending !== null) {
      const first = pending.chunks[0];
      if (first !== undefined && connection.putsOff(first.length - pending.offset)) return;
      try {
        for (;;) {
          const chunk = pending.chunks[0];
          if (chunk === undefined) break;
          pending.offset += connection.write(pending.offset > 0 ? chunk.subarray(pending.offset) : chunk);
          if (pending.offset < chunk.length) return; // `writable` will come
          pending.chunks.shift();
          pending.offset = 0;
        }
      } catch (error) {
        this.#pending = null;
        pending.done(error as Error);
        return;
      }
      this.#pending = null;
      pending.done();
    }
    if (this.#pending === null && this.#final !== null) {
      const done = this.#final;
      this.#final = null;
      connection.shutdown();
      done();
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#final = done;
    if (!this.#connecting || this.#fastOpen) this.#flush();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const connection = this.#connection;
    if (connection === null) {
      done(error);
      return;
    }
    this.#destroyError = error;
    this.#destroyed = done;
    // Both directions ended in order: what is left is the peer's acknowledgement. Otherwise abort.
    const orderly = error === null && this.#peerEnded && this.writableFinished;
    if (connection.over || !orderly) this.#finishDestroy();
  }

  #finishDestroy(): void {
    const done = this.#destroyed;
    if (done === null) return;
    this.#destroyed = null;
    this.#connection?.release();
    done(this.#destroyError);
  }
}
