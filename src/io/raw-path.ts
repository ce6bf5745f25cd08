/** The raw sockets that carry one path of the device `raw`. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { PlaitError } from '../errors.js';
import { isLinkLocal, type AddressCache } from './address-cache.js';
import { addressFilter, pathFilter } from './bpf.js';
import { Checksum, type OutPacket, type Path } from './device.js';
import type { GuardedPath, GuardedPathEvents } from './guarded-device.js';
import { interfaceIndex } from './interfaces.js';
import {
  SO_BINDTODEVICE,
  SO_MEMINFO,
  SOL_SOCKET,
  growReceiveBuffer,
  growSendBuffer,
  type Native,
} from './native.js';
import { PathHealth } from './path-health.js';
import { PortBindings } from './ports.js';
import { RawErrors } from './raw-errors.js';
import {
  IPPROTO_RAW,
  IPPROTO_TCP,
  IPV4,
  IPV6,
  openRawSocket,
  type RawSocket,
  type RawSocketModule,
} from './raw-socket.js';

/** What the paths of a device share. */
export interface RawContext {
  readonly module: RawSocketModule;
  readonly native: Native;
  readonly addresses: AddressCache;
  /** Room for one packet on its way out. */
  readonly scratch: Buffer;
}

export class RawPath implements GuardedPath {
  readonly path: Path;
  readonly address: Uint8Array;
  readonly health: PathHealth;
  readonly #context: RawContext;
  readonly #events: GuardedPathEvents;
  readonly #v6: boolean;
  readonly #zone: string;
  readonly #sender: RawSocket;
  readonly #receiver: RawSocket;
  readonly #receiverFd: number;
  readonly #errors: RawErrors;
  /** Bindings of each port, for the moments in which the kernel's filter is behind or lets every port through. */
  readonly #bindings = new PortBindings();
  /** Room for an IPv6 header, and behind it what the socket receives: GRO joins packets to 64 KB. */
  readonly #buffer = Buffer.allocUnsafeSlow(IPV6_HEADER + RECEIVE_SIZE);
  readonly #target: Buffer;
  readonly #memory = Buffer.alloc(36);
  #length = 0;
  #source = '';
  #open = true;
  /** The kernel's send buffer is full; `writable` comes. */
  #blocked = false;

  /** Throws PlaitError: EPERM, EADDRNOTAVAIL (no such interface or address), ERR_PLAIT_DEVICE. */
  constructor(path: Path, address: Uint8Array, context: RawContext, events: GuardedPathEvents) {
    this.path = path;
    this.address = address;
    this.health = new PathHealth(path, (up) => {
      events.state(up);
    });
    this.#context = context;
    this.#events = events;
    this.#v6 = address.length === 16;
    this.#zone = isLinkLocal(address) ? `%${path.name}` : '';
    this.#target = this.#buffer.subarray(this.#v6 ? IPV6_HEADER : 0);
    if (this.#v6) this.#writeHeader();
    const family = this.#v6 ? IPV6 : IPV4;
    const sender = openRawSocket(context.module, context.native, IPPROTO_RAW, family);
    try {
      this.#sender = sender.socket;
      this.#setUpSender(sender.fd);
      const receiver = openRawSocket(context.module, context.native, IPPROTO_TCP, family);
      this.#receiver = receiver.socket;
      this.#receiverFd = receiver.fd;
    } catch (error) {
      sender.socket.close();
      throw error;
    }
    try {
      this.#errors = new RawErrors(context, address, this.#bindings, (packet) => {
        events.received(packet, Checksum.Unknown, 0);
        events.batchOver();
      });
    } catch (error) {
      sender.socket.close();
      this.#receiver.close();
      throw error;
    }
    this.#setUpReceiver();
  }

  /** Each port as often as it is bound. */
  boundPorts(): number[] {
    return this.#bindings.all();
  }

  bind(port: number): void {
    if (this.#bindings.add(port)) this.#portsChanged();
  }

  /** False: it was not bound. */
  unbind(port: number): boolean {
    const left = this.#bindings.remove(port);
    if (left === 0) this.#portsChanged();
    return left >= 0;
  }

  send(packet: OutPacket): boolean {
    if (this.#blocked) return false;
    const { addresses, native, scratch } = this.#context;
    const length = packet.copyTo(scratch, 0);
    const to = addresses.destination(scratch);
    try {
      this.#sender.wrap.send(scratch, 0, length, this.#zone === '' ? to : to + this.#zone, nothing);
    } catch {
      const errno = native.errno();
      if (errno === constants.errno.EAGAIN) {
        this.#blocked = true;
        this.#sender.resumeSend();
        return false;
      }
      this.#events.lost();
      this.health.failed(getSystemErrorName(-errno));
      return true;
    }
    this.health.worked();
    return true;
  }

  flush(): void {
    // Packets leave as they are sent.
  }

  close(): void {
    this.#open = false;
    this.#sender.close();
    this.#receiver.close();
    this.#errors.close();
  }

  #portsChanged(): void {
    this.#setFilter();
    this.#errors.portsChanged();
  }

  #setUpSender(fd: number): void {
    const { native } = this.#context;
    const { name } = this.path;
    const interfaceErrno = native.setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${name}\0`));
    if (interfaceErrno !== 0) {
      throw new PlaitError(
        'EADDRNOTAVAIL',
        `no interface ${name} (errno ${String(interfaceErrno)})`,
        'ip link',
      );
    }
    // Routing rules look at the socket's address ("from 10.0.1.2 lookup 7"), not at the header that is sent.
    const addressErrno = native.bind(fd, this.address, 0, interfaceIndex(name) ?? 0);
    if (addressErrno !== 0) {
      throw new PlaitError(
        'EADDRNOTAVAIL',
        `${this.path.address} is no address of this machine`,
        'ip address',
      );
    }
    growSendBuffer(native, fd);
    this.#sender.pauseRecv();
    this.#sender.on('error', () => {
      this.health.failed('ENETDOWN');
    });
    this.#sender.wrap.on('sendReady', () => {
      if (!this.#blocked) return;
      this.#blocked = false;
      this.#events.writable();
    });
  }

  #setUpReceiver(): void {
    growReceiveBuffer(this.#context.native, this.#receiverFd);
    if (!this.#setFilter()) {
      this.close();
      throw new PlaitError('ERR_PLAIT_DEVICE', 'the kernel refuses a socket filter');
    }
    // What came in before the filter was there.
    while (this.#waiting() > 0 && this.#receive());
    this.#receiver.on('error', () => {
      this.health.failed('ENETDOWN');
    });
    this.#receiver.wrap.removeAllListeners('recvReady');
    this.#receiver.wrap.on('recvReady', () => {
      this.#receiveAll();
      this.#events.batchOver();
    });
  }

  #setFilter(): boolean {
    const { native } = this.#context;
    const fd = this.#receiverFd;
    return (
      native.attachFilter(fd, pathFilter(this.address, this.#bindings)) === 0 ||
      // The kernel's limit for filters (net.core.optmem_max) is below this program's size.
      native.attachFilter(fd, addressFilter(this.address)) === 0
    );
  }

  /**
   * Several packets per event, because an event costs more than a packet, and asking for what waits less than the
   * exception of an empty socket.
   */
  #receiveAll(): void {
    for (let i = 0; i < BATCH && this.#receive(); i++) {
      this.#deliver();
      if (!this.#open || this.#waiting() === 0) return;
    }
  }

  /** False: nothing was there. */
  #receive(): boolean {
    try {
      this.#receiver.wrap.recv(this.#target, this.#noteReceived);
      return true;
    } catch {
      return false;
    }
  }

  /** Only notes: what is called from here must not throw into `recv`. */
  readonly #noteReceived = (_target: Uint8Array, length: number, source: string): void => {
    this.#length = length;
    this.#source = source;
  };

  /** Octets of kernel memory that waiting packets occupy. */
  #waiting(): number {
    this.#receiver.wrap.getOption(SOL_SOCKET, SO_MEMINFO, this.#memory, this.#memory.length);
    const [a, b, c, d] = this.#memory;
    return (a as number) | (b as number) | (c as number) | (d as number);
  }

  #deliver(): void {
    const packet = this.#buffer;
    const start = this.#v6 ? IPV6_HEADER : ((packet[0] as number) & 15) * 4;
    const end = this.#v6 ? IPV6_HEADER + this.#length : this.#length;
    const source = this.#v6 ? this.#context.addresses.octets(this.#source) : null;
    if (
      end < start + TCP_HEADER ||
      !this.#bindings.has(packet.readUInt16BE(start + 2)) ||
      (this.#v6 && (source === null || this.#length > 65535))
    ) {
      this.#events.stray();
      return;
    }
    if (source !== null) {
      packet.writeUInt16BE(this.#length, 4);
      packet.set(source, 8);
    }
    this.health.worked();
    this.#events.received(packet.subarray(0, end), Checksum.Partial, 0);
  }

  /** What is the same in every IPv6 header: the socket delivers TCP without it. */
  #writeHeader(): void {
    this.#buffer.fill(0, 0, IPV6_HEADER);
    this.#buffer[0] = 0x60;
    this.#buffer[6] = IPPROTO_TCP;
    this.#buffer[7] = HOP_LIMIT;
    this.#buffer.set(this.address, 24);
  }
}

const nothing = (): void => undefined;

/** Packets handed over before other events get their turn. */
const BATCH = 64;
const RECEIVE_SIZE = 1 << 17;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
const HOP_LIMIT = 64;
