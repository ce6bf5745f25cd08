/** The sockets of the device `udp` through the C library: sendmmsg and recvmmsg, with datagrams that the kernel cuts and joins. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isLinkLocal } from './address-cache.js';
import type { Path } from './device.js';
import { interfaceIndex } from './interfaces.js';
import {
  AF_INET,
  AF_UNSPEC,
  growReceiveBuffer,
  growSendBuffer,
  int,
  SOCK_DGRAM,
  type Native,
  type Watch,
} from './native.js';
import { SOL_UDP, UDP_GRO, UDP_SEGMENT } from './udp-control.js';
import { UdpReceiver, type TakeSegment } from './udp-receiver.js';
import { UdpSender } from './udp-sender.js';
import {
  bindError,
  UdpSocket,
  type BindDone,
  type UdpBackend,
  type UdpPeer,
  type UdpRoute,
  type UdpSocketEvents,
} from './udp-socket.js';

export class NativeBackend implements UdpBackend {
  readonly #native: Native;
  readonly #receiver: UdpReceiver;
  readonly #cuts: boolean;
  readonly segmentation: number;

  constructor(native: Native) {
    this.#native = native;
    this.#receiver = new UdpReceiver(native);
    this.#cuts = cutsMessages(native);
    this.segmentation = this.#cuts ? LARGEST : 0;
  }

  socket(path: Path, address: Uint8Array, port: number, events: UdpSocketEvents, done: BindDone): UdpSocket {
    return new NativeSocket(this.#native, this.#receiver, path, address, port, events, done);
  }

  output(path: Path, address: Uint8Array, route: UdpRoute): UdpSender {
    const scope = isLinkLocal(address) ? (interfaceIndex(path.name) ?? 0) : 0;
    return new UdpSender(this.#native, this.#cuts, address.length === 16, scope, route);
  }
}

export class NativeSocket extends UdpSocket {
  descriptor = -1;
  readonly #native: Native;
  readonly #receiver: UdpReceiver;
  #watch: Watch | null = null;
  #onWritable: (() => void) | null = null;
  /** The socket address that this socket is connected to. */
  #peer: Buffer | null = null;

  constructor(
    native: Native,
    receiver: UdpReceiver,
    path: Path,
    address: Uint8Array,
    port: number,
    events: UdpSocketEvents,
    done: BindDone,
  ) {
    super(port, events, done);
    this.#native = native;
    this.#receiver = receiver;
    const fd = bindNumbered(native, address, port, deviceIndex(path, address));
    if (fd < 0) {
      const code = getSystemErrorName(fd);
      this.notBound(bindError(Object.assign(new Error(code), { code }), path.address, port));
      return;
    }
    this.descriptor = fd;
    growSendBuffer(native, fd);
    growReceiveBuffer(native, fd);
    native.setOption(fd, SOL_UDP, UDP_GRO, int(1)); // a kernel without it joins nothing
    this.#watch = native.watch(
      fd,
      () => {
        this.#receiveAll();
        this.events.batchOver();
      },
      () => {
        const then = this.#onWritable;
        this.#onWritable = null;
        then?.();
      },
    );
    this.bound(native.localPort(fd));
  }

  get peer(): UdpPeer | null {
    const name = this.#peer;
    if (name === null) return null;
    const address = name.length === SOCKADDR_IN ? name.subarray(4, 8) : name.subarray(8, 24);
    return { address, port: name.readUInt16BE(2) };
  }

  /**
   * Whether datagrams without a name go to the socket address `name`. A socket that sends before it ever received is a
   * client's and has one peer: it is connected, so that ICMP errors reach it. A server's is shared by all its peers.
   */
  sendsTo(name: Buffer): boolean {
    if (this.#peer !== null) {
      if (this.#peer.equals(name)) return true;
      this.#peer = null;
      this.connected = false;
      this.shared = true;
      this.#native.connectName(this.descriptor, NOBODY);
    } else if (!this.shared && this.#native.connectName(this.descriptor, name) === 0) {
      this.#peer = Buffer.from(name);
      this.connected = true;
      return true;
    }
    // Shared, or there is no route. The datagram is sent with its name, and reports it.
    return false;
  }

  /** One call when the kernel takes datagrams again. */
  whenWritable(then: () => void): void {
    this.#onWritable = then;
    this.#watch?.wantWritable();
  }

  /** A bounded batch per event: timers and the application get their turn between two of them. */
  #receiveAll(): void {
    for (let round = 0; round < ROUNDS && this.descriptor >= 0; round++) {
      const more = this.#receiver.receive(this.descriptor, this.#deliver);
      if (more === -ECONNREFUSED) this.refused();
      else if (more <= 0) return;
    }
  }

  readonly #deliver: TakeSegment = (segment, remote, port, joined) => {
    this.received(segment, remote, port, joined);
  };

  protected override shut(): void {
    if (this.descriptor < 0) return;
    this.#watch?.close();
    this.#native.close(this.descriptor);
    this.descriptor = -1;
    // Others of the path may wait for this one.
    const then = this.#onWritable;
    if (then !== null) queueMicrotask(then);
  }
}

/** Whether this kernel has UDP_SEGMENT. One that has not would send the whole message as one datagram. */
function cutsMessages(native: Native): boolean {
  const fd = native.socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) return false;
  const known = native.getOption(fd, SOL_UDP, UDP_SEGMENT) >= 0;
  native.close(fd);
  return known;
}

/**
 * A socket with a port given by number, for one that was bound to port 0 loses its port when it is disconnected from
 * its peer. Returns the descriptor or a negative errno.
 */
function bindNumbered(native: Native, address: Uint8Array, port: number, device: number): number {
  let fd = native.datagramSocket(address, port, device);
  // Another program may take the port in between.
  for (let tries = 0; port === 0 && fd >= 0 && tries < 4; tries++) {
    const chosen = native.localPort(fd);
    native.close(fd);
    fd = native.datagramSocket(address, chosen, device);
    if (fd !== -EADDRINUSE) return fd;
    fd = native.datagramSocket(address, 0, device);
  }
  return fd;
}

/** The interface that the path's datagrams leave by, or 0: loopback addresses are reached through any. */
function deviceIndex(path: Path, address: Uint8Array): number {
  const loopback = address.length === 4 ? address[0] === 127 : path.address === '::1';
  return loopback ? 0 : (interfaceIndex(path.name) ?? 0);
}

const { EADDRINUSE, ECONNREFUSED } = constants.errno;
/** A socket address that disconnects. */
const NOBODY = new Uint8Array(new Uint16Array([AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0]).buffer);
const SOCKADDR_IN = 16;
/** Octets of the largest packet that still is one message when each segment has got its header. */
const LARGEST = 62000;
/** Batches per event. */
const ROUNDS = 4;
