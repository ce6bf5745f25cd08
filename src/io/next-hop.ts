/**
 * Where packets of one path leave to: the link address of the next hop, from the kernel's tables, asked again when
 * they change.
 */
import { linkHeader, linkSender, type LinkHeader } from './link-header.js';
import type { Netlink } from './netlink.js';

export class NextHops {
  readonly #netlink: Netlink;
  readonly #source: Uint8Array;
  readonly #device: number;
  readonly #known = new Map<number | string, Entry>();
  /** Remote addresses whose packets come in through another interface than the path's. */
  readonly #elsewhere = new Map<number | string, Origin>();

  constructor(netlink: Netlink, source: Uint8Array, device: number) {
    this.#netlink = netlink;
    this.#source = source;
    this.#device = device;
  }

  /**
   * For the destination of the IP packet at `at`. Null: leave this packet to the kernel, which asks for the neighbour on
   * the way. A number: the errno when no route leads there. `plain`: the packet is one segment, which the kernel can route.
   */
  find(packet: Buffer, at: number, now: number, plain: boolean): LinkHeader | number | null {
    const v4 = this.#source.length === 4;
    const key = this.#keyOf(packet, at + (v4 ? 16 : 24));
    const known = this.#known.get(key);
    if (known !== undefined && now < known.until) return known.to;
    const destination = Uint8Array.from(packet.subarray(at + (v4 ? 16 : 24), at + (v4 ? 20 : 40)));
    const found = this.#wayBack(key, destination) ?? this.#lookUp(destination);
    if (typeof found === 'number') return found;
    const to = found === KERNEL ? null : found;
    if (this.#known.size >= CAPACITY) this.#known.clear();
    const confirmed = known?.to === null || known === undefined ? now : known.confirmed;
    const due = to !== null && now - confirmed >= CONFIRM;
    const until = now + (found === null ? RETRY : LIFE);
    // Now and then one packet takes the kernel's way, so that its table keeps a neighbour in use. A large one is cut for
    // that, and its first segment asks again.
    if (due && !plain) return null;
    this.#known.set(key, { to, until, confirmed: due ? now : confirmed });
    return due ? null : to;
  }

  /**
   * The IP packet at `at` came through the interface `device`, with the `sockaddr_ll` at `name` of `names`. Where the
   * kernel would answer through that interface, too, the path does: a peer that is bound to its own interface hears
   * nothing elsewhere.
   */
  cameThrough(device: number, names: Uint8Array, name: number, packet: Buffer, at: number): void {
    if (device === this.#device && this.#elsewhere.size === 0) return;
    const key = this.#keyOf(packet, at + (this.#source.length === 4 ? 12 : 8));
    if ((this.#elsewhere.get(key)?.device ?? this.#device) === device) return;
    this.#known.delete(key);
    if (device === this.#device || this.#elsewhere.size >= CAPACITY) this.#elsewhere.delete(key);
    else this.#elsewhere.set(key, { device, neighbour: linkSender(names, name) });
  }

  #keyOf(packet: Buffer, at: number): number | string {
    return this.#source.length === 4 ? packet.readUInt32BE(at) : packet.toString('latin1', at, at + 16);
  }

  #wayBack(key: number | string, destination: Uint8Array): LinkHeader | null {
    const origin = this.#elsewhere.get(key);
    if (origin === undefined) return null;
    const route = this.#netlink.route(this.#source, destination, null);
    if (typeof route === 'number' || route.local || route.device !== origin.device) return null;
    return linkHeader(route.device, destination.length === 4 ? 4 : 6, origin.neighbour);
  }

  /** The kernel's tables have changed. */
  forget(): void {
    for (const entry of this.#known.values()) entry.until = 0;
  }

  #lookUp(destination: Uint8Array): LinkHeader | number | null | typeof KERNEL {
    const route = this.#netlink.route(this.#source, destination, this.#device);
    if (typeof route === 'number') return route;
    // IPv4 takes a packet from itself for a forgery, unless it has routed it itself.
    if (route.local && destination.length === 4) return KERNEL;
    // Nobody is next on the way to ourselves.
    const neighbour = route.local ? NOBODY : this.#netlink.neighbour(route.device, route.nextHop);
    return linkHeader(route.device, destination.length === 4 ? 4 : 6, neighbour);
  }
}

interface Entry {
  readonly to: LinkHeader | null;
  /** Microseconds: when to ask again. */
  until: number;
  /** When the kernel last saw a packet to this destination. */
  readonly confirmed: number;
}

interface Origin {
  readonly device: number;
  readonly neighbour: Uint8Array;
}

/** The kernel has to send it, always. */
const KERNEL = 'kernel';
const NOBODY = new Uint8Array(6);
const CAPACITY = 4096;
/** Microseconds that an answer is good for, as long as no table changes. */
const LIFE = 5e6;
/** Microseconds after which a neighbour that is still being looked for is asked for again. */
const RETRY = 1e3;
const CONFIRM = 20e6;
