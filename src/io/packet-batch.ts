/** Packets on their way to or from one AF_PACKET socket: `struct mmsghdr` arrays and the memory that they point into. */
import { LINK_ADDRESS_SIZE } from './link-header.js';
import type { Native } from './native.js';

/** `struct virtio_net_hdr`: what the kernel knows of a packet's checksum and segments. */
export const VNET_SIZE = 10;

export class MessageBatch {
  readonly count: number;
  /** What sendmmsg and recvmmsg take. */
  readonly headers: Uint8Array;
  /** The packets, `slot` octets each: virtio header, then the IP packet. */
  readonly data: Buffer;
  readonly slot: number;
  readonly #view: DataView;
  readonly #base: bigint;
  readonly #names: Uint8Array;

  constructor(native: Native, count: number, slot: number) {
    this.count = count;
    this.slot = slot;
    this.headers = new Uint8Array(count * HEADER_SIZE);
    this.data = Buffer.allocUnsafeSlow(count * slot);
    this.#names = new Uint8Array(count * LINK_ADDRESS_SIZE);
    this.#view = new DataView(this.headers.buffer);
    this.#vectors = new Uint8Array(count * VECTOR_SIZE);
    const vectors = new DataView(this.#vectors.buffer);
    this.#base = native.address(this.data);
    const names = native.address(this.#names);
    const vector = native.address(this.#vectors);
    for (let i = 0; i < count; i++) {
      const at = i * HEADER_SIZE;
      this.#view.setBigUint64(at, names + BigInt(i * LINK_ADDRESS_SIZE), true);
      this.#view.setUint32(at + 8, LINK_ADDRESS_SIZE, true);
      this.#view.setBigUint64(at + 16, vector + BigInt(i * VECTOR_SIZE), true);
      this.#view.setBigUint64(at + 24, 1n, true);
      vectors.setBigUint64(i * VECTOR_SIZE, this.#base + BigInt(i * slot), true);
      vectors.setBigUint64(i * VECTOR_SIZE + 8, BigInt(slot), true);
    }
    this.#lengths = vectors;
  }
  /** Kept because the kernel reads it. */
  readonly #vectors: Uint8Array;
  readonly #lengths: DataView;

  /** Octets that message `i` had when it was received, virtio header included. */
  received(i: number): number {
    return this.#view.getUint32(i * HEADER_SIZE + 56, true);
  }

  /** The link address that message `i` came from. */
  name(i: number): Uint8Array {
    return this.#names.subarray(i * LINK_ADDRESS_SIZE, (i + 1) * LINK_ADDRESS_SIZE);
  }

  /** Makes message `i` ready to be sent: `length` octets from `start` in its slot, to a link address. */
  prepare(i: number, start: number, length: number, to: Uint8Array): void {
    this.#lengths.setBigUint64(i * VECTOR_SIZE, this.#base + BigInt(i * this.slot + start), true);
    this.#lengths.setUint32(i * VECTOR_SIZE + 8, length, true);
    this.#names.set(to, i * LINK_ADDRESS_SIZE);
  }
}

// struct mmsghdr, struct iovec on 64-bit Linux
const HEADER_SIZE = 64;
const VECTOR_SIZE = 16;
