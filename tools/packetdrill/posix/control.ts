/** fcntl and ioctl. */
import type { SocketCall } from '../ast.js';
import type { Calls } from './calls.js';
import { constant, errnoNumber } from './constants.js';
import { isNull, items, Mismatches, number } from './evaluate.js';
import { fail, O_NONBLOCK, ok, type Attempt, type OpenFile } from './files.js';
import { PipeEnd } from './pipe.js';
import { Socket } from './socket.js';
import { atMark, readable } from './urgent.js';

/** What F_SETFL changes; O_DIRECT is for files that have it. */
const SETTABLE = constant('O_APPEND') | constant('O_ASYNC') | constant('O_NOATIME');

export function fcntl(calls: Calls, file: OpenFile, call: SocketCall): Attempt {
  const command = number(call.args[1]);
  const value = (): number => number(call.args[2] ?? { kind: 'integer', value: 0n });
  switch (command) {
    case constant('F_GETFL'):
      return ok(file.access | file.flags | (file.nonBlocking ? O_NONBLOCK : 0));
    case constant('F_SETFL'):
      if ((value() & constant('O_DIRECT')) !== 0) return fail('EINVAL');
      file.nonBlocking = (value() & O_NONBLOCK) !== 0;
      file.flags = value() & SETTABLE;
      return ok();
    case constant('F_GETFD'):
      return ok(calls.closesOnExec(number(call.args[0])) ? 1 : 0);
    case constant('F_SETFD'):
      calls.closeOnExec(number(call.args[0]), (value() & 1) !== 0);
      return ok();
    case constant('F_DUPFD'):
    case constant('F_DUPFD_CLOEXEC'):
      return calls.open(file, call.result, command === constant('F_DUPFD_CLOEXEC'));
    case constant('F_GETOWN'):
      return ok(file.owner);
    case constant('F_SETOWN'):
      file.owner = value();
      return ok();
    case constant('F_GETSIG'):
      return ok(file.signal);
    case constant('F_SETSIG'):
      if (value() < 0 || value() > 64) return fail('EINVAL');
      file.signal = value();
      return ok();
    case constant('F_GETPIPE_SZ'):
      return file instanceof PipeEnd ? ok(file.pipe.capacity) : fail('EBADF');
    case constant('F_SETPIPE_SZ'):
      if (!(file instanceof PipeEnd)) return fail('EBADF');
      return ok((file.pipe.capacity = pipeSize(value())));
    case constant('F_GETLEASE'):
      return ok(F_UNLCK);
    case constant('F_NOTIFY'):
      return fail('ENOTDIR');
    default:
      return fail('EINVAL');
  }
}

/** There is no lease. */
const F_UNLCK = 2;

/** Whole pages, as many as a power of two. */
const pipeSize = (octets: number): number => Math.max(4096, 2 ** Math.ceil(Math.log2(Math.max(octets, 1))));

export function ioctl(calls: Calls, file: OpenFile, call: SocketCall): Attempt {
  const request = number(call.args[1]);
  const argument = call.args[2];
  switch (request) {
    case constant('FIONBIO'):
      file.nonBlocking = number(items(argument)[0]) !== 0;
      return ok();
    case constant('FIOCLEX'):
    case constant('FIONCLEX'):
      calls.closeOnExec(number(call.args[0]), request === constant('FIOCLEX'));
      return ok();
    case constant('FIOASYNC'):
      if (number(items(argument)[0]) !== 0) file.flags |= constant('O_ASYNC');
      else file.flags &= ~constant('O_ASYNC');
      return ok();
    case constant('FIOSETOWN'):
    case constant('SIOCSPGRP'):
      file.owner = number(items(argument)[0]);
      return ok();
    default:
  }
  const value = file instanceof Socket ? socketFigure(file, request) : pipeFigure(file, request);
  if (typeof value === 'string') return fail(value);
  if (isNull(argument)) return fail('EFAULT');
  const wrong = new Mismatches();
  wrong.number('value', argument?.kind === 'list' ? argument.items[0] : argument, value);
  return ok(0, wrong.text);
}

function socketFigure(s: Socket, request: number): number | string {
  const { unread, unacked, unsent } = s.queues();
  switch (request) {
    case constant('SIOCINQ'):
      if (s.listening) return 'EINVAL';
      return readable(s, unread);
    case constant('SIOCOUTQ'):
      return s.listening ? noQueue(s) : unacked + s.finUnacked;
    case constant('SIOCOUTQNSD'):
      return s.listening ? noQueue(s) : unsent;
    case constant('SIOCATMARK'):
      return s.multipath ? 'ENOTTY' : Number(atMark(s));
    case constant('FIOGETOWN'):
    case constant('SIOCGPGRP'):
      return s.owner;
    case constant('SIOCGSTAMP'):
    case constant('SIOCGSTAMPNS'):
      return 'ENOENT'; // of datagrams only
    default:
      return 'ENOTTY';
  }
}

/** A listener sends nothing; Multipath TCP gives the error as the figure. */
function noQueue(s: Socket): number | string {
  return s.multipath ? -errnoNumber('EINVAL') : 'EINVAL';
}

function pipeFigure(file: OpenFile, request: number): number | string {
  return file instanceof PipeEnd && request === constant('FIONREAD') ? file.pipe.octets : 'ENOTTY';
}
