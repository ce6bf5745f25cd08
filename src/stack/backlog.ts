/**
 * Packets that the device refused, of one path, in their order: copies, so that the core's memory is free again at
 * once. The core sends no data over the path meanwhile (`setPathBlocked`).
 */
import type { OutPacket } from '../io/device.js';

/** Octets at first, and at most; packets at most: the core's transmit ring, and then ACKs. Others are lost. */
const FIRST = 1 << 18;
const LARGEST = 1 << 24;
const PACKETS = 1024;

export class Backlog {
  #octets = new Uint8Array(0);
  /** Of each packet; those before `#next` have left. */
  readonly #packets: { readonly length: number; readonly segment: number; readonly partial: number }[] = [];
  #next = 0;
  #from = 0;
  #to = 0;
  readonly #packet: OutPacket & { length: number; segment: number; partial: number };

  constructor() {
    this.#packet = {
      length: 0,
      segment: 0,
      partial: 0,
      copyTo: (target, offset) => {
        const { length } = this.#packet;
        target.set(this.#octets.subarray(this.#from, this.#from + length), offset);
        return length;
      },
    };
  }

  get isEmpty(): boolean {
    return this.#next === this.#packets.length;
  }

  /** Takes a copy of a packet. */
  push(packet: OutPacket): void {
    if (this.#packets.length - this.#next >= PACKETS || !this.#reserve(packet.length)) return;
    packet.copyTo(this.#octets, this.#to);
    this.#to += packet.length;
    const { length, segment, partial } = packet;
    this.#packets.push({ length, segment, partial });
  }

  /** Gives packets to `send` until it refuses one. True when none is left. */
  drain(send: (packet: OutPacket) => boolean): boolean {
    while (!this.isEmpty) {
      Object.assign(this.#packet, this.#packets[this.#next]);
      if (!send(this.#packet)) return false;
      this.#from += this.#packet.length;
      this.#next++;
    }
    this.#packets.length = 0;
    this.#next = this.#from = this.#to = 0;
    return true;
  }

  #reserve(length: number): boolean {
    if (this.#to + length <= this.#octets.length) return true;
    const size = Math.max(this.#octets.length * 2, FIRST);
    if (size > LARGEST) return false;
    const grown = new Uint8Array(size);
    grown.set(this.#octets.subarray(0, this.#to));
    this.#octets = grown;
    return this.#reserve(length);
  }
}
