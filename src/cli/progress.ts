/**
 * Progress on stderr: on a terminal a block that is redrawn in place, with one line per path and a total;
 * elsewhere one plain line every few seconds.
 */
import { say, type Context } from './context.js';
import type { PathBytes } from './paths.js';
import { formatBytes, formatDuration, formatRate, mbps, percent } from './units.js';

/** The state of a run at one moment. */
export interface Sample {
  readonly paths: readonly PathBytes[];
  readonly moved: number;
  readonly total: number;
}

export class ProgressView {
  readonly #context: Context;
  readonly #take: () => Sample;
  readonly #live: boolean;
  readonly #colour: boolean;
  readonly #history: Timed[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Lines of the block that stands on the terminal. */
  #drawn = 0;

  /** Starts to show what `take` returns. */
  constructor(context: Context, take: () => Sample) {
    const { NO_COLOR = '', TERM } = context.env;
    this.#context = context;
    this.#take = take;
    this.#live = context.stderr.isTTY === true && TERM !== 'dumb';
    this.#colour = NO_COLOR === '';
    this.#remember();
    this.#timer = setInterval(() => this.#tick(), this.#live ? LIVE_EVERY : PLAIN_EVERY);
  }

  /** Writes a line that stays, above the block. */
  note(line: string): void {
    this.#erase();
    say(this.#context, line);
    if (this.#live) this.#tick();
  }

  /** Stops, and takes the block away. */
  stop(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #tick(): void {
    const now = this.#remember();
    const then = this.#at(now.time - (this.#live ? RATE_OVER : PLAIN_EVERY));
    const rates = ratesBetween(then, now);
    const eta = remaining(this.#at(now.time - ETA_OVER), now);
    if (!this.#live) {
      const seconds = ((now.time - (this.#history[0] ?? now).time) / 1000).toFixed(0);
      say(this.#context, `${seconds} s: ${plainLine(now.sample, rates, eta)}`);
      return;
    }
    // A terminal that does not know its width says 0.
    const width = (this.#context.stderr.columns || 80) - 1;
    const lines = blockLines(now.sample, rates, eta).map((line) => line.slice(0, width));
    const block = lines.map((line, at) => `${this.#styled(line, at, lines.length)}\n`).join('');
    // In one piece, or the block flickers.
    this.#context.stderr.write(this.#rubber() + block);
    this.#drawn = lines.length;
  }

  #styled(line: string, at: number, count: number): string {
    if (!this.#colour) return line;
    return `${at === count - 1 ? BOLD : CYAN}${line}${PLAIN}`;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#context.stderr.write(this.#rubber());
    this.#drawn = 0;
  }

  /** Up to the block's first line, then clear to the end of the screen. */
  #rubber(): string {
    return this.#drawn > 0 ? `\u001b[${this.#drawn}A\u001b[J` : '';
  }

  #remember(): Timed {
    const now = { time: this.#context.now(), sample: this.#take() };
    this.#history.push(now);
    // The first stays, as the start of everything.
    while (this.#history.length > 2 && (this.#history[2]?.time ?? 0) < now.time - ETA_OVER) {
      this.#history.splice(1, 1);
    }
    return now;
  }

  /** The latest sample that is not younger than `time`, else the first. */
  #at(time: number): Timed {
    const found = this.#history.findLast((timed) => timed.time <= time) ?? this.#history[0];
    return found ?? this.#remember();
  }
}

interface Timed {
  readonly time: number;
  readonly sample: Sample;
}

export interface Rates {
  /** Mbit/s, in the order of the sample's paths. */
  readonly paths: readonly number[];
  readonly total: number;
}

export function ratesBetween(then: Timed, now: Timed): Rates {
  const span = now.time - then.time;
  const before = new Map(then.sample.paths.map(({ label, bytes }) => [label, bytes]));
  return {
    paths: now.sample.paths.map(({ label, bytes }) => mbps(bytes - (before.get(label) ?? 0), span)),
    total: mbps(now.sample.moved - then.sample.moved, span),
  };
}

/** Milliseconds to go at the present rate, or null while nothing moves. */
export function remaining(then: Timed, now: Timed): number | null {
  const moved = now.sample.moved - then.sample.moved;
  if (moved <= 0) return null;
  return ((now.sample.total - now.sample.moved) * (now.time - then.time)) / moved;
}

/** One line per path, and the total. */
export function blockLines(sample: Sample, rates: Rates, eta: number | null): string[] {
  const left = Math.max(5, ...sample.paths.map(({ label }) => label.length)) + 2;
  const sum = rates.paths.reduce((whole, rate) => whole + rate, 0);
  const line = (label: string, rate: number, share: string): string =>
    `${label.padEnd(left)}${formatRate(rate).padStart(13)}${share.padStart(7)}`;
  return [
    ...sample.paths.map(({ label }, at) => {
      const rate = rates.paths[at] ?? 0;
      return line(label, rate, `${sum > 0 ? Math.round((100 * rate) / sum) : 0} %`);
    }),
    `${line('total', rates.total, percent(sample.moved, sample.total))}   ${amount(sample)}   ${etaText(eta)}`,
  ];
}

export function plainLine(sample: Sample, rates: Rates, eta: number | null): string {
  const paths = sample.paths.map(({ label }, at) => `${label} ${(rates.paths[at] ?? 0).toFixed(1)}`);
  const total = `${formatRate(rates.total)}, ${percent(sample.moved, sample.total)}, ${amount(sample)}, ${etaText(eta)}`;
  return paths.length > 1 ? `${total}; ${paths.join(', ')}` : total;
}

const amount = ({ moved, total }: Sample): string => `${formatBytes(moved)} of ${formatBytes(total)}`;

const etaText = (eta: number | null): string => `${eta === null ? '-:--' : formatDuration(eta)} left`;

// ECMA-48. The styling of node:util looks at standard output, which is not where this goes.
const BOLD = '\u001b[1m';
const CYAN = '\u001b[36m';
const PLAIN = '\u001b[0m';
/** All in milliseconds. */
const LIVE_EVERY = 200;
const PLAIN_EVERY = 3000;
const RATE_OVER = 1000;
const ETA_OVER = 5000;
