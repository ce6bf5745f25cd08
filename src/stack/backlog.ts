/**
 * Packets that the device refused, of one path, in their order: copies, so that the core's memory is free again at
 * once. The core sends no data over the path meanwhile (`setPathBlocked`).
 */
import { FRONT, OutBatch } from '../io/out-batch.js';

/** Octets at first, and at most; packets at most: the core's transmit ring, and then ACKs. Others are lost. */
const FIRST = 1 << 18;
const LARGEST = 1 << 24;
const PACKETS = 1024;
/** Packets that are given at once. */
const BATCH = 64;

interface Kept {
  readonly at: number;
  readonly length: number;
  readonly headerLength: number;
  readonly segment: number;
  readonly partial: number;
}

export class Backlog {
  #octets = new Uint8Array(0);
  /** Those before `#next` have left. */
  readonly #packets: Kept[] = [];
  #next = 0;
  #to = 0;
  readonly #batch = new OutBatch(BATCH);

  get isEmpty(): boolean {
    return this.#next === this.#packets.length;
  }

  /** Takes a copy of a packet. */
  push(packet: OutBatch): void {
    const { length, headerLength, segment, partial } = packet;
    const at = (this.#to + FRONT + 15) & ~15;
    if (this.#packets.length - this.#next >= PACKETS || !this.#reserve(at + length)) return;
    packet.copyTo(this.#octets, at);
    this.#to = at + length;
    this.#packets.push({ at, length, headerLength, segment, partial });
  }

  /** Gives packets to `send`, which returns how many it took, until it refuses one. True when none is left. */
  drain(send: (packets: OutBatch) => number): boolean {
    const batch = this.#batch;
    while (!this.isEmpty) {
      batch.clear(this.#octets);
      for (const packet of this.#packets.slice(this.#next, this.#next + BATCH)) {
        const { at, length, headerLength, segment, partial } = packet;
        batch.add(at, headerLength, at + headerLength, length - headerLength, 0, 0, segment, partial);
      }
      const taken = send(batch);
      this.#next += taken;
      if (taken < batch.count) return false;
    }
    this.#packets.length = 0;
    this.#next = this.#to = 0;
    return true;
  }

  #reserve(end: number): boolean {
    if (end <= this.#octets.length) return true;
    const size = Math.max(this.#octets.length * 2, FIRST);
    if (size > LARGEST) return false;
    const grown = new Uint8Array(size);
    grown.set(this.#octets.subarray(0, this.#to));
    this.#octets = grown;
    return this.#reserve(end);
  }
}
