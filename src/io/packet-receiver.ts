/** What comes in through one packet socket: read by the kernel straight into the host's receive ring where there is one. */
import { constants } from 'node:os';
import { Checksum, type ReceiveRing } from './device.js';
import { headerLength, LINK_HEADER_MAX, linkDevice, linkSender } from './link-header.js';
import { MappedMemory } from './mapped-memory.js';
import { Messages } from './messages.js';
import type { Native } from './native.js';
import type { NextHops } from './next-hop.js';
import type { PortBindings } from './ports.js';
import { VNET_SIZE, vnetSegment, vnetTrusted } from './vnet-header.js';

export interface ReceiverEvents {
  /** A TCP packet for a bound port; valid during the call. Only called where the host has no ring. */
  received(packet: Uint8Array, checksum: Checksum, segment: number): void;
  /** A packet for a bound port came. */
  worked(): void;
  /** A packet that nobody asked for. */
  stray(): void;
  failed(errno: number): void;
}

export class PacketReceiver {
  readonly #fd: number;
  readonly #path: number;
  readonly #v6: boolean;
  readonly #bindings: PortBindings;
  readonly #hops: NextHops;
  readonly #ring: ReceiveRing | null;
  readonly #events: ReceiverEvents;
  readonly #messages: Messages;
  readonly #memory: MappedMemory;
  #open = true;

  constructor(
    native: Native,
    fd: number,
    path: number,
    v6: boolean,
    bindings: PortBindings,
    hops: NextHops,
    ring: ReceiveRing | null,
    events: ReceiverEvents,
  ) {
    this.#fd = fd;
    this.#path = path;
    this.#v6 = v6;
    this.#bindings = bindings;
    this.#hops = hops;
    this.#ring = ring;
    this.#events = events;
    this.#messages = new Messages(native, COUNT, 1);
    this.#memory = new MappedMemory(native);
    if (ring === null) this.#memory.look(new Uint8Array(COUNT * PLACE));
  }

  /** A bounded batch per event: timers and the application get their turn between two of them. */
  receive(): void {
    for (let round = 0; round < ROUNDS && this.#open; round++) {
      const places = this.#ring === null ? COUNT : this.#ring.reserve(PLACE, COUNT);
      if (places === 0 || !this.#open) return; // making room ran the stack, which may have closed the path
      const first = this.#ring === null ? 0 : this.#ring.first;
      if (this.#ring !== null) this.#memory.look(this.#ring.memory);
      for (let i = 0; i < places; i++)
        this.#messages.setPiece(i, 0, this.#memory.base + first + i * PLACE, PLACE);
      const n = this.#messages.receive(this.#fd, places);
      if (n < 0 && n !== -constants.errno.EAGAIN) this.#events.failed(-n);
      for (let i = 0; i < n && this.#open; i++) this.#deliver(i, first + i * PLACE);
      if (n < places) return;
    }
  }

  close(): void {
    this.#open = false;
  }

  #deliver(i: number, at: number): void {
    const { octets } = this.#memory;
    const name = this.#messages.name(i);
    const start = at + VNET_SIZE + headerLength(name);
    const end = at + Math.min(this.#messages.received(i), PLACE);
    const header = this.#v6 ? IPV6_HEADER : ((octets[start] as number) & 15) * 4;
    if (end < start + header + TCP_HEADER || !this.#bindings.has(octets.readUInt16BE(start + header + 2))) {
      this.#events.stray();
      return;
    }
    this.#events.worked();
    this.#hops.cameThrough(linkDevice(name), linkSender(name), octets, start);
    const checksum = vnetTrusted(octets, at) ? Checksum.Good : Checksum.Unknown;
    const segment = vnetSegment(octets, at);
    if (this.#ring === null) this.#events.received(octets.subarray(start, end), checksum, segment);
    else this.#ring.commit(this.#path, start, end - start, checksum, segment);
  }
}

const COUNT = 32;
/** Room for one packet: the kernel joins segments to 64 KB. A multiple of a cache line, not of a page. */
const PLACE = (VNET_SIZE + LINK_HEADER_MAX + 65536 + 63) & ~63;
/** Batches per event. */
const ROUNDS = 4;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
