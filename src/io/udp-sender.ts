/**
 * Where the datagrams of one path leave, by whatever socket: the kernel gathers each from where the packet lies.
 * Consecutive ones of equal size to one peer are one message that the kernel cuts (UDP_SEGMENT); the last of them may be
 * shorter.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { MappedMemory } from './mapped-memory.js';
import { Messages } from './messages.js';
import { socketAddress, SOCKET_ADDRESS_SIZE, type Native } from './native.js';
import type { OutPacket } from './device.js';
import { OutBatch } from './out-batch.js';
import { UdpControl } from './udp-control.js';
import type { NativeSocket } from './udp-native.js';
import { ipHeaderLength, type UdpOutput, type UdpRoute } from './udp-socket.js';

export class UdpSender implements UdpOutput {
  readonly #v6: boolean;
  readonly #route: UdpRoute;
  readonly #messages: Messages;
  readonly #control: UdpControl;
  readonly #memory: MappedMemory;
  /** Headers of the pieces of super-segments. */
  readonly #heads: MappedMemory;
  #headsUsed = 0;
  /** Whether the kernel cuts messages. */
  #joins: boolean;
  /** Of each message: its socket, the packet that it begins with, its datagrams and pieces. */
  readonly #sockets: NativeSocket[] = [];
  readonly #origins = new Uint16Array(MESSAGES);
  readonly #datagrams = new Uint8Array(MESSAGES);
  #count = 0;
  /** Of the latest message: where it goes, octets per datagram and in all, pieces. Size 0: nothing joins it. */
  #latest: NativeSocket | null = null;
  readonly #name: Buffer;
  #size = 0;
  #octets = 0;
  #pieces = 0;
  /** The socket that the kernel takes no more from. All of the path wait for it. */
  #blocked: NativeSocket | null = null;
  #packet = 0;
  /** Packets from this one on are not sent: the kernel had no room, or they are to be sent again, `#alone`. */
  #end = 0;
  #halted = false;
  /** Whether each datagram is a message. */
  #alone = false;
  /** The packet of `send`. */
  readonly #single = new OutBatch(1);

  /** `scope`: interface index for link-local addresses, else 0. */
  constructor(native: Native, joins: boolean, v6: boolean, scope: number, route: UdpRoute) {
    this.#joins = joins;
    this.#v6 = v6;
    this.#route = route;
    this.#messages = new Messages(native, MESSAGES, PIECES, SOCKET_ADDRESS_SIZE);
    this.#control = new UdpControl(native, this.#messages, MESSAGES);
    this.#memory = new MappedMemory(native);
    this.#heads = new MappedMemory(native);
    this.#heads.look(new Uint8Array(HEADS * HEAD_SIZE));
    this.#name = Buffer.from(socketAddress(new Uint8Array(v6 ? 16 : 4), 0, 0));
    if (v6) this.#name.writeUInt32LE(scope, 24);
  }

  /** Sends packets in order and returns how many; the others have to wait for `writable`. */
  sendMany(batch: OutBatch): number {
    if (this.#blocked !== null) return 0;
    this.#memory.look(batch.memory);
    this.#alone = !this.#joins;
    for (let from = 0; ; from = this.#end) {
      this.#end = batch.count;
      this.#halted = false;
      for (let i = from; i < this.#end; i++) {
        this.#packet = i;
        this.#add(batch.select(i));
      }
      this.#push();
      if (!this.#halted || this.#blocked !== null) return this.#end;
    }
  }

  /** Sends a packet of any form. False: it has to wait. */
  send(packet: OutPacket): boolean {
    const { length, segment, partial } = packet;
    const memory = new Uint8Array(length);
    packet.copyTo(memory, 0);
    const ip = ipHeaderLength(memory, 0);
    const header = ip + ((memory[ip + 12] as number) >> 4) * 4;
    this.#single.clear(memory);
    this.#single.add(0, header, header, length - header, 0, 0, segment, partial);
    return this.sendMany(this.#single) === 1;
  }

  #add(packet: OutBatch): void {
    const { octets } = this.#memory;
    const ip = ipHeaderLength(octets, packet.header);
    const start = packet.header + ip;
    const socket = this.#route.socketFor(packet, octets, start);
    if (socket === null) return;
    if (socket !== this.#latest || !this.#isLatest(octets, packet.header, start)) {
      this.#aim(octets, packet.header, start);
      this.#latest = null;
    }
    if (packet.segment > 0) {
      this.#cut(packet, socket as NativeSocket, start);
    } else {
      this.#begin(socket as NativeSocket, packet.length - ip);
      this.#piece(this.#memory.base + start, packet.headerLength - ip);
      this.#payload(packet, 0, packet.length - packet.headerLength);
    }
  }

  /** Each piece of the super-segment gets a copy of the TCP header at `start` before it. */
  #cut(packet: OutBatch, socket: NativeSocket, start: number): void {
    const { octets } = this.#memory;
    const heads = this.#heads.octets;
    const header = packet.header + packet.headerLength - start;
    const flags = octets[start + 13] as number;
    const sequence = octets.readUInt32BE(start + 4);
    const total = packet.length - packet.headerLength;
    for (let at = 0; at < total; at += packet.segment) {
      const length = Math.min(packet.segment, total - at);
      this.#begin(socket, header + length);
      const head = this.#headsUsed++ * HEAD_SIZE;
      octets.copy(heads, head, start, start + header);
      heads.writeUInt32BE((sequence + at) >>> 0, head + 4);
      heads[head + 13] = at + length < total ? flags & ~(FIN | PSH) : flags;
      this.#piece(this.#heads.base + head, header);
      this.#payload(packet, at, length);
    }
  }

  /** A datagram of `length` octets to the address in `#name`. */
  #begin(socket: NativeSocket, length: number): void {
    if (socket === this.#latest && this.#join(length)) return;
    if (this.#count === MESSAGES || this.#headsUsed + MAX_SEGMENTS > HEADS) this.#push();
    const i = this.#count++;
    this.#messages.setName(i, socket.sendsTo(this.#name) ? NO_NAME : this.#name);
    this.#control.cut(i, 0);
    this.#sockets[i] = socket;
    this.#origins[i] = this.#packet;
    this.#datagrams[i] = 1;
    this.#latest = socket;
    this.#size = this.#octets = length;
    this.#pieces = 0;
  }

  #join(length: number): boolean {
    const i = this.#count - 1;
    const datagrams = this.#datagrams[i] as number;
    if (this.#alone || i < 0 || length > this.#size || datagrams === MAX_SEGMENTS) return false;
    if (this.#octets + length > MAX_OCTETS) return false;
    if (datagrams === 1) this.#control.cut(i, this.#size);
    this.#datagrams[i] = datagrams + 1;
    this.#octets += length;
    if (length < this.#size) this.#size = 0;
    return true;
  }

  #piece(address: number, length: number): void {
    const i = this.#count - 1;
    this.#messages.setPiece(i, this.#pieces++, address, length);
    this.#messages.setPieces(i, this.#pieces);
  }

  /** `length` octets of a packet's payload from octet `from` on. */
  #payload({ span1, span1Length, span2 }: OutBatch, from: number, length: number): void {
    const { base } = this.#memory;
    const first = Math.min(length, Math.max(0, span1Length - from));
    if (first > 0) this.#piece(base + span1 + from, first);
    if (first < length) this.#piece(base + span2 + from + first - span1Length, length - first);
  }

  /** Sends what is gathered. What does not leave is forgotten, and `#end` tells. */
  #push(): void {
    const end = this.#count;
    this.#count = this.#headsUsed = 0;
    this.#latest = null;
    for (let first = 0; first < end && !this.#halted;) {
      const socket = this.#sockets[first] as NativeSocket;
      let to = first + 1;
      while (to < end && this.#sockets[to] === socket) to++;
      const sent = this.#messages.send(socket.descriptor, first, to);
      if (sent > 0) {
        first += sent;
        this.#route.sent();
      } else if (sent === -EAGAIN) {
        this.#halt(first);
        this.#block(socket);
      } else if (sent === -ECONNREFUSED) {
        socket.refused(); // the answer to an earlier datagram; this one was not tried
      } else {
        this.#failed(first++, -sent);
      }
    }
  }

  #halt(message: number): void {
    this.#halted = true;
    this.#end = this.#origins[message] as number;
  }

  #block(socket: NativeSocket): void {
    this.#blocked = socket;
    socket.whenWritable(() => {
      this.#blocked = null;
      this.#route.writable();
    });
  }

  /** Message `i` was refused. If it is of several datagrams, the fault may be that: then each is tried alone. */
  #failed(i: number, errno: number): void {
    const datagrams = this.#datagrams[i] as number;
    if (datagrams === 1 || (errno !== EIO && errno !== EINVAL && errno !== EMSGSIZE)) {
      this.#route.lost(getSystemErrorName(-errno), datagrams);
      return;
    }
    this.#halt(i);
    this.#alone = true;
    if (errno !== EIO) return; // this peer's path takes smaller datagrams only
    // The interface does not sum, so that the kernel cuts no message for it.
    this.#joins = false;
    this.#route.noSegmentation();
  }

  /** Whether the packet goes where the latest one went. */
  #isLatest(octets: Buffer, ip: number, tcp: number): boolean {
    const name = this.#name;
    if (octets.readUInt16BE(tcp + 2) !== name.readUInt16BE(2)) return false;
    if (!this.#v6) return octets.readUInt32LE(ip + 16) === name.readUInt32LE(4);
    for (let i = 0; i < 16; i += 4) {
      if (octets.readUInt32LE(ip + 24 + i) !== name.readUInt32LE(8 + i)) return false;
    }
    return true;
  }

  #aim(octets: Buffer, ip: number, tcp: number): void {
    octets.copy(this.#name, 2, tcp + 2, tcp + 4);
    if (this.#v6) octets.copy(this.#name, 8, ip + 24, ip + 40);
    else octets.copy(this.#name, 4, ip + 16, ip + 20);
  }
}

const { EAGAIN, ECONNREFUSED, EINVAL, EIO, EMSGSIZE } = constants.errno;
const NO_NAME = new Uint8Array(0);
/** Messages per call. */
const MESSAGES = 64;
/** UDP_MAX_SEGMENTS of the kernels before 6.9, and what an IP packet takes with the largest header. */
const MAX_SEGMENTS = 64;
const MAX_OCTETS = 65535 - 40 - 8;
/** Of a message at most: each datagram has a header and one or two spans. */
const PIECES = 3 * MAX_SEGMENTS;
const HEADS = 1024;
/** The largest TCP header, in whole words. */
const HEAD_SIZE = 64;
const FIN = 0x01;
const PSH = 0x08;
