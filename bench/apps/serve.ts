/**
 * Takes connections through Plait; answers 1 KB with 1 KB and closes: `node serve.js PORT DEVICE`. A line on stdin asks
 * how the process does: it prints its connections, subflows, memory, and its processor time over the seconds that the
 * line says.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHost } from '../../src/net/host.js';
import type { DeviceName, Socket } from '../../src/net/types.js';
import { report } from './report.js';

const MESSAGE = new Uint8Array(1024);

const [port = '', device = ''] = process.argv.slice(2);
// None of ten thousand handshakes is answered without state: of joins answered so, some fail.
const resources = { halfOpen: 16384, pendingJoins: 16384 };
const host = await createHost({ device: device as DeviceName, resources });
const sockets = new Set<Socket>();
const server = host.createServer((socket) => {
  sockets.add(socket);
  socket.once('data', () => socket.end(MESSAGE));
  socket.on('end', () => socket.end());
  socket.on('error', () => undefined);
  socket.on('close', () => sockets.delete(socket));
});
server.listen(Number(port));
await once(server, 'listening');
report({ listening: server.port });

for await (const line of createInterface({ input: process.stdin })) {
  const subflows = [...sockets].reduce((sum, one) => sum + one.mptcp.subflows().length, 0);
  const before = process.cpuUsage();
  await sleep(Number(line) * 1000);
  const { user, system } = process.cpuUsage(before);
  report({
    connections: sockets.size,
    subflows,
    rss: process.memoryUsage().rss,
    cpuPerSecond: (user + system) / 1e6 / Number(line),
  });
}
process.exit();
