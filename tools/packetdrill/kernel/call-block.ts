/** The memory through which the two threads talk: one call at a time. */
import type { Word } from './libc.js';

export const State = { Starting: 0, Idle: 1, Begin: 2, Running: 3, Done: 4, Stop: 5 } as const;

const STATE = 0;
const THREAD = 1;
const EVENT = 2;
const NAME_LENGTH = 3;
const ARGUMENTS = 6;

export class CallBlock {
  readonly memory: SharedArrayBuffer;
  readonly #control: Int32Array;
  readonly #words: BigInt64Array;
  readonly #name: Uint8Array;

  constructor(memory = new SharedArrayBuffer(256)) {
    this.memory = memory;
    this.#control = new Int32Array(memory, 0, 8);
    this.#words = new BigInt64Array(memory, 32, 8);
    this.#name = new Uint8Array(memory, 128, 64);
  }

  get state(): number {
    return Atomics.load(this.#control, STATE);
  }
  set state(state: number) {
    Atomics.store(this.#control, STATE, state);
    Atomics.notify(this.#control, STATE);
  }

  /** Sleeps while the state is one of these, at most so many milliseconds; returns it. */
  waitWhile(first: number, second = first, timeout = Infinity): number {
    for (;;) {
      const { state } = this;
      if (state !== first && state !== second) return state;
      if (Atomics.wait(this.#control, STATE, state, timeout) === 'timed-out') return this.state;
    }
  }

  /** The kernel's number of the thread that calls. */
  get thread(): number {
    return this.#control[THREAD]!;
  }
  set thread(id: number) {
    this.#control[THREAD] = id;
  }

  /** Descriptor that tells of the end of a call. */
  get event(): number {
    return this.#control[EVENT]!;
  }
  set event(fd: number) {
    this.#control[EVENT] = fd;
  }

  get request(): readonly [name: string, args: readonly bigint[]] {
    const length = this.#control[NAME_LENGTH]!;
    return [Buffer.from(this.#name.slice(0, length)).toString(), [...this.#words.subarray(0, ARGUMENTS)]];
  }

  ask(name: string, args: readonly Word[]): void {
    this.#control[NAME_LENGTH] = name.length;
    this.#name.set(Buffer.from(name));
    for (let i = 0; i < ARGUMENTS; i++) this.#words[i] = BigInt(args[i] ?? 0);
  }

  /** `time`: of the monotonic clock, nanoseconds. */
  answer(result: number, time: bigint): void {
    this.#words[ARGUMENTS] = BigInt(result);
    this.#words[ARGUMENTS + 1] = time;
  }

  get result(): number {
    return Number(this.#words[ARGUMENTS]);
  }
  get time(): bigint {
    return this.#words[ARGUMENTS + 1]!;
  }
}
