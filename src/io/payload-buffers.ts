/**
 * Where the packets of a batch are received: each in one piece in its place of the receive ring, or its first octets there,
 * which are no payload, and the rest in a buffer of its own. A large packet leaves that buffer to whoever reads it.
 */
import type { Messages } from './messages.js';
import type { Native } from './native.js';
import { VNET_SIZE } from './vnet-header.js';

export class PayloadBuffers {
  readonly #native: Native;
  readonly #messages: Messages;
  readonly #count: number;
  readonly #size: number;
  /** Of each message, as long as nobody has it. */
  readonly #buffers: (Buffer | null)[];
  #address = 0;
  #apart = false;

  /** `count` messages of a batch, each of `size` octets at most. */
  constructor(native: Native, messages: Messages, count: number, size: number) {
    this.#native = native;
    this.#messages = messages;
    this.#count = count;
    this.#size = size;
    this.#buffers = new Array<null>(count).fill(null);
  }

  /** Before a batch: places begin at an address; `apart`: with buffers. As a rule all is as it was for the one before. */
  prepare(address: number, apart: boolean): void {
    if (address !== this.#address || apart !== this.#apart) {
      this.#address = address;
      this.#apart = apart;
      for (let i = 0; i < this.#count; i++) {
        this.#messages.setPiece(i, 0, address + i * this.#size, apart ? FRONT : this.#size);
        this.#messages.setPieces(i, apart ? 2 : 1);
      }
    }
    if (apart) for (let i = 0; i < this.#count; i++) if (this.#buffers[i] === null) this.#renew(i);
  }

  /** No batch follows soon. */
  release(): void {
    this.#buffers.fill(null);
  }

  #renew(i: number): void {
    const buffer = Buffer.allocUnsafe(this.#size - FRONT);
    this.#buffers[i] = buffer;
    this.#messages.setPiece(i, 1, Number(this.#native.address(buffer)), buffer.length);
  }

  /**
   * Message `i` of `received` octets came, whose place is at `at` of `octets`: its headers are there after this. True: the
   * rest is in its buffer.
   */
  came(i: number, received: number, octets: Uint8Array, at: number): boolean {
    if (!this.#apart || received <= FRONT) return false;
    const isLarge = received >= WORTHY;
    this.#bring(i, isLarge ? FRONT + HEADERS : received, octets, at);
    return isLarge;
  }

  /** Everything goes to its place. */
  restore(i: number, received: number, octets: Uint8Array, at: number): void {
    this.#bring(i, received, octets, at);
  }

  #bring(i: number, end: number, octets: Uint8Array, at: number): void {
    const buffer = this.#buffers[i] as Buffer;
    octets.set(buffer.subarray(0, end - FRONT), at + FRONT);
  }

  /** Gives the octets of message `i` from the `from`-th on away. */
  take(i: number, from: number, received: number): Buffer {
    const buffer = this.#buffers[i] as Buffer;
    this.#buffers[i] = null;
    return buffer.subarray(from - FRONT, received - FRONT);
  }
}

/** Octets before the payload at least: of `struct virtio_net_hdr`, IPv4 and TCP. */
export const FRONT = VNET_SIZE + 20 + 20;
/** What headers have beyond that at most: Ethernet's, options of IPv4 and TCP. */
const HEADERS = 14 + 40 + 40;
/** Smaller packets are copied: a buffer costs more. */
export const WORTHY = 32768;
