/** recvmsg and sendmsg: struct msghdr, control messages. */
import type { Expr } from '../ast.js';
import { constant, SOL } from './constants.js';
import { field, integer, isEllipsis, items, Mismatches } from './evaluate.js';
import { ok } from './files.js';
import type { Socket } from './socket.js';
import { compareBuffer, octets, receive, totalOf, vector, type Repeatable } from './transfer.js';

const TCP_INQ = constant('TCP_INQ');

export function recvmsg(s: Socket, header: Expr | undefined, flags: number): Repeatable {
  const parts = vector(field(header, 'msg_iov'));
  return receive(s, totalOf(parts), flags, ({ data }) => {
    const wrong = new Mismatches();
    let at = 0;
    parts.forEach(({ buffer, length }, i) => {
      compareBuffer(wrong, `msg_iov ${i}`, buffer, data.subarray(at, at + length));
      at += length;
    });
    wrong.flags('msg_flags', field(header, 'msg_flags'), 0);
    wrong.address('msg_name', field(header, 'msg_name'), null);
    compareControl(s, field(header, 'msg_control'), wrong);
    return ok(data.length, wrong.text);
  });
}

/** [{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=0}] */
function compareControl(s: Socket, expected: Expr | undefined, wrong: Mismatches): void {
  if (expected === undefined || isEllipsis(expected)) return;
  for (const message of items(expected)) {
    if (message.kind !== 'struct') continue;
    const level = field(message, 'cmsg_level');
    const type = field(message, 'cmsg_type');
    const inq = level !== undefined && type !== undefined && isInq(level, type);
    if (!inq) continue; // timestamps: virtual time has none to compare
    if (s.options.get(SOL.TCP, TCP_INQ) !== 1n) {
      wrong.add('msg_control: TCP_INQ is not set');
      continue;
    }
    wrong.number('cmsg_data', field(message, 'cmsg_data'), hint(s));
  }
}

const isInq = (level: Expr, type: Expr): boolean =>
  Number(integer(level)) === SOL.TCP && Number(integer(type)) === TCP_INQ;

/** Octets that are left; one for the end of the stream, so that it is read. */
function hint(s: Socket): number {
  const { unread } = s.queues();
  return unread === 0 && s.readShut ? 1 : unread;
}

export function sendmsg(header: Expr | undefined): { data: Buffer; name: Expr | undefined } {
  const data = vector(field(header, 'msg_iov')).map(({ buffer, length }) => octets(buffer, length));
  return { data: Buffer.concat(data), name: field(header, 'msg_name') };
}
