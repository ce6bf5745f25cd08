/**
 * Whether loans are worth while on a connection. They are where answers come within the call that sends; elsewhere all
 * that was lent is copied after all, and the call has sent less at once than a write to the ring would have.
 */
export class LoanTrial {
  /** Loans in a row that were copied. */
  #failed = 0;
  /** Writes that are copied to the ring before another loan is tried, and how many at the last time. */
  #pause = 0;
  #length = FIRST_PAUSE;

  get isPaused(): boolean {
    return this.#pause > 0;
  }

  /** A write was copied to the ring. */
  passed(): void {
    this.#pause--;
  }

  /** A loan of `octets` is over, and `copied` of them had to be copied. */
  ended(octets: number, copied: number): void {
    if (copied < octets * USELESS) {
      this.#failed = 0;
      this.#length = FIRST_PAUSE;
    } else if (++this.#failed >= TRIES) {
      this.#pause = this.#length;
      this.#length = Math.min(2 * this.#length, LONGEST_PAUSE);
    }
  }
}

/** Share of a loan whose copying makes it useless. */
const USELESS = 0.9;
const TRIES = 4;
const FIRST_PAUSE = 8;
const LONGEST_PAUSE = 256;
