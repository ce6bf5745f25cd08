/**
 * Reusable packet buffers. Links and pipes hold thousands of packets for a short time; taking them from here
 * leaves nothing to the garbage collector once the peak is reached.
 */

/** One packet of a pool, with the fields that its present holder keeps about it. */
export class PooledPacket {
  /** Exactly the packet's octets. */
  view: Uint8Array;
  /** The next packet of the list that this one is in. */
  next: PooledPacket | null = null;
  /** As in `OutPacket`. */
  segment = 0;
  partial = 0;
  /** The holder's mark, whatever it means to it. */
  tag = 0;
  /** When the link took the packet, and when it reaches the far end (microseconds). */
  enqueued = 0;
  arrival = 0;
  /** Order of arrivals at the same time. */
  sequence = 0;

  readonly #buffer: Uint8Array;

  constructor(capacity: number) {
    this.#buffer = new Uint8Array(capacity);
    this.view = this.#buffer;
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  /** Sets the packet's length; the octets are left over from earlier use. */
  resize(length: number): void {
    // Traffic has few packet lengths, so the view of the last use mostly fits again.
    if (this.view.length !== length) this.view = this.#buffer.subarray(0, length);
  }
}

export class PacketPool {
  // One free list per size class, so that acknowledgements and full segments do not swap buffers.
  readonly #free: (PooledPacket | null)[] = CAPACITIES.map(() => null);
  #inUse = 0;

  /** Packets taken and not yet released. */
  get inUse(): number {
    return this.#inUse;
  }

  /**
   * A packet of `length` octets, not cleared. Throws a RangeError above 65,575 octets (an IPv6 header and the
   * largest payload).
   */
  take(length: number): PooledPacket {
    let size = 0;
    while (size < CAPACITIES.length && length > (CAPACITIES[size] as number)) size++;
    const capacity = CAPACITIES[size];
    if (capacity === undefined) throw new RangeError(`packet of ${String(length)} octets`);
    const packet = this.#free[size] ?? new PooledPacket(capacity);
    this.#free[size] = packet.next;
    packet.next = null;
    packet.resize(length);
    this.#inUse++;
    return packet;
  }

  /** Gives a packet back. Its octets stay readable until it is taken again. */
  release(packet: PooledPacket): void {
    const size = CAPACITIES.indexOf(packet.capacity);
    packet.next = this.#free[size] ?? null;
    this.#free[size] = packet;
    this.#inUse--;
  }
}

/** First in, first out, linked through the packets themselves. */
export class PacketQueue {
  #head: PooledPacket | null = null;
  #tail: PooledPacket | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  peek(): PooledPacket | null {
    return this.#head;
  }

  push(packet: PooledPacket): void {
    packet.next = null;
    if (this.#tail === null) this.#head = packet;
    else this.#tail.next = packet;
    this.#tail = packet;
    this.#size++;
  }

  shift(): PooledPacket | null {
    const packet = this.#head;
    if (packet === null) return null;
    this.#head = packet.next;
    if (this.#head === null) this.#tail = null;
    packet.next = null;
    this.#size--;
    return packet;
  }
}

/** Octets of the buffers of each size class. */
const CAPACITIES: readonly number[] = [256, 2048, 16384, 65575];
