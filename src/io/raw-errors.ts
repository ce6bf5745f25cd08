/** The raw ICMP socket of one path of the device `raw`: it receives the errors that bring back a TCP segment of that path. */
import { PlaitError } from '../errors.js';
import { errorFilters } from './bpf.js';
import { quotedPort } from './icmp.js';
import type { PortBindings } from './ports.js';
import type { RawContext } from './raw-path.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPV4, IPV6, openRawSocket, type RawSocket } from './raw-socket.js';

export class RawErrors {
  readonly #context: RawContext;
  readonly #address: Uint8Array;
  readonly #bindings: PortBindings;
  readonly #socket: RawSocket;
  readonly #fd: number;
  readonly #v6: boolean;
  /** Room for an IPv6 header, without which the socket delivers, and a message. */
  readonly #buffer = Buffer.alloc(IPV6_HEADER + RECEIVE_SIZE);
  readonly #target: Buffer;
  #length = 0;
  #source = '';

  /** `received` is given whole IP packets, valid during the call. Throws PlaitError: EPERM, ERR_PLAIT_DEVICE. */
  constructor(
    context: RawContext,
    address: Uint8Array,
    bindings: PortBindings,
    received: (packet: Buffer) => void,
  ) {
    this.#context = context;
    this.#address = address;
    this.#bindings = bindings;
    this.#v6 = address.length === 16;
    this.#target = this.#buffer.subarray(this.#v6 ? IPV6_HEADER : 0);
    const { module, native } = context;
    const [protocol, family] = this.#v6 ? ([IPPROTO_ICMPV6, IPV6] as const) : ([IPPROTO_ICMP, IPV4] as const);
    const { socket, fd } = openRawSocket(module, native, protocol, family);
    this.#socket = socket;
    this.#fd = fd;
    if (!this.portsChanged()) {
      this.close();
      throw new PlaitError('ERR_PLAIT_DEVICE', 'the kernel refuses a socket filter');
    }
    while (this.#receive()); // what came in before the filter was there
    socket.on('error', () => undefined); // of the interface, which the path's other sockets meet as well
    socket.wrap.removeAllListeners('recvReady');
    socket.wrap.on('recvReady', () => {
      if (this.#receive()) this.#deliver(received);
    });
  }

  /** False: the kernel takes no filter. */
  portsChanged(): boolean {
    const { native } = this.#context;
    const programs = errorFilters(this.#address, this.#bindings);
    return programs.some((program) => native.attachFilter(this.#fd, program) === 0);
  }

  close(): void {
    this.#socket.close();
  }

  /** False: nothing was there. */
  #receive(): boolean {
    try {
      this.#socket.wrap.recv(this.#target, this.#noteReceived);
      return true;
    } catch {
      return false;
    }
  }

  readonly #noteReceived = (_target: Uint8Array, length: number, source: string): void => {
    this.#length = length;
    this.#source = source;
  };

  #deliver(received: (packet: Buffer) => void): void {
    const packet = this.#buffer;
    const start = this.#v6 ? IPV6_HEADER : ((packet[0] as number) & 15) * 4;
    const end = this.#v6 ? IPV6_HEADER + this.#length : this.#length;
    if (!this.#bindings.has(quotedPort(packet, start, end))) return;
    if (this.#v6) {
      const source = this.#context.addresses.octets(this.#source);
      if (source === null) return;
      packet[0] = 0x60;
      packet.writeUInt16BE(this.#length, 4);
      packet[6] = IPPROTO_ICMPV6;
      packet.set(source, 8);
      packet.set(this.#address, 24);
    }
    received(packet.subarray(0, end));
  }
}

const IPV6_HEADER = 40;
/** No error is longer (RFC 1812 section 4.3.2.3: 576 octets; RFC 4443 section 2.4: 1,280). */
const RECEIVE_SIZE = 2048;
