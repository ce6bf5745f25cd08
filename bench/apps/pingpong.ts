/**
 * Messages of one octet back and forth: `node pingpong.js echo|ping ADDRESS PORT net|packet|raw|udp`. The echo listens
 * and prints {"listening": PORT}; the pinging side sends the next message when the one before has come back, and prints
 * percentiles of the round trips in microseconds: of the first, `cold`, and once both sides have compiled their code.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { createHost } from '../../src/net/host.js';
import type { DeviceName } from '../../src/net/types.js';
import { report } from './report.js';

/** Round trips of a connection that has just been opened; those before code is compiled and all subflows are there. */
const COLD = 1000;
const WARM_UP = 10_000;
const COUNT = 5000;

const [mode, address = '', port = '', kind = ''] = process.argv.slice(2);
const host = kind === 'net' ? null : await createHost({ device: kind as DeviceName });
if (mode === 'echo') await echo();
else await ping();
await host?.close();
process.exit();

async function echo(): Promise<void> {
  const server = host === null ? createServer({ noDelay: true }) : host.createServer();
  server.listen(Number(port), host === null ? address : undefined);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Duplex]>;
  report({ listening: Number(port) });
  const [socket] = await accepted;
  socket.on('data', (chunk: Buffer) => socket.write(chunk));
  await once(socket, 'end');
  socket.end();
  await once(socket, 'close');
}

async function ping(): Promise<void> {
  const target = { host: address, port: Number(port) };
  const socket = host === null ? connect({ ...target, noDelay: true }) : host.connect(target);
  await once(socket, 'connect');
  const octet = Uint8Array.of(1);
  const times: number[] = [];
  await new Promise<void>((done) => {
    let start = 0;
    const next = (): void => {
      start = performance.now();
      socket.write(octet);
    };
    socket.on('data', () => {
      times.push((performance.now() - start) * 1000);
      if (times.length === WARM_UP + COUNT) done();
      else next();
    });
    next();
  });
  socket.end();
  await once(socket, 'end');
  const warm = percentiles(times.slice(WARM_UP));
  report({ ...warm, cold: percentiles(times.slice(0, COLD)).p50 });
}

function percentiles(times: readonly number[]): { p50: number | undefined; p99: number | undefined } {
  const sorted = [...times].sort((a, b) => a - b);
  const percentile = (part: number): number | undefined => sorted[Math.floor(part * (sorted.length - 1))];
  return { p50: percentile(0.5), p99: percentile(0.99) };
}
