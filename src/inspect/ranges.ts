/** Octets seen so far as sorted ranges, each with an owner. Ends are exclusive; numbers as in sequence.ts. */
export interface Range<Owner> {
  readonly start: number;
  readonly end: number;
  readonly owner: Owner;
}

export class Ranges<Owner> {
  #list: Range<Owner>[] = [];

  /** Everything below the first hole, seen from `start`. */
  contiguousFrom(start: number): number {
    let end = start;
    for (let i = this.#firstEndingAt(start); i < this.#list.length; i++) {
      const range = this.#list[i]!;
      if (range.start > end) break;
      end = Math.max(end, range.end);
    }
    return end;
  }

  /** Adds what is missing of `[start, end)` to `owner` and returns the parts that were there before. */
  add(start: number, end: number, owner: Owner): Range<Owner>[] {
    if (end <= start) return [];
    const present: Range<Owner>[] = [];
    const first = this.#firstEndingAt(start + 1);
    const merged: Range<Owner>[] = [];
    let at = start;
    let next = first;
    for (; next < this.#list.length; next++) {
      const range = this.#list[next]!;
      if (range.start >= end) break;
      if (range.start > at) merged.push({ start: at, end: range.start, owner });
      const overlap = { start: Math.max(at, range.start), end: Math.min(end, range.end), owner: range.owner };
      if (overlap.end > overlap.start) present.push(overlap);
      merged.push(range);
      at = Math.max(at, range.end);
    }
    if (at < end) merged.push({ start: at, end, owner });
    this.#replace(first, next - first, merged);
    return present;
  }

  /** Forgets everything below `limit`. */
  dropBelow(limit: number): void {
    const keep = this.#firstEndingAt(limit + 1);
    if (keep > 0) this.#list.splice(0, keep);
    const range = this.#list[0];
    if (range !== undefined && range.start < limit) this.#list[0] = { ...range, start: limit };
  }

  get size(): number {
    return this.#list.length;
  }

  /** Puts the new ranges in place of old ones, joined with their neighbours of the same owner. */
  #replace(first: number, count: number, ranges: readonly Range<Owner>[]): void {
    const from = Math.max(0, first - 1);
    const to = Math.min(this.#list.length, first + count + 1);
    const joined: Range<Owner>[] = [];
    for (const range of [
      ...this.#list.slice(from, first),
      ...ranges,
      ...this.#list.slice(first + count, to),
    ]) {
      const last = joined.at(-1);
      if (last !== undefined && last.end === range.start && last.owner === range.owner) {
        joined[joined.length - 1] = { ...last, end: range.end };
      } else {
        joined.push(range);
      }
    }
    this.#list.splice(from, to - from, ...joined);
  }

  /** Index of the first range that ends at `limit` or later. */
  #firstEndingAt(limit: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#list[middle]!.end < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Octets in ranges. */
export function octetsIn(ranges: readonly { readonly start: number; readonly end: number }[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}
