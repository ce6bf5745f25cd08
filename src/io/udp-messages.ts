/** Datagrams on their way to or from UDP sockets: `struct mmsghdr` arrays, and the memory that they point into. */
import { SOCKET_ADDRESS_SIZE, type Native } from './native.js';
import { joinSegments } from './udp-join.js';

/** Takes a segment that arrived, valid during the call. */
export type TakeSegment = (segment: Uint8Array, remote: Uint8Array, port: number, joined: number) => void;

/** Messages with their names and control data, which both directions fill in their own way. */
class Messages {
  /** What sendmmsg and recvmmsg take. */
  readonly headers: Uint8Array;
  readonly data: Buffer;
  protected readonly view: DataView;
  protected readonly names: Uint8Array;
  protected readonly vectors: DataView;
  protected readonly control: DataView;
  protected readonly base: bigint;
  protected readonly vectorBase: bigint;

  constructor(native: Native, messages: number, vectors: number, octets: number) {
    this.headers = new Uint8Array(messages * MESSAGE_SIZE);
    this.data = Buffer.allocUnsafeSlow(octets);
    this.view = new DataView(this.headers.buffer);
    this.names = new Uint8Array(messages * SOCKET_ADDRESS_SIZE);
    this.vectors = new DataView(new ArrayBuffer(vectors * VECTOR_SIZE));
    this.control = new DataView(new ArrayBuffer(messages * CONTROL_SIZE));
    this.base = native.address(this.data);
    this.vectorBase = native.address(this.vectors);
    const names = native.address(this.names);
    const control = native.address(this.control);
    for (let i = 0; i < messages; i++) {
      const at = i * MESSAGE_SIZE;
      this.view.setBigUint64(at + NAME, names + BigInt(i * SOCKET_ADDRESS_SIZE), true);
      this.view.setBigUint64(at + CONTROL, control + BigInt(i * CONTROL_SIZE), true);
    }
  }
}

/**
 * Datagrams to be sent. Consecutive ones to the same peer, of equal size, are one message that the kernel cuts
 * (UDP_SEGMENT); the last of them may be shorter.
 */
export class OutgoingDatagrams extends Messages {
  /** Messages that are ready. */
  count = 0;
  /** Whether the kernel cuts messages. */
  joins: boolean;
  /** Where the next packet may be put in `data`. */
  #end = 0;
  #vector = 0;
  /** Of the latest message: octets per datagram, octets and datagrams in all. No octets: nothing joins it. */
  #size = 0;
  #octets = 0;
  #datagrams = 0;
  readonly #datagramsOf = new Uint8Array(SEND_MESSAGES);

  constructor(native: Native, joins: boolean) {
    super(native, SEND_MESSAGES, SEND_VECTORS, SEND_OCTETS);
    this.joins = joins;
    for (let i = 0; i < SEND_MESSAGES; i++) {
      const at = i * CONTROL_SIZE;
      this.control.setBigUint64(at, BigInt(CONTROL_HEADER + 2), true);
      this.control.setInt32(at + 8, SOL_UDP, true);
      this.control.setInt32(at + 12, UDP_SEGMENT, true);
    }
  }

  /** Where `octets` may be put for so many datagrams, or -1 if there is no room. */
  reserve(octets: number, datagrams: number): number {
    const full =
      this.count + datagrams > SEND_MESSAGES ||
      this.#vector + 2 * datagrams > SEND_VECTORS ||
      this.#end + octets > SEND_OCTETS;
    return full ? -1 : this.#end;
  }

  /** Begins a datagram of `length` octets that is part of the latest message. False: it needs one of its own. */
  join(length: number): boolean {
    if (!this.joins || length > this.#size || this.#datagrams === MAX_SEGMENTS) return false;
    if (this.#octets + length > MAX_OCTETS) return false;
    if (++this.#datagrams === 2) this.#segmented(this.count - 1);
    this.#datagramsOf[this.count - 1] = this.#datagrams;
    this.#octets += length;
    if (length < this.#size) this.#size = 0;
    return true;
  }

  /** Begins one as a message to `name`, or without a name to the socket's peer. */
  add(length: number, name: Uint8Array | null): void {
    const at = this.count * MESSAGE_SIZE;
    if (name !== null) this.names.set(name, this.count * SOCKET_ADDRESS_SIZE);
    // A name of no octets is none.
    this.view.setUint32(at + NAME_LENGTH, name?.length ?? 0, true);
    this.view.setBigUint64(at + VECTORS, this.vectorBase + BigInt(this.#vector * VECTOR_SIZE), true);
    this.view.setUint32(at + VECTORS_LENGTH, 0, true);
    this.view.setUint32(at + CONTROL_LENGTH, 0, true);
    this.#datagramsOf[this.count++] = 1;
    this.#size = this.#octets = length;
    this.#datagrams = 1;
  }

  /** Puts `length` octets of `data` from `start` into the datagram begun last. */
  put(start: number, length: number): void {
    const message = (this.count - 1) * MESSAGE_SIZE + VECTORS_LENGTH;
    this.view.setUint32(message, this.view.getUint32(message, true) + 1, true);
    const at = this.#vector++ * VECTOR_SIZE;
    this.vectors.setBigUint64(at, this.base + BigInt(start), true);
    this.vectors.setUint32(at + 8, length, true);
    this.#end = Math.max(this.#end, (start + length + 15) & ~15);
  }

  /** Datagrams of message `i`. */
  datagrams(i: number): number {
    return this.#datagramsOf[i] as number;
  }

  /** Calls `each` with a copy of every datagram of message `i`, and the name that it goes to. */
  apart(i: number, each: (datagram: Uint8Array, name: Uint8Array) => void): void {
    const at = i * MESSAGE_SIZE;
    const nameAt = i * SOCKET_ADDRESS_SIZE;
    const name = this.names.subarray(nameAt, nameAt + this.view.getUint32(at + NAME_LENGTH, true));
    const parts: Buffer[] = [];
    let vector = Number(this.view.getBigUint64(at + VECTORS, true) - this.vectorBase);
    for (let n = this.view.getUint32(at + VECTORS_LENGTH, true); n > 0; n--, vector += VECTOR_SIZE) {
      const start = Number(this.vectors.getBigUint64(vector, true) - this.base);
      parts.push(this.data.subarray(start, start + this.vectors.getUint32(vector + 8, true)));
    }
    const octets = Buffer.concat(parts);
    const size = this.control.getUint16(i * CONTROL_SIZE + CONTROL_HEADER, true);
    for (let from = 0; from < octets.length; from += size) each(octets.subarray(from, from + size), name);
  }

  clear(): void {
    this.count = this.#vector = this.#end = this.#size = 0;
  }

  #segmented(i: number): void {
    this.control.setUint16(i * CONTROL_SIZE + CONTROL_HEADER, this.#size, true);
    this.view.setUint32(i * MESSAGE_SIZE + CONTROL_LENGTH, CONTROL_SIZE, true);
  }
}

/** Room for datagrams that arrive, and for those that the kernel has joined (UDP_GRO). */
export class IncomingDatagrams extends Messages {
  constructor(native: Native) {
    super(native, RECEIVE_MESSAGES, RECEIVE_MESSAGES, RECEIVE_MESSAGES * RECEIVE_SIZE);
    for (let i = 0; i < RECEIVE_MESSAGES; i++) {
      const at = i * MESSAGE_SIZE;
      this.view.setBigUint64(at + VECTORS, this.vectorBase + BigInt(i * VECTOR_SIZE), true);
      this.view.setUint32(at + VECTORS_LENGTH, 1, true);
      this.vectors.setBigUint64(i * VECTOR_SIZE, this.base + BigInt(i * RECEIVE_SIZE), true);
      this.vectors.setUint32(i * VECTOR_SIZE + 8, RECEIVE_SIZE, true);
      this.#reset(i);
    }
  }

  /** Receives what is there, RECEIVE_MESSAGES at most. Returns messages, or a negative errno. */
  receive(native: Native, fd: number): number {
    return native.receiveMany(fd, this.headers, RECEIVE_MESSAGES);
  }

  /**
   * Calls `each` with the TCP segments of message `i`, joined where they are consecutive, and makes the message ready for
   * the next `receive`. `joined`: payload octets of each segment that was joined, or 0.
   */
  take(i: number, each: TakeSegment): void {
    const at = i * MESSAGE_SIZE;
    const nameAt = i * SOCKET_ADDRESS_SIZE;
    const v6 = this.view.getUint32(at + NAME_LENGTH, true) === SOCKET_ADDRESS_SIZE;
    const address = nameAt + (v6 ? 8 : 4);
    const remote = this.names.slice(address, address + (v6 ? 16 : 4));
    const port = ((this.names[nameAt + 2] as number) << 8) | (this.names[nameAt + 3] as number);
    const length = this.view.getUint32(at + MESSAGE_LENGTH, true);
    const size = this.#segmentSize(i);
    this.#reset(i);
    const { buffer } = this.data;
    const from = i * RECEIVE_SIZE;
    if (size <= 0 || size >= length) {
      each(new Uint8Array(buffer, from, length), remote, port, 0);
      return;
    }
    joinSegments(this.data, from, from + length, size, (start, end, payload) => {
      // A plain view costs half as much as a Buffer's `subarray`.
      each(new Uint8Array(buffer, start, end - start), remote, port, payload);
    });
  }

  /** Octets of each datagram that the kernel joined, or 0: it is one. */
  #segmentSize(i: number): number {
    const at = i * CONTROL_SIZE;
    const length = this.view.getUint32(i * MESSAGE_SIZE + CONTROL_LENGTH, true);
    if (length < CONTROL_HEADER + 4 || this.control.getInt32(at + 8, true) !== SOL_UDP) return 0;
    return this.control.getInt32(at + 12, true) === UDP_GRO
      ? this.control.getInt32(at + CONTROL_HEADER, true)
      : 0;
  }

  /** The kernel has written over what it was given. */
  #reset(i: number): void {
    this.view.setUint32(i * MESSAGE_SIZE + NAME_LENGTH, SOCKET_ADDRESS_SIZE, true);
    this.view.setUint32(i * MESSAGE_SIZE + CONTROL_LENGTH, CONTROL_SIZE, true);
  }
}

/** Messages per recvmmsg. */
export const RECEIVE_MESSAGES = 32;
const RECEIVE_SIZE = 65536;
const SEND_MESSAGES = 256;
const SEND_VECTORS = 1024;
const SEND_OCTETS = 1 << 19;
/** UDP_MAX_SEGMENTS of the kernels before 6.9, and what an IP packet takes with the largest header. */
const MAX_SEGMENTS = 64;
const MAX_OCTETS = 65535 - 40 - 8;
// linux/udp.h
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
// struct mmsghdr, struct iovec and struct cmsghdr on 64-bit Linux
export const MESSAGE_SIZE = 64;
const NAME = 0;
const NAME_LENGTH = 8;
const VECTORS = 16;
const VECTORS_LENGTH = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const MESSAGE_LENGTH = 56;
const VECTOR_SIZE = 16;
const CONTROL_HEADER = 16;
const CONTROL_SIZE = 24;
