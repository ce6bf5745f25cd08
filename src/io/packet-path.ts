/** The packet socket, and the raw socket beside it, that carry one path of the device `packet`. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { isLinkLocal } from './address-cache.js';
import { addressFilter, DROP_ALL, pathFilter } from './bpf.js';
import type { OutPacket, Path } from './device.js';
import type { GuardedPath, GuardedPathEvents } from './guarded-device.js';
import { interfaceIndex } from './interfaces.js';
import { AF_PACKET, ETH_P_IP, ETH_P_IPV6, linkAddress } from './link-header.js';
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
import { NextHops } from './next-hop.js';
import { FRONT, OutBatch } from './out-batch.js';
import { PacketReceiver } from './packet-receiver.js';
import { PacketSender } from './packet-sender.js';
import { PathHealth } from './path-health.js';
import { PortBindings } from './ports.js';
import { IPPROTO_RAW, RAW_PRIVILEGE_REMEDY } from './raw-socket.js';
import type { Timers } from './timers.js';

export class PacketPath implements GuardedPath {
  readonly path: Path;
  readonly address: Uint8Array;
  readonly health: PathHealth;
  readonly #native: Native;
  readonly #hops: NextHops;
  readonly #socket: number;
  readonly #router: number;
  readonly #watch: Watch;
  readonly #receiver: PacketReceiver;
  readonly #sender: PacketSender;
  /** Bindings of each port, for the moments in which the kernel's filter is behind or lets every port through. */
  readonly #bindings = new PortBindings();
  /** The packet of `send`. */
  readonly #single = new OutBatch(1);
  #octets = new Uint8Array(0);

  /** Throws PlaitError: EPERM, EADDRNOTAVAIL (no such interface or address), ERR_PLAIT_DEVICE. */
  constructor(
    path: Path,
    address: Uint8Array,
    native: Native,
    netlink: Netlink,
    timers: Timers,
    events: GuardedPathEvents,
  ) {
    this.path = path;
    this.address = address;
    this.health = new PathHealth(path, (up) => {
      events.state(up);
    });
    this.#native = native;
    const device = interfaceIndex(path.name);
    if (device === null) throw new PlaitError('EADDRNOTAVAIL', `no interface ${path.name}`, 'ip link');
    this.#hops = new NextHops(netlink, address, device);
    this.#socket = this.#openSocket();
    try {
      this.#router = this.#openRouter(device);
    } catch (error) {
      native.closeAside(this.#socket);
      throw error;
    }
    this.#receiver = new PacketReceiver(
      native,
      this.#socket,
      path.id,
      address.length === 16,
      this.#bindings,
      this.#hops,
      events.ring,
      {
        received: (packet, checksum, segment) => {
          events.received(packet, checksum, segment);
        },
        stray: () => {
          events.stray();
        },
        worked: () => {
          this.health.worked();
        },
        failed: (errno) => {
          this.health.failed(getSystemErrorName(-errno));
        },
      },
    );
    const route = (packet: Uint8Array): number => this.#sendRouted(packet);
    this.#sender = new PacketSender(native, this.#socket, path.mtu, this.#hops, timers, route, {
      full: () => {
        this.#watch.wantWritable();
      },
      writable: () => {
        events.writable();
      },
      worked: () => {
        this.health.worked();
      },
      lost: (errno) => {
        events.lost();
        this.health.failed(getSystemErrorName(-errno));
      },
      noSegmentation: () => {
        events.noSegmentation();
      },
    });
    this.#watch = native.watch(
      this.#socket,
      () => {
        this.#receiver.receive();
      },
      () => {
        this.#sender.unblock();
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

  sendMany(batch: OutBatch): number {
    return this.#sender.send(batch);
  }

  send(packet: OutPacket): boolean {
    const { length, segment, partial } = packet;
    if (this.#octets.length < FRONT + length) this.#octets = new Uint8Array(2 * (FRONT + length));
    packet.copyTo(this.#octets, FRONT);
    const header = segment > 0 ? partial + ((this.#octets[FRONT + partial + 12] as number) >> 4) * 4 : length;
    this.#single.clear(this.#octets);
    this.#single.add(FRONT, header, FRONT + header, length - header, 0, 0, segment, partial);
    return this.#sender.send(this.#single) === 1;
  }

  flush(): void {
    // Packets leave as they are sent.
  }

  close(): void {
    this.#receiver.close();
    this.#sender.close();
    this.#watch.close();
    this.#native.closeAside(this.#socket);
    this.#native.close(this.#router);
  }

  /** While the kernel does not know the neighbour it has to find out, and this packet waits there for the answer. */
  #sendRouted(packet: Uint8Array): number {
    const v4 = this.address.length === 4;
    const name = Buffer.alloc(v4 ? 16 : 28);
    name.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
    name.set(packet.subarray(v4 ? 16 : 24, v4 ? 20 : 40), v4 ? 4 : 8);
    if (!v4 && isLinkLocal(name.subarray(8, 24))) name.writeUInt32LE(interfaceIndex(this.path.name) ?? 0, 24);
    return this.#native.sendTo(this.#router, packet, packet.length, name);
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
      native.closeAside(fd);
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
    const ports = pathFilter(this.address, this.#bindings, 'packet');
    // The kernel's limit for filters (net.core.optmem_max) may be below the program's size.
    if (native.attachFilter(this.#socket, ports) !== 0)
      native.attachFilter(this.#socket, addressFilter(this.address, 'packet'));
  }
}

/** Opens and closes a packet socket. Null, or why this process may not: EPERM or ERR_PLAIT_DEVICE. */
export function tryPacketSocket(native: Native): PlaitError | null {
  const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) return socketError(-fd);
  native.closeAside(fd);
  return null;
}

function socketError(errno: number): PlaitError {
  return errno === constants.errno.EPERM || errno === constants.errno.EACCES
    ? new PlaitError('EPERM', 'packet sockets need the privilege CAP_NET_RAW', RAW_PRIVILEGE_REMEDY)
    : new PlaitError('ERR_PLAIT_DEVICE', `no packet socket (${getSystemErrorName(-errno)})`);
}

const ONE = new Uint8Array(Int32Array.of(1).buffer);
// linux/if_packet.h
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
