/** A capture's octets into a file, in large writes. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { CaptureSink } from './pcapng.js';

export class CaptureFile {
  readonly path: string;
  /** Why the file could not be written, if so. The rest of the capture is then dropped, traffic goes on. */
  error: Error | null = null;
  readonly #buffer = new Uint8Array(BUFFER);
  #used = 0;
  #fd: number | null;

  /** Creates or empties the file. Throws node's error when that fails. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'w');
  }

  /** Buffers a chunk. Ignored after `close`. */
  readonly sink: CaptureSink = (chunk) => {
    if (this.#used + chunk.length > BUFFER) this.flush();
    if (chunk.length > BUFFER) {
      this.#write(chunk);
    } else {
      this.#buffer.set(chunk, this.#used);
      this.#used += chunk.length;
    }
  };

  /** Writes out what is buffered. */
  flush(): void {
    this.#write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  /** Flushes and closes. May be called twice. */
  close(): void {
    if (this.#fd === null) return;
    this.flush();
    closeSync(this.#fd);
    this.#fd = null;
  }

  // Synchronous, so that chunks stay in order and a process that exits has written all. The page cache takes it.
  #write(octets: Uint8Array): void {
    if (this.#fd === null || this.error !== null) return;
    try {
      for (let at = 0; at < octets.length;) at += writeSync(this.#fd, octets, at);
    } catch (error) {
      this.error = error instanceof Error ? error : new Error(String(error));
    }
  }
}

const BUFFER = 256 * 1024;
