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
import { report, type Measured } from './report.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { piece: { type: 'string', default: String(1 << 20) } },
});
const piece = Number(values.piece);
const [mode, address = '', port = '', seconds = '', device = '', way] = positionals;
const host = await createHost({ device: device as DeviceName });
const measured = mode === 'send' ? await send(host) : await receive(host);
report(measured);
await host.close();
process.exit();

async function send(from: Host): Promise<Measured> {
  const socket = from.connect({ host: address, port: Number(port) });
  await once(socket, 'connect');
  const data = Buffer.alloc(
    piece,
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  const start = performance.now();
  const cpu = process.cpuUsage();
  const end = start + Number(seconds) * 1000;
  let octets = 0;
  while (performance.now() < end) {
    octets += data.length;
    if (!socket.write(data)) await once(socket, 'drain');
  }
  socket.resume().end();
  await once(socket, 'end');
  return { octets, seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(cpu) };
}

/** Time runs from the first octets to the end. */
async function receive(at: Host): Promise<Measured> {
  let octets = 0;
  let start = 0;
  let cpu = process.cpuUsage();
  const buffer = Buffer.alloc(piece);
  const callback = (count: number, target: Uint8Array): undefined => {
    if (octets === 0) {
      start = performance.now();
      cpu = process.cpuUsage();
    }
    if (target[0] !== octets % 256) throw new Error(`a wrong octet at ${String(octets)}`);
    octets += count;
  };
  const server = at.createServer();
  const onread = way === 'lent' ? { callback } : { buffer, callback };
  server.listen(Number(port), undefined, way === 'events' ? {} : { onread: () => onread });
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  report({ listening: server.port });
  const [socket] = await accepted;
  if (way === 'events') socket.on('data', (data: Buffer) => callback(data.length, data));
  await once(socket, 'end');
  const measured = { octets, seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(cpu) };
  socket.end();
  await once(socket, 'close');
  return measured;
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
