/** Control data of UDP messages (cmsg(3)): of which datagrams the kernel makes them, or has made them. */
import type { Messages } from './messages.js';
import type { Native } from './native.js';

export class UdpControl {
  readonly #octets: DataView;
  readonly #base: number;
  readonly #messages: Messages;

  /** For the first `count` of `messages`. */
  constructor(native: Native, messages: Messages, count: number) {
    this.#octets = new DataView(new ArrayBuffer(count * SIZE));
    this.#base = Number(native.address(this.#octets));
    this.#messages = messages;
  }

  /** Has the kernel cut message `i` into datagrams of `size` octets; 0: it is one. */
  cut(i: number, size: number): void {
    const at = i * SIZE;
    this.#messages.setControl(i, this.#base + at, size === 0 ? 0 : SIZE);
    if (size === 0) return;
    this.#octets.setBigUint64(at, BigInt(HEADER + 2), true);
    this.#octets.setInt32(at + 8, SOL_UDP, true);
    this.#octets.setInt32(at + 12, UDP_SEGMENT, true);
    this.#octets.setUint16(at + HEADER, size, true);
  }

  /** Makes message `i` ready to receive. */
  reset(i: number): void {
    this.#messages.setControl(i, this.#base + i * SIZE, SIZE);
  }

  /** Octets of each datagram that the kernel joined to message `i`; 0: it is one. */
  joined(i: number): number {
    const at = i * SIZE;
    if (this.#messages.controlLength(i) < HEADER + 4) return 0;
    const level = this.#octets.getInt32(at + 8, true);
    const type = this.#octets.getInt32(at + 12, true);
    return level === SOL_UDP && type === UDP_GRO ? this.#octets.getInt32(at + HEADER, true) : 0;
  }
}

// linux/udp.h
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
// struct cmsghdr on 64-bit Linux, with room for an int
const HEADER = 16;
const SIZE = 24;
