/** Measures goodput: octets that the peer has acknowledged, over time. */
import { mbps } from './units.js';

export class DemoMeter {
  readonly #now: () => number;
  readonly #acked: () => number;
  readonly #points: { time: number; bytes: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  /** Starts to measure. */
  constructor(now: () => number, acked: () => number) {
    this.#now = now;
    this.#acked = acked;
    this.take();
    this.#timer = setInterval(() => this.take(), EVERY);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.take();
  }

  take(): void {
    this.#points.push({ time: this.#now(), bytes: this.#acked() });
  }

  /** Mbit/s between two times, on the clock of `now`; null where less than two points lie between them. */
  rate(from: number, to: number): number | null {
    const within = this.#points.filter(({ time }) => time >= from && time <= to);
    const [first, last] = [within[0], within.at(-1)];
    if (first === undefined || last === undefined || last.time === first.time) return null;
    return mbps(last.bytes - first.bytes, last.time - first.time);
  }
}

/** Milliseconds. */
const EVERY = 50;
