/** The device `udp` in batches: sendmmsg and recvmmsg through koffi, with datagrams that the kernel cuts and joins. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isLinkLocal } from './address-cache.js';
import type { OutPacket, Path } from './device.js';
import { interfaceIndex } from './interfaces.js';
import {
  AF_INET,
  AF_UNSPEC,
  growReceiveBuffer,
  growSendBuffer,
  int,
  SOCK_DGRAM,
  socketAddress,
  type Native,
  type Watch,
} from './native.js';
import {
  IncomingDatagrams,
  MESSAGE_SIZE,
  OutgoingDatagrams,
  RECEIVE_MESSAGES,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
  type TakeSegment,
} from './udp-messages.js';
import {
  bindError,
  ipHeaderLength,
  UdpSocket,
  type BindDone,
  type UdpBackend,
  type UdpOutput,
  type UdpPeer,
  type UdpRoute,
  type UdpSocketEvents,
} from './udp-socket.js';

export class NativeBackend implements UdpBackend {
  readonly #native: Native;
  /** One for all sockets: what arrives is handed on at once. */
  readonly #incoming: IncomingDatagrams;
  readonly #cuts: boolean;
  readonly segmentation: number;

  constructor(native: Native) {
    this.#native = native;
    this.#incoming = new IncomingDatagrams(native);
    this.#cuts = cutsMessages(native);
    this.segmentation = this.#cuts ? LARGEST : 0;
  }

  socket(path: Path, address: Uint8Array, port: number, events: UdpSocketEvents, done: BindDone): UdpSocket {
    return new NativeSocket(this.#native, this.#incoming, path, address, port, events, done);
  }

  output(path: Path, address: Uint8Array, route: UdpRoute): UdpOutput {
    const scope = isLinkLocal(address) ? (interfaceIndex(path.name) ?? 0) : 0;
    return new BatchOutput(this.#native, this.#cuts, address.length === 16, scope, route);
  }
}

/** Collects the packets of one path, whatever socket they leave by, until the batch is over. */
class BatchOutput implements UdpOutput {
  readonly #native: Native;
  readonly #v6: boolean;
  readonly #route: UdpRoute;
  readonly #batch: OutgoingDatagrams;
  /** The socket of each message. */
  readonly #sockets: NativeSocket[] = [];
  /** Messages before this one have left. */
  #first = 0;
  /** Where the latest message goes. */
  #latest: NativeSocket | null = null;
  readonly #name: Buffer;
  /** The socket that the kernel takes no more from. All of the path wait for it. */
  #blocked: NativeSocket | null = null;

  constructor(native: Native, cuts: boolean, v6: boolean, scope: number, route: UdpRoute) {
    this.#native = native;
    this.#v6 = v6;
    this.#route = route;
    this.#batch = new OutgoingDatagrams(native, cuts);
    this.#name = Buffer.from(socketAddress(new Uint8Array(v6 ? 16 : 4), 0, 0));
    if (v6) this.#name.writeUInt32LE(scope, 24);
  }

  send(packet: OutPacket): boolean {
    const datagrams = packet.segment === 0 ? 1 : Math.ceil(packet.length / packet.segment);
    const octets = packet.length + (datagrams - 1) * HEADER_ROOM;
    let at = this.#batch.reserve(octets, datagrams);
    if (at < 0) {
      this.flush();
      at = this.#batch.reserve(octets, datagrams);
    }
    if (this.#blocked !== null || at < 0) return false;
    const { data } = this.#batch;
    packet.copyTo(data, at);
    const header = ipHeaderLength(data, at);
    const start = at + header;
    const socket = this.#route.socketFor(data, start) as NativeSocket | null;
    if (socket === null) return true;
    if (socket !== this.#latest || !this.#isLatest(data, at, header)) {
      this.#aim(data, at, header);
      this.#latest = null;
    }
    if (packet.segment > 0) {
      this.#cut(socket, start, at + packet.length, packet.segment);
    } else {
      this.#begin(socket, packet.length - header);
      this.#batch.put(start, packet.length - header);
    }
    return true;
  }

  /** A datagram of `length` octets to the address in `#name`. */
  #begin(socket: NativeSocket, length: number): void {
    if (socket === this.#latest && this.#batch.join(length)) return;
    const name = socket.sendsTo(this.#name) ? null : this.#name;
    this.#latest = socket;
    this.#sockets[this.#batch.count] = socket;
    this.#batch.add(length, name);
    socket.queued();
  }

  /** Cuts the super-segment between `start` and `end`: each piece of `size` octets gets a copy of the header before it. */
  #cut(socket: NativeSocket, start: number, end: number, size: number): void {
    const { data } = this.#batch;
    const header = ((data[start + 12] as number) >> 4) * 4;
    const flags = data[start + 13] as number;
    const sequence = data.readUInt32BE(start + 4);
    const payload = start + header;
    let head = start;
    for (let at = payload; at < end; at += size) {
      const length = Math.min(size, end - at);
      if (head !== start) {
        data.copyWithin(head, start, payload);
        data.writeUInt32BE((sequence + at - payload) >>> 0, head + 4);
      }
      data[head + 13] = at + length < end ? flags & ~(FIN | PSH) : flags;
      this.#begin(socket, header + length);
      this.#batch.put(head, header);
      this.#batch.put(at, length);
      head = head === start ? end : head + HEADER_ROOM;
    }
  }

  flush(): void {
    if (this.#blocked !== null) return;
    const { headers, count } = this.#batch;
    this.#latest = null;
    while (this.#first < count) {
      const socket = this.#sockets[this.#first] as NativeSocket;
      const from = headers.subarray(this.#first * MESSAGE_SIZE);
      const sent = this.#native.sendMany(socket.descriptor, from, this.#run(socket));
      if (sent > 0) this.#sent(socket, sent);
      else if (sent === -EAGAIN) return this.#block(socket);
      else if (sent === -ECONNREFUSED)
        socket.refused(); // the answer to an earlier datagram; this one was not tried
      else this.#failed(socket, -sent);
    }
    this.#clear();
  }

  /** What the kernel does not take now is lost. */
  close(): void {
    this.flush();
    while (this.#first < this.#batch.count) this.#sent(this.#sockets[this.#first] as NativeSocket, 1);
    this.#clear();
  }

  /** Messages from the first on that leave by one socket. */
  #run(socket: NativeSocket): number {
    let n = 1;
    while (this.#first + n < this.#batch.count && this.#sockets[this.#first + n] === socket) n++;
    return n;
  }

  #sent(socket: NativeSocket, messages: number): void {
    this.#first += messages;
    this.#route.sent();
    socket.left(messages);
  }

  #block(socket: NativeSocket): void {
    this.#blocked = socket;
    socket.whenWritable(() => {
      this.#blocked = null;
      this.flush();
      if (this.#blocked === null) this.#route.writable();
    });
  }

  /** A message was refused. If it is of several datagrams, the fault may be that: then each goes alone. */
  #failed(socket: NativeSocket, errno: number): void {
    const i = this.#first;
    const datagrams = this.#batch.datagrams(i);
    if (datagrams > 1 && (errno === EIO || errno === EINVAL || errno === EMSGSIZE)) {
      this.#batch.apart(i, (datagram, name) => {
        const result = socket.sendNow(datagram, name);
        if (result < 0) this.#route.lost(getSystemErrorName(result), 1);
      });
    } else {
      this.#route.lost(getSystemErrorName(-errno), datagrams);
    }
    this.#first++;
    socket.left(1);
    // The interface does not sum, so that the kernel cuts no message for it.
    if (datagrams > 1 && errno === EIO) this.#batch.joins = false;
  }

  #clear(): void {
    this.#batch.clear();
    this.#sockets.length = 0;
    this.#first = 0;
    this.#latest = null;
  }

  /** Whether the packet at `at` goes where the latest one went. */
  #isLatest(data: Buffer, at: number, header: number): boolean {
    const name = this.#name;
    if (data.readUInt16BE(at + header + 2) !== name.readUInt16BE(2)) return false;
    if (!this.#v6) return data.readUInt32LE(at + 16) === name.readUInt32LE(4);
    for (let i = 0; i < 16; i += 4) {
      if (data.readUInt32LE(at + 24 + i) !== name.readUInt32LE(8 + i)) return false;
    }
    return true;
  }

  #aim(data: Buffer, at: number, header: number): void {
    data.copy(this.#name, 2, at + header + 2, at + header + 4);
    if (this.#v6) data.copy(this.#name, 8, at + 24, at + 40);
    else data.copy(this.#name, 4, at + 16, at + 20);
  }
}

class NativeSocket extends UdpSocket {
  descriptor = -1;
  readonly #native: Native;
  readonly #incoming: IncomingDatagrams;
  #watch: Watch | null = null;
  #onWritable: (() => void) | null = null;
  /** The socket address that this socket is connected to. */
  #peer: Buffer | null = null;

  constructor(
    native: Native,
    incoming: IncomingDatagrams,
    path: Path,
    address: Uint8Array,
    port: number,
    events: UdpSocketEvents,
    done: BindDone,
  ) {
    super(port, events, done);
    this.#native = native;
    this.#incoming = incoming;
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

  /** Sends one datagram, without a name to the peer. Returns octets, or a negative errno. */
  sendNow(datagram: Uint8Array, name: Uint8Array): number {
    return name.length === 0
      ? this.#native.send(this.descriptor, datagram)
      : this.#native.sendTo(this.descriptor, datagram, datagram.length, name);
  }

  /** One call when the kernel takes datagrams again. */
  whenWritable(then: () => void): void {
    this.#onWritable = then;
    this.#watch?.wantWritable();
  }

  /** A bounded batch per event: timers and the application get their turn between two of them. */
  #receiveAll(): void {
    for (let round = 0; round < ROUNDS && this.descriptor >= 0; round++) {
      const n = this.#incoming.receive(this.#native, this.descriptor);
      if (n === -ECONNREFUSED) this.refused();
      for (let i = 0; i < n; i++) this.#incoming.take(i, this.#deliver);
      if (n >= 0 && n < RECEIVE_MESSAGES) return;
      if (n === -EAGAIN) return;
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

const { EADDRINUSE, EAGAIN, ECONNREFUSED, EINVAL, EIO, EMSGSIZE } = constants.errno;
/** A socket address that disconnects. */
const NOBODY = new Uint8Array(new Uint16Array([AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0]).buffer);
const SOCKADDR_IN = 16;
const FIN = 0x01;
const PSH = 0x08;
/** The largest TCP header, in whole words of the processor. */
const HEADER_ROOM = 64;
/** Octets of an IP packet. */
const LARGEST = 65535;
/** Batches per event. */
const ROUNDS = 4;
