/** TCP Fast Open from the program's side: MSG_FASTOPEN, and connect() that waits for the first write. */
import { fastOpenReady } from '../../../src/stack/fast-open.js';
import { fail, ok, type Attempt } from './files.js';
import type { Calls } from './calls.js';
import type { SocketAddress } from './evaluate.js';
import { AF_INET6, STATE, type Socket } from './socket.js';
import { send, type Repeatable } from './transfer.js';

/** Octets of a SYN with data: one segment with all options there are (Linux' tcp_send_syn_data). */
const HEADERS = { v4: 40, v6: 60 } as const;
const OPTIONS = 40;

const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** Whether data could go with a SYN to this address. */
export function synTakesData(s: Socket, { address }: SocketAddress): boolean {
  const remote = plain(address ?? s.addressing.remote);
  return fastOpenReady(s.stack.core, s.bound?.address ?? s.addressing.local, remote);
}

/** connect() and send() in one: what the SYN cannot carry is sent by a blocking call when the connection stands. */
export function sendOpening(calls: Calls, s: Socket, data: Buffer, to: SocketAddress): Repeatable {
  if (s.state !== STATE.CLOSE) return () => fail(s.connecting ? 'EALREADY' : 'EISCONN');
  if (to.family !== s.family) return () => fail(s.family === AF_INET6 ? 'EINVAL' : 'EAFNOSUPPORT');
  const remote = plain(to.address ?? s.addressing.remote);
  const early = synTakesData(s, to) ? data.subarray(0, room(s, remote)) : data.subarray(0, 0);
  s.deferred = null;
  const errno = s.connect(remote, to.port, early);
  if (errno !== null) return () => fail(errno);
  let rest: Repeatable | null = null;
  return (timedOut): Attempt => {
    if (rest === null) {
      const opened = calls.connected(s, timedOut);
      if (opened === null) return null;
      if ('errno' in opened) {
        return opened.errno === 'EINPROGRESS' && early.length > 0 ? ok(early.length) : opened;
      }
      rest = send(s, data.subarray(early.length), 0);
    }
    const sent = rest(timedOut);
    return sent !== null && 'result' in sent ? ok(sent.result + BigInt(early.length)) : sent;
  };
}

function room(s: Socket, remote: string): number {
  const mtu = s.stack.paths().find(({ address }) => address === s.addressing.local)?.mtu ?? 1500;
  return mtu - (remote.includes(':') ? HEADERS.v6 : HEADERS.v4) - OPTIONS;
}
