/** Urgent data of plain TCP as Linux' socket calls have it; Multipath TCP sockets have none. */
import * as abi from '../../../assembly/abi.js';
import type { Connection } from '../../../src/stack/connection.js';
import { constant, SOL } from './constants.js';
import { fail, type Attempt } from './files.js';
import { STATE, type Socket } from './socket.js';

const SO_OOBINLINE = constant('SO_OOBINLINE');
const MSG_OOB = constant('MSG_OOB');
const MSG_PEEK = constant('MSG_PEEK');
const MSG_TRUNC = constant('MSG_TRUNC');

/** The peer's urgent octet. */
export interface Urgent {
  /** It has come and was not read by itself. */
  readonly here: boolean;
  readonly taken: boolean;
  readonly octet: number;
  /** Octets to read before it. */
  readonly at: number;
}

export function urgentOf(s: Socket): Urgent | null {
  const c = s.connection;
  const { core } = s.stack;
  if (s.multipath || c === null || core.x.connectionInfo(c.handle) < 0) return null;
  const state = core.scratchU32(abi.CI_URGENT_STATE);
  if (state === abi.URGENT_NONE) return null;
  return {
    here: state === abi.URGENT_HERE,
    taken: state === abi.URGENT_TAKEN,
    octet: core.scratchU32(abi.CI_URGENT_OCTET),
    at: core.scratchU32(abi.CI_URGENT_AT) | 0,
  };
}

/** SO_OOBINLINE: the urgent octet is read with the others. */
export const urgentInline = (s: Socket): boolean => s.options.get(SOL.SOCKET, SO_OOBINLINE) === 1n;

/** SIOCATMARK: the urgent octet is next. */
export const atMark = (s: Socket): boolean => urgentOf(s)?.at === 0;

/** SIOCINQ: octets before the urgent one, if that has come. */
export function readable(s: Socket, unread: number): number {
  const urgent = urgentOf(s);
  const whole = urgent === null || urgentInline(s) || urgent.at < 0 || urgent.at >= unread;
  return whole ? unread : urgent.at;
}

/** recv with MSG_OOB; never waits. `done` is given what came and the flags of the message. */
export function receiveUrgent(
  s: Socket,
  length: number,
  flags: number,
  done: (data: Buffer, flags: number) => Attempt,
): Attempt {
  if (s.listening) return fail('ENOTCONN');
  const urgent = urgentOf(s);
  if (urgent === null || urgent.taken || urgentInline(s)) return fail('EINVAL');
  if (!urgent.here) {
    return s.state === STATE.CLOSE || s.readShut ? done(Buffer.alloc(0), 0) : fail('EAGAIN');
  }
  if ((flags & MSG_PEEK) === 0) s.connection?.setOption(abi.OPT_URGENT_TAKEN, 1);
  return done(Buffer.from([urgent.octet]).subarray(0, length), MSG_OOB | (length === 0 ? MSG_TRUNC : 0));
}

export interface Taken {
  readonly data: Buffer;
  /** A read ends here, whatever more there is: the urgent octet is next. */
  readonly ends: boolean;
}

/**
 * Takes up to `most` octets; `have`: the call has some already. The mark ends it, and the urgent octet is passed over.
 * `from`: the octets that a look ahead skips; null: they are read.
 */
export function take(s: Socket, c: Connection, most: number, have: boolean, from: number | null): Taken {
  const parts: Buffer[] = [];
  const inline = urgentInline(s);
  const peek = from !== null;
  /** Octets looked at, which are still there, and those that were kept. */
  let seen = from ?? 0;
  let kept = 0;
  const move = (length: number): Buffer => {
    const buffer = Buffer.alloc(length);
    const n = peek ? c.peekInto(buffer, seen) : c.readInto(buffer);
    if (peek) seen += n;
    return buffer.subarray(0, n);
  };
  for (;;) {
    const urgent = urgentOf(s);
    const at = urgent === null || urgent.at < seen ? Infinity : urgent.at - seen;
    if (at === 0 && (have || kept > 0)) return { data: Buffer.concat(parts), ends: true };
    const rest = Math.min(most - kept, c.queues().unread - seen);
    if (rest <= 0) break;
    if (at === 0 && !inline) {
      move(1);
      continue;
    }
    const part = move(at === 0 ? rest : Math.min(rest, at));
    if (part.length === 0) break;
    parts.push(part);
    kept += part.length;
    if (at === 0 && peek) break;
  }
  c.available(); // an empty queue is told of again when something comes
  return { data: Buffer.concat(parts), ends: false };
}
