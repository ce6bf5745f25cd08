/**
 * The driver of real time: runs a stack when a packet came, a deadline is due, or the application asked. The only
 * file with timers of the platform.
 */
import type { Clock } from '../core/clock.js';
import type { Cancel, Timers } from './timers.js';

export interface Runnable {
  /** Handles everything due at `now` (microseconds). Returns the next deadline, or Infinity. */
  run(now: number): number;
}

/** The longest delay that setTimeout takes, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

export class Driver implements Timers {
  readonly #clock: Clock;
  #stack: Runnable | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #timerAt = Infinity;
  #immediate: ReturnType<typeof setImmediate> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  drive(stack: Runnable): void {
    this.#stack = stack;
  }

  now(): number {
    return this.#clock.now();
  }

  /**
   * Runs the stack once this turn of the event loop is over. Packets that the same turn brings make one batch with
   * one set of acknowledgements.
   */
  readonly wake = (): void => {
    if (this.#immediate === null && this.#stack !== null) this.#immediate = setImmediate(this.#onImmediate);
  };

  /** Runs the stack in this call. */
  readonly runNow = (): void => {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    this.#run();
  };

  readonly #onImmediate = (): void => {
    this.#immediate = null;
    this.#run();
  };

  readonly #onTimer = (): void => {
    this.#timer = null;
    this.#timerAt = Infinity;
    // Timers come before sockets in a turn of the event loop. What waits in those comes first: a program that was not
    // run for a while would take acknowledgements that are there for lost.
    this.wake();
  };

  #run(): void {
    const stack = this.#stack;
    if (stack === null) return;
    let next: number;
    try {
      next = stack.run(this.#clock.now());
    } catch (error) {
      this.wake(); // a program may go on after a handler of its own has thrown
      throw error;
    }
    if (this.#stack === null || next >= this.#timerAt) return; // waking early is harmless
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerAt = next;
    if (next === Infinity) return;
    const delay = Math.max(0, Math.ceil((next - this.#clock.now()) / 1000));
    this.#timer = setTimeout(this.#onTimer, Math.min(delay, MAX_DELAY));
  }

  at(time: number, fn: () => void): Cancel {
    const delay = Math.max(0, Math.ceil((time - this.#clock.now()) / 1000));
    const timer = setTimeout(fn, Math.min(delay, MAX_DELAY));
    // A slow timer alone keeps no program alive.
    timer.unref();
    return () => clearTimeout(timer);
  }

  /** Resolves after `delay` microseconds. */
  sleep(delay: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, delay / 1000));
  }

  /** Stops driving. */
  close(): void {
    this.#stack = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = this.#immediate = null;
  }
}
