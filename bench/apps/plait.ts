/**
 * One direction of data through Plait, as fast as it goes, by the socket that any program gets:
 *
 *   node plait.js send|receive ADDRESS PORT SECONDS DEVICE [lent]
 *
 * A sender connects and writes for so many seconds; a receiver listens, prints {"listening": PORT}, and reads to the
 * end into one buffer, or with `lent` where the octets were received. The first octet of each piece must be the right
 * one. Both print one JSON line at the end.
 */
import { once } from 'node:events';
import { createHost } from '../../src/net/host.js';
import type { DeviceName, Host, Socket } from '../../src/net/types.js';
import { report, type Measured } from './report.js';

const PIECE = 1 << 20;

const [mode, address = '', port = '', seconds = '', device = '', lent] = process.argv.slice(2);
const host = await createHost({ device: device as DeviceName });
const measured = mode === 'send' ? await send(host) : await receive(host);
report(measured);
await host.close();
process.exit();

async function send(from: Host): Promise<Measured> {
  const socket = from.connect({ host: address, port: Number(port) });
  await once(socket, 'connect');
  const data = Buffer.alloc(
    PIECE,
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
  const buffer = Buffer.alloc(PIECE);
  const callback = (count: number, target: Uint8Array): undefined => {
    if (octets === 0) {
      start = performance.now();
      cpu = process.cpuUsage();
    }
    if (target[0] !== octets % 256) throw new Error(`a wrong octet at ${String(octets)}`);
    octets += count;
  };
  const server = at.createServer();
  server.listen(Number(port), undefined, {
    onread: () => (lent === undefined ? { buffer, callback } : { callback }),
  });
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  report({ listening: server.port });
  const [socket] = await accepted;
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
