/** Buffers in which payload came, as the core addresses them (assembly/mptcp/placed.ts): a number, and an offset. */
import * as abi from '../../assembly/abi.js';

export class PlacedBuffers {
  readonly #memory: () => DataView;
  /** Where the core counts what each is needed for. */
  readonly #uses: number;
  readonly #buffers = new Array<Uint8Array | undefined>(abi.PLACED_SLOTS).fill(undefined);
  #count = 0;
  #next = 0;
  /** Rises with payload that had to be copied after all. */
  #waste = 0;

  constructor(memory: () => DataView, uses: number) {
    this.#memory = memory;
    this.#uses = uses;
  }

  /** Buffers that are kept. */
  get count(): number {
    return this.#count;
  }

  /** Before each batch: whether the payload of `n` more packets may come so, and that has been worth while lately. */
  takes(n: number): boolean {
    if (this.#waste > MUCH_WASTE) {
      this.#waste--;
      return false;
    }
    return this.#count + n <= abi.PLACED_SLOTS;
  }

  /** The address of a buffer until `tidy` finds it unused. There is room (`takes`). */
  keep(payload: Uint8Array): number {
    let i = this.#next;
    while (this.#buffers[i] !== undefined) i = (i + 1) % abi.PLACED_SLOTS;
    this.#next = (i + 1) % abi.PLACED_SLOTS;
    this.#buffers[i] = payload;
    this.#count++;
    this.#use(i, 1);
    this.#waste = Math.max(0, this.#waste - 1);
    return abi.PLACED + i * SIZE;
  }

  octetsAt(address: number, length: number): Uint8Array {
    const offset = address % SIZE;
    return (this.#buffers[numberOf(address)] as Uint8Array).subarray(offset, offset + length);
  }

  /** The packet with this payload needs it no more: it has a copy. */
  copied(address: number): void {
    this.#use(numberOf(address), -1);
    this.#waste += COPY;
  }

  /** Lets go of those of which nothing is left to be handled or read. */
  tidy(): void {
    for (let i = 0; i < abi.PLACED_SLOTS && this.#count > 0; i++) {
      if (this.#buffers[i] === undefined || this.#usesOf(i) > 0) continue;
      this.#buffers[i] = undefined;
      this.#count--;
    }
  }

  #usesOf(i: number): number {
    return this.#memory().getUint16(this.#uses + i * 2, true);
  }

  #use(i: number, by: number): void {
    this.#memory().setUint16(this.#uses + i * 2, this.#usesOf(i) + by, true);
  }
}

const SIZE = 2 ** abi.PLACED_SHIFT;
const numberOf = (address: number): number => ((address - abi.PLACED) / SIZE) | 0;

/** A copy weighs as much as so many buffers that need none; buffers are left out for a while beyond MUCH_WASTE. */
const COPY = 2;
const MUCH_WASTE = 128;
