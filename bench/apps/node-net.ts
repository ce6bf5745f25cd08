/**
 * The same as `plait.ts` through the kernel's MPTCP and `node:net`: what a program for Node can get from the kernel.
 *
 *   node node-net.js send|receive ADDRESS PORT SECONDS [--piece OCTETS]
 *
 * node:net has no option for MPTCP: sockets come from the system by hand, and it is given their descriptors. A receiver
 * gets `data` events, since servers of node:net have no other way.
 */
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { AF_INET, loadNative, socketAddress } from '../../src/io/native.js';
import { ipOctets } from './bare-frames.js';
import { Counter, send } from './ends.js';
import { report, type Measured } from './report.js';

const SOCK_STREAM = 1;
/** linux/in.h. */
const IPPROTO_MPTCP = 262;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { piece: { type: 'string', default: String(1 << 20) } },
});
const [mode, address = '', port = '', seconds = ''] = positionals;
const native = await loadNative();
const fd = native.socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
if (fd < 0) throw new Error(`no MPTCP socket: errno ${String(-fd)}`);
report(mode === 'send' ? await connectAndSend() : await receive());
process.exit();

async function connectAndSend(): Promise<Measured> {
  const name = socketAddress(ipOctets(address), Number(port), 0);
  const { EALREADY, EINPROGRESS, EISCONN } = constants.errno;
  let errno = native.connectName(fd, name);
  while (errno === EINPROGRESS || errno === EALREADY) {
    await setTimeout(1);
    errno = native.connectName(fd, name);
  }
  if (errno !== 0 && errno !== EISCONN) throw new Error(`no connection: errno ${String(errno)}`);
  return send(new Socket({ fd }), Number(seconds), Number(values.piece));
}

async function receive(): Promise<Measured> {
  // Joins come to other addresses.
  const errno = native.bindName(fd, socketAddress(ipOctets('0.0.0.0'), Number(port), 0));
  if (errno !== 0) throw new Error(`no address: errno ${String(errno)}`);
  const server = createServer().listen({ fd });
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  report({ listening: Number(port) });
  const [socket] = await accepted;
  const counter = new Counter();
  socket.on('data', (data: Buffer) => counter.count(data.length, data));
  await once(socket, 'end');
  const measured = counter.measured();
  socket.end();
  await once(socket, 'close');
  return measured;
}
