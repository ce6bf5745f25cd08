/**
 * One path of the device `packet`: a packet socket through which it sends, a raw socket beside it, and its share of the
 * packet socket through which all paths receive.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { isLinkLocal } from './address-cache.js';
import type { OutPacket, Path } from './device.js';
import type { GuardedPath, GuardedPathEvents } from './guarded-device.js';
import { interfaceIndex } from './interfaces.js';
import {
  AF_INET,
  AF_INET6,
  SOCK_RAW,
  SO_BINDTODEVICE,
  SOL_SOCKET,
  growSendBuffer,
  type Native,
  type Watch,
} from './native.js';
import type { Netlink } from './netlink.js';
import { NextHops } from './next-hop.js';
import { FRONT, OutBatch } from './out-batch.js';
import type { PacketReceiver, ReceivingPath } from './packet-receiver.js';
import { PacketSender } from './packet-sender.js';
import { openPacketSocket, socketError } from './packet-socket.js';
import { PathHealth } from './path-health.js';
import { PortBindings } from './ports.js';
import { IPPROTO_RAW } from './raw-socket.js';
import type { Timers } from './timers.js';

export class PacketPath implements GuardedPath {
  readonly path: Path;
  readonly address: Uint8Array;
  readonly health: PathHealth;
  readonly #native: Native;
  readonly #hops: NextHops;
  readonly #socket: number = -1;
  readonly #router: number;
  /** One more, to where no route leads through the path's interface; -1: not needed so far. */
  #elsewhere = -1;
  readonly #watch: Watch;
  readonly #receiver: PacketReceiver;
  readonly #sender: PacketSender;
  readonly #receiving: ReceivingPath;
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
    receiver: PacketReceiver,
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
    this.#receiver = receiver;
    this.#receiving = {
      id: path.id,
      address,
      device,
      bindings: this.#bindings,
      hops: this.#hops,
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
    };
    this.#router = this.#openRouter(device, true);
    try {
      this.#socket = openPacketSocket(native);
      growSendBuffer(native, this.#socket);
      receiver.add(this.#receiving);
    } catch (error) {
      if (this.#socket >= 0) native.closeAside(this.#socket);
      native.close(this.#router);
      throw error;
    }
    const route = (packet: Uint8Array): number => this.#sendRouted(packet);
    this.#sender = new PacketSender(native, this.#socket, path.mtu, this.#hops, timers, route, {
      full: () => {
        this.#watch.wantWritable();
      },
      writable: () => {
        events.writable();
      },
      delayed: (header) => {
        this.health.delayed('ENOBUFS');
        events.congested(header);
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
        native.receive(this.#socket, NO_OCTETS); // an error at most, which this takes away
      },
      () => {
        this.#sender.unblock();
      },
    );
  }

  get isBound(): boolean {
    return this.#bindings.size > 0;
  }

  /** Each port as often as it is bound. */
  boundPorts(): number[] {
    return this.#bindings.all();
  }

  bind(port: number): void {
    if (this.#bindings.add(port)) this.#receiver.portsChanged();
  }

  /** False: it was not bound. */
  unbind(port: number): boolean {
    const left = this.#bindings.remove(port);
    if (left === 0) this.#receiver.portsChanged();
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
    this.#receiver.remove(this.#receiving);
    this.#sender.close();
    this.#watch.close();
    this.#native.closeAside(this.#socket);
    this.#native.close(this.#router);
    if (this.#elsewhere >= 0) this.#native.close(this.#elsewhere);
  }

  /** While the kernel does not know the neighbour it has to find out, and this packet waits there for the answer. */
  #sendRouted(packet: Uint8Array): number {
    const v4 = this.address.length === 4;
    const name = Buffer.alloc(v4 ? 16 : 28);
    name.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
    name.set(packet.subarray(v4 ? 16 : 24, v4 ? 20 : 40), v4 ? 4 : 8);
    if (!v4 && isLinkLocal(name.subarray(8, 24))) name.writeUInt32LE(interfaceIndex(this.path.name) ?? 0, 24);
    const sent = this.#native.sendTo(this.#router, packet, packet.length, name);
    // Over IPv6 the only route may lead through another interface, as `Netlink.route` has it.
    if (v4 || sent !== -constants.errno.ENETUNREACH) return sent;
    try {
      if (this.#elsewhere < 0) this.#elsewhere = this.#openRouter(this.#receiving.device, false);
    } catch {
      return sent;
    }
    return this.#native.sendTo(this.#elsewhere, packet, packet.length, name);
  }

  /** `held`: to the path's interface. Throws PlaitError: EPERM, ERR_PLAIT_DEVICE, EADDRNOTAVAIL. */
  #openRouter(device: number, held: boolean): number {
    const native = this.#native;
    const fd = native.socket(this.address.length === 4 ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0) throw socketError(-fd);
    const name = Buffer.from(`${this.path.name}\0`);
    const bound =
      (held ? native.setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, name) : 0) ||
      native.bind(fd, this.address, 0, device);
    if (bound === 0) return fd;
    native.close(fd);
    throw new PlaitError(
      'EADDRNOTAVAIL',
      `${this.path.address} is no address of ${this.path.name} (${getSystemErrorName(-bound)})`,
      'ip address',
    );
  }
}

const NO_OCTETS = new Uint8Array(0);
