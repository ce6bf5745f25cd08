/** What a benchmark prints: one JSON line per figure, and whether every limit held. */

export interface Figure {
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  /** What the value is compared with, measured in the same run. */
  readonly peer?: string;
  readonly peerValue?: number;
  readonly limit?: { readonly least: number } | { readonly most: number };
  /** A figure of speed depends on who else uses the machine: missing its limit does not fail the run. */
  readonly speed?: boolean;
}

export class Report {
  failed = false;
  readonly #bench: string;

  constructor(bench: string) {
    this.#bench = bench;
  }

  add(figure: Figure): void {
    const { limit, value, peer, peerValue } = figure;
    const line: Record<string, string | number | boolean> = {
      bench: this.#bench,
      case: figure.case,
      value: rounded(value),
      unit: figure.unit,
    };
    if (peer !== undefined && peerValue !== undefined) {
      line['peer'] = peer;
      line['peerValue'] = rounded(peerValue);
      line['ratio'] = rounded(value / peerValue);
    }
    if (limit !== undefined) {
      const ok = 'least' in limit ? value >= limit.least : value <= limit.most;
      line['limit'] = 'least' in limit ? limit.least : limit.most;
      line['ok'] = ok;
      if (!ok && figure.speed !== true) this.failed = true;
    }
    console.log(JSON.stringify(line));
  }
}

/** Four digits are more than such figures deserve; whole numbers stay whole. */
const rounded = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(4)));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}
