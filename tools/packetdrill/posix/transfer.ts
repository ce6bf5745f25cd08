/** The calls that move octets: read, recv, write, send and their kin. */
import { ScriptError } from '../socket-layer.js';
import type { Expr } from '../ast.js';
import { constant } from './constants.js';
import type { Mismatches } from './evaluate.js';
import { field, items, number } from './evaluate.js';
import { fail, ok, type Attempt, type OpenFile } from './files.js';
import { PipeEnd, PlainFile } from './pipe.js';
import { Socket, STATE } from './socket.js';
import { receiveUrgent, take } from './urgent.js';

const MSG_PEEK = constant('MSG_PEEK');
const MSG_OOB = constant('MSG_OOB');

const MSG_DONTWAIT = constant('MSG_DONTWAIT');
const MSG_WAITALL = constant('MSG_WAITALL');
const MSG_ERRQUEUE = constant('MSG_ERRQUEUE');
const MSG_ZEROCOPY = constant('MSG_ZEROCOPY');
const MSG_EOR = constant('MSG_EOR');
const MSG_MORE = constant('MSG_MORE');

/** An attempt that may be repeated; `timedOut`: what there is now is the result. */
export type Repeatable = (timedOut: boolean) => Attempt;

export const waits = (file: OpenFile, flags: number): boolean =>
  !file.nonBlocking && (flags & MSG_DONTWAIT) === 0;

// ---- receiving ----------------------------------------------------------------------------------------------------

export interface Received {
  readonly data: Buffer;
  /** What the call says of the message: MSG_*. */
  readonly messageFlags: number;
}

/**
 * Receives up to `length` octets. `done` is given what came and makes the result; called once. A blocking call keeps
 * what it has between attempts.
 */
export function receive(
  s: Socket,
  length: number,
  flags: number,
  done: (r: Received) => Attempt,
): Repeatable {
  const peek = (flags & MSG_PEEK) !== 0;
  const parts: Buffer[] = [];
  let have = 0;
  const target = Math.max(1, Math.min(length, (flags & MSG_WAITALL) !== 0 ? length : s.options.rcvLowat));
  return (timedOut) => {
    if ((flags & MSG_ERRQUEUE) !== 0) {
      const error = s.errors.take();
      return error === undefined ? fail('EAGAIN') : ok(Math.min(error.length, length));
    }
    if ((flags & MSG_OOB) !== 0 && !s.multipath) {
      return receiveUrgent(s, length, flags, (data, messageFlags) => done({ data, messageFlags }));
    }
    if (s.listening) return fail('ENOTCONN');
    const c = s.connection;
    let ends = false;
    if (c !== null && c.handle !== 0 && have < length) {
      if (peek) {
        parts.length = 0;
        have = 0;
      }
      const taken = take(s, c, length - have, have > 0, peek ? Math.max(s.peekOffset, 0) : null);
      parts.push(taken.data);
      have += taken.data.length;
      ({ ends } = taken);
    }
    const finished = (): Attempt => {
      s.movePeek(peek ? have : -have);
      return done({ data: Buffer.concat(parts), messageFlags: 0 });
    };
    if (have >= target || ends || (length === 0 && s.queues().unread > 0)) return finished();
    const stop = s.error !== null || s.state === STATE.CLOSE || s.readShut || timedOut;
    if (have > 0) return stop ? finished() : null;
    if (s.peerEnded && !s.multipath) return finished(); // whatever came after it
    if (s.error !== null) return fail(s.takeError() ?? 'EIO');
    if (s.readShut) return finished();
    if (s.state === STATE.CLOSE) return fail('ENOTCONN');
    return timedOut ? fail('EAGAIN') : null;
  };
}

/** Compares the octets that came with what a buffer argument says; only strings are compared. */
export function compareBuffer(
  wrong: Mismatches,
  what: string,
  expected: Expr | undefined,
  data: Buffer,
): void {
  if (expected?.kind !== 'string') return;
  const wanted = expected.value.subarray(0, data.length);
  if (!wanted.equals(data)) wrong.add(`${what}: other octets than expected`);
}

/** The buffers of readv and recvmsg: [{..., 1000}, {..., 500}]. */
export function vector(e: Expr | undefined): { buffer: Expr | undefined; length: number }[] {
  return items(e).map((item) => {
    if (item.kind !== 'struct') throw new ScriptError('{buffer, length} is needed');
    const buffer = field(item, 'iov_base') ?? item.fields[0]?.[1];
    const length = field(item, 'iov_len') ?? item.fields[1]?.[1];
    return { buffer, length: number(length) };
  });
}

export const totalOf = (parts: readonly { length: number }[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);

// ---- sending --------------------------------------------------------------------------------------------------------

/** Octets of a buffer argument: its string, or zeros. */
export function octets(e: Expr | undefined, length: number): Buffer {
  const data = Buffer.alloc(length);
  if (e?.kind === 'string') e.value.copy(data);
  return data;
}

/** Sends `data`; a blocking call ends when all of it is in the send buffer. */
export function send(s: Socket, data: Buffer, flags: number, stamps = s.options.timestamping): Repeatable {
  let sent = 0;
  const urgent = (flags & MSG_OOB) !== 0;
  const handed = (): void => s.handedOver(sent, (flags & MSG_ZEROCOPY) !== 0, stamps);
  return (timedOut) => {
    const { state } = s;
    const connected = state === STATE.ESTABLISHED || state === STATE.CLOSE_WAIT;
    if (!connected && sent === 0) {
      if (s.error !== null) return fail(s.takeError() ?? 'EPIPE');
      if (state !== STATE.SYN_SENT && state !== STATE.SYN_RECV) return fail('EPIPE');
      return timedOut ? fail('EAGAIN') : null;
    }
    const broken = s.error !== null || s.writeShut || !connected;
    if (broken && sent > 0) handed();
    if (broken) return sent > 0 ? ok(sent) : fail(s.takeError() ?? 'EPIPE');
    const c = s.connection;
    while (c !== null && sent < data.length && s.writable) {
      const room = Math.min(data.length - sent, s.sendRoom);
      const n = s.write(data.subarray(sent, sent + room), (flags & MSG_MORE) !== 0);
      sent += n;
      if (urgent && n > 0) s.markUrgent();
      if (n < room) break;
      if (sent < data.length && !urgent) s.push(); // Linux sends each full buffer
    }
    if (sent === data.length) {
      if (sent > 0) handed();
      if ((flags & MSG_EOR) !== 0 && !s.multipath) s.endRecord();
      return ok(sent);
    }
    s.waitForSpace();
    if (!timedOut) return null;
    if (sent > 0) handed();
    return sent > 0 ? ok(sent) : fail('EAGAIN');
  };
}

// ---- between files --------------------------------------------------------------------------------------------------

export function writePipe(pipe: PipeEnd, length: number): Repeatable {
  return (timedOut) => {
    if (pipe.reads) return fail('EBADF');
    if (pipe.pipe.readers === 0) return fail('EPIPE');
    const n = Math.min(length, pipe.room);
    if (n === 0) return timedOut ? fail('EAGAIN') : null;
    pipe.pipe.octets += n;
    pipe.other.changed();
    return ok(n);
  };
}

export function readPipe(pipe: PipeEnd, length: number): Repeatable {
  return (timedOut) => {
    if (!pipe.reads) return fail('EBADF');
    const n = Math.min(length, pipe.pipe.octets);
    if (n === 0 && pipe.pipe.writers > 0) return timedOut ? fail('EAGAIN') : null;
    pipe.pipe.octets -= n;
    pipe.other.changed();
    return ok(n);
  };
}

/** splice(2) between a pipe and a socket. */
export function splice(from: OpenFile, to: OpenFile, length: number, flags: number): Repeatable {
  if (from instanceof Socket && to instanceof PipeEnd) {
    const most = Math.min(length, to.room);
    return receive(from, most, flags, ({ data }) => {
      to.pipe.octets += data.length;
      to.other.changed();
      return ok(data.length);
    });
  }
  if (from instanceof PipeEnd && to instanceof Socket) {
    return (timedOut) => {
      const n = Math.min(length, from.pipe.octets);
      if (n === 0) return from.pipe.writers === 0 ? ok(0) : timedOut ? fail('EAGAIN') : null;
      const more = (flags & constant('SPLICE_F_MORE')) !== 0 ? MSG_MORE : 0;
      const result = send(to, Buffer.alloc(n), more)(timedOut);
      if (result !== null && 'result' in result) from.pipe.octets -= Number(result.result);
      return result;
    };
  }
  return () => fail('EINVAL');
}

/** sendfile(2) from a file of zeros. */
export function sendFile(to: OpenFile, from: OpenFile, length: number): Repeatable {
  if (!(from instanceof PlainFile)) return () => fail('EINVAL');
  return to instanceof Socket ? send(to, Buffer.alloc(length), 0) : () => fail('EINVAL');
}
