/** Standard input, sent through a socket. */
import { read as readFile, ReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { Socket } from '../net/types.js';

const read = promisify(readFile);

/** Writes are sent from where they lie if they have so many octets (docs/performance.md). */
const PIECE = 1 << 20;

/** Sends `stdin` to its end, then ends the socket's direction. Returns what stops it. */
export function feed(stdin: Readable, socket: Socket): () => void {
  const onError = (error: Error): void => {
    socket.destroy(error);
  };
  if (stdin instanceof ReadStream) {
    const { fd } = stdin as unknown as { fd: number };
    feedFile(fd, socket).catch(onError);
    return () => stdin.pause();
  }
  stdin.on('error', onError);
  stdin.pipe(socket);
  return () => {
    stdin.unpipe(socket).pause();
    stdin.off('error', onError);
  };
}

/** In large pieces: the next one is read while one is written. */
async function feedFile(fd: number, socket: Socket): Promise<void> {
  let [current, next] = [Buffer.allocUnsafeSlow(PIECE), Buffer.allocUnsafeSlow(PIECE)];
  let reading = fill(fd, current);
  for (;;) {
    const octets = await reading;
    if (octets === 0 || socket.destroyed) break;
    reading = fill(fd, next);
    reading.catch(() => undefined); // it is looked at when this piece has left
    await written(socket, current.subarray(0, octets));
    [current, next] = [next, current];
  }
  if (!socket.destroyed) socket.end();
}

/** Fewer octets than there is room for only at the end. */
async function fill(fd: number, target: Buffer): Promise<number> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await read(fd, target, filled, target.length - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** Resolves when the octets are not needed any more. A socket that fails says so itself. */
function written(socket: Socket, octets: Uint8Array): Promise<void> {
  return new Promise((resolve) => socket.write(octets, () => resolve()));
}
