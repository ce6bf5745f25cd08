/** The packet socket, and the raw socket beside it, that carry one path of the device `packet`. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { isLinkLocal } from './address-cache.js';
import { addressFilter, DROP_ALL, portFilter } from './bpf.js';
import { Checksum, type OutPacket, type Path } from './device.js';
import type { GuardedPath, GuardedPathEvents } from './guarded-device.js';
import { interfaceIndex } from './interfaces.js';
import {
  AF_INET,
  AF_INET6,
  SOCK_RAW,
  SO_BINDTODEVICE,
  SOL_SOCKET,
  growReceiveBuffer,
  growSendBuffer,
  type Native,
  type Watch,
} from './native.js';
import type { Netlink } from './netlink.js';
import {
  AF_PACKET,
  ETH_P_IP,
  ETH_P_IPV6,
  headerLength,
  LINK_HEADER_MAX,
  linkAddress,
  linkDevice,
  linkSender,
} from './link-header.js';
import { NextHops } from './next-hop.js';
import { MessageBatch, VNET_SIZE } from './packet-batch.js';
import { PathHealth } from './path-health.js';
import { PortBindings } from './ports.js';
import { IPPROTO_RAW, RAW_PRIVILEGE_REMEDY } from './raw-socket.js';

export class PacketPath implements GuardedPath {
  readonly path: Path;
  readonly address: Uint8Array;
  readonly health: PathHealth;
  readonly #native: Native;
  readonly #events: GuardedPathEvents;
  readonly #now: () => number;
  readonly #hops: NextHops;
  readonly #socket: number;
  readonly #router: number;
  readonly #watch: Watch;
  readonly #incoming: MessageBatch;
  readonly #outgoing: MessageBatch;
  /** Packets in `#outgoing` from this one on wait to be sent. */
  #first = 0;
  #next = 0;
  /** Bindings of each port, for the moments in which the kernel's filter is behind or lets every port through. */
  readonly #bindings = new PortBindings();
  #open = true;
  /** The kernel's queue is full; `writable` comes. */
  #blocked = false;

  /** Throws PlaitError: EPERM, EADDRNOTAVAIL (no such interface or address), ERR_PLAIT_DEVICE. */
  constructor(
    path: Path,
    address: Uint8Array,
    native: Native,
    netlink: Netlink,
    now: () => number,
    events: GuardedPathEvents,
  ) {
    this.path = path;
    this.address = address;
    this.health = new PathHealth(path, (up) => {
      events.state(up);
    });
    this.#native = native;
    this.#events = events;
    this.#now = now;
    const device = interfaceIndex(path.name);
    if (device === null) throw new PlaitError('EADDRNOTAVAIL', `no interface ${path.name}`, 'ip link');
    this.#hops = new NextHops(netlink, address, device);
    this.#incoming = new MessageBatch(native, RECEIVE_COUNT, RECEIVE_SIZE);
    this.#outgoing = new MessageBatch(native, SEND_COUNT, (PACKET_AT + path.mtu + 15) & ~15);
    this.#socket = this.#openSocket();
    try {
      this.#router = this.#openRouter(device);
    } catch (error) {
      native.close(this.#socket);
      throw error;
    }
    this.#watch = native.watch(
      this.#socket,
      () => {
        this.#receiveAll();
      },
      () => {
        this.#unblock();
      },
    );
  }

  /** Each port as often as it is bound. */
  boundPorts(): number[] {
    return this.#bindings.all();
  }

  bind(port: number): void {
    if (this.#bindings.add(port)) this.#setFilter();
  }

  /** False: it was not bound. */
  unbind(port: number): boolean {
    const left = this.#bindings.remove(port);
    if (left === 0) this.#setFilter();
    return left >= 0;
  }

  /** The kernel's tables have changed. */
  routesChanged(): void {
    this.#hops.forget();
  }

  /** Takes one packet; it leaves at the next `flush`. False: the queue is full. */
  send(packet: OutPacket): boolean {
    if (this.#next === SEND_COUNT) this.flush();
    if (this.#blocked) return false;
    const { data, slot } = this.#outgoing;
    const at = this.#next * slot + PACKET_AT;
    const length = packet.copyTo(data, at);
    const to = this.#hops.find(data, at, this.#now());
    if (to === null) {
      this.#throughKernel(data.subarray(at, at + length), length);
    } else if (typeof to === 'number') {
      this.#lost(to);
    } else {
      const before = VNET_SIZE + to.octets.length;
      data.fill(0, at - before, at - to.octets.length);
      data.set(to.octets, at - to.octets.length);
      this.#outgoing.prepare(this.#next++, PACKET_AT - before, before + length, to.name);
    }
    return true;
  }

  flush(): void {
    if (this.#blocked) return;
    while (this.#first < this.#next) {
      const sent = this.#native.sendMany(
        this.#socket,
        this.#outgoing.headers.subarray(this.#first * MESSAGE_SIZE),
        this.#next - this.#first,
      );
      if (sent > 0) {
        this.#first += sent;
        this.health.worked();
      } else if (sent === -constants.errno.EAGAIN) {
        this.#blocked = true;
        this.#watch.wantWritable();
        return;
      } else {
        this.#first++; // this packet alone
        this.#lost(-sent);
      }
    }
    this.#first = this.#next = 0;
  }

  close(): void {
    this.flush();
    this.#open = false;
    this.#watch.close();
    this.#native.close(this.#socket);
    this.#native.close(this.#router);
  }

  #unblock(): void {
    if (!this.#blocked || !this.#open) return;
    this.#blocked = false;
    this.flush();
    if (!this.#blocked) this.#events.writable();
  }

  #lost(errno: number): void {
    this.#events.lost();
    this.health.failed(getSystemErrorName(-errno));
  }

  /** While the kernel does not know the neighbour it has to find out, and this packet waits there for the answer. */
  #throughKernel(packet: Buffer, length: number): void {
    const v4 = this.address.length === 4;
    const name = Buffer.alloc(v4 ? 16 : 28);
    name.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
    name.set(packet.subarray(v4 ? 16 : 24, v4 ? 20 : 40), v4 ? 4 : 8);
    if (!v4 && isLinkLocal(name.subarray(8, 24))) name.writeUInt32LE(interfaceIndex(this.path.name) ?? 0, 24);
    const result = this.#native.sendTo(this.#router, packet, length, name);
    if (result < 0) this.#lost(-result);
    else this.health.worked();
  }

  // ---- sockets ------------------------------------------------------------------------------------------------------

  #openSocket(): number {
    const native = this.#native;
    // Protocol 0 receives nothing until the filter is there. Then packets come from any interface, as Linux itself takes
    // them; VLANs and bridges deliver at their upper side.
    const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
    if (fd < 0) throw socketError(-fd);
    const errno =
      native.attachFilter(fd, DROP_ALL) ||
      native.setOption(fd, SOL_PACKET, PACKET_VNET_HDR, ONE) ||
      native.bindName(fd, linkAddress(0, this.address.length === 4 ? ETH_P_IP : ETH_P_IPV6));
    if (errno !== 0) {
      native.close(fd);
      throw new PlaitError(
        'ERR_PLAIT_DEVICE',
        `no packet socket on ${this.path.name} (${getSystemErrorName(-errno)})`,
      );
    }
    growSendBuffer(native, fd);
    growReceiveBuffer(native, fd);
    return fd;
  }

  #openRouter(device: number): number {
    const native = this.#native;
    const fd = native.socket(this.address.length === 4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0) throw socketError(-fd);
    const bound =
      native.setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${this.path.name}\0`)) ||
      native.bind(fd, this.address, 0, device);
    if (bound === 0) return fd;
    native.close(fd);
    throw new PlaitError(
      'EADDRNOTAVAIL',
      `${this.path.address} is no address of ${this.path.name} (${getSystemErrorName(-bound)})`,
      'ip address',
    );
  }

  #setFilter(): void {
    const native = this.#native;
    const ports = portFilter(this.address, this.#bindings.ports(), 'packet');
    // The kernel's limit for filters (net.core.optmem_max) may be below the program's size.
    if (native.attachFilter(this.#socket, ports) !== 0)
      native.attachFilter(this.#socket, addressFilter(this.address, 'packet'));
  }

  // ---- receiving ----------------------------------------------------------------------------------------------------

  /** A bounded batch per event: timers and the application get their turn between two of them. */
  #receiveAll(): void {
    for (let round = 0; round < ROUNDS && this.#open; round++) {
      const n = this.#native.receiveMany(this.#socket, this.#incoming.headers, RECEIVE_COUNT);
      if (n < 0 && n !== -constants.errno.EAGAIN) this.health.failed(getSystemErrorName(n));
      for (let i = 0; i < n && this.#open; i++) this.#deliver(i);
      if (n < RECEIVE_COUNT) return;
    }
  }

  #deliver(i: number): void {
    const { data, slot } = this.#incoming;
    const at = i * slot;
    const name = this.#incoming.name(i);
    const start = at + VNET_SIZE + headerLength(name);
    const end = at + Math.min(this.#incoming.received(i), slot);
    const header = this.address.length === 16 ? IPV6_HEADER : ((data[start] as number) & 15) * 4;
    if (end < start + header + TCP_HEADER || !this.#bindings.has(data.readUInt16BE(start + header + 2))) {
      this.#events.stray();
      return;
    }
    this.health.worked();
    this.#hops.cameThrough(linkDevice(name), linkSender(name), data, start);
    // A local sender's checksum was never on a wire; a verified one needs no second look.
    const trusted = ((data[at] as number) & (VNET_NEEDS_CSUM | VNET_DATA_VALID)) !== 0;
    this.#events.received(data.subarray(start, end), trusted ? Checksum.Good : Checksum.Unknown);
  }
}

/** Opens and closes a packet socket. Null, or why this process may not: EPERM or ERR_PLAIT_DEVICE. */
export function tryPacketSocket(native: Native): PlaitError | null {
  const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) return socketError(-fd);
  native.close(fd);
  return null;
}

function socketError(errno: number): PlaitError {
  return errno === constants.errno.EPERM || errno === constants.errno.EACCES
    ? new PlaitError('EPERM', 'packet sockets need the privilege CAP_NET_RAW', RAW_PRIVILEGE_REMEDY)
    : new PlaitError('ERR_PLAIT_DEVICE', `no packet socket (${getSystemErrorName(-errno)})`);
}

const ONE = new Uint8Array(Int32Array.of(1).buffer);
const RECEIVE_COUNT = 32;
/** The kernel joins segments to packets of 64 KB. */
const RECEIVE_SIZE = VNET_SIZE + LINK_HEADER_MAX + 65536;
/** Where the IP packet begins in a slot for sending. */
const PACKET_AT = VNET_SIZE + LINK_HEADER_MAX;
/** Batches per event. */
const ROUNDS = 4;
const SEND_COUNT = 64;
/** sizeof(struct mmsghdr). */
const MESSAGE_SIZE = 64;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
// linux/if_packet.h, linux/virtio_net.h
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const VNET_NEEDS_CSUM = 1;
const VNET_DATA_VALID = 2;
