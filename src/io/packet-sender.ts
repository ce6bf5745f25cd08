/**
 * What leaves through one packet socket: the kernel gathers each packet from where it lies, cuts it into segments and
 * completes its checksum. What the kernel has to route itself goes through a raw socket.
 */
import { constants } from 'node:os';
import type { LinkHeader } from './link-header.js';
import { MappedMemory } from './mapped-memory.js';
import { Messages } from './messages.js';
import type { Native } from './native.js';
import type { NextHops } from './next-hop.js';
import { LOAN, type OutBatch } from './out-batch.js';
import { cut } from './segmentation.js';
import { fillTcpChecksum } from './segment-header.js';
import type { Cancel, Timers } from './timers.js';
import { VNET_SIZE, writeVnetHeader } from './vnet-header.js';

const { EAGAIN, EINVAL, EMSGSIZE, ENOBUFS } = constants.errno;

export interface SenderEvents {
  /** The kernel's queue is full: `unblock` is to be called once the socket takes octets. */
  full(): void;
  /** The queue has room again. */
  writable(): void;
  /** The interface's queue was full (ENOBUFS) for a packet with this header; what did not leave is sent again. */
  delayed(header: Uint8Array): void;
  worked(): void;
  lost(errno: number): void;
  /** This interface does not cut packets into segments. */
  noSegmentation(): void;
}

/** Sends a packet that the kernel routes. Octets, or a negative errno. */
export type RoutedSend = (packet: Uint8Array) => number;

export class PacketSender {
  readonly #native: Native;
  readonly #fd: number;
  readonly #mtu: number;
  readonly #hops: NextHops;
  readonly #timers: Timers;
  readonly #routed: RoutedSend;
  readonly #events: SenderEvents;
  readonly #messages: Messages;
  /** Which packet of the batch each message is. */
  readonly #origins = new Uint16Array(COUNT);
  #gathered = 0;
  /** Where the packet goes that cannot be gathered; undefined: there is none. */
  #otherwise: LinkHeader | null | undefined;
  readonly #memory: MappedMemory;
  /** Address of the loan of the batch. */
  #loan = 0;
  #blocked = false;
  #retry: Cancel | null = null;
  /** Microseconds until the next try. It doubles; beyond the longest, what the interface does not take is lost. */
  #pauseLength = PAUSE;
  /** Whether the kernel cuts packets into segments here. */
  #segmentation = true;
  /** Segments of a packet that the kernel did not cut, those before `#piece` have left. */
  #pieces: OutBatch | null = null;
  #piece = 0;

  constructor(
    native: Native,
    fd: number,
    mtu: number,
    hops: NextHops,
    timers: Timers,
    routed: RoutedSend,
    events: SenderEvents,
  ) {
    this.#native = native;
    this.#fd = fd;
    this.#mtu = mtu;
    this.#hops = hops;
    this.#timers = timers;
    this.#routed = routed;
    this.#events = events;
    this.#messages = new Messages(native, COUNT, 3);
    this.#memory = new MappedMemory(native);
  }

  /** Sends packets in order and returns how many; the others have to wait for `writable`. */
  send(batch: OutBatch): number {
    if (this.#blocked || !this.#sendPieces()) return 0;
    return this.#push(batch, 0);
  }

  /** The socket takes octets again. */
  unblock(): void {
    if (!this.#blocked || this.#retry !== null) return;
    this.#blocked = false;
    if (this.#sendPieces()) this.#events.writable();
  }

  close(): void {
    this.#retry?.();
  }

  /** Sends from packet `from` on. Returns the first one that did not leave. */
  #push(batch: OutBatch, from: number): number {
    this.#memory.look(batch.memory);
    if (batch.loan.length > 0) this.#loan = Number(this.#native.address(batch.loan));
    const now = this.#timers.now();
    let next = from;
    while (next < batch.count) {
      next = this.#gatherFrom(batch, next, now);
      const again = this.#sendGathered(batch);
      if (again >= 0) {
        if (this.#blocked) return again;
        next = again; // without segmentation this time
      } else if (this.#otherwise !== undefined) {
        if (!this.#sendOtherwise(batch.select(next++), this.#otherwise)) return next;
        this.#memory.look(batch.memory);
      }
    }
    return next;
  }

  /**
   * Gathers packets as long as there is room and the kernel takes them as they are; the first other one, if any, gets
   * its destination into `#otherwise`. Returns the first packet that was not gathered.
   */
  #gatherFrom(batch: OutBatch, from: number, now: number): number {
    this.#otherwise = undefined;
    let i = from;
    for (; i < batch.count && this.#gathered < COUNT; i++) {
      const packet = batch.select(i);
      const { segment } = packet;
      if (segment === 0 && packet.length > this.#mtu) {
        this.#events.lost(EMSGSIZE);
        continue;
      }
      const to = this.#hops.find(this.#memory.octets, packet.header, now, segment === 0);
      if (typeof to === 'number') {
        this.#events.lost(to);
      } else if (to !== null && (segment === 0 || this.#segmentation)) {
        this.#origins[this.#gathered] = i;
        this.#gather(packet, to);
      } else {
        this.#otherwise = to;
        break;
      }
    }
    return i;
  }

  #gather(packet: OutBatch, to: LinkHeader): void {
    const { octets, base } = this.#memory;
    const { header, span1Length, span2Length } = packet;
    const i = this.#gathered++;
    const link = to.octets.length;
    const start = header - link - VNET_SIZE;
    octets.set(to.octets, header - link);
    writeVnetHeader(octets, start, packet, link);
    let pieces = 1;
    this.#messages.setName(i, to.name);
    this.#messages.setPiece(i, 0, base + start, header - start + packet.headerLength);
    if (span1Length > 0) this.#messages.setPiece(i, pieces++, this.#place(packet.span1), span1Length);
    if (span2Length > 0) this.#messages.setPiece(i, pieces++, this.#place(packet.span2), span2Length);
    this.#messages.setPieces(i, pieces);
  }

  /** Where a span lies in this process. */
  #place(span: number): number {
    return span < LOAN ? this.#memory.base + span : this.#loan + span - LOAN;
  }

  /** Sends what is gathered. -1, or the packet of the batch from which on everything has to be sent again. */
  #sendGathered(batch: OutBatch): number {
    const end = this.#gathered;
    this.#gathered = 0;
    for (let first = 0; first < end;) {
      const sent = this.#messages.send(this.#fd, first, end);
      const origin = this.#origins[first] as number;
      if (sent > 0) {
        first += sent;
        this.#pauseLength = PAUSE;
        this.#events.worked();
      } else if (sent === -EAGAIN) {
        this.#blocked = true;
        this.#events.full();
        return origin;
      } else if (sent === -ENOBUFS && this.#pauseLength <= LONGEST_PAUSE) {
        this.#pause(batch.select(origin));
        return origin;
      } else if (sent === -EINVAL && batch.select(origin).segment > 0) {
        this.#segmentation = false;
        this.#events.noSegmentation();
        return origin;
      } else {
        first++; // this packet alone
        this.#events.lost(-sent);
      }
    }
    return -1;
  }

  /** The interface's queue has dropped a packet, and nobody tells when it has room. */
  #pause(packet: OutBatch): void {
    const { buffer, byteOffset } = packet.memory;
    this.#events.delayed(new Uint8Array(buffer, byteOffset + packet.header, packet.headerLength));
    this.#blocked = true;
    this.#retry = this.#timers.at(this.#timers.now() + this.#pauseLength, () => {
      this.#retry = null;
      this.unblock();
    });
    this.#pauseLength *= 2;
  }

  /** False: the queue is full; what is left of this packet leaves first when it has room. */
  #sendOtherwise(packet: OutBatch, to: LinkHeader | null): boolean {
    if (packet.segment > 0) {
      this.#pieces = cut(packet);
      this.#piece = 0;
      return this.#sendPieces();
    }
    if (to !== null) return true;
    const { length } = packet;
    const copy = new Uint8Array(length);
    packet.copyTo(copy, 0);
    if (packet.partial > 0) fillTcpChecksum(copy);
    const result = this.#routed(copy);
    if (result < 0) this.#events.lost(-result);
    else this.#events.worked();
    return true;
  }

  #sendPieces(): boolean {
    if (this.#pieces === null) return true;
    this.#piece = this.#push(this.#pieces, this.#piece);
    if (this.#piece < this.#pieces.count) return false;
    this.#pieces = null;
    return true;
  }
}

/** Messages per call. */
const COUNT = 64;
/** Microseconds. */
const PAUSE = 1000;
/** A queue has room again by then. What a filter at the egress drops looks the same, and must not hold up other paths. */
const LONGEST_PAUSE = 16_000;
