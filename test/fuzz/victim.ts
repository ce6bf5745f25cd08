/** An application of the attacked stack on a connection of the attacker's: it does what the steps say. */
import type { Connection, ConnectionEvent, ConnectionHandler } from '../../src/stack/connection.js';
import { Failure } from './failure.js';

const buffer = new Uint8Array(65536);

export class Victim implements ConnectionHandler {
  reading = true;
  ended = false;
  closed = false;
  connected = false;
  received = 0;
  /** Everything up to the end of the stream was read. */
  #drained = false;

  constructor(
    readonly connection: Connection,
    readonly heard: (event: ConnectionEvent['type']) => void,
  ) {
    connection.handler = this;
  }

  /** Reads at most `most` octets. */
  read(most: number): void {
    let left = most;
    while (left > 0 && this.connection.handle !== 0) {
      const n = this.connection.readInto(buffer.subarray(0, Math.min(left, buffer.length)));
      if (n === 0) return;
      if (this.#drained) throw new Failure('after-end', `${n} octets behind the end of the stream`);
      this.received += n;
      left -= n;
    }
  }

  write(octets: number): void {
    let left = octets;
    while (left > 0) {
      const n = this.borrow(buffer.subarray(0, Math.min(left, buffer.length)));
      if (n === 0) return;
      left -= n;
    }
  }

  /** Writes all at once. Returns how many octets were taken. */
  borrow(octets: Uint8Array): number {
    if (this.closed || this.connection.handle === 0) return 0;
    try {
      return this.connection.write(octets);
    } catch (error) {
      // Its direction has ended: a program gets EPIPE and goes on.
      if ((error as { code?: string }).code !== 'EPIPE') throw error;
      return 0;
    }
  }

  onConnected(): void {
    this.connected = true;
  }
  onReadable(): void {
    if (this.reading) this.read(Infinity);
  }
  onWritable(): void {}
  onEnd(): void {
    this.ended = true;
    this.read(Infinity);
    this.#drained = true;
  }
  onClosed(): void {
    this.closed = true;
  }
  onEvent(event: ConnectionEvent): void {
    this.heard(event.type);
  }
}
