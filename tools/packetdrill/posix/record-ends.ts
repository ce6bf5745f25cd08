/**
 * MSG_EOR: no segment has octets from both sides of a record's end (Linux begins a new buffer there). What is written
 * behind an end that was not sent yet waits here, and counts as part of the send queue.
 */
interface Held {
  readonly data: Uint8Array;
  readonly more: boolean;
  ends: boolean;
}

export class RecordEnds {
  readonly #held: Held[] = [];
  /** What was written last ends a record. */
  #ended = false;
  octets = 0;

  /** Whether octets have to wait, given that so many of those before are not sent. */
  waits(unsent: number): boolean {
    if (unsent === 0 && this.#held.length === 0) this.#ended = false;
    return this.#held.length > 0 || (this.#ended && unsent > 0);
  }

  /** Whether progress of the queue has to be told. */
  get watched(): boolean {
    return this.#ended || this.#held.length > 0;
  }

  hold(data: Uint8Array, more: boolean): void {
    this.#held.push({ data: Uint8Array.from(data), more, ends: false });
    this.octets += data.length;
  }

  /** A record ends with the last octet written. */
  end(): void {
    const last = this.#held.at(-1);
    if (last === undefined) this.#ended = true;
    else last.ends = true;
  }

  /** Writes what need not wait; `all`: whatever waits. */
  flush(unsent: number, write: (data: Uint8Array, more: boolean) => void, all = false): void {
    if (unsent === 0) this.#ended = false;
    while (this.#held.length > 0 && (all || !this.#ended)) {
      const { data, more, ends } = this.#held.shift()!;
      this.octets -= data.length;
      write(data, more);
      this.#ended = ends;
    }
  }
}
