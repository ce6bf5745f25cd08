/**
 * One direction of a network link, as a queue in virtual time: packets and `now` go in, packets and the next
 * deadline come out. The model is a drop-tail queue, a transmitter of a fixed rate, then a wire that delays,
 * loses, duplicates, corrupts and reorders. Lost packets have used the transmitter, as on a radio.
 *
 * All times are microseconds on the caller's clock, which must not run backwards. Calling late is harmless:
 * departures and arrivals are computed from the times of `enqueue`, not from the time of the call.
 */
import type { SeededRandom } from '../core/random.js';
import { Heap } from './heap.js';
import { DEFAULTS, checked, type LinkOptions } from './link-options.js';
import { PacketPool, PacketQueue, type PooledPacket } from './packet-pool.js';

export type { BurstLoss, LinkOptions } from './link-options.js';

/** Counts of packets where nothing else is said. */
export interface LinkCounters {
  /** Handed to the link, dropped ones included. */
  sent: number;
  delivered: number;
  /** Octets delivered. */
  octets: number;
  droppedQueue: number;
  droppedLoss: number;
  /** Sent while the link was down, or under way when it went down. */
  droppedDown: number;
  duplicated: number;
  corrupted: number;
  reordered: number;
  /** Most octets that ever waited. */
  maxQueue: number;
}

/** A packet at the far end. The object and its octets are valid until the next `deliver` of the same link. */
export interface Delivery {
  readonly packet: Uint8Array;
  /** As given to `enqueue`. */
  readonly tag: number;
  /** When the packet was handed to the link and when it arrived (microseconds). */
  readonly enqueued: number;
  readonly arrival: number;
}

export class Link {
  readonly counters: LinkCounters = {
    sent: 0,
    delivered: 0,
    octets: 0,
    droppedQueue: 0,
    droppedLoss: 0,
    droppedDown: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    maxQueue: 0,
  };
  readonly #random: SeededRandom;
  readonly #pool: PacketPool;
  #options: Required<LinkOptions>;
  #up = true;
  /** In the bad state of the burst model. */
  #bad = false;

  /** Packets that wait for the transmitter, their octets, and when the transmitter is free. */
  readonly #waiting = new PacketQueue();
  #waitingOctets = 0;
  #busyUntil = -Infinity;
  /** Packets on the wire: those in order, in which arrivals never decrease, and the others. */
  readonly #inOrder = new PacketQueue();
  readonly #outOfOrder = new Heap<PooledPacket>(arrivesBefore);
  #lastArrival = -Infinity;
  #sequence = 0;

  readonly #delivery = { packet: EMPTY, tag: 0, enqueued: 0, arrival: 0 };
  /** Backs `#delivery`. */
  #delivered: PooledPacket | null = null;

  /** `pool` may be shared with others. Throws EINVAL for an option out of its range. */
  constructor(options: LinkOptions, random: SeededRandom, pool = new PacketPool()) {
    this.#options = checked({ ...DEFAULTS, ...options });
    this.#random = random;
    this.#pool = pool;
  }

  get options(): Readonly<Required<LinkOptions>> {
    return this.#options;
  }

  get up(): boolean {
    return this.#up;
  }

  /** Copies `packet` (an IP packet) into the link. False: dropped at once, and counted. */
  enqueue(now: number, packet: Uint8Array, tag = 0): boolean {
    const held = this.#pool.take(packet.length);
    held.view.set(packet);
    return this.enqueuePooled(now, held, tag);
  }

  /** As `enqueue`, for a packet of the pool that the link was made with, which now belongs to the link. */
  enqueuePooled(now: number, packet: PooledPacket, tag = 0): boolean {
    this.counters.sent++;
    if (!this.#up) {
      this.counters.droppedDown++;
      this.#pool.release(packet);
      return false;
    }
    this.#advance(now);
    packet.tag = tag;
    packet.enqueued = now;
    if (this.#busyUntil <= now) {
      this.#transmit(packet, now);
      return true;
    }
    const octets = this.#waitingOctets + packet.view.length;
    if (octets > this.#options.queue) {
      this.counters.droppedQueue++;
      this.#pool.release(packet);
      return false;
    }
    this.#waiting.push(packet);
    this.#waitingOctets = octets;
    if (octets > this.counters.maxQueue) this.counters.maxQueue = octets;
    return true;
  }

  /**
   * The earliest time at which a packet can arrive; Infinity when the link is empty. With loss or jitter a
   * `deliver` at that time may still find nothing, and the next deadline is later.
   */
  nextDelivery(): number {
    let next = this.#inOrder.peek()?.arrival ?? Infinity;
    const late = this.#outOfOrder.peek();
    if (late !== undefined && late.arrival < next) next = late.arrival;
    const waiting = this.#waiting.peek();
    if (waiting !== null) {
      const soonest = this.#busyUntil + this.#airtime(waiting) + this.#options.delay;
      if (soonest < next) next = soonest;
    }
    return next;
  }

  /** The next packet that has arrived by `now`, earliest first, or null. */
  deliver(now: number): Delivery | null {
    if (this.#delivered !== null) {
      this.#pool.release(this.#delivered);
      this.#delivered = null;
    }
    this.#advance(now);
    const ordered = this.#inOrder.peek();
    const late = this.#outOfOrder.peek();
    const fromLate = late !== undefined && (ordered === null || arrivesBefore(late, ordered));
    const packet = fromLate ? late : ordered;
    if (packet === null || packet.arrival > now) return null;
    if (fromLate) this.#outOfOrder.pop();
    else this.#inOrder.shift();
    this.#delivered = packet;
    this.counters.delivered++;
    this.counters.octets += packet.view.length;
    const delivery = this.#delivery;
    delivery.packet = packet.view;
    delivery.tag = packet.tag;
    delivery.enqueued = packet.enqueued;
    delivery.arrival = packet.arrival;
    return delivery;
  }

  /**
   * Changes some options from `now` on. Packets already transmitted keep their fate; the one in the
   * transmitter leaves at the old rate. Throws EINVAL as the constructor does.
   */
  update(now: number, changes: LinkOptions): void {
    const options = checked({ ...this.#options, ...changes });
    this.#advance(now);
    this.#options = options;
  }

  /** Cuts the link, which loses every packet in it, or joins it again. */
  setUp(now: number, up: boolean): void {
    this.#up = up;
    if (up) return;
    for (let packet = this.#waiting.shift(); packet; packet = this.#waiting.shift()) this.#cut(packet);
    for (let packet = this.#inOrder.shift(); packet; packet = this.#inOrder.shift()) this.#cut(packet);
    for (let packet = this.#outOfOrder.pop(); packet; packet = this.#outOfOrder.pop()) this.#cut(packet);
    this.#waitingOctets = 0;
    this.#busyUntil = now;
    this.#lastArrival = now;
  }

  /** Octets that wait for the transmitter at `now`. */
  queued(now: number): number {
    this.#advance(now);
    return this.#waitingOctets;
  }

  #cut(packet: PooledPacket): void {
    this.counters.droppedDown++;
    this.#pool.release(packet);
  }

  /** Starts every transmission that begins by `now`. */
  #advance(now: number): void {
    while (this.#busyUntil <= now) {
      const packet = this.#waiting.shift();
      if (packet === null) return;
      this.#waitingOctets -= packet.view.length;
      this.#transmit(packet, this.#busyUntil);
    }
  }

  #airtime(packet: PooledPacket): number {
    const rate = this.#options.rate;
    return rate === 0 || rate === Infinity ? 0 : (packet.view.length * 8e6) / rate;
  }

  #transmit(packet: PooledPacket, start: number): void {
    this.#busyUntil = start + this.#airtime(packet);
    if (this.#loses()) {
      this.counters.droppedLoss++;
      this.#pool.release(packet);
      return;
    }
    let copy: PooledPacket | null = null;
    if (this.#hits(this.#options.duplicate)) {
      this.counters.duplicated++;
      copy = this.#pool.take(packet.view.length);
      copy.view.set(packet.view);
      copy.tag = packet.tag;
      copy.enqueued = packet.enqueued;
    }
    if (this.#hits(this.#options.corrupt)) {
      this.counters.corrupted++;
      const bit = this.#random.int(0, packet.view.length * 8 - 1);
      packet.view[bit >> 3] = (packet.view[bit >> 3] as number) ^ (1 << (bit & 7));
    }
    this.#launch(packet);
    if (copy !== null) this.#launch(copy);
  }

  /** Puts a packet that has just left the transmitter on the wire. */
  #launch(packet: PooledPacket): void {
    const { delay, jitter, jitterReorders, reorder, reorderDelay } = this.#options;
    let arrival = this.#busyUntil + delay;
    if (jitter > 0) arrival += this.#random.unit() * jitter;
    const heldBack = this.#hits(reorder);
    if (heldBack) {
      this.counters.reordered++;
      arrival += reorderDelay;
    }
    packet.sequence = this.#sequence++;
    if (heldBack || (jitter > 0 && jitterReorders)) {
      packet.arrival = arrival;
      this.#outOfOrder.push(packet);
    } else {
      // Nothing overtakes, whatever the jitter or a delay that has just become shorter.
      if (arrival < this.#lastArrival) arrival = this.#lastArrival;
      this.#lastArrival = arrival;
      packet.arrival = arrival;
      this.#inOrder.push(packet);
    }
  }

  #loses(): boolean {
    const { burst, loss } = this.#options;
    if (burst === null) return this.#hits(loss);
    if (this.#hits(this.#bad ? burst.toGood : burst.toBad)) this.#bad = !this.#bad;
    return this.#hits(this.#bad ? burst.loss : loss);
  }

  /** True with the probability given. Draws nothing for 0, so that unused faults cost nothing. */
  #hits(probability: number): boolean {
    return probability > 0 && this.#random.unit() < probability;
  }
}

function arrivesBefore(a: PooledPacket, b: PooledPacket): boolean {
  return a.arrival < b.arrival || (a.arrival === b.arrival && a.sequence < b.sequence);
}

const EMPTY: Uint8Array = new Uint8Array(0);
