/** What arrives at the UDP sockets of a device, in batches; one for all of them, for it is handed on at once. */
import { MappedMemory } from './mapped-memory.js';
import { Messages } from './messages.js';
import { SOCKET_ADDRESS_SIZE, type Native } from './native.js';
import { UdpControl } from './udp-control.js';
import { joinSegments } from './udp-join.js';

/** Takes a segment that arrived, valid during the call; the arguments are those of `DeviceHost.receiveSegment`. */
export type TakeSegment = (segment: Uint8Array, remote: Uint8Array, port: number, joined: number) => void;

export class UdpReceiver {
  readonly #messages: Messages;
  readonly #control: UdpControl;
  readonly #memory: MappedMemory;

  constructor(native: Native) {
    this.#messages = new Messages(native, MESSAGES, 1, SOCKET_ADDRESS_SIZE);
    this.#control = new UdpControl(native, this.#messages, MESSAGES);
    this.#memory = new MappedMemory(native);
    this.#memory.look(new Uint8Array(MESSAGES * PLACE));
    for (let i = 0; i < MESSAGES; i++) {
      this.#messages.setPiece(i, 0, this.#memory.base + i * PLACE, PLACE);
      this.#control.reset(i);
    }
  }

  /** Receives one batch. Returns 1 if more may wait, 0 if not, or a negative errno. */
  receive(fd: number, take: TakeSegment): number {
    const n = this.#messages.receive(fd, MESSAGES);
    if (n < 0) return n;
    for (let i = 0; i < n; i++) this.#take(i, take);
    return n === MESSAGES ? 1 : 0;
  }

  /** Hands on the segments of message `i`, joined where they are consecutive. */
  #take(i: number, take: TakeSegment): void {
    const name = this.#messages.name(i);
    const remote = name.length === SOCKET_ADDRESS_SIZE ? name.slice(8, 24) : name.slice(4, 8);
    const port = ((name[2] as number) << 8) | (name[3] as number);
    const length = this.#messages.received(i);
    const size = this.#control.joined(i);
    this.#messages.resetName(i);
    this.#control.reset(i);
    const { octets } = this.#memory;
    const from = i * PLACE;
    // A plain view costs half as much as a Buffer's `subarray`.
    const view = (start: number, end: number): Uint8Array =>
      new Uint8Array(octets.buffer, octets.byteOffset + start, end - start);
    if (size <= 0 || size >= length) {
      take(view(from, from + length), remote, port, 0);
      return;
    }
    joinSegments(octets, from, from + length, size, (start, end, payload) => {
      take(view(start, end), remote, port, payload);
    });
  }
}

/** Messages per call. */
const MESSAGES = 32;
const PLACE = 65536;
