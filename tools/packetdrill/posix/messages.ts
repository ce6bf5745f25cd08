/** recvmsg and sendmsg: struct msghdr, control messages. */
import type { Expr } from '../ast.js';
import { constant, SOL } from './constants.js';
import { field, isNull, items, Mismatches, number } from './evaluate.js';
import { fail, ok, type Attempt } from './files.js';
import {
  compareControl,
  numberMessage,
  timestamp,
  timestamping,
  type ControlMessage,
  type StampClock,
} from './ancillary.js';
import type { Socket } from './socket.js';
import { compareBuffer, octets, receive, totalOf, vector, type Repeatable } from './transfer.js';

const TCP_INQ = constant('TCP_INQ');
const MSG_ERRQUEUE = constant('MSG_ERRQUEUE');
const MSG_TRUNC = constant('MSG_TRUNC');
const SOFTWARE = constant('SOF_TIMESTAMPING_SOFTWARE');
const RX_SOFTWARE = constant('SOF_TIMESTAMPING_RX_SOFTWARE');

export function recvmsg(s: Socket, header: Expr | undefined, flags: number, clock: StampClock): Repeatable {
  const parts = vector(field(header, 'msg_iov'));
  if ((flags & MSG_ERRQUEUE) !== 0) return () => receiveError(s, header, totalOf(parts), clock);
  return receive(s, totalOf(parts), flags, ({ data, messageFlags }) => {
    const wrong = new Mismatches();
    let at = 0;
    parts.forEach(({ buffer, length }, i) => {
      compareBuffer(wrong, `msg_iov ${i}`, buffer, data.subarray(at, at + length));
      at += length;
    });
    wrong.flags('msg_flags', field(header, 'msg_flags'), messageFlags);
    wrong.address('msg_name', field(header, 'msg_name'), null);
    compareControl(wrong, field(header, 'msg_control'), controlOf(s, data.length), clock);
    return ok(data.length, wrong.text);
  });
}

/** What comes with data: the time that it came, and what is left. */
function controlOf(s: Socket, length: number): ControlMessage[] {
  const messages: ControlMessage[] = [];
  const on = (name: string): boolean => s.options.get(SOL.SOCKET, constant(name)) === 1n;
  if (length > 0) {
    const nano = on('SO_TIMESTAMPNS');
    if (nano || on('SO_TIMESTAMP')) messages.push(timestamp(s.arrivedAt, nano));
    if ((s.options.timestamping & SOFTWARE) !== 0 && (s.options.timestamping & RX_SOFTWARE) !== 0)
      messages.push(timestamping(s.arrivedAt));
  }
  if (s.options.get(SOL.TCP, TCP_INQ) === 1n) messages.push(numberMessage(SOL.TCP, TCP_INQ, hint(s)));
  return messages;
}

/** MSG_ERRQUEUE: one entry, never waiting. */
function receiveError(s: Socket, header: Expr | undefined, room: number, clock: StampClock): Attempt {
  const error = s.errors.take();
  if (error === undefined) return fail('EAGAIN');
  const wrong = new Mismatches();
  const cut = error.length > room;
  wrong.flags('msg_flags', field(header, 'msg_flags'), MSG_ERRQUEUE | (cut ? MSG_TRUNC : 0));
  compareControl(wrong, field(header, 'msg_control'), error.control, clock);
  s.changed();
  return ok(Math.min(error.length, room), wrong.text);
}

/** Octets that are left; one for the end of the stream, so that it is read. */
function hint(s: Socket): number {
  const { unread } = s.queues();
  return unread === 0 && s.readShut ? 1 : unread;
}

/** Control messages of SOL_SOCKET that TCP takes; it passes over those of other levels. */
const SENT = new Set(
  ['SO_MARK', 'SO_PRIORITY', 'SO_TIMESTAMPING', 'SCM_TXTIME', 'SCM_RIGHTS', 'SCM_CREDENTIALS'].map(constant),
);

/** Whether sendmsg takes the control messages; Multipath TCP looks at none. */
export function controlTaken(s: Socket, header: Expr | undefined): boolean {
  if (s.multipath) return true;
  return items(field(header, 'msg_control')).every(
    (message) =>
      message.kind !== 'struct' ||
      number(field(message, 'cmsg_level')) !== SOL.SOCKET ||
      SENT.has(number(field(message, 'cmsg_type'))),
  );
}

/** `stamps`: SOF_TIMESTAMPING_* for this message alone. */
export function sendmsg(header: Expr | undefined): { data: Buffer; name: Expr | undefined; stamps?: number } {
  const data = vector(field(header, 'msg_iov')).map(({ buffer, length }) => octets(buffer, length));
  const name = field(header, 'msg_name');
  const stamps = items(field(header, 'msg_control')).find(
    (message) => number(field(message, 'cmsg_type')) === constant('SO_TIMESTAMPING'),
  );
  return {
    ...{ data: Buffer.concat(data), name: isNull(name) ? undefined : name },
    ...(stamps === undefined ? {} : { stamps: number(field(stamps, 'cmsg_data')) }),
  };
}
