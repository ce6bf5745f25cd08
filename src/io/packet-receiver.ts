/**
 * The packet socket through which all paths of one family receive, read by the kernel straight into the host's receive
 * ring where there is one. One socket, because its queue keeps the order in which packets came: with one per path, what
 * subflows bring waits in one queue for what is in the other, and has to be kept aside meanwhile.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { DROP_ALL, pathFilters } from './bpf.js';
import { Checksum, type ReceiveRing } from './device.js';
import { quotedPort } from './icmp.js';
import {
  ETH_P_IP,
  ETH_P_IPV6,
  LINK_HEADER_MAX,
  linkAddress,
  linkDevice,
  linkHeaderLength,
} from './link-header.js';
import { MappedMemory } from './mapped-memory.js';
import { Messages } from './messages.js';
import { growReceiveBuffer, type Native, type Watch } from './native.js';
import type { NextHops } from './next-hop.js';
import { FRONT, PayloadBuffers, WORTHY } from './payload-buffers.js';
import { openPacketSocket, takeDrops } from './packet-socket.js';
import type { PortBindings } from './ports.js';
import { IPPROTO_TCP } from './raw-socket.js';
import { VNET_SIZE, vnetSegment, vnetTrusted } from './vnet-header.js';

/** A path, as far as it receives. */
export interface ReceivingPath {
  readonly id: number;
  readonly address: Uint8Array;
  /** Index of its interface. */
  readonly device: number;
  /** Bindings of each port, for the moments in which the kernel's filter is behind or lets more ports through. */
  readonly bindings: PortBindings;
  readonly hops: NextHops;
  /**
   * A TCP packet for a bound port, or an ICMP error about one from there; valid during the call. Only called where the host
   * has no ring.
   */
  received(packet: Uint8Array, checksum: Checksum, segment: number): void;
  /** A packet for a bound port came. */
  worked(): void;
  /** A packet for another port. */
  stray(): void;
  failed(errno: number): void;
}

export class PacketReceiver {
  /** Set before the first path comes; null: packets go to `ReceivingPath.received`. */
  ring: ReceiveRing | null = null;
  /** See `DeviceHost.batchOver`. Set before the first path comes. */
  batchOver: () => void = () => undefined;
  readonly #native: Native;
  readonly #v6: boolean;
  readonly #paths = new Set<ReceivingPath>();
  /** Whose the latest packet was. */
  #latest: ReceivingPath | null = null;
  /** Open while there are paths. */
  #socket: { readonly fd: number; readonly watch: Watch } | null = null;
  #dropped = 0;
  readonly #messages: Messages;
  readonly #memory: MappedMemory;
  /** More packets wait than are read in one batch. */
  #behind = false;
  readonly #buffers: PayloadBuffers;
  /** Large packets of the latest batch, or half as many for each one since. */
  #large = 0;

  constructor(native: Native, family: 4 | 6) {
    this.#native = native;
    this.#v6 = family === 6;
    this.#messages = new Messages(native, COUNT, 2);
    this.#buffers = new PayloadBuffers(native, this.#messages, COUNT, PLACE);
    this.#memory = new MappedMemory(native);
  }

  /** Throws PlaitError: EPERM, ERR_PLAIT_DEVICE. */
  add(path: ReceivingPath): void {
    this.#socket ??= this.#open();
    this.#paths.add(path);
  }

  remove(path: ReceivingPath): void {
    this.#paths.delete(path);
    if (this.#latest === path) this.#latest = null;
    if (this.#paths.size > 0) this.portsChanged();
    else this.#close();
  }

  /** Some path has other ports than before. */
  portsChanged(): void {
    const fd = this.#socket?.fd;
    if (fd === undefined) return;
    for (const program of pathFilters([...this.#paths])) {
      if (this.#native.attachFilter(fd, program) === 0) return;
    }
  }

  #open(): { fd: number; watch: Watch } {
    const native = this.#native;
    const fd = openPacketSocket(native);
    // Packets come from any interface, as Linux itself takes them; VLANs and bridges deliver at their upper side.
    const protocol = this.#v6 ? ETH_P_IPV6 : ETH_P_IP;
    const errno = native.attachFilter(fd, DROP_ALL) || native.bindName(fd, linkAddress(0, protocol));
    if (errno !== 0) {
      native.closeAside(fd);
      throw new PlaitError('ERR_PLAIT_DEVICE', `no packet socket (${getSystemErrorName(-errno)})`);
    }
    growReceiveBuffer(native, fd, BUFFER);
    if (this.ring === null) this.#memory.look(new Uint8Array(COUNT * PLACE));
    const watch = native.watch(
      fd,
      () => {
        this.#receive(fd);
        this.batchOver();
      },
      () => undefined,
    );
    return { fd, watch };
  }

  /** Takes in what waits. */
  receive(): void {
    if (this.#socket !== null) this.#receive(this.#socket.fd);
  }

  /** Packets that the kernel dropped because the queue was full. */
  get dropped(): number {
    if (this.#socket !== null) this.#dropped += takeDrops(this.#native, this.#socket.fd);
    return this.#dropped;
  }

  #close(): void {
    if (this.#socket === null) return;
    this.#dropped += takeDrops(this.#native, this.#socket.fd);
    this.#buffers.release();
    this.#socket.watch.close();
    this.#native.closeAside(this.#socket.fd);
    this.#socket = null;
    this.#setBehind(false);
  }

  #receive(fd: number): void {
    this.#setBehind(this.#receiveBatches(fd) >= BEHIND);
  }

  #setBehind(behind: boolean): void {
    if (behind === this.#behind) return;
    this.#behind = behind;
    this.ring?.behind(behind);
  }

  /** Bounded batches per event: timers and the application get their turn between two events. Returns how many were full. */
  #receiveBatches(fd: number): number {
    const { ring } = this;
    let round = 0;
    for (; round < ROUNDS && this.#socket?.fd === fd; round++) {
      const places = ring === null ? COUNT : ring.reserve(PLACE, COUNT);
      // Making room ran the stack, which may have given up the last path.
      if (places === 0 || this.#socket?.fd !== fd) break;
      if (ring !== null) this.#memory.look(ring.memory);
      const first = ring === null ? 0 : ring.first;
      const apart = this.#large >= MANY && ring?.takesBuffers(COUNT) === true;
      this.#buffers.prepare(this.#memory.base + first, apart);
      const n = this.#messages.receive(fd, places);
      if (n < 0 && n !== -constants.errno.EAGAIN) for (const path of this.#paths) path.failed(-n);
      let large = 0;
      for (let i = 0; i < n; i++) {
        if (this.#messages.received(i) >= WORTHY) large++;
        this.#deliver(i, first + i * PLACE);
      }
      this.#large = Math.max(large, this.#large / 2);
      if (n < places) break;
    }
    return round;
  }

  #deliver(i: number, at: number): void {
    const { octets } = this.#memory;
    const { names } = this.#messages;
    const name = this.#messages.nameAt(i);
    const start = at + VNET_SIZE + linkHeaderLength(names, name);
    const received = Math.min(this.#messages.received(i), PLACE);
    const apart = this.#buffers.came(i, received, octets, at);
    const end = at + received;
    const header = this.#v6 ? IPV6_HEADER : ((octets[start] as number) & 15) * 4;
    if (end < start + header + TCP_HEADER) return;
    const device = linkDevice(names, name);
    const path = this.#pathTo(octets, start, device);
    if (path === null) return;
    const tcp = octets[start + (this.#v6 ? 6 : 9)] === IPPROTO_TCP;
    if (apart && !tcp) this.#buffers.restore(i, received, octets, at);
    const port = tcp ? octets.readUInt16BE(start + header + 2) : quotedPort(octets, start + header, end);
    if (!path.bindings.has(port)) {
      path.stray();
      return;
    }
    if (tcp) {
      path.worked();
      path.hops.cameThrough(device, names, name, octets, start);
    }
    const checksum = vnetTrusted(octets, at) ? Checksum.Good : Checksum.Unknown;
    const segment = vnetSegment(octets, at);
    const payload = start + header + ((octets[start + header + 12] as number) >> 4) * 4 - at;
    const sound =
      checksum === Checksum.Good && payload >= FRONT && (octets[start] as number) >> 4 === (this.#v6 ? 6 : 4);
    const keep = apart && tcp && sound;
    if (apart && tcp && !sound) this.#buffers.restore(i, received, octets, at);
    if (this.ring === null) {
      path.received(octets.subarray(start, end), checksum, segment);
    } else {
      const buffer = keep ? this.#buffers.take(i, payload, received) : undefined;
      this.ring.commit(path.id, start, end - start, checksum, segment, buffer);
    }
  }

  /** The path with the destination of the IP packet at `at`; of several the one whose interface it came through. */
  #pathTo(octets: Buffer, at: number, device: number): ReceivingPath | null {
    const to = at + (this.#v6 ? 24 : 16);
    const latest = this.#latest;
    if (latest !== null && latest.device === device && isAddress(octets, to, latest.address)) return latest;
    let found: ReceivingPath | null = null;
    for (const path of this.#paths) {
      if ((found !== null && path.device !== device) || !isAddress(octets, to, path.address)) continue;
      found = path;
      if (path.device === device) break;
    }
    this.#latest = found;
    return found;
  }
}

function isAddress(octets: Buffer, at: number, address: Uint8Array): boolean {
  for (let i = 0; i < address.length; i++) if (octets[at + i] !== address[i]) return false;
  return true;
}

/** Packets of a batch at most: as many as fit into an area of the receive ring. */
const COUNT = 63;
/** Room for one packet: the kernel joins segments to 64 KB. A multiple of a cache line, not of a page. */
const PLACE = (VNET_SIZE + LINK_HEADER_MAX + 65536 + 63) & ~63;
/** Of the socket, octets: what all peers may have under way at once. */
const BUFFER = 8 << 20;
/** Large packets of a batch from which on payload is received apart: what comes in small ones would be copied once more. */
const MANY = 8;
/** Batches per event; from so many full ones on, of four megabytes, the host is behind. */
const ROUNDS = 2;
const BEHIND = 1;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
