/**
 * Time. Everything in Plait counts f64 microseconds since an arbitrary start. This file, `random.ts` and
 * `io/driver.ts` are the only ones that ask the machine.
 */
export interface Clock {
  /** Monotonic time in microseconds. */
  now(): number;
}

/** The machine's monotonic clock. */
export const realClock: Clock = {
  now: () => performance.now() * 1000,
};

/** A clock that moves only by hand: the simulator's. */
export class ManualClock implements Clock {
  #now: number;
  constructor(start = 0) {
    this.#now = start;
  }
  now(): number {
    return this.#now;
  }
  /** Moves forward to `time` (microseconds); never back. */
  advanceTo(time: number): void {
    if (time > this.#now) this.#now = time;
  }
}

/** Wall-clock time in milliseconds since 1970, for captures and file times only. */
export const wallTime = (): number => Date.now();
