/** What the programs of a benchmark tell it: one JSON line at a time. */

export interface Measured {
  readonly octets: number;
  readonly seconds: number;
  /** Processor time of the process meanwhile, in seconds. */
  readonly cpu: number;
}

/** Exit code of a sender that repeats nothing, and lost a packet. */
export const LOST = 3;

export function report(what: object): void {
  console.log(JSON.stringify(what));
}
