/** Every socket call of the script language: its arguments taken apart, its result or the wait for it. */
import type { Expr, SocketCall } from '../ast.js';
import { ScriptError, type Addressing, type LayerContext, type RunningCall } from '../socket-layer.js';
import type { StampClock } from './ancillary.js';
import { constant, SOL } from './constants.js';
import { Epoll } from './epoll.js';
import {
  field,
  integer,
  isEllipsis,
  isNull,
  isWild,
  items,
  Mismatches,
  number,
  socketAddress,
  type SocketAddress,
} from './evaluate.js';
import type { Files } from './files.js';
import { fail, O_NONBLOCK, ok, type Attempt, type OpenFile } from './files.js';
import { ioctl, fcntl } from './control.js';
import { timeoutOf } from './option-values.js';
import { getOption, setOption } from './options.js';
import { Pipe, PipeEnd, PlainFile } from './pipe.js';
import { poll } from './polling.js';
import { controlTaken, recvmsg, sendmsg } from './messages.js';
import { sendOpening, synTakesData } from './fast-open.js';
import { AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP, Socket, STATE } from './socket.js';
import {
  compareBuffer,
  octets,
  readPipe,
  receive,
  send,
  sendFile,
  splice,
  totalOf,
  vector,
  waits,
  writePipe,
  type Repeatable,
} from './transfer.js';

const SOCK_NONBLOCK = constant('SOCK_NONBLOCK');
const SOCK_CLOEXEC = constant('SOCK_CLOEXEC');
const SOCK_STREAM = constant('SOCK_STREAM');
/** Protocols, types and parts of a vector end here. */
const IPPROTO_MAX = 263;
const SOCK_MAX = 10;
const INTERNET_TYPES = new Set(['SOCK_DGRAM', 'SOCK_RAW'].map(constant));
const IOV_MAX = 1024;
const SPLICE_F_NONBLOCK = constant('SPLICE_F_NONBLOCK');
const MSG_DONTWAIT = constant('MSG_DONTWAIT');
const MSG_TRUNC = constant('MSG_TRUNC');
const MSG_FASTOPEN = constant('MSG_FASTOPEN');
const TCP_FASTOPEN_CONNECT = constant('TCP_FASTOPEN_CONNECT');

export class Calls {
  /** Script's number of the socket used last. */
  lastUsed: number | null = null;

  #origin = 0;

  constructor(
    private readonly context: LayerContext,
    private readonly files: Files,
  ) {}

  start(): void {
    this.#origin = this.context.world.now();
  }

  get clock(): StampClock {
    return { origin: this.#origin, tolerance: this.context.tolerance };
  }

  begin(call: SocketCall): RunningCall {
    const { args } = call;
    if (call.name === 'poll') return poll(this, call, milliseconds(number(args[2])));
    if (call.name === 'ppoll') return poll(this, call, timespec(args[2]));
    const made = MAKERS[call.name];
    if (made !== undefined) return this.#at(made.call(this, call));
    const fd = number(args[0]);
    const file = this.files.get(fd);
    if (file === undefined) return this.#at(fail('EBADF'));
    if (file instanceof Socket) this.lastUsed = fd;
    const onFile = FILE_CALLS[call.name];
    if (onFile !== undefined) return onFile.call(this, file, call);
    const onSocket = SOCKET_CALLS[call.name];
    if (onSocket === undefined) throw new ScriptError(`unknown call ${call.name}()`, call.line);
    if (!(file instanceof Socket)) return this.#at(fail('ENOTSOCK'));
    return onSocket.call(this, file, call);
  }

  get addressing(): Addressing {
    return this.context.addressing;
  }

  /** A result at once. */
  #at(attempt: Attempt): RunningCall {
    return this.files.run(() => attempt, 0);
  }

  now(attempt: Attempt): RunningCall {
    return this.#at(attempt);
  }

  /** An attempt until it succeeds or the time is over. */
  run(attempt: Repeatable, timeout: number): RunningCall {
    return this.files.run(attempt, timeout);
  }

  /** An attempt that waits unless the descriptor or a flag says otherwise. */
  wait(file: OpenFile, attempt: Repeatable, timeout: number, flags = 0): RunningCall {
    return this.files.run(attempt, waits(file, flags) ? timeout : 0);
  }

  receiveTimeout(s: OpenFile): number {
    return s instanceof Socket ? timeoutOf(s.options.receiveTimeout) : Infinity;
  }

  sendTimeout(s: OpenFile): number {
    return s instanceof Socket ? timeoutOf(s.options.sendTimeout) : Infinity;
  }

  file(fd: number): OpenFile | undefined {
    return this.files.get(fd);
  }

  /** A new descriptor, under the number that the script gives it. */
  open(file: OpenFile, expected: Expr, closeOnExec = false): Attempt {
    const wanted = expected.kind === 'integer' && expected.value >= 0n ? Number(expected.value) : null;
    const fd = this.files.enter(file, wanted);
    this.files.closeOnExec(fd, closeOnExec);
    if (file instanceof Socket) this.lastUsed = fd;
    return ok(fd);
  }

  closesOnExec(fd: number): boolean {
    return this.files.closesOnExec(fd);
  }

  closeOnExec(fd: number, on: boolean): void {
    this.files.closeOnExec(fd, on);
  }

  close(fd: number): boolean {
    return this.files.close(fd);
  }

  /** Whether another socket has this local address and port. */
  portTaken(s: Socket, address: string | null, port: number): boolean {
    if (port === 0) return false;
    for (const [, other] of this.files.entries()) {
      if (!(other instanceof Socket) || other === s || other.bound?.port !== port) continue;
      const overlap = address === null || other.bound.address === null || other.bound.address === address;
      if (overlap && !other.sharesPort(s)) return true;
    }
    return false;
  }

  socket(call: SocketCall): Attempt {
    const [domain, kind, protocol] = call.args;
    const mapped = this.addressing.mode === 'ipv4' ? AF_INET : AF_INET6;
    const family = isEllipsis(domain) ? mapped : number(domain);
    const type = number(kind);
    if (family !== AF_INET && family !== AF_INET6) return fail('EAFNOSUPPORT');
    const flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    if ((type & ~0xf & ~flags) !== 0) return fail('EINVAL');
    let wanted = isEllipsis(protocol) ? 0 : number(protocol);
    if (wanted < 0 || wanted >= IPPROTO_MAX) return fail('EINVAL');
    if ((type & 0xf) !== SOCK_STREAM) {
      if ((type & 0xf) > SOCK_MAX) return fail('EINVAL');
      if (!INTERNET_TYPES.has(type & 0xf)) return fail('ESOCKTNOSUPPORT');
      if (wanted === IPPROTO_TCP || wanted === IPPROTO_MPTCP) return fail('EPROTONOSUPPORT');
      throw new ScriptError('only SOCK_STREAM sockets are known', call.line);
    }
    if (wanted === 0) wanted = IPPROTO_TCP;
    if (wanted !== IPPROTO_TCP && wanted !== IPPROTO_MPTCP) return fail('EPROTONOSUPPORT');
    const s = new Socket(this.context.stack, this.addressing, family, wanted);
    s.nonBlocking = (flags & SOCK_NONBLOCK) !== 0;
    return this.open(s, call.result, (flags & SOCK_CLOEXEC) !== 0);
  }

  /** Where `connect(fd, ..., ...)` goes. */
  remote(s: Socket): SocketAddress {
    const { remote: address, connectPort: port } = this.addressing;
    return { family: s.family, address, port };
  }

  /** How an attempt to connect ended; null: it goes on. */
  connected(s: Socket, timedOut: boolean): Attempt {
    if (s.state === STATE.SYN_SENT || s.state === STATE.SYN_RECV)
      return timedOut ? fail('EINPROGRESS') : null;
    s.connecting = false;
    if (s.state !== STATE.CLOSE) return ok();
    const error = s.takeError() ?? 'ECONNABORTED';
    s.disconnect(); // it is as good as new once the program knows
    return fail(error);
  }

  /** An address argument; `...` means the one given. */
  target(e: Expr | undefined, other: SocketAddress): SocketAddress {
    if (isEllipsis(e) || isNull(e) || e === undefined) return other;
    return socketAddress(e);
  }
}

const milliseconds = (timeout: number): number => (timeout < 0 ? Infinity : timeout * 1000);

/** struct timespec; a null pointer waits for ever. */
function timespec(e: Expr | undefined): number {
  const seconds = field(e, 'tv_sec');
  const nano = field(e, 'tv_nsec');
  if (seconds === undefined && nano === undefined) return Infinity;
  return (seconds === undefined ? 0 : number(seconds)) * 1e6 + (nano === undefined ? 0 : number(nano)) / 1e3;
}

type Maker = (this: Calls, call: SocketCall) => Attempt;
type FileCall = (this: Calls, file: OpenFile, call: SocketCall) => RunningCall;
type SocketOnly = (this: Calls, s: Socket, call: SocketCall) => RunningCall;

/** Calls whose first argument is no open descriptor. */
const MAKERS: Readonly<Record<string, Maker>> = {
  socket(call) {
    return this.socket(call);
  },
  open(call) {
    return this.open(new PlainFile(), call.result);
  },
  epoll_create(call) {
    if (number(call.args[0]) <= 0) return fail('EINVAL');
    return this.open(new Epoll(), call.result);
  },
  epoll_create1(call) {
    const flags = number(call.args[0]);
    if ((flags & ~SOCK_CLOEXEC) !== 0) return fail('EINVAL');
    return this.open(new Epoll(), call.result, flags !== 0);
  },
  pipe(call) {
    return makePipe.call(this, call, 0);
  },
  pipe2(call) {
    return makePipe.call(this, call, number(call.args[1]));
  },
  cap_set() {
    return ok();
  },
};

function makePipe(this: Calls, call: SocketCall, flags: number): Attempt {
  const pipe = new Pipe();
  const [first, second] = items(call.args[0]);
  const any: Expr = { kind: 'ellipsis' };
  if ((flags & ~(O_NONBLOCK | SOCK_CLOEXEC | constant('O_DIRECT'))) !== 0) return fail('EINVAL');
  for (const end of [pipe.reader, pipe.writer]) end.nonBlocking = (flags & O_NONBLOCK) !== 0;
  this.open(pipe.reader, first ?? any, (flags & SOCK_CLOEXEC) !== 0);
  this.open(pipe.writer, second ?? any, (flags & SOCK_CLOEXEC) !== 0);
  return ok();
}

/** Calls on any descriptor. */
const FILE_CALLS: Readonly<Record<string, FileCall>> = {
  close(file, call) {
    const { linger } = file instanceof Socket ? file.options : { linger: { on: false, seconds: 0 } };
    const last = file.references === 1;
    // SO_LINGER: until the peer has all of it, even where nothing else would wait.
    if (file instanceof Socket) file.lingers = last && !file.multipath && linger.on && linger.seconds > 0;
    this.close(number(call.args[0]));
    if (!(file instanceof Socket) || !file.lingers) return this.now(ok());
    return this.run((timedOut) => (file.ending && !timedOut ? null : ok()), linger.seconds * 1e6);
  },
  dup(file, call) {
    return this.now(this.open(file, call.result));
  },
  dup2(file, call) {
    // The same descriptor stays what it is.
    if (integer(call.args[0]) === integer(call.args[1])) return this.now(ok(integer(call.args[1])));
    return this.now(this.open(file, { kind: 'integer', value: integer(call.args[1]) }));
  },
  dup3(file, call) {
    const [from, to, flags] = call.args;
    if (integer(from) === integer(to) || (number(flags) & ~SOCK_CLOEXEC) !== 0)
      return this.now(fail('EINVAL'));
    return this.now(this.open(file, { kind: 'integer', value: integer(to) }, number(flags) !== 0));
  },
  lseek(file, call) {
    if (!(file instanceof PlainFile)) return this.now(fail('ESPIPE'));
    return this.now(ok(integer(call.args[1])));
  },
  fcntl(file, call) {
    return this.now(fcntl(this, file, call));
  },
  ioctl(file, call) {
    return this.now(ioctl(this, file, call));
  },
  read(file, call) {
    const length = number(call.args[2]);
    if (length < 0) return this.now(fail('EFAULT'));
    if (file instanceof PipeEnd) return this.wait(file, readPipe(file, length), Infinity);
    if (!(file instanceof Socket)) return this.now(file instanceof PlainFile ? ok(length) : fail('EINVAL'));
    if (length === 0) return this.now(ok()); // recv() would wait
    return receiveInto.call(this, file, call.args[1], length, 0);
  },
  readv(file, call) {
    if (!isCount(call.args[2])) return this.now(fail('EINVAL'));
    const parts = vector(call.args[1]);
    if (!(file instanceof Socket)) return this.now(fail('EINVAL'));
    if (totalOf(parts) === 0) return this.now(ok());
    return this.wait(
      file,
      receive(file, totalOf(parts), 0, ({ data }) => {
        const wrong = new Mismatches();
        let at = 0;
        parts.forEach(({ buffer, length }, i) => {
          compareBuffer(wrong, `iov ${i}`, buffer, data.subarray(at, at + length));
          at += length;
        });
        return ok(data.length, wrong.text);
      }),
      this.receiveTimeout(file),
    );
  },
  write(file, call) {
    const length = number(call.args[2]);
    if (length < 0) return this.now(fail('EFAULT'));
    if (isWild(call.args[1]) && length > 0) return this.now(fail('EFAULT'));
    if (file instanceof PipeEnd) return this.wait(file, writePipe(file, length), Infinity);
    if (!(file instanceof Socket)) return this.now(file instanceof PlainFile ? ok(length) : fail('EINVAL'));
    return sendNow.call(this, file, octets(call.args[1], length), 0, undefined);
  },
  writev(file, call) {
    if (!isCount(call.args[2])) return this.now(fail('EINVAL'));
    const parts = vector(call.args[1]);
    if (!(file instanceof Socket)) return this.now(fail('EINVAL'));
    const data = Buffer.concat(parts.map(({ buffer, length }) => octets(buffer, length)));
    return sendNow.call(this, file, data, 0, undefined);
  },
  sendfile(file, call) {
    const source = this.file(number(call.args[1]));
    if (source === undefined) return this.now(fail('EBADF'));
    return this.wait(file, sendFile(file, source, number(call.args[3])), this.sendTimeout(file));
  },
  splice(file, call) {
    const to = this.file(number(call.args[2]));
    if (to === undefined) return this.now(fail('EBADF'));
    const flags = number(call.args[5]);
    // SPLICE_F_NONBLOCK is about pipes: a socket waits as its own flag says.
    const at = file instanceof Socket ? file : to;
    const now = file instanceof Socket || (flags & SPLICE_F_NONBLOCK) === 0 ? 0 : MSG_DONTWAIT;
    return this.wait(at, splice(file, to, number(call.args[4]), flags), this.receiveTimeout(file), now);
  },
  epoll_ctl(file, call) {
    return this.now(epollControl.call(this, file, call));
  },
  epoll_wait(file, call) {
    return epollWait.call(this, file, call);
  },
  epoll_pwait(file, call) {
    return epollWait.call(this, file, call);
  },
};

/** The number of parts of a vector. */
const isCount = (e: Expr | undefined): boolean => {
  const count = integer(e);
  return count >= 0n && count <= BigInt(IOV_MAX);
};

function receiveInto(
  this: Calls,
  s: Socket,
  buffer: Expr | undefined,
  length: number,
  flags: number,
): RunningCall {
  const done = ({ data }: { data: Buffer }): Attempt => {
    const wrong = new Mismatches();
    compareBuffer(wrong, 'buffer', buffer, data);
    return ok(data.length, wrong.text);
  };
  const attempt = receive(s, length, flags, done);
  const wild = isWild(buffer) && length > 0 && (flags & MSG_TRUNC) === 0;
  const checked: Repeatable = (timedOut) =>
    wild && s.queues().unread > 0 ? fail('EFAULT') : attempt(timedOut);
  return this.wait(s, checked, this.receiveTimeout(s), flags);
}

function epollControl(this: Calls, file: OpenFile, call: SocketCall): Attempt {
  if (!(file instanceof Epoll)) return fail('EINVAL');
  const operation = number(call.args[1]);
  const fd = number(call.args[2]);
  const target = this.file(fd);
  if (target === undefined) return fail('EBADF');
  const event = call.args[3];
  const events = field(event, 'events');
  const data = field(event, 'fd', 'ptr', 'u32', 'u64', 'data');
  const mask = events === undefined ? 0 : number(events) >>> 0;
  const value = data === undefined ? BigInt(fd) : integer(data);
  let errno: string | null = 'EINVAL';
  if (operation === constant('EPOLL_CTL_ADD')) errno = file.add(fd, target, mask, value);
  if (operation === constant('EPOLL_CTL_MOD')) errno = file.modify(fd, target, mask, value);
  if (operation === constant('EPOLL_CTL_DEL')) errno = file.delete(fd, target);
  return errno === null ? ok() : fail(errno);
}

function epollWait(this: Calls, file: OpenFile, call: SocketCall): RunningCall {
  if (!(file instanceof Epoll)) return this.now(fail('EINVAL'));
  const expected = call.args[1];
  const most = number(call.args[2]);
  if (most <= 0) return this.now(fail('EINVAL'));
  const timeout = number(call.args[3]);
  return this.run((timedOut) => {
    const events = file.take(most);
    if (events.length === 0 && !timedOut) return null;
    const wrong = new Mismatches();
    items(expected).forEach((item, i) => {
      const event = events[i];
      if (item.kind !== 'struct' || event === undefined) return;
      wrong.flags(`events of ${i}`, field(item, 'events'), event.events);
      wrong.number(`data of ${i}`, field(item, 'fd', 'ptr', 'u32', 'u64', 'data'), event.data);
    });
    return ok(events.length, wrong.text);
  }, milliseconds(timeout));
}

/** Calls on sockets only. */
const SOCKET_CALLS: Readonly<Record<string, SocketOnly>> = {
  bind(s, call) {
    const { local, bindPort } = this.addressing;
    const address = this.target(call.args[1], { family: s.family, address: local, port: bindPort });
    if (tooShort(s, call.args[2])) return this.now(fail('EINVAL'));
    return this.now(bind(this, s, address));
  },
  listen(s, call) {
    const { state } = s;
    if (state !== STATE.CLOSE && state !== STATE.LISTEN) return this.now(fail('EINVAL'));
    const errno = s.listen(number(call.args[1]));
    return this.now(errno === null ? ok() : fail(errno));
  },
  accept(s, call) {
    return accept.call(this, s, call, 0);
  },
  accept4(s, call) {
    return accept.call(this, s, call, number(call.args[3]));
  },
  connect(s, call) {
    return connect.call(this, s, call);
  },
  recv(s, call) {
    return receiveInto.call(this, s, call.args[1], number(call.args[2]), number(call.args[3]));
  },
  recvfrom(s, call) {
    return receiveInto.call(this, s, call.args[1], number(call.args[2]), number(call.args[3]));
  },
  recvmsg(s, call) {
    if (isNull(call.args[1])) return this.now(fail('EFAULT'));
    const flags = number(call.args[2]);
    return this.wait(s, recvmsg(s, call.args[1], flags, this.clock), this.receiveTimeout(s), flags);
  },
  send(s, call) {
    if (isWild(call.args[1]) && number(call.args[2]) > 0) return this.now(fail('EFAULT'));
    return sendNow.call(this, s, octets(call.args[1], number(call.args[2])), number(call.args[3]), undefined);
  },
  sendto(s, call) {
    if (isWild(call.args[1]) && number(call.args[2]) > 0) return this.now(fail('EFAULT'));
    const data = octets(call.args[1], number(call.args[2]));
    return sendNow.call(this, s, data, number(call.args[3]), call.args[4]);
  },
  sendmsg(s, call) {
    if (isNull(call.args[1])) return this.now(fail('EFAULT'));
    if (!controlTaken(s, call.args[1])) return this.now(fail('EINVAL'));
    const { data, name, stamps } = sendmsg(call.args[1]);
    return sendNow.call(this, s, data, number(call.args[2]), name, stamps);
  },
  shutdown(s, call) {
    return this.now(shutdown(s, number(call.args[1])));
  },
  getsockname(s, call) {
    const wrong = new Mismatches();
    wrong.address('name', call.args[1], s.local());
    return this.now(ok(0, wrong.text));
  },
  getpeername(s, call) {
    const remote = s.remote();
    if (remote === null) return this.now(fail('ENOTCONN'));
    const wrong = new Mismatches();
    wrong.address('name', call.args[1], remote);
    return this.now(ok(0, wrong.text));
  },
  setsockopt(s, call) {
    const [, level, name, value, length] = call.args;
    if (isNull(value)) return this.now(fail('EFAULT'));
    const octets = isEllipsis(length) ? null : number(length);
    return this.now(setOption(s, number(level), number(name), value ?? { kind: 'ellipsis' }, octets));
  },
  getsockopt(s, call) {
    const [, level, name, value, length] = call.args;
    if (!isEllipsis(length) && number(length) < 0) return this.now(fail('EINVAL'));
    return this.now(getOption(s, number(level), number(name), value ?? { kind: 'ellipsis' }, length));
  },
};

/** The length of an address is less than its family needs. */
function tooShort(s: Socket, length: Expr | undefined): boolean {
  return !isEllipsis(length) && number(length) < (s.family === AF_INET6 ? 24 : 16);
}

function bind(calls: Calls, s: Socket, { family, address, port }: SocketAddress): Attempt {
  if (s.bound !== null || s.state !== STATE.CLOSE) return fail('EINVAL');
  if (family !== s.family && family !== 0) return fail(s.family === AF_INET6 ? 'EINVAL' : 'EAFNOSUPPORT');
  // Under AF_INET6 the address of the wire may be IPv4.
  const text = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? null;
  if (text !== null && !s.stack.paths().some((path) => path.address === text)) return fail('EADDRNOTAVAIL');
  if (calls.portTaken(s, text, port)) return fail('EADDRINUSE');
  s.bound = { address: text, port };
  return ok();
}

function accept(this: Calls, s: Socket, call: SocketCall, flags: number): RunningCall {
  if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) return this.now(fail('EINVAL'));
  if (!s.listening) return this.now(fail('EINVAL'));
  const attempt: Repeatable = (timedOut) => {
    if (!s.listening) return fail('EINVAL');
    const child = s.accept();
    if (child === undefined) return timedOut ? fail('EAGAIN') : null;
    child.nonBlocking = (flags & SOCK_NONBLOCK) !== 0;
    const wrong = new Mismatches();
    wrong.address('peer', call.args[1], child.remote());
    const opened = this.open(child, call.result, (flags & SOCK_CLOEXEC) !== 0);
    return opened !== null && 'result' in opened ? ok(opened.result, wrong.text) : opened;
  };
  // On Linux a Multipath TCP listener knows no timeout.
  return this.wait(s, attempt, s.multipath ? Infinity : this.receiveTimeout(s));
}

function connect(this: Calls, s: Socket, call: SocketCall): RunningCall {
  const { remote } = this.addressing;
  const to = this.target(call.args[1], this.remote(s));
  if (to.family === 0) {
    s.disconnect();
    return this.now(ok());
  }
  if (tooShort(s, call.args[2])) return this.now(fail('EINVAL'));
  if (to.family !== s.family) return this.now(fail(s.family === AF_INET6 ? 'EINVAL' : 'EAFNOSUPPORT'));
  if (s.connecting) {
    if (s.connection !== null && s.state === STATE.SYN_SENT) return this.wait(s, () => fail('EALREADY'), 0);
  } else {
    if (s.state !== STATE.CLOSE) return this.now(fail('EISCONN'));
    // The SYN waits for the data that it can carry.
    if (s.options.get(SOL.TCP, TCP_FASTOPEN_CONNECT) === 1n && synTakesData(s, to)) {
      s.deferred = to;
      return this.now(ok());
    }
    const errno = s.connect((to.address ?? remote).replace(/^::ffff:(?=\d+\.)/i, ''), to.port);
    if (errno !== null) return this.now(fail(errno));
  }
  return this.wait(s, (timedOut) => this.connected(s, timedOut), this.sendTimeout(s));
}

function sendNow(
  this: Calls,
  s: Socket,
  data: Buffer,
  flags: number,
  name: Expr | undefined,
  stamps?: number,
): RunningCall {
  let attempt: Repeatable | null = null;
  if (s.deferred !== null) attempt = sendOpening(this, s, data, s.deferred);
  else if ((flags & MSG_FASTOPEN) !== 0) {
    if (name === undefined) return this.now(fail('EINVAL'));
    attempt = sendOpening(this, s, data, this.target(name, this.remote(s)));
  }
  return this.wait(s, attempt ?? send(s, data, flags, stamps), this.sendTimeout(s), flags);
}

function shutdown(s: Socket, how: number): Attempt {
  if (how < 0 || how > 2) return fail('EINVAL');
  const reads = how !== 1;
  const writes = how !== 0;
  const { state } = s;
  if (state === STATE.LISTEN) {
    if (reads) s.unlisten();
    return ok();
  }
  if (state === STATE.SYN_SENT) {
    s.disconnect();
    return ok();
  }
  if (state === STATE.CLOSE) return fail('ENOTCONN');
  if (reads) s.shutdownRead();
  if (writes) s.shutdownWrite();
  return ok();
}
