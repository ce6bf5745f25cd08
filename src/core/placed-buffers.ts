/** Buffers in which payload came, as the core addresses them (assembly/mptcp/placed.ts): a number, and an offset. */
import * as abi from '../../assembly/abi.js';

export class PlacedBuffers {
  readonly #memory: () => DataView;
  /** Where the core counts what each is needed for. */
  readonly #uses: number;
  readonly #buffers: (Uint8Array | undefined)[] = [];
  #next = 0;
  /** Rises with payload that had to be copied after all. */
  #waste = 0;

  constructor(memory: () => DataView, uses: number) {
    this.#memory = memory;
    this.#uses = uses;
  }

  /** Whether `n` more can be kept, and it is worth while. */
  hasRoom(n: number): boolean {
    if (this.#waste > MUCH_WASTE) {
      this.#waste--;
      return false;
    }
    let free = 0;
    for (let i = 0; i < abi.PLACED_SLOTS && free < n; i++) if (this.#usesOf(i) === 0) free++;
    return free >= n;
  }

  /** The address of a buffer until its packet is handled and its octets are read. There is room (`hasRoom`). */
  keep(payload: Uint8Array): number {
    let i = this.#next;
    while (this.#usesOf(i) !== 0) i = (i + 1) % abi.PLACED_SLOTS;
    this.#next = (i + 1) % abi.PLACED_SLOTS;
    this.#buffers[i] = payload;
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
    this.wasRead(address);
  }

  /** Octets at an address were read, perhaps the last ones. */
  wasRead(address: number): void {
    this.#tidy(numberOf(address));
  }

  /** A connection is gone, and with it what it had not read. */
  tidy(): void {
    if (this.#buffers.length > 0) for (let i = 0; i < abi.PLACED_SLOTS; i++) this.#tidy(i);
  }

  #tidy(i: number): void {
    if (this.#usesOf(i) === 0) this.#buffers[i] = undefined;
  }

  /** Buffers that are kept. */
  get count(): number {
    return this.#buffers.filter((buffer) => buffer !== undefined).length;
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
