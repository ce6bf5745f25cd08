/**
 * Device `udp`: each TCP segment, header and all, in a UDP datagram. Needs no privilege and passes NATs; both ends
 * have to run Plait. The UDP ports are the TCP ports, so each client subflow has a socket of its own and a server
 * one per path. The inner ports count for nothing: a NAT may change the outer ones. The inner checksum is 0, for
 * UDP's own guards the segment.
 */
import type { RemoteInfo } from 'node:dgram';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { AddressCache, isLinkLocal } from './address-cache.js';
import type { Device, DeviceHost, OutPacket, Path } from './device.js';
import { interfaceIndex } from './interfaces.js';
import { loadNative, type Native } from './native.js';
import { PathHealth } from './path-health.js';
import { Datagram, UdpSocket, bindError, type UdpSocketEvents } from './udp-socket.js';

/** What happened to packets that are not the stack's to count. */
export interface UdpStats {
  /** Not sent: an error of the system call, a port that is not bound, or longer than the path's MTU. */
  sendErrors: number;
  /** Received, and shorter than a TCP header. */
  strays: number;
  /** Received while the stack had no room. */
  ringFull: number;
  /** Times that a peer's machine said that nobody listens. */
  refused: number;
}

interface UdpPath {
  readonly path: Path;
  readonly address: Uint8Array;
  /** To be put behind link-local addresses. */
  readonly zone: string;
  readonly health: PathHealth;
  readonly sockets: Map<number, UdpSocket>;
  /** Those whose port the kernel still has to choose. */
  readonly opening: Set<UdpSocket>;
  readonly events: UdpSocketEvents;
}

export class UdpDevice implements Device {
  readonly kind = 'udp';
  readonly overhead = 8;
  readonly needsChecksum = false;
  /** The outer header is the kernel's, and its bits do not reach a program. */
  readonly hidesEcn = (): boolean => true;
  readonly stats: UdpStats = { sendErrors: 0, strays: 0, ringFull: 0, refused: 0 };
  readonly #native: Native | null;
  readonly #addresses = new AddressCache();
  readonly #paths = new Map<number, UdpPath>();
  /** Free datagrams, for packets up to SMALL and for larger ones. */
  readonly #small: Datagram[] = [];
  readonly #large: Datagram[] = [];
  /** Octets that node holds. */
  #queued = 0;
  #blocked = false;
  #host: DeviceHost | null = null;

  /**
   * With `native`, each path's datagrams leave through its own interface. Without, the kernel's routing decides,
   * which on most machines takes the default route's interface whatever the source address.
   */
  constructor(native: Native | null = null) {
    this.#native = native;
  }

  /** With `native` where it is available. */
  static async load(): Promise<UdpDevice> {
    return new UdpDevice(await loadNative().catch(() => null));
  }

  open(host: DeviceHost): void {
    this.#host = host;
  }

  /** Errors: EINVAL. Whether the address is this machine's shows when a port is bound. */
  attach(path: Path, done: (error: PlaitError | null) => void): void {
    const address = this.#addresses.octets(path.address);
    if (this.#host === null || this.#paths.has(path.id)) {
      const why = this.#host === null ? 'the device is not open' : `path ${String(path.id)} is attached`;
      done(new PlaitError('EINVAL', why));
    } else if (address === null) {
      done(new PlaitError('EINVAL', `"${path.address}" is not an IP address`));
    } else {
      this.#paths.set(path.id, this.#newPath(this.#host, path, address));
      done(null);
    }
  }

  detach(path: number): void {
    const opened = this.#paths.get(path);
    if (opened === undefined) return;
    this.#paths.delete(path);
    for (const socket of [...opened.sockets.values(), ...opened.opening]) socket.release();
  }

  /** Errors: EADDRINUSE, EADDRNOTAVAIL, EPERM (ports below 1024), ERR_PLAIT_DEVICE. */
  bind(path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    const opened = this.#paths.get(path);
    if (opened === undefined) {
      done(new PlaitError('EADDRNOTAVAIL', `no path ${String(path)}`), 0);
      return;
    }
    const shared = port === 0 ? undefined : opened.sockets.get(port);
    if (shared !== undefined) {
      shared.bind(done);
      return;
    }
    const { address } = opened.path;
    const fd = this.#boundDescriptor(opened, port);
    if (fd !== null && fd < 0) {
      done(bindError(systemError(fd), address, port), 0);
      return;
    }
    const local = { address: address + opened.zone, v6: opened.address.length === 16, port, fd };
    const socket: UdpSocket = new UdpSocket(local, opened.events, (error, chosen) => {
      // Later, since binding takes no time and `socket` does not exist yet.
      queueMicrotask(() => {
        opened.opening.delete(socket);
        const gone = error === null && socket.bindings === 0;
        if (error === null && !gone) opened.sockets.set(chosen, socket);
        done(gone ? new PlaitError('ERR_SOCKET_CLOSED', 'the path was detached') : error, gone ? 0 : chosen);
      });
    });
    if (port === 0) opened.opening.add(socket);
    else opened.sockets.set(port, socket);
  }

  unbind(path: number, port: number): void {
    this.#paths.get(path)?.sockets.get(port)?.unbind();
  }

  send(path: number, packet: OutPacket): boolean {
    if (this.#queued + packet.length > QUEUE_LIMIT) {
      this.#blocked = true;
      return false;
    }
    const opened = this.#paths.get(path);
    if (opened === undefined || packet.length + this.overhead > opened.path.mtu) {
      this.stats.sendErrors++;
      return true;
    }
    const free = packet.length <= SMALL ? this.#small : this.#large;
    const datagram = free.pop() ?? new Datagram(packet.length <= SMALL ? SMALL : LARGEST);
    const { buffer } = datagram;
    const length = packet.copyTo(buffer, 0);
    const start = opened.address.length === 16 ? 40 : ((buffer[0] as number) & 15) * 4;
    const socket = opened.sockets.get(buffer.readUInt16BE(start));
    if (socket === undefined) {
      this.stats.sendErrors++;
      free.push(datagram);
      return true;
    }
    if (((buffer[start + 13] as number) & SYN_ACK) === SYN)
      socket.synSequence = buffer.readUInt32BE(start + 4);
    buffer.writeUInt16BE(0, start + 16);
    datagram.length = length;
    this.#queued += length;
    const to = this.#addresses.destination(buffer);
    const zoned = opened.zone === '' ? to : to + opened.zone;
    socket.send(datagram, start, length - start, buffer.readUInt16BE(start + 2), zoned);
    return true;
  }

  flush(): void {
    // Datagrams leave as they are sent.
  }

  close(): void {
    for (const path of [...this.#paths.keys()]) this.detach(path);
    this.#host = null;
  }

  #newPath(host: DeviceHost, path: Path, address: Uint8Array): UdpPath {
    const sockets = new Map<number, UdpSocket>();
    const opening = new Set<UdpSocket>();
    const health = new PathHealth(path, (up) => {
      if (this.#paths.get(path.id) === opened) host.pathState(path.id, up);
    });
    const events: UdpSocketEvents = {
      received: (socket, payload, from) => {
        health.worked();
        this.#received(host, path.id, socket, payload, from);
      },
      refused: (socket) => {
        this.stats.refused++;
        this.#refused(host, path.id, socket);
      },
      sent: (datagram, error) => {
        this.#sent(host, datagram);
        if (error === null) {
          health.worked();
        } else {
          this.stats.sendErrors++;
          health.failed(error.code);
        }
      },
      closed: (socket) => {
        opening.delete(socket);
        if (sockets.get(socket.port) === socket) sockets.delete(socket.port);
      },
    };
    const zone = isLinkLocal(address) ? `%${path.name}` : '';
    const opened: UdpPath = { path, address, zone, health, sockets, opening, events };
    return opened;
  }

  #received(host: DeviceHost, path: number, socket: UdpSocket, payload: Buffer, from: RemoteInfo): void {
    const remote = this.#addresses.octets(from.address);
    if (remote === null || payload.length < TCP_HEADER) this.stats.strays++;
    else if (!host.receiveSegment(path, remote, from.port, socket.port, payload)) this.stats.ringFull++;
  }

  #sent(host: DeviceHost, datagram: Datagram): void {
    this.#queued -= datagram.length;
    (datagram.buffer.length === SMALL ? this.#small : this.#large).push(datagram);
    if (this.#blocked && this.#queued <= QUEUE_LIMIT / 2 && this.#host === host) {
      this.#blocked = false;
      host.writable();
    }
  }

  /**
   * RFC 5461 section 2: a port that nobody has refuses a connection attempt. Here ICMP says so in place of the
   * peer's TCP, and the stack is given the RST that TCP would have sent.
   */
  #refused(host: DeviceHost, path: number, socket: UdpSocket): void {
    if (socket.heard || socket.synSequence === null || socket.peer === null) return;
    const remote = this.#addresses.octets(socket.peer.address);
    if (remote === null) return;
    const reset = Buffer.alloc(TCP_HEADER);
    reset.writeUInt32BE((socket.synSequence + 1) >>> 0, 8);
    reset[12] = 0x50;
    reset[13] = RST_ACK;
    host.receiveSegment(path, remote, socket.peer.port, socket.port, reset);
  }

  /** A descriptor bound to the path's interface, null where there is no such thing, or a negative errno. */
  #boundDescriptor({ path, address }: UdpPath, port: number): number | null {
    const loopback = address.length === 4 ? address[0] === 127 : path.address === '::1';
    const index = this.#native === null || loopback ? null : interfaceIndex(path.name);
    return index === null ? null : (this.#native as Native).datagramSocket(address, port, index);
  }
}

/** The error of a negative errno. */
function systemError(errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(code), { code });
}

const SYN = 0x02;
const SYN_ACK = 0x12;
const RST_ACK = 0x14;
const TCP_HEADER = 20;
const SMALL = 2048;
const LARGEST = 65536;
/** Octets that wait in node before `send` refuses; the kernel's own buffers come on top. */
const QUEUE_LIMIT = 1 << 21;
