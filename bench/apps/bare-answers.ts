/** What a peer answers to a bare flow: TCP segments read from a packet socket, as far as a sender without losses needs them. */
import { pathFilters } from '../../src/io/bpf.js';
import { ETH_P_IP, linkAddress } from '../../src/io/link-header.js';
import { Messages } from '../../src/io/messages.js';
import { growReceiveBuffer, type Native } from '../../src/io/native.js';
import { openPacketSocket } from '../../src/io/packet-socket.js';
import { PortBindings } from '../../src/io/ports.js';
import { IP_AT } from './bare-frames.js';

/** Segments per call at most. */
const COUNT = 32;
/** Headers are enough. */
const PLACE = 256;

/** A packet socket that receives the TCP segments to one address and port. */
export function openReceiver(native: Native, address: Uint8Array, port: number, buffer?: number): number {
  const fd = openPacketSocket(native);
  const bindings = new PortBindings();
  bindings.add(port);
  const [filter = new Uint8Array()] = pathFilters([{ address, bindings }]);
  const errno = native.attachFilter(fd, filter) || native.bindName(fd, linkAddress(0, ETH_P_IP));
  if (errno !== 0) throw new Error(`no packet socket (errno ${String(errno)})`);
  growReceiveBuffer(native, fd, buffer);
  return fd;
}

/** One segment, valid until the next call of `read`. */
export class BareSegment {
  #at = 0;

  constructor(readonly view: DataView) {}

  /** Turns to the segment whose IP header is at `at`. */
  select(at: number): this {
    this.#at = at + (this.view.getUint8(at) & 15) * 4;
    return this;
  }

  get sequence(): number {
    return this.view.getUint32(this.#at + 4);
  }
  get acknowledgment(): number {
    return this.view.getUint32(this.#at + 8);
  }
  get flags(): number {
    return this.view.getUint8(this.#at + 13);
  }
  /** As it is in the header, unscaled. */
  get window(): number {
    return this.view.getUint16(this.#at + 14);
  }

  /** Where the option of a kind begins, and of a subtype if it is MPTCP's; 0: there is none. */
  option(kind: number, subtype = 0): number {
    const end = this.#at + (this.view.getUint8(this.#at + 12) >> 4) * 4;
    for (let at = this.#at + 20; at + 1 < end;) {
      const found = this.view.getUint8(at);
      if (found === 0) break;
      if (found === kind && (kind !== MPTCP || this.view.getUint8(at + 2) >> 4 === subtype)) return at;
      at += found === 1 ? 1 : Math.max(this.view.getUint8(at + 1), 2);
    }
    return 0;
  }
}

export const WINDOW_SCALE = 3;
export const MPTCP = 30;

/** Reads segments without waiting. */
export class BareAnswers {
  readonly #fd: number;
  readonly #messages: Messages;
  readonly #segment: BareSegment;

  constructor(native: Native, address: Uint8Array, port: number) {
    this.#fd = openReceiver(native, address, port);
    this.#messages = new Messages(native, COUNT, 1);
    const places = new Uint8Array(COUNT * PLACE);
    const first = Number(native.address(places));
    for (let i = 0; i < COUNT; i++) this.#messages.setPiece(i, 0, first + i * PLACE, PLACE);
    this.#segment = new BareSegment(new DataView(places.buffer));
  }

  read(each: (segment: BareSegment) => void): void {
    const count = this.#messages.receive(this.#fd, COUNT);
    for (let i = 0; i < count; i++) each(this.#segment.select(i * PLACE + IP_AT));
  }
}
