/** Frames over a Duplex stream, with back-pressure in both directions and one limit on silence. */
import type { Duplex } from 'node:stream';
import { PlaitError } from '../errors.js';
import * as wire from './protocol.js';
import { problemOf } from './report.js';

export interface FrameHead {
  readonly type: number;
  readonly length: number;
}

export class Channel {
  readonly #stream: Duplex;
  readonly #idle: NodeJS.Timeout | null;
  /** What has come and was not taken yet. */
  readonly #parts: Buffer[] = [];
  #waiting = 0;
  #failure: Error | null = null;
  #ended = false;
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  /**
   * @param idleLimit milliseconds without any octet moving in either direction after which the peer counts as
   *   gone; 0 waits forever.
   */
  constructor(stream: Duplex, idleLimit: number) {
    this.#stream = stream;
    this.#idle = idleLimit > 0 ? setTimeout(() => stream.destroy(silent(idleLimit)), idleLimit) : null;
    stream.on('data', (part: Buffer) => {
      this.#parts.push(part);
      this.#waiting += part.length;
      if (this.#waiting >= ENOUGH) stream.pause();
      this.#wake();
    });
    stream.on('drain', () => this.#wake());
    stream.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    stream.on('error', (error) => this.fail(error));
    stream.on('close', () => {
      if (!this.#ended || !stream.writableFinished) this.fail(vanished());
      this.#ended = true;
      this.#wake();
    });
    if (stream.destroyed) this.fail(stream.errored ?? vanished());
  }

  /** Exactly `length` octets. */
  async read(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0;) {
      const some = await this.readSome(missing);
      parts.push(...some);
      missing -= lengthOf(some);
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, length);
  }

  /** Between 1 and `limit` octets: what is there, in the parts in which it came. */
  async readSome(limit: number): Promise<Buffer[]> {
    const parts = await this.#next(limit);
    if (parts === null) throw vanished();
    return parts;
  }

  /** The peer's hello, with its extension skipped. */
  async readHello(): Promise<wire.Hello> {
    const hello = wire.decodeHello(await this.read(wire.HELLO_LENGTH));
    await this.read(hello.extensionLength);
    return hello;
  }

  /** The next frame's head. */
  async readHead(): Promise<FrameHead> {
    const bytes = await this.read(wire.HEAD_LENGTH);
    const head = { type: bytes.readUInt8(0), length: bytes.readUInt32BE(1) };
    const limit = head.type === wire.Frame.Data ? wire.MAX_DATA : wire.MAX_CONTROL;
    if (head.length > limit) throw wire.malformed('a frame');
    return head;
  }

  /** Writes one frame and waits until the stream wants more. */
  async writeFrame(type: number, payload: Buffer = EMPTY): Promise<void> {
    this.#stream.cork();
    this.#stream.write(wire.encodeHead(type, payload.length));
    if (payload.length > 0) this.#stream.write(payload);
    this.#stream.uncork();
    await this.#drained();
  }

  /** The same with octets that are used again afterwards: waits until the stream does not need them any more. */
  async writeBorrowed(type: number, payload: Buffer): Promise<void> {
    let done = false;
    this.#stream.cork();
    this.#stream.write(wire.encodeHead(type, payload.length));
    this.#stream.write(payload, () => {
      done = true;
      this.#wake();
    });
    this.#stream.uncork();
    await this.#until(() => done);
  }

  async write(bytes: Buffer): Promise<void> {
    this.#stream.write(bytes);
    await this.#drained();
  }

  /** Ends this direction. */
  end(): void {
    this.#stream.end();
  }

  /** Waits for the peer's end of stream; octets before it break the protocol. */
  async expectEnd(): Promise<void> {
    if ((await this.#next(1)) !== null) throw wire.malformed('octets after the last frame');
  }

  /** Makes every waiting and later call reject with `error`, except that arrived octets can be read first. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Tells the peer, if it can still be told, why this side gives up, and lets it end the connection. */
  async abort(reason: unknown): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || !stream.writable) return;
    stream.write(wire.encodeHead(wire.Frame.Abort, wire.encodeProblem(problemOf(reason)).length));
    stream.end(wire.encodeProblem(problemOf(reason)));
    // The peer's octets in flight must be taken in, or it never comes to read ours.
    stream.removeAllListeners('data').resume();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, PARTING);
      stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Stops the watch over silence. The stream stays as it is. */
  release(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
  }

  async #next(limit: number): Promise<Buffer[] | null> {
    for (;;) {
      if (this.#waiting > 0) {
        this.#idle?.refresh();
        return this.#take(limit);
      }
      // What arrived before a failure was worth reading: it may say why.
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  /** What waits, up to `limit` octets. */
  #take(limit: number): Buffer[] {
    const taken: Buffer[] = [];
    for (let room = limit; room > 0;) {
      const part = this.#parts[0];
      if (part === undefined) break;
      if (part.length <= room) this.#parts.shift();
      else this.#parts[0] = part.subarray(room);
      taken.push(part.subarray(0, room));
      room -= part.length;
    }
    this.#waiting -= lengthOf(taken);
    if (this.#waiting < ENOUGH) this.#stream.resume();
    return taken;
  }

  #drained(): Promise<void> {
    return this.#until(() => !this.#stream.writableNeedDrain);
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done() && this.#failure === null) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
    if (this.#failure !== null) throw this.#failure;
    this.#idle?.refresh();
  }

  #wake(): void {
    const reader = this.#wakeReader;
    const writer = this.#wakeWriter;
    this.#wakeReader = this.#wakeWriter = null;
    reader?.();
    writer?.();
  }
}

const vanished = (): PlaitError =>
  new PlaitError('ECONNRESET', 'the peer ended the connection in the middle', 'start the transfer again');

const silent = (limit: number): PlaitError =>
  new PlaitError(
    'ETIMEDOUT',
    `the peer was silent for ${limit / 1000} s`,
    'check that it still runs and can be reached',
  );

const lengthOf = (parts: readonly Buffer[]): number => parts.reduce((sum, { length }) => sum + length, 0);

const EMPTY = Buffer.alloc(0);
/** Octets that wait to be taken before no more are let in. */
const ENOUGH = 1 << 20;
/** Milliseconds that a peer gets to take in why we give up. */
const PARTING = 2000;
