/** Open files and the table of descriptors; calls that wait for something. */
import type { World } from '../../../src/sim/world.js';
import type { Cancel } from '../../../src/io/timers.js';
import type { CallOutcome, RunningCall } from '../socket-layer.js';
import { constant } from './constants.js';

export const O_NONBLOCK = constant('O_NONBLOCK');
export const O_RDWR = constant('O_RDWR');

/** What a descriptor refers to; several may refer to one file (dup). */
export abstract class OpenFile {
  references = 0;
  nonBlocking = false;
  /** O_RDONLY, O_WRONLY or O_RDWR. */
  access = O_RDWR;
  /** O_APPEND and the like, which do nothing here; F_SETOWN and F_SETSIG likewise. */
  flags = 0;
  owner = 0;
  signal = 0;
  /** Told whenever something about the file may have changed; `events`: POLL* that it is about, 0: anything. */
  readonly watchers = new Set<(events: number) => void>();

  /** Octets that ever came, where edges have to be told from what is left. */
  get arrived(): number {
    return 0;
  }

  /** POLL* that hold now. */
  abstract poll(): number;
  /** The last descriptor is gone. */
  abstract release(): void;

  changed(events = 0): void {
    for (const watcher of [...this.watchers]) watcher(events);
  }
}

/** Result of an attempt: a number and what the call wrote wrongly, an errno, or null: it has to wait. */
export type Attempt =
  { readonly result: bigint; readonly mismatch?: string | null } | { readonly errno: string } | null;

export const ok = (result: number | bigint = 0, mismatch: string | null = null): Attempt => ({
  result: BigInt(result),
  mismatch,
});
export const fail = (errno: string): Attempt => ({ errno });

/** One call that may have to wait. */
class Call implements RunningCall {
  outcome: CallOutcome | null = null;
  cancel: Cancel | null = null;
  constructor(readonly attempt: (timedOut: boolean) => Attempt) {}
}

/** Descriptors by number, and calls in progress. */
export class Files {
  readonly #table = new Map<number, OpenFile>();
  /** Descriptors with FD_CLOEXEC. */
  readonly #closeOnExec = new Set<number>();
  readonly #waiting = new Set<Call>();
  #retrying = false;
  #again = false;

  constructor(
    readonly world: World,
    private readonly tell: () => void,
  ) {}

  get(fd: number): OpenFile | undefined {
    return this.#table.get(fd);
  }

  /** Enters a file under the number that the script expects (null: the lowest free one from 3 on). */
  enter(file: OpenFile, wanted: number | null): number {
    let fd = wanted ?? 3;
    while (wanted === null && this.#table.has(fd)) fd++;
    const before = this.#table.get(fd);
    this.#table.set(fd, file);
    file.references++;
    if (before !== undefined) this.#drop(before);
    if (file.references === 1) file.watchers.add(this.retry);
    return fd;
  }

  closesOnExec(fd: number): boolean {
    return this.#closeOnExec.has(fd);
  }

  closeOnExec(fd: number, on: boolean): void {
    if (on) this.#closeOnExec.add(fd);
    else this.#closeOnExec.delete(fd);
  }

  close(fd: number): boolean {
    const file = this.#table.get(fd);
    if (file === undefined) return false;
    this.#table.delete(fd);
    this.#closeOnExec.delete(fd);
    this.#drop(file);
    return true;
  }

  #drop(file: OpenFile): void {
    if (--file.references > 0) return;
    file.changed();
    file.release();
  }

  closeAll(): void {
    this.#waiting.clear();
    for (const fd of [...this.#table.keys()]) this.close(fd);
  }

  entries(): IterableIterator<[number, OpenFile]> {
    return this.#table.entries();
  }

  /**
   * Runs an attempt until it has a result. `timeout`: microseconds after which it is told that time is up, Infinity:
   * never.
   */
  run(attempt: (timedOut: boolean) => Attempt, timeout: number): RunningCall {
    const call = new Call(attempt);
    if (this.#try(call, timeout <= 0)) return call;
    this.#waiting.add(call);
    if (timeout < Infinity) {
      call.cancel = this.world.at(this.world.now() + timeout, () => {
        if (this.#try(call, true)) this.#finish(call);
      });
    }
    return call;
  }

  /** Something changed: calls that wait try again. */
  readonly retry = (): void => {
    this.#again = true;
    if (this.#retrying) return;
    this.#retrying = true;
    while (this.#again) {
      this.#again = false;
      for (const call of [...this.#waiting]) if (this.#try(call, false)) this.#finish(call);
    }
    this.#retrying = false;
  };

  #try(call: Call, timedOut: boolean): boolean {
    if (call.outcome !== null) return false;
    const done = call.attempt(timedOut);
    if (done === null) return false;
    const time = this.world.now();
    call.outcome =
      'errno' in done
        ? { result: -1n, errno: done.errno, mismatch: null, time }
        : { result: done.result, errno: null, mismatch: done.mismatch ?? null, time };
    return true;
  }

  #finish(call: Call): void {
    this.#waiting.delete(call);
    call.cancel?.();
    this.tell();
  }
}
