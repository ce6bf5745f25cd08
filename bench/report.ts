/** What a benchmark prints: one JSON line per figure, and whether every limit held. */

export interface Figure {
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is compared with, measured in the same run. */
  readonly peer?: string;
  readonly peerValue?: number;
  /** What any program can reach this way, measured in the same run. */
  readonly bound?: string;
  readonly boundValue?: number;
  /** Of the value, or of its ratio to the peer's. */
  readonly limit?: Limit;
  /** What helps to understand the figure. */
  readonly detail?: Readonly<Record<string, number | string>>;
}

export type Limit =
  | { readonly least: number }
  | { readonly most: number }
  | { readonly leastRatio: number }
  | { readonly mostRatio: number };

export interface Line extends Figure {
  readonly bench: string;
  readonly ratio?: number;
  /** Of the value to its bound. */
  readonly share?: number;
  readonly ok?: boolean;
}

export class Report {
  readonly lines: Line[] = [];
  readonly #bench: string;
  readonly #only: string | undefined;
  readonly #print: (line: string) => void;

  /** `only`: a case whose name does not contain it is not wanted. */
  constructor(bench: string, only?: string, print: (line: string) => void = console.log) {
    this.#bench = bench;
    this.#only = only;
    this.#print = print;
  }

  get failed(): boolean {
    return this.lines.some(({ ok }) => ok === false);
  }

  /** Benchmarks whose cases are independent measure only those that are. */
  wants(name: string): boolean {
    return this.#only === undefined || name.includes(this.#only);
  }

  add(figure: Figure): void {
    const { value, peerValue, boundValue, limit, detail } = figure;
    const ratio = peerValue === undefined ? undefined : value / peerValue;
    const line: Line = {
      bench: this.#bench,
      ...figure,
      value: rounded(value),
      ...(peerValue === undefined ? {} : { peerValue: rounded(peerValue) }),
      ...(ratio === undefined ? {} : { ratio: rounded(ratio) }),
      ...(boundValue === undefined
        ? {}
        : { boundValue: rounded(boundValue), share: rounded(value / boundValue) }),
      ...(limit === undefined ? {} : { ok: holds(limit, value, ratio ?? NaN) }),
    };
    this.lines.push(line);
    const details = Object.entries(detail ?? {}).map(([name, one]) => [
      name,
      typeof one === 'number' ? rounded(one) : one,
    ]);
    this.#print(
      JSON.stringify({
        ...line,
        ...limit,
        limit: undefined,
        detail: undefined,
        ...Object.fromEntries(details),
      }),
    );
  }
}

function holds(limit: Limit, value: number, ratio: number): boolean {
  if ('least' in limit) return value >= limit.least;
  if ('most' in limit) return value <= limit.most;
  return 'leastRatio' in limit ? ratio >= limit.leastRatio : ratio <= limit.mostRatio;
}

/** Four digits are more than such figures deserve; whole numbers stay whole. */
const rounded = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(4)));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}
