/** The two ends of a transfer through any stream: what sends, and what counts. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Measured } from './report.js';

/** Writes pieces of so many octets for so many seconds, and waits for the peer's end. */
export async function send(socket: Duplex, seconds: number, piece: number): Promise<Measured> {
  const data = Buffer.alloc(
    piece,
    Uint8Array.from({ length: 256 }, (_, i) => i),
  );
  const start = performance.now();
  const cpu = process.cpuUsage();
  const end = start + seconds * 1000;
  let octets = 0;
  while (performance.now() < end) {
    octets += data.length;
    if (!socket.write(data)) await once(socket, 'drain');
  }
  socket.resume().end();
  await once(socket, 'end');
  return { octets, seconds: (performance.now() - start) / 1000, cpu: cpuSeconds(cpu) };
}

/** Looks at the first octet of each piece that comes; time runs from the first one on. */
export class Counter {
  #octets = 0;
  #start = 0;
  #cpu = process.cpuUsage();

  readonly count = (octets: number, piece: Uint8Array): undefined => {
    if (this.#octets === 0) {
      this.#start = performance.now();
      this.#cpu = process.cpuUsage();
    }
    if (piece[0] !== this.#octets % 256) throw new Error(`a wrong octet at ${String(this.#octets)}`);
    this.#octets += octets;
  };

  measured(): Measured {
    return {
      octets: this.#octets,
      seconds: (performance.now() - this.#start) / 1000,
      cpu: cpuSeconds(this.#cpu),
    };
  }
}

function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
