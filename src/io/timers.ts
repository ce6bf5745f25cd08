/** One-shot timers on a monotonic clock, for parts that need a wake-up and may not ask the machine for it. */

/** Takes the timer back. Harmless after it fired. */
export type Cancel = () => void;

export interface Timers {
  /** Monotonic time in microseconds. */
  now(): number;
  /**
   * Calls `fn` once, at `time` (microseconds) or soon after, never from within `at` itself. A time in the past
   * means as soon as possible.
   */
  at(time: number, fn: () => void): Cancel;
}
