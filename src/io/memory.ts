/**
 * The `memory` device: hosts joined by simulated links, inside one process. A link joins one address of a host to
 * one address of another, and carries the packets between these two addresses; further address pairs may share it.
 */
import type { Clock } from '../core/clock.js';
import { SeededRandom } from '../core/random.js';
import { PlaitError } from '../errors.js';
import { Link, type Delivery, type LinkOptions } from '../sim/link.js';
import { PacketPool } from '../sim/packet-pool.js';
import type { VirtualNetwork } from '../sim/world.js';
import type { OutPacket, Path } from './device.js';
import { VirtualDevice, isFrom, isTo, parseAddress } from './virtual-device.js';

export interface MemoryNetworkOptions {
  /** Seed of every link's faults. Default 1. */
  readonly seed?: number;
  /** Whether the stacks compute TCP checksums. Default true; without, corruption goes unnoticed. */
  readonly needsChecksum?: boolean;
}

/** The options of both directions; `backward` changes some of them for the way back. */
export interface DuplexOptions extends LinkOptions {
  /** Largest IP packet in octets; larger ones are dropped and counted. Default 1500. */
  readonly mtu?: number;
  readonly backward?: LinkOptions;
}

/** Packets that no link carried or no host took. */
export interface NetworkCounters {
  /** No link joins the packet's two addresses. */
  noRoute: number;
  /** Above the link's MTU. */
  tooBig: number;
  /** The interface at this or the far end is down or was detached. */
  noPath: number;
  /** The receiving host had no room. */
  ringFull: number;
}

/** Delivers in the order of arrival; at the same instant, in the order in which the links were made. */
export class MemoryNetwork implements VirtualNetwork {
  readonly counters: NetworkCounters = { noRoute: 0, tooBig: 0, noPath: 0, ringFull: 0 };
  readonly #clock: Clock;
  readonly #seed: number;
  readonly #needsChecksum: boolean;
  readonly #pool = new PacketPool();
  readonly #links: Link[] = [];
  /** In the order of their first mention; a packet on a link is tagged with the index of its destination. */
  readonly #endpoints: Endpoint[] = [];

  constructor(clock: Clock, options: MemoryNetworkOptions = {}) {
    this.#clock = clock;
    this.#seed = options.seed ?? 1;
    this.#needsChecksum = options.needsChecksum ?? true;
  }

  /** Makes a device for one more host, whose addresses are those of the paths it attaches. */
  device(): MemoryDevice {
    return new MemoryDevice(this, this.#needsChecksum);
  }

  /** Joins address `a` to address `b`. Throws EINVAL for a bad address or option, or if they are joined already. */
  connect(a: string, b: string, options: DuplexOptions = {}): DuplexLink {
    const { mtu = DEFAULT_MTU, backward = {}, ...forward } = options;
    const link = new DuplexLink(
      this.#clock,
      new Link(forward, this.#random(0), this.#pool),
      new Link({ ...forward, ...backward }, this.#random(1), this.#pool),
      mtu,
    );
    this.share(link, a, b);
    this.#links.push(link.forward, link.backward);
    return link;
  }

  /** Lets packets between `a` and `b` use a link made by `connect`, `a` at its near end. Throws as `connect`. */
  share(link: DuplexLink, a: string, b: string): void {
    const near = this.endpoint(a);
    const far = this.endpoint(b);
    if (near === null || far === null)
      throw new PlaitError('EINVAL', `"${a}" or "${b}" is not an IP address`);
    if (near.routes.some((route) => route.to === far))
      throw new PlaitError('EINVAL', `${a} and ${b} are joined already`);
    near.routes.push({ to: far, duplex: link, link: link.forward });
    far.routes.push({ to: near, duplex: link, link: link.backward });
  }

  /**
   * Takes the interface with this address down, or up again, and tells its host. Links need no such switch: a cut
   * link (`DuplexLink.setUp`) loses packets and nobody is told.
   */
  setInterface(address: string, up: boolean): void {
    const endpoint = this.endpoint(address);
    if (endpoint === null || endpoint.up === up) return;
    endpoint.up = up;
    endpoint.device?.tell(endpoint.path, up);
  }

  nextDelivery(): number {
    let next = Infinity;
    for (const link of this.#links) next = Math.min(next, link.nextDelivery());
    return next;
  }

  /** Delivers at most 64 packets, so that hosts can empty their receive rings in between. */
  deliver(now: number): number {
    let delivered = 0;
    while (delivered < BATCH) {
      const link = this.#earliestBy(now);
      if (link === null) break;
      const delivery = link.deliver(now);
      if (delivery === null) continue;
      delivered++;
      this.#hand(delivery);
    }
    return delivered;
  }

  /** @internal The end of all links that start or end at an address; null if it is none. */
  endpoint(text: string): Endpoint | null {
    const address = parseAddress(text);
    if (address === null) return null;
    const known = this.#endpoints.find((endpoint) => endpoint.address.join() === address.join());
    if (known !== undefined) return known;
    const tag = this.#endpoints.length;
    const endpoint: Endpoint = { address, tag, routes: [], device: null, path: 0, up: true };
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** @internal Puts a packet of a device on the link that its addresses name. */
  forward(from: Endpoint, packet: OutPacket): void {
    if (!from.up) {
      this.counters.noPath++;
      return;
    }
    const pooled = this.#pool.take(packet.length);
    packet.copyTo(pooled.view, 0);
    for (const { to, duplex, link } of from.routes) {
      if (!isTo(pooled.view, to.address) || !isFrom(pooled.view, from.address)) continue;
      if (packet.length > duplex.mtu) {
        this.counters.tooBig++;
        this.#pool.release(pooled);
      } else {
        link.enqueuePooled(this.#clock.now(), pooled, to.tag);
      }
      return;
    }
    this.counters.noRoute++;
    this.#pool.release(pooled);
  }

  #hand(delivery: Delivery): void {
    const { device, path, up } = this.#endpoints[delivery.tag] as Endpoint;
    if (device === null || !up) this.counters.noPath++;
    else if (!device.take(path, delivery.packet)) this.counters.ringFull++;
  }

  /** The link with the next delivery, if that is due by `limit`. */
  #earliestBy(limit: number): Link | null {
    let earliest: Link | null = null;
    let time = limit;
    for (const link of this.#links) {
      const next = link.nextDelivery();
      if (next < time || (earliest === null && next <= time)) {
        time = next;
        earliest = link;
      }
    }
    return earliest;
  }

  /** Each link draws from its own sequence, so that traffic on one does not change the faults of another. */
  #random(direction: number): SeededRandom {
    return new SeededRandom(this.#seed + Math.imul(this.#links.length + direction + 1, 0x9e3779b1));
  }
}

/** Both directions of a link: `forward` leads from the first address given to `connect` to the second. */
export class DuplexLink {
  constructor(
    private readonly clock: Clock,
    readonly forward: Link,
    readonly backward: Link,
    /** Largest IP packet in octets; may be changed at any time. */
    public mtu: number,
  ) {}

  /** Cuts both directions, or joins them again. */
  setUp(up: boolean): void {
    this.forward.setUp(this.clock.now(), up);
    this.backward.setUp(this.clock.now(), up);
  }

  /** Changes options of both directions. Throws EINVAL for one out of its range. */
  update(changes: LinkOptions): void {
    this.forward.update(this.clock.now(), changes);
    this.backward.update(this.clock.now(), changes);
  }
}

/** One host's device on a `MemoryNetwork`. Never full: its links drop instead. */
export class MemoryDevice extends VirtualDevice {
  readonly #network: MemoryNetwork;
  readonly #ends = new Map<number, Endpoint>();

  /** @internal Made by `MemoryNetwork.device`. */
  constructor(network: MemoryNetwork, needsChecksum: boolean) {
    super(needsChecksum);
    this.#network = network;
  }

  send(path: number, packet: OutPacket): boolean {
    const end = this.#ends.get(path);
    if (end === undefined) this.#network.counters.noPath++;
    else this.#network.forward(end, packet);
    return true;
  }

  /** @internal */
  take(path: number, packet: Uint8Array): boolean {
    return this.give(path, packet);
  }

  /** @internal */
  tell(path: number, up: boolean): void {
    this.host?.pathState(path, up);
    this.onInput?.();
  }

  protected override pathAttached(path: Path): PlaitError | null {
    const end = this.#network.endpoint(path.address) as Endpoint;
    if (end.device !== null) return new PlaitError('EADDRINUSE', `another host has ${path.address}`);
    end.device = this;
    end.path = path.id;
    this.#ends.set(path.id, end);
    return null;
  }

  protected override pathDetached(path: number): void {
    const end = this.#ends.get(path);
    if (end !== undefined) end.device = null;
    this.#ends.delete(path);
  }
}

/** One address of the network. */
interface Endpoint {
  readonly address: Uint8Array;
  /** Index among the network's endpoints. */
  readonly tag: number;
  readonly routes: Route[];
  /** The host that has attached the address, if any, and its path. */
  device: MemoryDevice | null;
  path: number;
  up: boolean;
}

interface Route {
  readonly to: Endpoint;
  readonly duplex: DuplexLink;
  readonly link: Link;
}

const DEFAULT_MTU = 1500;
/** Packets handed over in one round. */
const BATCH = 64;
