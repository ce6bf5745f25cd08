/** The sending end of a file transfer. */
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { PlaitError, type ErrorCode } from '../errors.js';
import { Channel } from './channel.js';
import * as wire from './protocol.js';
import { Frame, type Problem } from './protocol.js';
import { problemOf, type Failure, type Progress, type Report } from './report.js';
import { CHANGED, type Entry, type OpenSource } from './source.js';

export class Sender {
  readonly progress: Progress = { total: 0, moved: 0 };
  readonly #channel: Channel;
  readonly #entries: readonly Entry[];
  /** Per entry: what kept it from its place; undefined while unknown, null when it is there. */
  readonly #fate: (Problem | null | undefined)[];
  /** Octets of each entry, as sent. */
  readonly #sizes: number[];
  /** Entries whose last frame has been written. */
  #ended = 0;
  readonly #chunks = [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)] as const;

  /** @param idleLimit see `Channel` */
  constructor(stream: Duplex, entries: readonly Entry[], idleLimit = IDLE_LIMIT) {
    this.#channel = new Channel(stream, idleLimit);
    this.#entries = entries;
    this.#fate = entries.map(() => undefined);
    this.#sizes = entries.map(({ head }) => head.size);
    for (const { head } of entries) this.progress.total += head.size;
  }

  /**
   * Sends everything and waits until the receiver has said of each entry whether it is in place. Rejects when the
   * transfer as a whole failed; entries that failed alone are in the report.
   */
  async run(): Promise<Report> {
    try {
      await this.#greet();
      const results = this.#readResults();
      // A failure of the reading half must wake the writing half, and says best what went wrong.
      results.catch((error: Error) => this.#channel.fail(error));
      await this.#writeAll().catch(async (error: Error) => {
        this.#channel.fail(error);
        await results;
        throw error;
      });
      await results;
      this.#channel.end();
      // All is in place: a receiver that vanishes now takes nothing away.
      await this.#channel.expectEnd().catch(() => undefined);
      return this.#report();
    } catch (error) {
      await this.#channel.abort(error);
      throw error;
    } finally {
      this.#channel.release();
    }
  }

  async #greet(): Promise<void> {
    await this.#channel.write(wire.encodeHello());
    const hello = await this.#channel.readHello();
    if (hello.version !== wire.VERSION) throw wire.otherVersion(hello.version);
    // We offered nothing that it could accept.
    if (hello.flags !== 0) throw wire.malformed('a hello');
  }

  async #writeAll(): Promise<void> {
    const offer = wire.encodeOffer(this.#entries.length, this.progress.total);
    await this.#channel.writeFrame(Frame.Offer, offer);
    for (const [index, entry] of this.#entries.entries()) {
      if (entry.source === null) {
        this.#ended = index + 1;
        await this.#channel.writeFrame(Frame.Directory, wire.encodeEntry(entry.head));
      } else {
        await this.#writeFile(index, entry, entry.source);
      }
    }
    await this.#channel.writeFrame(Frame.Finish);
  }

  async #writeFile(index: number, entry: Entry, open: () => Promise<OpenSource>): Promise<void> {
    const source = await open().catch(problemOf);
    if ('message' in source) {
      // The receiver hears of it too, so that its report is as complete as ours.
      await this.#channel.writeFrame(Frame.File, wire.encodeEntry({ ...entry.head, size: 0 }));
      await this.#cancel(index, source);
      return;
    }
    try {
      const { size, mode, mtime } = source;
      this.progress.total += size - entry.head.size;
      this.#sizes[index] = size;
      await this.#channel.writeFrame(
        Frame.File,
        wire.encodeEntry({ name: entry.head.name, size, mode, mtime }),
      );
      await this.#writeContent(index, source);
    } finally {
      await source.close();
    }
  }

  async #writeContent(index: number, source: OpenSource): Promise<void> {
    const hash = createHash('sha256');
    let [chunk, next] = this.#chunks;
    let left = source.size;
    let reading = readInto(source, chunk, left);
    while (left > 0) {
      const problem = await reading;
      const fate = this.#fate[index];
      if (fate !== undefined || problem !== null) {
        await this.#cancel(index, fate ?? problem ?? CHANGED);
        return;
      }
      const octets = chunk.subarray(0, left);
      left -= octets.length;
      // One is read while the other is sent, from where it was read.
      reading = readInto(source, next, left);
      hash.update(octets);
      this.progress.moved += octets.length;
      await this.#channel.writeBorrowed(Frame.Data, octets);
      [chunk, next] = [next, chunk];
    }
    const problem = await source.verify().catch(problemOf);
    if (problem !== null) {
      await this.#cancel(index, problem);
      return;
    }
    this.#ended = index + 1;
    await this.#channel.writeFrame(Frame.End, hash.digest());
  }

  async #cancel(index: number, problem: Problem): Promise<void> {
    this.#fate[index] ??= problem;
    this.#ended = index + 1;
    await this.#channel.writeFrame(Frame.Cancel, wire.encodeProblem(problem));
  }

  async #readResults(): Promise<void> {
    for (let index = 0; index < this.#entries.length; index++) {
      const outcome = await this.#readResult();
      const tooEarly = outcome?.problem === null && index >= this.#ended;
      if (outcome?.index !== index || tooEarly) throw wire.malformed('a result');
      this.#fate[index] ??= outcome.problem;
    }
    if ((await this.#readResult()) !== null) throw wire.malformed('a result');
  }

  /** The next result; null is the end of results. */
  async #readResult(): Promise<wire.Outcome | null> {
    const head = await this.#channel.readHead();
    const payload = await this.#channel.read(head.length);
    switch (head.type) {
      case Frame.Result:
        return wire.decodeOutcome(payload);
      case Frame.Done:
        wire.decodeDone(payload);
        return null;
      case Frame.Abort:
        throw abortedBy('receiver', wire.decodeProblem(payload));
      default:
        throw wire.malformed('a frame');
    }
  }

  #report(): Report {
    const failures: Failure[] = [];
    let octets = 0;
    for (const [index, entry] of this.#entries.entries()) {
      const problem = this.#fate[index];
      if (problem) failures.push({ name: entry.head.name, ...problem });
      else octets += this.#sizes[index] ?? 0;
    }
    return { inPlace: this.#entries.length - failures.length, octets, failures };
  }
}

/** Reads as many of `left` octets as there is room for. Resolves with what was wrong, or null. */
function readInto(source: OpenSource, target: Buffer, left: number): Promise<Problem | null> {
  const wanted = target.subarray(0, left);
  return source.read(wanted).then((n) => (n < wanted.length ? CHANGED : null), problemOf);
}

/** The peer's reason for giving up, as an error of ours. */
export function abortedBy(who: string, problem: Problem): PlaitError {
  const code: ErrorCode = problem.code === 'ECONNABORTED' ? 'ECONNABORTED' : 'ERR_PLAIT_PROTOCOL';
  return new PlaitError(code, `the ${who} gave up: ${problem.message}`);
}

/** Milliseconds of silence after which a peer counts as gone. */
export const IDLE_LIMIT = 60_000;
/** Octets of a data frame: so large that a write leaves from where it lies (docs/performance.md). */
const CHUNK = wire.MAX_DATA;
