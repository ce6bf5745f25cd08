/** Every call of the script language as one of the C library: its arguments in memory, and what it wrote compared. */
import type { Expr, SocketCall } from '../ast.js';
import { compareControl, type StampClock } from '../posix/ancillary.js';
import { constant } from '../posix/constants.js';
import { field, integer, isEllipsis, isNull, items, Mismatches, number } from '../posix/evaluate.js';
import { compareBuffer, octets, vector } from '../posix/transfer.js';
import { ScriptError, type Addressing } from '../socket-layer.js';
import { pointer, type Word } from './libc.js';
import { compareOption, encodeOption, fillOption, optionRoom } from './options.js';
import {
  addressArgument,
  decodeAddress,
  decodeControl,
  encodeControl,
  encodeTime,
  int32,
} from './structs.js';

/** What a call needs to know of its surroundings. */
export interface Scene {
  readonly addressing: Addressing;
  readonly clock: StampClock;
  /** The kernel's number of a descriptor; -1 for one that the script does not have. */
  live(fd: number): number;
  /** The script's number of a descriptor from now on; null: any. */
  enter(live: number, wanted: number | null): number;
  leave(fd: number): void;
  /** A socket is new. */
  created(live: number): void;
}

export interface Prepared {
  readonly name: string;
  readonly args: readonly Word[];
  /** Has to stay in memory until the call is over. */
  readonly keep: readonly Buffer[];
  /** Given a result that is no error: what the script sees as result, and what it did not expect. */
  readonly done: (result: number) => { readonly result: number; readonly mismatch: string | null };
}

class Preparation {
  readonly keep: Buffer[] = [];
  args: Word[] = [];
  name: string;
  done: Prepared['done'] = (result) => ({ result, mismatch: null });

  constructor(
    readonly scene: Scene,
    readonly call: SocketCall,
  ) {
    this.name = call.name;
  }

  argument(i: number): Expr | undefined {
    return this.call.args[i];
  }
  number(i: number): number {
    return number(this.call.args[i]);
  }
  /** A descriptor of the script, as the kernel knows it. */
  fd(i: number): number {
    return this.scene.live(this.number(i));
  }
  /** As `memory`, unless the script gives no pointer. */
  pointed(i: number, buffer: Buffer): bigint {
    const e = this.argument(i);
    if (e?.kind === 'integer') return e.value;
    return isNull(e) ? 0n : this.memory(buffer);
  }
  memory(buffer: Buffer): bigint {
    this.keep.push(buffer);
    return buffer.length === 0 ? 0n : pointer(buffer);
  }
  /** Compares when the call is over. */
  compare(check: (wrong: Mismatches, result: number) => void): void {
    this.done = (result) => {
      const wrong = new Mismatches();
      check(wrong, result);
      return { result, mismatch: wrong.text };
    };
  }
  /** The result is a new descriptor. */
  opens(): void {
    const { result } = this.call;
    const { done } = this;
    const wanted = result.kind === 'integer' && result.value >= 0n ? Number(result.value) : null;
    this.done = (live) => ({ ...done(live), result: this.scene.enter(live, wanted) });
  }
}

type Prepare = (p: Preparation) => void;

export function prepare(call: SocketCall, scene: Scene): Prepared | null {
  const known = CALLS[call.name];
  if (known === undefined) throw new ScriptError(`unknown call ${call.name}()`, call.line);
  const p = new Preparation(scene, call);
  known(p);
  return p.name === '' ? null : p;
}

// ---- addresses and vectors --------------------------------------------------------------------------------------

const family = ({ addressing }: Scene): number =>
  constant(addressing.mode === 'ipv4' ? 'AF_INET' : 'AF_INET6');

function ownAddress(p: Preparation, i: number): Buffer {
  const { local: address, bindPort: port } = p.scene.addressing;
  return addressArgument(p.argument(i), { family: family(p.scene), address, port });
}

function peerAddress(p: Preparation, e: Expr | undefined): Buffer {
  if (isNull(e)) return Buffer.alloc(0);
  const { remote: address, connectPort: port } = p.scene.addressing;
  return addressArgument(e, { family: family(p.scene), address, port });
}

/** The length of an address is the script's, if that is not more than there is. */
function lengthOf(p: Preparation, name: Buffer): number {
  return isEllipsis(p.argument(2)) ? name.length : Math.min(p.number(2), name.length);
}

/** A call that writes a socket address: (fd, address, length). */
function writesAddress(p: Preparation, flags?: number): void {
  const name = Buffer.alloc(128);
  p.args = [p.fd(0), p.memory(name), p.memory(int32(name.length)), ...(flags === undefined ? [] : [flags])];
  p.compare((wrong) => wrong.address('address', p.argument(1), decodeAddress(name)));
}

interface Vector {
  readonly buffers: readonly Buffer[];
  readonly address: bigint;
  readonly count: number;
}

/** struct iovec for each part; filled from the script's strings when it is to be sent. */
function ioVector(p: Preparation, e: Expr | undefined, sends: boolean): Vector {
  const parts = vector(e);
  const table = Buffer.alloc(16 * parts.length);
  const buffers = parts.map(({ buffer, length }, i) => {
    const memory = sends ? octets(buffer, length) : Buffer.alloc(length);
    table.writeBigUInt64LE(p.memory(memory), 16 * i);
    table.writeBigUInt64LE(BigInt(length), 16 * i + 8);
    return memory;
  });
  return { buffers, address: p.memory(table), count: parts.length };
}

function compareVector(wrong: Mismatches, what: string, e: Expr | undefined, data: Buffer): void {
  let at = 0;
  vector(e).forEach(({ buffer, length }, i) => {
    compareBuffer(wrong, `${what} ${i}`, buffer, data.subarray(at, at + length));
    at += length;
  });
}

const MSGHDR = 56;

/** struct msghdr. */
function messageHeader(
  p: Preparation,
  e: Expr | undefined,
  sends: boolean,
): { header: Buffer; data: Vector } {
  const header = Buffer.alloc(MSGHDR);
  const data = ioVector(p, field(e, 'msg_iov'), sends);
  const name = field(e, 'msg_name');
  const control = field(e, 'msg_control');
  if (
    name !== undefined &&
    !isNull(name) &&
    !(sends && isEllipsis(name) && field(e, 'msg_namelen') === undefined)
  ) {
    const octetsOfName = sends ? peerAddress(p, name) : Buffer.alloc(128);
    header.writeBigUInt64LE(p.memory(octetsOfName), 0);
    header.writeUInt32LE(octetsOfName.length, 8);
  }
  header.writeBigUInt64LE(data.address, 16);
  header.writeBigUInt64LE(BigInt(data.count), 24);
  if (control !== undefined) {
    const octetsOfControl = sends ? encodeControl(items(control)) : Buffer.alloc(512);
    header.writeBigUInt64LE(p.memory(octetsOfControl), 32);
    header.writeBigUInt64LE(BigInt(octetsOfControl.length), 40);
    if (!sends) p.keep.push(octetsOfControl);
  }
  return { header, data };
}

function compareMessage(
  p: Preparation,
  header: Buffer,
  data: Vector,
  wrong: Mismatches,
  result: number,
): void {
  const e = p.argument(1);
  compareVector(wrong, 'msg_iov', field(e, 'msg_iov'), Buffer.concat(data.buffers).subarray(0, result));
  wrong.flags('msg_flags', field(e, 'msg_flags'), header.readInt32LE(48));
  const control = field(e, 'msg_control');
  if (control === undefined || isEllipsis(control)) return;
  const memory = p.keep.at(-2)!; // the header itself came after it
  const messages = decodeControl(memory.subarray(0, Number(header.readBigUInt64LE(40))));
  compareControl(wrong, control, messages, p.scene.clock);
}

// ---- the calls -----------------------------------------------------------------------------------------------------

/** (fd, buffer, length, flags): what was received is compared with strings of the script. */
const receives: Prepare = (p) => {
  const buffer = Buffer.alloc(Math.max(0, p.number(2)));
  p.args = [p.fd(0), p.pointed(1, buffer), p.number(2), p.argument(3) === undefined ? 0 : p.number(3)];
  p.compare((wrong, result) => compareBuffer(wrong, 'buffer', p.argument(1), buffer.subarray(0, result)));
};

const sends: Prepare = (p) => {
  const data = octets(p.argument(1), Math.max(0, p.number(2)));
  p.args = [p.fd(0), p.pointed(1, data), p.number(2), p.argument(3) === undefined ? 0 : p.number(3)];
};

/** Words as they are, the first a descriptor. */
const plain: Prepare = (p) => {
  p.args = p.call.args.map((e, i) => (i === 0 ? p.fd(0) : BigInt.asIntN(64, integer(e))));
};

const EPOLL_EVENT = process.arch === 'x64' ? 12 : 16;

const eventTable = (count: number): Buffer => Buffer.alloc(EPOLL_EVENT * count);

/** A number that no descriptor has. */
const NOT_OPEN = 0x7fffffff;

const polls = (p: Preparation, timeout: readonly Word[]): void => {
  const entries = items(p.argument(0));
  const table = Buffer.alloc(8 * entries.length);
  entries.forEach((entry, i) => {
    const fd = number(field(entry, 'fd'));
    const events = field(entry, 'events');
    const live = fd < 0 ? fd : p.scene.live(fd);
    table.writeInt32LE(fd >= 0 && live < 0 ? NOT_OPEN : live, 8 * i);
    table.writeUInt16LE(events === undefined ? 0 : number(events), 8 * i + 4);
  });
  p.args = [p.memory(table), p.number(1), ...timeout];
  p.compare((wrong) => {
    entries.forEach((entry, i) =>
      wrong.flags(`revents of ${i}`, field(entry, 'revents'), table.readUInt16LE(8 * i + 6)),
    );
  });
};

const waitsForEvents: Prepare = (p) => {
  const table = eventTable(Math.max(1, p.number(2)));
  p.args = [p.fd(0), p.memory(table), p.number(2), p.number(3), 0, 0];
  p.compare((wrong, result) => {
    items(p.argument(1)).forEach((item, i) => {
      if (item.kind !== 'struct' || i >= result) return;
      const at = EPOLL_EVENT * i;
      wrong.flags(`events of ${i}`, field(item, 'events'), table.readInt32LE(at));
      const data = field(item, 'fd', 'ptr', 'u32', 'u64', 'data');
      wrong.number(`data of ${i}`, data, table.readBigInt64LE(at + EPOLL_EVENT - 8));
    });
  });
};

const opensPipe = (p: Preparation, flags: number): void => {
  const pair = Buffer.alloc(8);
  p.name = 'pipe2';
  p.args = [p.memory(pair), flags];
  p.done = (result) => {
    const wanted = items(p.argument(0)).map((e) => number(e));
    [0, 1].forEach((i) => p.scene.enter(pair.readInt32LE(4 * i), wanted[i] ?? null));
    return { result, mismatch: null };
  };
};

const CALLS: Readonly<Record<string, Prepare>> = {
  socket(p) {
    const [domain, , protocol] = p.call.args;
    const own = isEllipsis(domain) ? family(p.scene) : number(domain);
    p.args = [own, p.number(1), isEllipsis(protocol) ? 0 : number(protocol)];
    p.done = (result) => {
      p.scene.created(result);
      return { result, mismatch: null };
    };
    p.opens();
  },
  bind(p) {
    const name = ownAddress(p, 1);
    p.args = [p.fd(0), p.memory(name), lengthOf(p, name)];
  },
  connect(p) {
    const name = peerAddress(p, p.argument(1));
    p.args = [p.fd(0), p.memory(name), lengthOf(p, name)];
  },
  listen: plain,
  shutdown: plain,
  accept(p) {
    writesAddress(p);
    p.opens();
  },
  accept4(p) {
    writesAddress(p, p.number(3));
    p.opens();
  },
  getsockname: (p) => writesAddress(p),
  getpeername: (p) => writesAddress(p),
  close(p) {
    const fd = p.number(0);
    p.args = [p.fd(0)];
    p.scene.leave(fd);
  },
  read: receives,
  recv: receives,
  recvfrom: receives,
  readv(p) {
    const data = ioVector(p, p.argument(1), false);
    p.args = [p.fd(0), data.address, p.number(2)];
    p.compare((wrong, result) =>
      compareVector(wrong, 'iov', p.argument(1), Buffer.concat(data.buffers).subarray(0, result)),
    );
  },
  recvmsg(p) {
    const { header, data } = messageHeader(p, p.argument(1), false);
    p.args = [p.fd(0), p.pointed(1, header), p.number(2)];
    p.compare((wrong, result) => compareMessage(p, header, data, wrong, result));
  },
  write: sends,
  send: sends,
  sendto(p) {
    sends(p);
    const to = p.argument(4);
    if (to === undefined || (to.kind === 'integer' && to.value === 0n)) return;
    const name = peerAddress(p, to);
    p.args[4] = p.memory(name);
    p.args[5] = name.length;
  },
  writev(p) {
    const data = ioVector(p, p.argument(1), true);
    p.args = [p.fd(0), data.address, p.number(2)];
  },
  sendmsg(p) {
    const { header } = messageHeader(p, p.argument(1), true);
    p.args = [p.fd(0), p.pointed(1, header), p.number(2)];
  },
  sendfile(p) {
    p.args = [p.fd(0), p.fd(1), 0, p.number(3)];
  },
  splice(p) {
    p.args = [p.fd(0), 0, p.fd(2), 0, p.number(4), p.number(5)];
  },
  open(p) {
    const path = p.argument(0);
    const name = path?.kind === 'string' ? path.value : Buffer.from('/dev/zero');
    const mode = p.argument(2) === undefined ? 0o600 : p.number(2);
    p.args = [p.memory(Buffer.concat([name, Buffer.alloc(1)])), p.number(1), mode];
    p.opens();
  },
  dup(p) {
    plain(p);
    p.opens();
  },
  dup2(p) {
    const wanted = p.number(1);
    if (p.number(0) === wanted) {
      // The same descriptor stays what it is.
      p.name = 'fcntl';
      p.args = [p.fd(0), constant('F_GETFD')];
      p.done = () => ({ result: wanted, mismatch: null });
      return;
    }
    p.name = 'dup';
    p.args = [p.fd(0)];
    p.done = (live) => ({ result: p.scene.enter(live, wanted), mismatch: null });
  },
  dup3(p) {
    const [from, to, flags] = [p.number(0), p.number(1), p.number(2)];
    // Of its own accord it would close what the runner keeps there.
    p.name = from === to || (flags & ~constant('O_CLOEXEC')) !== 0 ? 'dup3' : 'fcntl';
    p.args =
      p.name === 'dup3'
        ? [p.fd(0), p.fd(0), flags]
        : [p.fd(0), constant(flags === 0 ? 'F_DUPFD' : 'F_DUPFD_CLOEXEC'), 0];
    p.done = (live) => ({ result: p.scene.enter(live, to), mismatch: null });
  },
  lseek: plain,
  pipe: (p) => opensPipe(p, 0),
  pipe2: (p) => opensPipe(p, p.number(1)),
  fcntl(p) {
    plain(p);
    const command = p.number(1);
    if (command === constant('F_DUPFD') || command === constant('F_DUPFD_CLOEXEC')) p.opens();
  },
  ioctl(p) {
    const request = p.number(1);
    const argument = items(p.argument(2))[0];
    const sets = SETTING_REQUESTS.has(request);
    const value = int32(sets && argument !== undefined ? integer(argument) : 0);
    p.args = [p.fd(0), request, p.pointed(2, value)];
    if (sets) return;
    p.compare((wrong) => wrong.number('value', argument, value.readInt32LE(0)));
  },
  setsockopt(p) {
    const [, level, name, value = ELLIPSIS, length] = p.call.args;
    const given = isEllipsis(length) ? null : number(length);
    const memory = encodeOption(number(level), number(name), value, given);
    p.args = [p.fd(0), number(level), number(name), p.pointed(3, memory), given ?? memory.length];
  },
  getsockopt(p) {
    const [, level, name, value = ELLIPSIS, length] = p.call.args;
    const memory = Buffer.alloc(Math.max(16, optionRoom(length)));
    const room = int32(optionRoom(length));
    fillOption(number(level), number(name), value, memory);
    p.args = [p.fd(0), number(level), number(name), p.memory(memory), p.memory(room)];
    p.done = (result) => {
      const written = room.readInt32LE(0);
      const wrong = new Mismatches();
      if (length !== undefined) wrong.number('optlen', length, written);
      const mismatch = compareOption(
        number(level),
        number(name),
        value,
        memory.subarray(0, Math.max(written, 0)),
      );
      return { result, mismatch: mismatch ?? wrong.text };
    };
  },
  poll: (p) => polls(p, [p.number(2)]),
  ppoll(p) {
    const time = p.argument(2);
    polls(p, [time?.kind === 'struct' ? p.memory(encodeTime(time, 'tv_nsec')) : 0, 0, 8]);
  },
  epoll_create(p) {
    p.args = [p.number(0)];
    p.opens();
  },
  epoll_create1(p) {
    p.args = [p.number(0)];
    p.opens();
  },
  epoll_ctl(p) {
    const [, operation, fd, event] = p.call.args;
    const memory = eventTable(1);
    const events = field(event, 'events');
    const data = field(event, 'fd', 'ptr', 'u32', 'u64', 'data') ?? fd;
    memory.writeUInt32LE(events === undefined ? 0 : number(events) >>> 0, 0);
    memory.writeBigInt64LE(BigInt.asIntN(64, integer(data)), EPOLL_EVENT - 8);
    p.args = [p.fd(0), number(operation), p.fd(2), p.memory(memory)];
  },
  epoll_wait: waitsForEvents,
  epoll_pwait: waitsForEvents,
  cap_set(p) {
    p.name = '';
  },
};

/** Requests that are given a number. */
const SETTING_REQUESTS = new Set(
  ['FIONBIO', 'FIOASYNC', 'FIOCLEX', 'FIONCLEX', 'FIOSETOWN', 'SIOCSPGRP'].map(constant),
);

const ELLIPSIS: Expr = { kind: 'ellipsis' };
