/**
 * A device around a real one that sends each path's packets through a simulated link: rate, delay, queue and
 * faults, changeable while it runs. Received packets are not delayed; both ends shape what they send.
 *
 * Real timers are late by a millisecond or so. The link computes departures from its own rate, and every wake-up
 * sends all that is due, so the rate holds over time and only the spacing of packets is coarse.
 */
import { SeededRandom } from '../core/random.js';
import type { PlaitError } from '../errors.js';
import { Link, type Delivery, type LinkOptions } from '../sim/link.js';
import { PacketPool } from '../sim/packet-pool.js';
import type { Checksum, Device, DeviceHost, DeviceStats, OutPacket, Path } from './device.js';
import type { Cancel, Timers } from './timers.js';

export interface ShapedOptions {
  /** The link of a path that is being attached, or null to send its packets at once. */
  readonly link: (path: Path) => LinkOptions | null;
  /** Seed of the links' faults. Default 1. */
  readonly seed?: number;
}

export class ShapedDevice implements Device {
  readonly #inner: Device;
  readonly #timers: Timers;
  readonly #options: Required<ShapedOptions>;
  readonly #pool = new PacketPool();
  readonly #lanes = new Map<number, Lane>();
  readonly #out = new HeldPacket();
  #host: DeviceHost | null = null;
  /** The inner device is full: nothing is sent until it says `writable`. */
  #blocked = false;
  #wakeAt = Infinity;
  #cancel: Cancel | null = null;

  /** Throws EINVAL from `attach` when `options.link` returns an option out of its range. */
  constructor(inner: Device, timers: Timers, options: ShapedOptions) {
    this.#inner = inner;
    this.#timers = timers;
    this.#options = { seed: 1, ...options };
  }

  get kind(): Device['kind'] {
    return this.#inner.kind;
  }

  get overhead(): number {
    return this.#inner.overhead;
  }

  get needsChecksum(): boolean {
    return this.#inner.needsChecksum;
  }

  statistics(): DeviceStats {
    return this.#inner.statistics?.() ?? { dropped: null, paths: [] };
  }

  hidesEcn(address: string): boolean {
    return this.#inner.hidesEcn?.(address) ?? false;
  }

  /** The link of a path, for its options and counters; null if the path has none. */
  link(path: number): Link | null {
    return this.#lanes.get(path)?.link ?? null;
  }

  /** Changes options of a path's link from now on. Does nothing for a path without one. Throws EINVAL. */
  shape(path: number, changes: LinkOptions): void {
    this.#lanes.get(path)?.link?.update(this.#timers.now(), changes);
    this.#arm();
  }

  /**
   * Cuts a path in both directions or joins it again. With `notify` the host learns of it, as of an interface that
   * goes away; without, packets just vanish, as behind a broken router.
   */
  setUp(path: number, up: boolean, notify = false): void {
    const lane = this.#lanes.get(path);
    if (lane === undefined || lane.up === up) return;
    lane.up = up;
    lane.link?.setUp(this.#timers.now(), up);
    if (!up) lane.pending = null;
    if (notify) this.#host?.pathState(path, up);
  }

  open(host: DeviceHost): void {
    this.#host = host;
    const passes = (path: number): boolean => this.#lanes.get(path)?.up ?? true;
    this.#inner.open({
      receive: (path: number, packet: Uint8Array, checksum: Checksum) =>
        !passes(path) || host.receive(path, packet, checksum),
      receiveSegment: (path, remote, remotePort, localPort, segment, joined) =>
        !passes(path) || host.receiveSegment(path, remote, remotePort, localPort, segment, joined),
      batchOver: () => {
        host.batchOver?.();
      },
      noSegmentation: (path) => {
        host.noSegmentation(path);
      },
      congested: (header) => {
        host.congested(header);
      },
      writable: () => {
        this.#blocked = false;
        if (this.#drain()) host.writable();
      },
      pathState: (path, up) => {
        host.pathState(path, up);
      },
    });
  }

  attach(path: Path, done: (error: PlaitError | null) => void): void {
    const options = this.#options.link(path);
    const random = new SeededRandom(this.#options.seed + Math.imul(path.id + 1, 0x9e3779b1));
    const link = options === null ? null : new Link(options, random, this.#pool);
    this.#lanes.set(path.id, { link, up: true, pending: null });
    this.#inner.attach(path, done);
  }

  changed(path: number): PlaitError | null {
    return this.#inner.changed?.(path) ?? null;
  }

  detach(path: number): void {
    const lane = this.#lanes.get(path);
    // Cutting the link gives its packets back to the pool.
    lane?.link?.setUp(this.#timers.now(), false);
    this.#lanes.delete(path);
    this.#inner.detach(path);
  }

  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    this.#inner.bind(path, port, done);
  }

  unbind(path: number, port: number): void {
    this.#inner.unbind(path, port);
  }

  send(path: number, packet: OutPacket): boolean {
    const lane = this.#lanes.get(path);
    if (lane?.up === false) {
      // The link counts what it loses; a path without link has no counters.
      lane.link?.enqueuePooled(this.#timers.now(), this.#pool.take(packet.length));
      return true;
    }
    if (this.#blocked) return false;
    if (lane === undefined || lane.link === null) {
      this.#blocked = !this.#inner.send(path, packet);
      return !this.#blocked;
    }
    const pooled = this.#pool.take(packet.length);
    packet.copyTo(pooled.view, 0);
    lane.link.enqueuePooled(this.#timers.now(), pooled);
    return true;
  }

  flush(): void {
    this.#drain();
    this.#inner.flush();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#lanes.clear();
    this.#inner.close();
  }

  readonly #onTimer = (): void => {
    this.#cancel = null;
    this.#wakeAt = Infinity;
    this.#drain();
    this.#inner.flush();
  };

  /**
   * Sends everything that has come out of the links, then sets the timer for the next. False: the inner device is
   * full.
   */
  #drain(): boolean {
    if (this.#blocked) return false;
    const now = this.#timers.now();
    for (const [path, lane] of this.#lanes) {
      if (lane.link !== null && !this.#drainLane(path, lane, lane.link, now)) {
        this.#blocked = true;
        return false;
      }
    }
    this.#arm();
    return true;
  }

  #drainLane(path: number, lane: Lane, link: Link, now: number): boolean {
    for (;;) {
      lane.pending ??= link.deliver(now);
      if (lane.pending === null) return true;
      this.#out.packet = lane.pending.packet;
      if (!this.#inner.send(path, this.#out)) return false;
      lane.pending = null;
    }
  }

  /** The timer is moved only to an earlier time: an early wake-up is cheaper than a new timer per packet. */
  #arm(): void {
    let next = Infinity;
    for (const { link } of this.#lanes.values()) {
      if (link !== null) next = Math.min(next, link.nextDelivery());
    }
    if (next >= this.#wakeAt || this.#blocked) return;
    this.#cancel?.();
    this.#wakeAt = next;
    this.#cancel = this.#timers.at(next, this.#onTimer);
  }
}

interface Lane {
  readonly link: Link | null;
  up: boolean;
  /** Out of the link, refused by the inner device. */
  pending: Delivery | null;
}

/** The packet in hand, in the form that devices send. */
class HeldPacket implements OutPacket {
  readonly segment = 0;
  readonly partial = 0;
  packet: Uint8Array = new Uint8Array(0);

  get length(): number {
    return this.packet.length;
  }

  copyTo(target: Uint8Array, offset: number): number {
    target.set(this.packet, offset);
    return this.packet.length;
  }
}
