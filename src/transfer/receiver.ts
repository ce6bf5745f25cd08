/** The receiving end of a file transfer. */
import { createHash, type Hash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Channel, type FrameHead } from './channel.js';
import * as wire from './protocol.js';
import { Frame, type EntryHead, type Problem } from './protocol.js';
import { problemOf, type Failure, type Progress, type Report } from './report.js';
import { abortedBy, IDLE_LIMIT } from './sender.js';
import type { IncomingFile, Store } from './store.js';

export class Receiver {
  readonly progress: Progress = { total: 0, moved: 0 };
  readonly #channel: Channel;
  readonly #store: Store;
  readonly #failures: Failure[] = [];
  /** Entries whose fate is known. */
  #settled = 0;
  #octets = 0;
  #current: Current | null = null;

  /** @param idleLimit see `Channel` */
  constructor(stream: Duplex, store: Store, idleLimit = IDLE_LIMIT) {
    this.#channel = new Channel(stream, idleLimit);
    this.#store = store;
  }

  /**
   * Takes in everything that one sender sends. Rejects when the transfer as a whole failed, with nothing of the
   * unfinished file left; entries that failed alone are in the report.
   */
  async run(): Promise<Report> {
    try {
      await this.#greet();
      while (await this.#handle(await this.#channel.readHead()));
      await this.#store.settle();
      const inPlace = this.#settled - this.#failures.length;
      await this.#channel.writeFrame(Frame.Done, wire.encodeDone(inPlace));
      this.#channel.end();
      // The sender ends its direction once it knows. If it cannot, the files are in place all the same.
      await this.#channel.expectEnd().catch(() => undefined);
      return { inPlace, octets: this.#octets, failures: this.#failures };
    } catch (error) {
      await this.#current?.file?.discard();
      await this.#store.settle().catch(() => undefined);
      await this.#channel.abort(error);
      throw error;
    } finally {
      this.#channel.release();
    }
  }

  async #greet(): Promise<void> {
    const hello = await this.#channel.readHello();
    await this.#channel.write(wire.encodeHello());
    if (hello.version !== wire.VERSION || (hello.flags & wire.DEMANDS) !== 0) {
      throw wire.otherVersion(hello.version);
    }
  }

  /** Takes in one frame. False after the last. */
  async #handle(head: FrameHead): Promise<boolean> {
    if (head.type === Frame.Data) {
      await this.#data(head.length);
      return true;
    }
    const payload = await this.#channel.read(head.length);
    switch (head.type) {
      case Frame.Offer:
        this.progress.total = wire.decodeOffer(payload).octets;
        return true;
      case Frame.Directory:
        await this.#directory(wire.decodeEntry(payload));
        return true;
      case Frame.File:
        await this.#open(wire.decodeEntry(payload));
        return true;
      case Frame.End:
        await this.#close(payload);
        return true;
      case Frame.Cancel:
        await this.#cancel(wire.decodeProblem(payload));
        return true;
      case Frame.Finish:
        if (this.#current !== null) throw wire.malformed('an order of frames');
        return false;
      case Frame.Abort:
        throw abortedBy('sender', wire.decodeProblem(payload));
      default:
        throw wire.malformed('a frame');
    }
  }

  async #directory(head: EntryHead): Promise<void> {
    if (this.#current !== null) throw wire.malformed('an order of frames');
    const problem = await this.#store.directory(head).then(() => null, problemOf);
    await this.#settle(head.name, problem);
  }

  async #open(head: EntryHead): Promise<void> {
    if (this.#current !== null) throw wire.malformed('an order of frames');
    this.#current = { head, file: null, hash: createHash('sha256'), left: head.size };
    await this.#attempt(async (current) => {
      current.file = await this.#store.file(head);
    });
  }

  async #data(length: number): Promise<void> {
    const current = this.#need();
    if (length > current.left) throw wire.malformed('more data than it announced, in a frame');
    current.left -= length;
    for (let missing = length; missing > 0;) {
      const parts = await this.#channel.readSome(missing);
      for (const { length } of parts) {
        missing -= length;
        this.progress.moved += length;
      }
      // After a failure the file's rest is read past: the sender may not have heard of it yet.
      if (current.file === null) continue;
      // What comes while the disk takes these is the next write.
      const writing = this.#attempt(async ({ file }) => file?.write(parts));
      for (const part of parts) current.hash.update(part);
      await writing;
    }
  }

  async #close(digest: Buffer): Promise<void> {
    const current = this.#need();
    if (current.left > 0 || digest.length !== wire.DIGEST_LENGTH) throw wire.malformed('an end of file');
    if (current.file !== null) {
      await this.#attempt(async ({ file, hash }) => {
        if (!hash.digest().equals(digest)) throw damaged();
        await file?.commit();
      });
    }
    // What failed has been reported when it failed.
    if (current.file !== null) {
      this.#octets += current.head.size;
      await this.#settle(current.head.name, null);
    }
    this.#current = null;
  }

  async #cancel(problem: Problem): Promise<void> {
    const { file, head } = this.#need();
    if (file !== null) {
      await file.discard();
      await this.#settle(head.name, problem);
    }
    this.#current = null;
  }

  /** Does something with the current file. A failure is the file's own: it is removed and reported. */
  async #attempt(action: (current: Current) => Promise<void>): Promise<void> {
    const current = this.#need();
    try {
      await action(current);
    } catch (error) {
      const file = current.file;
      current.file = null;
      await file?.discard();
      await this.#settle(current.head.name, problemOf(error));
    }
  }

  async #settle(name: string, problem: Problem | null): Promise<void> {
    if (problem !== null) this.#failures.push({ name, ...problem });
    await this.#channel.writeFrame(Frame.Result, wire.encodeOutcome({ index: this.#settled++, problem }));
  }

  #need(): Current {
    if (this.#current === null) throw wire.malformed('an order of frames');
    return this.#current;
  }
}

/** The file that is coming in. `file` is null once it has failed and been reported. */
interface Current {
  readonly head: EntryHead;
  file: IncomingFile | null;
  readonly hash: Hash;
  left: number;
}

const damaged = (): Error =>
  Object.assign(new Error('the octets that arrived differ from those sent (SHA-256)'), {
    code: 'ERR_PLAIT_INTEGRITY',
  });
