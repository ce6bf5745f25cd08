/** fcntl and ioctl. */
import type { SocketCall } from '../ast.js';
import type { Calls } from './calls.js';
import { constant } from './constants.js';
import { isNull, items, Mismatches, number } from './evaluate.js';
import { fail, O_NONBLOCK, ok, type Attempt, type OpenFile } from './files.js';
import { PipeEnd } from './pipe.js';
import { Socket } from './socket.js';
import { atMark, readable } from './urgent.js';

export function fcntl(calls: Calls, file: OpenFile, call: SocketCall): Attempt {
  const command = number(call.args[1]);
  switch (command) {
    case constant('F_GETFL'):
      return ok(file.access | (file.nonBlocking ? O_NONBLOCK : 0));
    case constant('F_SETFL'):
      file.nonBlocking = (number(call.args[2]) & O_NONBLOCK) !== 0;
      return ok();
    case constant('F_GETFD'):
      return ok(calls.closesOnExec(number(call.args[0])) ? 1 : 0);
    case constant('F_SETFD'):
      calls.closeOnExec(number(call.args[0]), (number(call.args[2]) & 1) !== 0);
      return ok();
    case constant('F_DUPFD'):
    case constant('F_DUPFD_CLOEXEC'):
      return calls.open(file, call.result, command === constant('F_DUPFD_CLOEXEC'));
    default:
      return fail('EINVAL');
  }
}

export function ioctl(file: OpenFile, call: SocketCall): Attempt {
  const request = number(call.args[1]);
  const argument = call.args[2];
  if (request === constant('FIONBIO')) {
    file.nonBlocking = number(items(argument)[0]) !== 0;
    return ok();
  }
  if (isNull(argument)) return fail('EFAULT');
  const value = file instanceof Socket ? socketFigure(file, request) : pipeFigure(file, request);
  if (typeof value === 'string') return fail(value);
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
      return s.listening ? 'EINVAL' : unacked + s.finUnacked;
    case constant('SIOCOUTQNSD'):
      return s.listening ? 'EINVAL' : unsent;
    case constant('SIOCATMARK'):
      return s.multipath ? 'ENOTTY' : Number(atMark(s));
    default:
      return 'ENOTTY';
  }
}

function pipeFigure(file: OpenFile, request: number): number | string {
  return file instanceof PipeEnd && request === constant('FIONREAD') ? file.pipe.octets : 'ENOTTY';
}
