/** TCP segments read from a packet socket, as little as the bare rows of `wire` can do with. */
import { pathFilters } from '../../src/io/bpf.js';
import { ETH_P_IP, linkAddress } from '../../src/io/link-header.js';
import { Messages } from '../../src/io/messages.js';
import { growReceiveBuffer, type Native } from '../../src/io/native.js';
import { openPacketSocket } from '../../src/io/packet-socket.js';
import { PortBindings } from '../../src/io/ports.js';
import { IP_AT } from './bare-frames.js';
import { MPTCP } from './bare-options.js';

/** How segments are read: so many in a call, octets of each at most, and of the socket's queue. */
interface Places {
  readonly count: number;
  readonly size: number;
  readonly queue: number;
}
/** For acknowledgements, of which headers are enough. */
export const HEADERS: Places = { count: 32, size: 256, queue: 4 << 20 };
/** As the device `packet` receives. */
export const WHOLE: Places = { count: 47, size: 65_600, queue: 8 << 20 };

/** A packet socket that receives the TCP segments to one address and port. */
function openReceiver(native: Native, address: Uint8Array, port: number, queue: number): number {
  const fd = openPacketSocket(native);
  const bindings = new PortBindings();
  bindings.add(port);
  const [filter = new Uint8Array()] = pathFilters([{ address, bindings }]);
  const errno = native.attachFilter(fd, filter) || native.bindName(fd, linkAddress(0, ETH_P_IP));
  if (errno !== 0) throw new Error(`no packet socket (errno ${String(errno)})`);
  growReceiveBuffer(native, fd, queue);
  return fd;
}

/** One segment, valid until the next call of `read`. */
export class BareSegment {
  /** Where IP and TCP begin. */
  #ip = 0;
  #tcp = 0;

  constructor(readonly view: DataView) {}

  /** Turns to the segment whose frame is at `at`. */
  select(at: number): this {
    this.#ip = at + IP_AT;
    this.#tcp = this.#ip + (this.view.getUint8(this.#ip) & 15) * 4;
    return this;
  }

  /** Link address and IP address that it comes from, copies. */
  get linkSource(): Uint8Array {
    return this.octets(this.#ip - 8, 6);
  }
  get source(): Uint8Array {
    return this.octets(this.#ip + 12, 4);
  }
  get sourcePort(): number {
    return this.view.getUint16(this.#tcp);
  }
  get sequence(): number {
    return this.view.getUint32(this.#tcp + 4);
  }
  get acknowledgment(): number {
    return this.view.getUint32(this.#tcp + 8);
  }
  get flags(): number {
    return this.view.getUint8(this.#tcp + 13);
  }
  /** As it is in the header, unscaled. */
  get window(): number {
    return this.view.getUint16(this.#tcp + 14);
  }
  /** Where payload begins, and its octets, whether they fitted into the place or not. */
  get payload(): number {
    return this.#tcp + (this.view.getUint8(this.#tcp + 12) >> 4) * 4;
  }
  get payloadLength(): number {
    return this.#ip + this.view.getUint16(this.#ip + 2) - this.payload;
  }

  /** Where the option of a kind begins, and of a subtype if it is MPTCP's; 0: there is none. */
  option(kind: number, subtype = 0): number {
    const end = this.payload;
    for (let at = this.#tcp + 20; at + 1 < end;) {
      const found = this.view.getUint8(at);
      if (found === 0) break;
      if (found === kind && (kind !== MPTCP || this.view.getUint8(at + 2) >> 4 === subtype)) return at;
      at += found === 1 ? 1 : Math.max(this.view.getUint8(at + 1), 2);
    }
    return 0;
  }

  /** A copy. */
  octets(at: number, length: number): Uint8Array {
    return new Uint8Array(this.view.buffer).slice(at, at + length);
  }
}

/** Reads segments without waiting. */
export class BareReader {
  readonly #fd: number;
  readonly #count: number;
  readonly #size: number;
  readonly #messages: Messages;
  readonly #segment: BareSegment;

  constructor(native: Native, address: Uint8Array, port: number, { count, size, queue }: Places) {
    this.#fd = openReceiver(native, address, port, queue);
    this.#count = count;
    this.#size = size;
    this.#messages = new Messages(native, count, 1);
    const places = new Uint8Array(count * size);
    const first = Number(native.address(places));
    for (let i = 0; i < count; i++) this.#messages.setPiece(i, 0, first + i * size, size);
    this.#segment = new BareSegment(new DataView(places.buffer));
  }

  /** One batch. Returns how many there were; none if it fails, and what never comes ends with the run. */
  read(each: (segment: BareSegment) => void): number {
    const count = Math.max(0, this.#messages.receive(this.#fd, this.#count));
    for (let i = 0; i < count; i++) each(this.#segment.select(i * this.#size));
    return count;
  }
}
