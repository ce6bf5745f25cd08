/** What a socket brings, written to standard output out of the memory where it was received. */
import { writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { OnRead, Socket } from '../net/types.js';

export class Output {
  readonly #stdout: Writable;
  /** Of what takes octets at once, as files and pipes do for a process that waits for them; null: a stream of another kind. */
  readonly #fd: number | null;

  constructor(stdout: Writable & { readonly fd?: number; readonly isTTY?: boolean }) {
    this.#stdout = stdout;
    this.#fd = stdout.isTTY === true ? null : (stdout.fd ?? null);
  }

  /** How a socket reads that this is the output of. */
  reads(socket: () => Socket): OnRead {
    return {
      callback: (_, octets) => {
        try {
          return this.#write(octets, socket);
        } catch (error) {
          this.#stdout.emit('error', error);
          return false;
        }
      },
    };
  }

  /** False: `socket` is to wait, and goes on by itself. */
  #write(octets: Uint8Array, socket: () => Socket): boolean {
    let done = 0;
    if (this.#fd !== null && this.#stdout.writableLength === 0) done = writeNow(this.#fd, octets);
    // The octets are only lent.
    if (done === octets.length || this.#stdout.write(Buffer.from(octets.subarray(done)))) return true;
    this.#stdout.once('drain', () => socket().resume());
    return false;
  }
}

/** Octets that were taken: fewer where somebody else has made the descriptor one that does not wait. */
function writeNow(fd: number, octets: Uint8Array): number {
  let done = 0;
  try {
    while (done < octets.length) done += writeSync(fd, octets, done);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return done;
}
