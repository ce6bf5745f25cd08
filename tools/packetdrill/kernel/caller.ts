/** The main thread's end of the thread that makes the calls. */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { CallBlock, State } from './call-block.js';
import { pointer, type Libc, type Word } from './libc.js';

/** Milliseconds until a thread that was interrupted has to be back. */
const PATIENCE = 2000;
const EFD_NONBLOCK = 0o4000;

export interface CallResult {
  /** A negative one is an errno. */
  readonly result: number;
  /** Nanoseconds of the monotonic clock. */
  readonly time: bigint;
}

export class Caller {
  readonly #libc: Libc;
  readonly #block = new CallBlock();
  /** Becomes readable when a call ends. */
  readonly event: number;
  readonly #octets = Buffer.alloc(8);

  private constructor(libc: Libc) {
    this.#libc = libc;
    this.event = libc.call('eventfd', 0, EFD_NONBLOCK);
    this.#block.event = this.event;
  }

  static open(libc: Libc): Caller {
    const caller = new Caller(libc);
    const worker = new Worker(new URL('call-thread.js', import.meta.url), {
      workerData: caller.#block.memory,
    });
    worker.unref();
    process.on('SIGUSR2', () => undefined); // see `interrupt`
    if (caller.#block.waitWhile(State.Starting, State.Starting, 10_000) !== State.Idle)
      throw new Error('the thread for socket calls does not start');
    return caller;
  }

  get busy(): boolean {
    return this.#block.state !== State.Idle;
  }

  /** Begins a call; what its arguments point at has to stay where it is until the call is over. */
  begin(name: string, args: readonly Word[]): void {
    if (this.busy) throw new Error('one call at a time');
    this.#block.ask(name, args);
    this.#block.state = State.Begin;
    // An event after the call has to find it in the kernel.
    for (let tries = 0; tries < 1000 && !this.#underWay; tries++) this.#libc.call('usleep', 20);
  }

  /** The call is over, or sleeps. */
  get #underWay(): boolean {
    const { state, thread } = this.#block;
    if (state === State.Done) return true;
    return (
      state === State.Running && /\) [SD]/.test(readFileSync(`/proc/self/task/${thread}/stat`, 'latin1'))
    );
  }

  /** null: it goes on. */
  collect(): CallResult | null {
    if (this.#block.state !== State.Done) return null;
    this.#libc.call('read', this.event, pointer(this.#octets), 8);
    const { result, time } = this.#block;
    this.#block.state = State.Idle;
    return { result, time };
  }

  /** A call that is waited for. */
  now(name: string, ...args: Word[]): number {
    this.begin(name, args);
    this.#block.waitWhile(State.Begin, State.Running);
    return this.collect()!.result;
  }

  /** Ends a call that blocks. Calls that sleep on sockets were woken already; a signal ends the others. */
  interrupt(): void {
    if (!this.busy) return;
    this.#libc.call('tgkill', process.pid, this.#block.thread, SIGUSR2);
    const state = this.#block.waitWhile(State.Begin, State.Running, PATIENCE);
    if (state !== State.Done) throw new Error('a socket call does not end');
    this.collect();
  }

  close(): void {
    this.#block.state = State.Stop;
    this.#libc.call('close', this.event);
  }
}

const SIGUSR2 = 12;
