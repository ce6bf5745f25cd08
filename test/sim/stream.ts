/** A stream whose octets tell where they belong, and who sends it out of memory that is overwritten after each write. */
import { PlaitError } from '../../src/errors.js';
import type { Connection, ConnectionHandler } from '../../src/stack/connection.js';

/** What stands in the application's memory when it is not being written. */
const POISON = 0xee;
/** No power of two, so that an octet in the wrong place does not go unnoticed. */
export const PATTERN = Uint8Array.from({ length: 65521 }, (_, i) => (i * 2654435761) >>> 24);

/** Where in the stream the first octet is that is wrong, of those from `at` on; -1: none is. */
export function firstWrong(octets: Uint8Array, at: number): number {
  const i = octets.findIndex((octet, k) => octet !== PATTERN[(at + k) % PATTERN.length]);
  return i < 0 ? -1 : at + i;
}

export class StreamSender implements ConnectionHandler {
  connection: Connection | null = null;
  written = 0;
  closed = false;
  error: PlaitError | null = null;
  /** Called after each write. */
  readonly onWritten: ((octets: number) => void)[] = [];
  readonly #memory: Uint8Array;

  /** `piece`: octets of one write. */
  constructor(
    readonly length: number,
    readonly piece: number,
  ) {
    this.#memory = new Uint8Array(piece).fill(POISON);
  }

  onConnected(): void {
    this.onWritable();
  }
  onWritable(): void {
    const { connection } = this;
    if (connection === null || connection.over) return;
    while (this.written < this.length) {
      const n = Math.min(this.piece - (this.written % this.piece), this.length - this.written);
      if (connection.putsOff(n)) return;
      for (let i = 0; i < n; i++) this.#memory[i] = PATTERN[(this.written + i) % PATTERN.length] as number;
      let taken: number;
      try {
        taken = connection.write(this.#memory.subarray(0, n));
      } catch (error) {
        if (!(error instanceof PlaitError)) throw error;
        return; // it is over, and `onClosed` comes
      } finally {
        this.#memory.fill(POISON);
      }
      this.written += taken;
      for (const tell of this.onWritten) tell(this.written);
      if (taken < n) return;
    }
    connection.shutdown();
  }
  onReadable(): void {}
  onEnd(): void {}
  onClosed(error: PlaitError | null): void {
    this.closed = true;
    this.error = error;
  }
  onEvent(): void {}
}
