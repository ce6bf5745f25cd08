/** The socket calls of a script over the stack: Linux as seen from a program. */
import type {
  CreateSocketLayer,
  InfoFields,
  LayerContext,
  RunningCall,
  SocketEndpoints,
  SocketLayer,
} from '../socket-layer.js';
import type { SocketCall } from '../ast.js';
import { Calls } from './calls.js';
import type { SocketAddress } from './evaluate.js';
import { Files } from './files.js';
import { mptcpInfo, tcpInfo } from './info.js';
import { Socket } from './socket.js';

class Layer implements SocketLayer {
  readonly #files: Files;
  readonly #calls: Calls;

  constructor(context: LayerContext) {
    this.#files = new Files(context.world, () => context.changed());
    this.#calls = new Calls(context, this.#files);
  }

  start(): void {
    this.#calls.start();
  }

  begin(call: SocketCall): RunningCall {
    return this.#calls.begin(call);
  }

  get lastUsed(): number | null {
    return this.#calls.lastUsed;
  }

  #socket(fd: number): Socket | null {
    const file = this.#files.get(fd);
    return file instanceof Socket ? file : null;
  }

  endpoints(fd: number): SocketEndpoints | null {
    const s = this.#socket(fd);
    if (s === null) return null;
    const local = endpoint(s.local());
    return local === null ? null : { local, remote: endpoint(s.remote()) };
  }

  tcpInfo(fd: number): InfoFields | null {
    const s = this.#socket(fd);
    return s === null ? null : tcpInfo(s);
  }

  mptcpInfo(fd: number): InfoFields | null {
    const s = this.#socket(fd);
    return s?.multipath === true ? mptcpInfo(s) : null;
  }

  close(): void {
    for (const [, file] of this.#files.entries()) if (file instanceof Socket) file.discard();
    this.#files.closeAll();
  }
}

/** Addresses as on the wire: mapped ones are IPv4. */
function endpoint(from: SocketAddress | null): { address: string; port: number } | null {
  if (from === null || from.address === null) return null;
  return { address: from.address.replace(/^::ffff:(?=\d+\.)/i, ''), port: from.port };
}

export const createSocketLayer: CreateSocketLayer = (context) => new Layer(context);
