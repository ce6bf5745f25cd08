/** An application that behaves: it sends a known stream, checks the one that it gets, and ends in order. */
import type { PlaitError } from '../../src/errors.js';
import type { Connection, ConnectionEvent, ConnectionHandler } from '../../src/stack/connection.js';

const octetAt = (at: number): number => (Math.imul(at, 31) + (at >>> 8) + (at >>> 16)) & 255;

const LONGEST = 65536;
const buffer = new Uint8Array(LONGEST);

export class Honest implements ConnectionHandler {
  connection: Connection | null = null;
  connected = false;
  ended = false;
  closed = false;
  error: PlaitError | null = null;
  received = 0;
  sent = 0;
  /** First octet that was not the expected one. */
  wrongAt = -1;
  readonly events: ConnectionEvent[] = [];
  #wanted = 0;
  #ending = false;

  constructor(readonly name: string) {}

  attach(connection: Connection, connected: boolean): void {
    this.connection = connection;
    connection.handler = this;
    this.connected = connected;
    if (connected) this.#pump();
  }

  /** Sends `octets` more. */
  send(octets: number): void {
    this.#wanted += octets;
    this.#pump();
  }

  end(): void {
    this.#ending = true;
    this.#pump();
  }

  get wanted(): number {
    return this.#wanted;
  }

  #pump(): void {
    if (this.connection === null || !this.connected || this.closed) return;
    while (this.sent < this.#wanted) {
      const n = Math.min(LONGEST, this.#wanted - this.sent);
      for (let i = 0; i < n; i++) buffer[i] = octetAt(this.sent + i);
      const taken = this.connection.write(buffer.subarray(0, n));
      this.sent += taken;
      if (taken < n) return;
    }
    if (this.#ending) {
      this.#ending = false;
      this.connection.shutdown();
    }
  }

  onConnected(): void {
    this.connected = true;
    this.#pump();
  }
  onReadable(): void {
    for (let n = this.#read(); n > 0; n = this.#read());
  }
  #read(): number {
    const n = this.connection?.readInto(buffer) ?? 0;
    for (let i = 0; i < n; i++) {
      if (buffer[i] !== octetAt(this.received + i) && this.wrongAt < 0) this.wrongAt = this.received + i;
    }
    this.received += n;
    return n;
  }
  onWritable(): void {
    this.#pump();
  }
  onEnd(): void {
    this.ended = true;
    this.onReadable();
  }
  onClosed(error: PlaitError | null): void {
    this.closed = true;
    this.error = error;
  }
  onEvent(event: ConnectionEvent): void {
    if (this.events.length < 100) this.events.push(event);
  }
}
