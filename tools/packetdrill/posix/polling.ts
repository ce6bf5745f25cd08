/** poll and ppoll: many descriptors at once. */
import type { SocketCall } from '../ast.js';
import type { RunningCall } from '../socket-layer.js';
import type { Calls } from './calls.js';
import { constant } from './constants.js';
import { field, items, Mismatches, number } from './evaluate.js';
import { fail, ok } from './files.js';

const ALWAYS = constant('POLLERR') | constant('POLLHUP');
const POLLNVAL = constant('POLLNVAL');

/** poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, 1000) */
export function poll(calls: Calls, call: SocketCall, timeout: number): RunningCall {
  const entries = items(call.args[0]).map((item) => {
    const events = field(item, 'events');
    return {
      fd: number(field(item, 'fd')),
      events: events === undefined ? 0 : number(events),
      expected: field(item, 'revents'),
    };
  });
  const count = number(call.args[1]);
  if (count > entries.length) return calls.now(fail('EFAULT'));
  return calls.run((timedOut) => {
    const wrong = new Mismatches();
    let ready = 0;
    for (const { fd, events, expected } of entries.slice(0, count)) {
      const file = calls.file(fd);
      const now = fd < 0 ? 0 : file === undefined ? POLLNVAL : file.poll() & (events | ALWAYS);
      if (now !== 0) ready++;
      wrong.flags(`revents of ${fd}`, expected, now);
    }
    return ready === 0 && !timedOut ? null : ok(ready, wrong.text);
  }, timeout);
}
