/**
 * Datagrams by node:dgram, as fast as they go: `node datagrams.js send|receive ADDRESS PORT SECONDS`. Nothing is
 * repeated, ordered or answered; what counts is what arrives. Output as that of `plait.ts`.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { report, type Measured } from './report.js';

/** What fits into 1,500 octets with IPv4 and UDP. */
const SIZE = 1472;
/** Datagrams under way in libuv at once. */
const DEPTH = 64;
/** Without anything for so many milliseconds, the sender has finished. */
const SILENCE = 200;

const [mode, address = '', port = '', seconds = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
const measured = mode === 'send' ? await send() : await receive();
report(measured);
socket.close();

async function send(): Promise<Measured> {
  socket.connect(Number(port), address);
  await once(socket, 'connect');
  const data = Buffer.alloc(SIZE, 7);
  const start = performance.now();
  const end = start + Number(seconds) * 1000;
  let sent = 0;
  await Promise.all(
    Array.from(
      { length: DEPTH },
      () =>
        new Promise<void>((done) => {
          const next = (): void => {
            if (performance.now() >= end) return done();
            sent++;
            socket.send(data, next);
          };
          next();
        }),
    ),
  );
  return { octets: sent * SIZE, seconds: (performance.now() - start) / 1000, cpu: cpuSeconds() };
}

async function receive(): Promise<Measured> {
  socket.bind(Number(port), address);
  await once(socket, 'listening');
  let octets = 0;
  let start = 0;
  let last = 0;
  socket.on('message', (message) => {
    last = performance.now();
    if (octets === 0) start = last;
    octets += message.length;
  });
  report({ listening: Number(port) });
  await once(socket, 'message');
  while (performance.now() - last < SILENCE) await new Promise((next) => setTimeout(next, SILENCE / 4));
  return { octets, seconds: (last - start) / 1000, cpu: cpuSeconds() };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
