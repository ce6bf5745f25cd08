/**
 * Outgoing packets where they lie: each is a header and up to two spans of payload in one memory, so that a device can
 * hand them to the kernel without a copy. A span may lie in a loan instead: what an application lends for the moment.
 */
import type { OutPacket } from './device.js';

/** The address of a span that lies in the loan is its offset there plus this: the core's memory is smaller. */
export const LOAN = 0x80000000;

/** Octets in front of each header that belong to the device: it may write there what precedes the IP header. */
export const FRONT = 28;

export class OutBatch implements OutPacket {
  memory: Uint8Array = NO_MEMORY;
  /** Where spans lie whose address is at least LOAN. */
  loan: Uint8Array = NO_MEMORY;
  count = 0;
  readonly #fields: Uint32Array;
  /** The packet that the properties below speak of. */
  #at = 0;

  constructor(readonly capacity: number) {
    this.#fields = new Uint32Array(capacity * FIELDS);
  }

  get isFull(): boolean {
    return this.count === this.capacity;
  }

  clear(memory: Uint8Array, loan: Uint8Array = NO_MEMORY): void {
    this.memory = memory;
    this.loan = loan;
    this.count = 0;
  }

  /** Appends a packet: addresses and lengths of its pieces, and `segment` and `partial` as in `OutPacket`. */
  add(
    header: number,
    headerLength: number,
    span1: number,
    span1Length: number,
    span2: number,
    span2Length: number,
    segment: number,
    partial: number,
  ): void {
    const fields = this.#fields;
    const at = this.count++ * FIELDS;
    fields[at] = header;
    fields[at + 1] = headerLength;
    fields[at + 2] = span1;
    fields[at + 3] = span1Length;
    fields[at + 4] = span2;
    fields[at + 5] = span2Length;
    fields[at + 6] = segment;
    fields[at + 7] = partial;
  }

  /** Turns to packet `i`. */
  select(i: number): this {
    this.#at = i * FIELDS;
    return this;
  }

  get header(): number {
    return this.#fields[this.#at] as number;
  }
  get headerLength(): number {
    return this.#fields[this.#at + 1] as number;
  }
  get span1(): number {
    return this.#fields[this.#at + 2] as number;
  }
  get span1Length(): number {
    return this.#fields[this.#at + 3] as number;
  }
  get span2(): number {
    return this.#fields[this.#at + 4] as number;
  }
  get span2Length(): number {
    return this.#fields[this.#at + 5] as number;
  }
  get segment(): number {
    return this.#fields[this.#at + 6] as number;
  }
  get partial(): number {
    return this.#fields[this.#at + 7] as number;
  }
  get length(): number {
    return this.headerLength + this.span1Length + this.span2Length;
  }

  copyTo(target: Uint8Array, offset: number): number {
    const { headerLength, span1Length, span2Length } = this;
    target.set(this.#piece(this.header, headerLength), offset);
    let at = offset + headerLength;
    if (span1Length > 0) {
      target.set(this.#piece(this.span1, span1Length), at);
      at += span1Length;
    }
    if (span2Length > 0) target.set(this.#piece(this.span2, span2Length), at);
    return at + span2Length - offset;
  }

  #piece(address: number, length: number): Uint8Array {
    const { buffer, byteOffset } = address < LOAN ? this.memory : this.loan;
    // `subarray` would look for a species constructor each time; a plain view costs half as much.
    return new Uint8Array(buffer, byteOffset + (address < LOAN ? address : address - LOAN), length);
  }
}

const NO_MEMORY = new Uint8Array(0);
const FIELDS = 8;
