/**
 * One direction of data through Plait, as fast as it goes, by the socket that any program gets:
 *
 *   node plait.js send|receive ADDRESS PORT SECONDS DEVICE [lent|events] [--piece OCTETS]
 *
 * A sender connects and writes for so many seconds; a receiver listens, prints {"listening": PORT}, and reads to the
 * end into one buffer, or with `lent` where the octets were received, or with `events` what `data` brings. The first octet
 * of each piece must be the right one. Both print one JSON line at the end.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createHost } from '../../src/net/host.js';
import type { DeviceName, Host, Socket } from '../../src/net/types.js';
import { Counter, send } from './ends.js';
import { report, type Measured } from './report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { piece: { type: 'string', default: String(1 << 20) } },
});
const piece = Number(values.piece);
const [mode, address = '', port = '', seconds = '', device = '', way] = positionals;
const host = await createHost({ device: device as DeviceName });
const measured = mode === 'send' ? await connectAndSend(host) : await receive(host);
report(measured);
await host.close();
process.exit();

async function connectAndSend(from: Host): Promise<Measured> {
  const socket = from.connect({ host: address, port: Number(port) });
  await once(socket, 'connect');
  return send(socket, Number(seconds), piece);
}

/** Time runs from the first octets to the end. */
async function receive(at: Host): Promise<Measured> {
  const counter = new Counter();
  const buffer = Buffer.alloc(piece);
  const callback = counter.count;
  const server = at.createServer();
  const onread = way === 'lent' ? { callback } : { buffer, callback };
  server.listen(Number(port), undefined, way === 'events' ? {} : { onread: () => onread });
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  report({ listening: server.port });
  const [socket] = await accepted;
  if (way === 'events') socket.on('data', (data: Buffer) => callback(data.length, data));
  await once(socket, 'end');
  const result = counter.measured();
  socket.end();
  await once(socket, 'close');
  return result;
}
