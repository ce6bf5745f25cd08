/**
 * The C library through koffi, for what node has no interface to. The only file that loads koffi, and only when it
 * is asked to: everything that needs no raw packet works without the package.
 */
import { PlaitError } from '../errors.js';
import { isLinkLocal } from './address-cache.js';

export interface Native {
  /** setsockopt(2) with `value` as the option's bytes. Returns 0 or the errno. */
  setOption(fd: number, level: number, option: number, value: Uint8Array): number;
  /** An option whose value is an int, or a negative errno. */
  getOption(fd: number, level: number, option: number): number;
  /** An option of several octets, into `target`. 0 or the errno. */
  readOption(fd: number, level: number, option: number, target: Uint8Array): number;
  /** Attaches a classic BPF program (`bpf.ts`) to a socket, in place of the one before. Returns 0 or the errno. */
  attachFilter(fd: number, program: Uint8Array): number;
  /** Binds a socket to a local address; `device` is the interface index for link-local ones. 0 or the errno. */
  bind(fd: number, address: Uint8Array, port: number, device: number): number;
  /**
   * A UDP socket bound to (`address`, `port`). Its packets leave through the interface with index `device`, whatever
   * the routing table prefers (if the kernel is of 2020 or later), or by the routing table with 0. Needs no privilege.
   * Returns the descriptor or a negative errno.
   */
  datagramSocket(address: Uint8Array, port: number, device: number): number;
  close(fd: number): void;
  /** The same in a thread of its own: closing a packet socket takes tens of milliseconds (packet_release, synchronize_net). */
  closeAside(fd: number): void;
  /** socket(2), non-blocking and closed on exec. The descriptor or a negative errno. */
  socket(domain: number, type: number, protocol: number): number;
  /** bind(2) and connect(2) to the octets of a socket address. 0 or the errno. */
  bindName(fd: number, name: Uint8Array): number;
  connectName(fd: number, name: Uint8Array): number;
  /** The port that a socket is bound to, or a negative errno. */
  localPort(fd: number): number;
  /** send(2) and recv(2) without waiting: octets, or a negative errno. */
  send(fd: number, octets: Uint8Array): number;
  receive(fd: number, target: Uint8Array): number;
  /** sendto(2) without waiting: octets, or a negative errno. */
  sendTo(fd: number, octets: Uint8Array, length: number, name: Uint8Array): number;
  /** sendmmsg(2) and recvmmsg(2) of `count` messages from `headers` on, without waiting: messages, or a negative errno. */
  sendMany(fd: number, headers: Uint8Array, count: number): number;
  receiveMany(fd: number, headers: Uint8Array, count: number): number;
  /** Where the octets of a view lie. They stay there as long as its buffer lives. */
  address(view: ArrayBufferView): bigint;
  /** Calls back while the descriptor is readable, or once it is writable; see `Watch`. */
  watch(fd: number, onReadable: () => void, onWritable: () => void): Watch;
  /** The errno of the latest failed call of this thread. */
  errno(): number;
}

/** Readiness of a descriptor on the event loop. It is readable as long as nobody has read everything. */
export interface Watch {
  /** Asks for one call when the descriptor takes octets again. */
  wantWritable(): void;
  close(): void;
}

interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
}
type OnReady = (status: number, events: Readiness) => void;
interface PollHandle {
  start(wanted: Partial<Readiness>, done: OnReady): void;
  close(): void;
}

let native: Promise<Native> | null = null;

/** Rejects with ERR_PLAIT_DEVICE where koffi is missing or this platform is not Linux. */
export function loadNative(): Promise<Native> {
  native ??= load();
  return native;
}

async function load(): Promise<Native> {
  if (process.platform !== 'linux') {
    throw new PlaitError(
      'ERR_PLAIT_DEVICE',
      `the socket options in use exist on Linux, not on ${process.platform}`,
    );
  }
  const koffi = await import('koffi').then(
    (module) => module.default,
    (error: unknown) => {
      throw new PlaitError(
        'ERR_PLAIT_DEVICE',
        `koffi cannot be loaded: ${firstLine(error)}`,
        'npm install koffi',
      );
    },
  );
  const libc = koffi.load(null);
  type Call = (...args: (number | ArrayBufferView)[]) => number;
  const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint32_t)') as Call;
  const getsockopt = libc.func('int getsockopt(int, int, int, void *, void *)') as Call;
  const socket = libc.func('int socket(int, int, int)') as Call;
  const bind = libc.func('int bind(int, void *, uint32_t)') as Call;
  const connect = libc.func('int connect(int, void *, uint32_t)') as Call;
  const getsockname = libc.func('int getsockname(int, void *, void *)') as Call;
  const close = libc.func('int close(int)') as Call & { async(fd: number, done: () => void): void };
  const send = libc.func('long send(int, void *, size_t, int)') as Call;
  const sendto = libc.func('long sendto(int, void *, size_t, int, void *, uint32_t)') as Call;
  const recv = libc.func('long recv(int, void *, size_t, int)') as Call;
  const sendmmsg = libc.func('int sendmmsg(int, void *, uint32_t, int)') as Call;
  const recvmmsg = libc.func('int recvmmsg(int, void *, uint32_t, int, void *)') as (
    fd: number,
    headers: Uint8Array,
    count: number,
    flags: number,
    timeout: null,
  ) => number;

  // The package's types leave out the status, which comes first.
  const poll = koffi.node.poll as unknown as (
    fd: number,
    wanted: Partial<Readiness>,
    done: OnReady,
  ) => PollHandle;

  const result = (returned: number): number => (returned === 0 ? 0 : koffi.errno());
  const amount = (returned: number): number => (returned >= 0 ? returned : -koffi.errno());

  const self: Native = {
    setOption: (fd, level, option, value) => result(setsockopt(fd, level, option, value, value.length)),
    getOption(fd, level, option) {
      const value = new Int32Array(1);
      const length = Uint32Array.of(4);
      return getsockopt(fd, level, option, value, length) === 0 ? (value[0] as number) : -koffi.errno();
    },
    readOption: (fd, level, option, target) =>
      result(getsockopt(fd, level, option, target, Uint32Array.of(target.length))),
    attachFilter(fd, program) {
      // `struct sock_fprog`, and the program behind it so that both live until the call is over.
      const descriptor = new Uint8Array(16 + program.length);
      descriptor.set(program, 16);
      new Uint16Array(descriptor.buffer)[0] = program.length / 8;
      new BigUint64Array(descriptor.buffer, 0, 2)[1] = koffi.address(descriptor) + 16n;
      return result(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, descriptor, 16));
    },
    bind(fd, address, port, device) {
      const name = socketAddress(address, port, device);
      return result(bind(fd, name, name.length));
    },
    datagramSocket(address, port, device) {
      const v6 = address.length === 16;
      const fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) return -koffi.errno();
      if (v6) {
        self.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, int(1));
        // IPv6 takes IPV6_UNICAST_IF for a hint, and another default route of lower metric for better.
        if (device !== 0) self.setOption(fd, SOL_SOCKET, SO_BINDTOIFINDEX, int(device));
      } else if (device !== 0) {
        const index = Buffer.alloc(4);
        index.writeUInt32BE(device);
        self.setOption(fd, IPPROTO_IP, IP_UNICAST_IF, index);
      }
      const error = self.bind(fd, address, port, device);
      if (error === 0) return fd;
      close(fd);
      return -error;
    },
    close(fd) {
      close(fd);
    },
    closeAside(fd) {
      close.async(fd, () => undefined);
    },
    socket: (domain, type, protocol) => amount(socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol)),
    bindName: (fd, name) => result(bind(fd, name, name.length)),
    connectName: (fd, name) => result(connect(fd, name, name.length)),
    localPort(fd) {
      const name = Buffer.alloc(SOCKET_ADDRESS_SIZE);
      const length = Uint32Array.of(SOCKET_ADDRESS_SIZE);
      return getsockname(fd, name, length) === 0 ? name.readUInt16BE(2) : -koffi.errno();
    },
    send: (fd, octets) => amount(send(fd, octets, octets.length, MSG_DONTWAIT)),
    receive: (fd, target) => amount(recv(fd, target, target.length, MSG_DONTWAIT)),
    sendTo: (fd, octets, length, name) => amount(sendto(fd, octets, length, MSG_DONTWAIT, name, name.length)),
    sendMany: (fd, headers, count) => amount(sendmmsg(fd, headers, count, MSG_DONTWAIT)),
    receiveMany: (fd, headers, count) => amount(recvmmsg(fd, headers, count, MSG_DONTWAIT, null)),
    address: (view) => koffi.address(view),
    watch(fd, onReadable, onWritable) {
      const reading = { readable: true };
      const both = { readable: true, writable: true };
      let wanted = reading;
      const handle = poll(fd, reading, onEvents);
      function onEvents(status: number, events: Readiness): void {
        try {
          callBack(status, events);
        } catch (error) {
          // koffi would keep the exception to itself and poll no more.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
      function callBack(status: number, events: Readiness): void {
        // The socket holds an error, for which polling stopped. Reading takes the error away.
        if (status < 0) {
          handle.start(wanted, onEvents);
          onReadable();
          return;
        }
        if (events.writable) {
          wanted = reading;
          handle.start(wanted, onEvents);
          onWritable();
        }
        if (events.readable) onReadable();
      }
      return {
        wantWritable: () => {
          wanted = both;
          handle.start(wanted, onEvents);
        },
        close: () => {
          handle.close();
        },
      };
    },
    errno: () => koffi.errno(),
  };
  return self;
}

/** Large socket buffers: beyond the system's limit with CAP_NET_ADMIN, else up to it. */
export function growSendBuffer(native: Native, fd: number): void {
  const size = int(SOCKET_BUFFER);
  if (native.setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, size) !== 0) {
    native.setOption(fd, SOL_SOCKET, SO_SNDBUF, size);
  }
}
export function growReceiveBuffer(native: Native, fd: number, octets = SOCKET_BUFFER): void {
  const size = int(octets);
  if (native.setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, size) !== 0) {
    native.setOption(fd, SOL_SOCKET, SO_RCVBUF, size);
  }
}

export const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);

/** `struct sockaddr_in` or `sockaddr_in6`; link-local addresses get their scope. */
export function socketAddress(address: Uint8Array, port: number, device: number): Uint8Array {
  const v6 = address.length === 16;
  const bytes = Buffer.alloc(v6 ? 28 : 16);
  new Uint16Array(bytes.buffer, bytes.byteOffset, 1)[0] = v6 ? AF_INET6 : AF_INET;
  bytes.writeUInt16BE(port, 2);
  bytes.set(address, v6 ? 8 : 4);
  if (isLinkLocal(address)) {
    new Uint32Array(bytes.buffer, bytes.byteOffset + 24, 1)[0] = device;
  }
  return bytes;
}

/** What an exception says, without the stack of `require` calls that module errors carry. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] as string;
}

const SOCKET_BUFFER = 4 << 20;
/** sizeof(struct sockaddr_in6). */
export const SOCKET_ADDRESS_SIZE = 28;
// asm-generic/socket.h, linux/in.h, linux/in6.h
export const SOL_SOCKET = 1;
export const SO_TYPE = 3;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
export const SO_BINDTODEVICE = 25;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
export const SO_PROTOCOL = 38;
export const SO_MEMINFO = 55;
export const SOCK_RAW = 3;
const SO_ATTACH_FILTER = 26;
const SO_BINDTOIFINDEX = 62;
export const IPPROTO_IP = 0;
export const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IP_UNICAST_IF = 50;
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
