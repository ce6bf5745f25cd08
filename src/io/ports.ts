/** The ports that are bound on one path, each as often as it is bound. */
export class PortBindings {
  readonly #counts = new Map<number, number>();

  /** True when the port was not bound before. */
  add(port: number): boolean {
    const count = this.#counts.get(port) ?? 0;
    this.#counts.set(port, count + 1);
    return count === 0;
  }

  /** What is left: bindings of the port after this one is undone, or -1 when there was none. */
  remove(port: number): number {
    const count = this.#counts.get(port);
    if (count === undefined) return -1;
    if (count > 1) this.#counts.set(port, count - 1);
    else this.#counts.delete(port);
    return count - 1;
  }

  has(port: number): boolean {
    return this.#counts.has(port);
  }

  /** Ports that are bound. */
  get size(): number {
    return this.#counts.size;
  }

  ports(): IterableIterator<number> {
    return this.#counts.keys();
  }

  /** Each port as often as it is bound. */
  all(): number[] {
    return [...this.#counts].flatMap(([port, count]) => Array<number>(count).fill(port));
  }
}
