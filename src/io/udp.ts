/**
 * Device `udp`: each TCP segment, header and all, in a UDP datagram. Needs no privilege and passes NATs; both ends
 * have to run Plait. The UDP ports are the TCP ports, so each client subflow has a socket of its own and a server
 * one per path. The inner ports count for nothing: a NAT may change the outer ones. The inner checksum is 0, for
 * UDP's own guards the segment.
 */
import { PlaitError } from '../errors.js';
import { parseAddress } from './address-cache.js';
import type { Device, DeviceHost, DeviceStats, OutPacket, Path } from './device.js';
import { interfaceIndex } from './interfaces.js';
import { loadNative, type Native } from './native.js';
import type { OutBatch } from './out-batch.js';
import { PathHealth } from './path-health.js';
import { DgramBackend } from './udp-dgram.js';
import { NativeBackend } from './udp-native.js';
import type { UdpBackend, UdpOutput, UdpRoute, UdpSocket, UdpSocketEvents } from './udp-socket.js';

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
  /** Index of the interface that its sockets are bound to. */
  readonly device: number | null;
  readonly health: PathHealth;
  readonly sockets: Map<number, UdpSocket>;
  /** Those whose port the kernel still has to choose. */
  readonly opening: Set<UdpSocket>;
  readonly events: UdpSocketEvents;
  readonly output: UdpOutput;
}

export class UdpDevice implements Device {
  readonly kind = 'udp';
  readonly overhead = 8;
  readonly needsChecksum = false;
  /** The outer header is the kernel's, and its bits do not reach a program. */
  readonly hidesEcn = (): boolean => true;
  readonly stats: UdpStats = { sendErrors: 0, strays: 0, ringFull: 0, refused: 0 };
  readonly segmentation: number;
  /** Where the C library sends. */
  readonly sendMany?: (path: number, packets: OutBatch) => number;
  readonly #backend: UdpBackend;
  readonly #paths = new Map<number, UdpPath>();
  #host: DeviceHost | null = null;

  /**
   * With `native`, datagrams leave and arrive in batches, and each path's leave through its own interface. Without, node
   * sends and receives them one by one, and the kernel's routing decides, which on most machines takes the default
   * route's interface whatever the source address.
   */
  constructor(native: Native | null = null) {
    this.#backend = native === null ? new DgramBackend() : new NativeBackend(native);
    this.segmentation = this.#backend.segmentation;
    if (native !== null) this.sendMany = (path, packets) => this.#sendMany(path, packets);
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
    const address = parseAddress(path.address);
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

  /** Sockets stay with the interface that they were bound to: EADDRNOTAVAIL if it is another one now. */
  changed(path: number): PlaitError | null {
    const opened = this.#paths.get(path);
    if (opened === undefined || interfaceIndex(opened.path.name) === opened.device) return null;
    return new PlaitError('EADDRNOTAVAIL', `${opened.path.address} is at another interface`);
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
    const { address, events } = opened;
    const socket: UdpSocket = this.#backend.socket(opened.path, address, port, events, (error, chosen) => {
      // Later, since binding takes no time and `socket` does not exist yet.
      queueMicrotask(() => {
        opened.opening.delete(socket);
        const gone = error === null && !socket.isHeld;
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
    const opened = this.#paths.get(path);
    if (opened !== undefined) return opened.output.send(packet);
    this.stats.sendErrors++;
    return true;
  }

  #sendMany(path: number, packets: OutBatch): number {
    const output = this.#paths.get(path)?.output;
    if (output?.sendMany !== undefined) return output.sendMany(packets);
    this.stats.sendErrors += packets.count;
    return packets.count;
  }

  statistics(): DeviceStats {
    return { dropped: null, paths: [...this.#paths.values()].map(({ health }) => health.stats()) };
  }

  flush(): void {
    // Packets leave as they are sent.
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
      received: (socket, segment, remote, port, joined) => {
        health.worked();
        if (segment.length < TCP_HEADER) this.stats.strays++;
        else if (!host.receiveSegment(path.id, remote, port, socket.port, segment, joined))
          this.stats.ringFull++;
      },
      batchOver: () => {
        host.batchOver?.();
      },
      refused: (socket) => {
        this.stats.refused++;
        this.#refused(host, path.id, socket);
      },
      closed: (socket) => {
        opening.delete(socket);
        if (sockets.get(socket.port) === socket) sockets.delete(socket.port);
      },
    };
    const route: UdpRoute = {
      socketFor: (packet, octets, start) => {
        const socket = sockets.get(octets.readUInt16BE(start));
        const tooLong = packet.segment === 0 && packet.length + this.overhead > path.mtu;
        if (socket === undefined || tooLong) {
          this.stats.sendErrors++;
          return null;
        }
        const flags = octets[start + 13] as number;
        if ((flags & SYN_ACK) === SYN) socket.synSequence = octets.readUInt32BE(start + 4);
        octets.writeUInt16BE(0, start + 16);
        return socket;
      },
      sent: () => {
        health.worked();
      },
      lost: (code, count) => {
        this.stats.sendErrors += count;
        health.failed(code);
      },
      writable: () => {
        if (this.#host === host) host.writable();
      },
      noSegmentation: () => {
        host.noSegmentation(path.id);
      },
    };
    const output = this.#backend.output(path, address, route);
    const device = interfaceIndex(path.name);
    const opened: UdpPath = { path, address, device, health, sockets, opening, events, output };
    return opened;
  }

  /**
   * RFC 5461 section 2: a port that nobody has refuses a connection attempt. Here ICMP says so in place of the
   * peer's TCP, and the stack is given the RST that TCP would have sent.
   */
  #refused(host: DeviceHost, path: number, socket: UdpSocket): void {
    const { heard, synSequence, peer } = socket;
    if (heard || synSequence === null || peer === null) return;
    const reset = Buffer.alloc(TCP_HEADER);
    reset.writeUInt32BE((synSequence + 1) >>> 0, 8);
    reset[12] = 0x50;
    reset[13] = RST_ACK;
    host.receiveSegment(path, peer.address, peer.port, socket.port, reset);
  }
}

const SYN = 0x02;
const SYN_ACK = 0x12;
const RST_ACK = 0x14;
const TCP_HEADER = 20;
