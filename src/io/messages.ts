/** `struct mmsghdr` arrays for sendmmsg(2) and recvmmsg(2), with the pieces of each message wherever they lie. */
import { LINK_ADDRESS_SIZE } from './link-header.js';
import type { Native } from './native.js';

export class Messages {
  readonly #native: Native;
  readonly #headers: Uint8Array;
  readonly #words: Uint32Array;
  /** Kept because the kernel reads them. */
  readonly #vectors: Uint32Array;
  /** Where the socket addresses lie, each at `nameAt`. */
  readonly names: Uint8Array;
  readonly #nameLength: number;
  readonly #perMessage: number;

  /** `vectors`: pieces of a message at most. `nameLength`: of the socket addresses that are received. */
  constructor(native: Native, count: number, vectors: number, nameLength = LINK_ADDRESS_SIZE) {
    this.#native = native;
    this.#nameLength = nameLength;
    this.#perMessage = vectors;
    this.#words = new Uint32Array(count * HEADER_WORDS);
    this.#headers = new Uint8Array(this.#words.buffer);
    this.#vectors = new Uint32Array(count * vectors * VECTOR_WORDS);
    this.names = new Uint8Array(count * NAME_SIZE);
    const names = Number(native.address(this.names));
    const firstVector = Number(native.address(this.#vectors));
    for (let i = 0; i < count; i++) {
      const at = i * HEADER_WORDS;
      put(this.#words, at + NAME, names + i * NAME_SIZE);
      this.#words[at + NAME_LENGTH] = nameLength;
      put(this.#words, at + VECTORS, firstVector + i * vectors * VECTOR_WORDS * 4);
      this.#words[at + VECTOR_COUNT] = 1;
    }
  }

  /** Piece `v` of message `i` lies at an address of this process. */
  setPiece(i: number, v: number, address: number, length: number): void {
    const at = (i * this.#perMessage + v) * VECTOR_WORDS;
    put(this.#vectors, at, address);
    this.#vectors[at + 2] = length;
  }

  /** Message `i` has `count` pieces. */
  setPieces(i: number, count: number): void {
    this.#words[i * HEADER_WORDS + VECTOR_COUNT] = count;
  }

  /** Message `i` goes to a socket address; one of no octets is none. */
  setName(i: number, name: Uint8Array): void {
    this.names.set(name, i * NAME_SIZE);
    this.#words[i * HEADER_WORDS + NAME_LENGTH] = name.length;
  }

  /** The socket address that message `i` came from, or goes to. */
  name(i: number): Uint8Array {
    const length = this.#words[i * HEADER_WORDS + NAME_LENGTH] as number;
    return this.names.subarray(i * NAME_SIZE, i * NAME_SIZE + length);
  }

  /** Where that address lies in `names`. */
  nameAt(i: number): number {
    return i * NAME_SIZE;
  }

  /** Message `i` has `length` octets of control data at an address of this process, or room for so many. */
  setControl(i: number, address: number, length: number): void {
    const at = i * HEADER_WORDS;
    put(this.#words, at + CONTROL, address);
    this.#words[at + CONTROL_LENGTH] = length;
  }

  /** Octets of control data that came with message `i`. */
  controlLength(i: number): number {
    return this.#words[i * HEADER_WORDS + CONTROL_LENGTH] as number;
  }

  /** Makes message `i` ready to receive another socket address. */
  resetName(i: number): void {
    this.#words[i * HEADER_WORDS + NAME_LENGTH] = this.#nameLength;
  }

  /** Octets that message `i` had when it was received; more than there was room for are lost. */
  received(i: number): number {
    return this.#words[i * HEADER_WORDS + LENGTH] as number;
  }

  /** Sends messages `from` to `to` - 1. How many left, or a negative errno. */
  send(fd: number, from: number, to: number): number {
    const headers = from === 0 ? this.#headers : this.#headers.subarray(from * HEADER_WORDS * 4);
    return this.#native.sendMany(fd, headers, to - from);
  }

  /** Receives up to `count` messages. How many came, or a negative errno. */
  receive(fd: number, count: number): number {
    return this.#native.receiveMany(fd, this.#headers, count);
  }
}

/** A pointer, low word first. */
function put(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0;
  words[at + 1] = Math.floor(address / 2 ** 32);
}

// struct mmsghdr, struct iovec on 64-bit Linux, in words of 4 octets
const HEADER_WORDS = 16;
const NAME = 0;
const NAME_LENGTH = 2;
const VECTORS = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const LENGTH = 14;
const VECTOR_WORDS = 4;
/** `struct sockaddr_in6`, the largest, and what makes the next one aligned. */
const NAME_SIZE = 32;
