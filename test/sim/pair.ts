/** Two stacks in virtual time over simulated links: the bench of every whole-stack test. */
import { expect } from 'chai';
import { loadCore, type CoreBuild } from '../../src/core/load.js';
import { SeededRandom } from '../../src/core/random.js';
import {
  MemoryNetwork,
  type DuplexLink,
  type DuplexOptions,
  type MemoryDevice,
} from '../../src/io/memory.js';
import { PathManager, type PathManagerName } from '../../src/path/path-manager.js';
import { World } from '../../src/sim/world.js';
import type { Connection, ConnectionEvent, ConnectionHandler } from '../../src/stack/connection.js';
import { Stack } from '../../src/stack/stack.js';
import type { PlaitError } from '../../src/errors.js';
import type { Device } from '../../src/io/device.js';
import { loadBuild, pinNumbers, type Numbers } from '../fuzz/builds.js';

export interface PairOptions {
  readonly seed?: number;
  readonly build?: CoreBuild;
  /** One entry per path: 10.0.N.1 to 10.0.N.2. */
  readonly links: readonly DuplexOptions[];
  readonly ipv6?: boolean;
  readonly pairing?: PathManagerName;
  readonly client?: readonly (readonly [number, number])[];
  readonly server?: readonly (readonly [number, number])[];
  /** Where the sequence numbers of both sides begin; in the build that can be told so. */
  readonly numbers?: Numbers;
  readonly wrap?: (device: Device, name: string, world: World) => Device;
}

export class Pair {
  readonly links: DuplexLink[] = [];
  private constructor(
    readonly world: World,
    readonly network: MemoryNetwork,
    readonly client: Stack,
    readonly server: Stack,
  ) {}

  static async create(options: PairOptions): Promise<Pair> {
    const seed = options.seed ?? 1;
    const { numbers } = options;
    const module = await (numbers === undefined ? loadCore(options.build ?? 'debug') : loadBuild('audit'));
    const world = new World();
    const network = new MemoryNetwork(world.clock, { seed });
    world.addNetwork(network);
    const make = (name: string, salt: number, config: readonly (readonly [number, number])[]): Stack => {
      const stack: Stack = new Stack({
        name,
        module,
        random: new SeededRandom(seed * 2 + salt),
        timers: world,
        wake: () => world.wake(stack),
        config,
      });
      if (numbers !== undefined) pinNumbers(stack.core, numbers);
      stack.policy = new PathManager(stack, options.pairing ?? 'laminar');
      world.addHost(stack);
      return stack;
    };
    const client = make('client', 0, options.client ?? []);
    const server = make('server', 1, options.server ?? []);
    const pair = new Pair(world, network, client, server);
    const wrap = (device: MemoryDevice, name: string): Device =>
      options.wrap?.(device, name, world) ?? device;
    const a = wrap(network.device(), 'client');
    const b = wrap(network.device(), 'server');
    client.addDevice(a);
    server.addDevice(b);
    options.links.forEach((link, i) => {
      const near = address(i, 1, options.ipv6);
      const far = address(i, 2, options.ipv6);
      const duplex = network.connect(near, far, link);
      pair.links.push(duplex);
      const mtu = link.mtu ?? 1500;
      client.addPath(a, { name: `path${i}`, address: near, mtu });
      server.addPath(b, { name: `path${i}`, address: far, mtu });
    });
    return pair;
  }
}

export const address = (path: number, host: number, ipv6 = false): string =>
  ipv6 ? `fd00:${path + 1}::${host}` : `10.0.${path}.${host}`;

/** Sends `length` octets of a seeded stream and ends; checks and counts what comes in. */
export class Endpoint implements ConnectionHandler {
  readonly events: ConnectionEvent[] = [];
  connected = false;
  ended = false;
  closed = false;
  error: PlaitError | null = null;
  received = 0;
  sent = 0;
  /** Reading is held back while false. */
  reading = true;
  mismatch = -1;
  readonly #out: SeededRandomStream;
  readonly #in: SeededRandomStream;
  readonly #buffer = new Uint8Array(16384);
  #pending: Uint8Array | null = null;
  #shut = false;
  connection: Connection | null = null;

  constructor(
    readonly length: number,
    outSeed: number,
    inSeed: number,
    readonly endsBySelf = true,
  ) {
    this.#out = new SeededRandomStream(outSeed);
    this.#in = new SeededRandomStream(inSeed);
  }

  attach(connection: Connection, connected: boolean): void {
    this.connection = connection;
    connection.handler = this;
    this.connected = connected;
    if (connected) this.pump();
  }

  onConnected(): void {
    this.connected = true;
    this.pump();
  }
  onReadable(): void {
    if (!this.reading) return;
    for (;;) {
      const n = this.connection?.readInto(this.#buffer) ?? 0;
      if (n === 0) return;
      const bad = this.#in.check(this.#buffer.subarray(0, n));
      if (bad >= 0 && this.mismatch < 0) this.mismatch = this.received + bad;
      this.received += n;
    }
  }
  onWritable(): void {
    this.pump();
  }
  onEnd(): void {
    this.ended = true;
    this.onReadable();
  }
  onClosed(error: PlaitError | null): void {
    this.closed = true;
    this.error = error;
  }
  onEvent(event: ConnectionEvent): void {
    this.events.push(event);
  }

  pump(): void {
    const { connection } = this;
    if (connection === null || connection.over || this.#shut) return;
    while (this.sent < this.length) {
      this.#pending ??= this.#out.take(Math.min(16384, this.length - this.sent));
      const n = connection.write(this.#pending);
      this.sent += n;
      if (n < this.#pending.length) {
        this.#pending = this.#pending.subarray(n);
        return;
      }
      this.#pending = null;
    }
    if (this.endsBySelf) this.end();
  }

  end(): void {
    if (this.#shut) return;
    this.#shut = true;
    this.connection?.shutdown();
  }
}

class SeededRandomStream {
  readonly #random: SeededRandom;
  #word = 0;
  #left = 0;
  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }
  #next(): number {
    if (this.#left === 0) {
      this.#word = this.#random.u32();
      this.#left = 4;
    }
    const octet = this.#word & 255;
    this.#word >>>= 8;
    this.#left--;
    return octet;
  }
  take(n: number): Uint8Array {
    const result = new Uint8Array(n);
    for (let i = 0; i < n; i++) result[i] = this.#next();
    return result;
  }
  /** Index of the first octet that differs, -1 when all are right. */
  check(octets: Uint8Array): number {
    let bad = -1;
    for (let i = 0; i < octets.length; i++) if (octets[i] !== this.#next() && bad < 0) bad = i;
    return bad;
  }
}

export interface Transfer {
  readonly client: Endpoint;
  readonly server: Endpoint;
}

/** Opens a connection over path 0; both sides send their lengths and end. */
export function start(
  pair: Pair,
  up: number,
  down: number,
  options: { ipv6?: boolean; port?: number } = {},
): Transfer {
  const port = options.port ?? 5000;
  const client = new Endpoint(up, 11, 22);
  const server = new Endpoint(down, 22, 11);
  const listener = pair.server.listen(port, null, (connection) => server.attach(connection, true));
  listener.start((error) => expect(error).to.equal(null));
  const path = pair.client.paths()[0];
  if (path === undefined) throw new Error('no path');
  pair.client.connect(path.id, 0, address(0, 2, options.ipv6), port, (error, connection) => {
    expect(error).to.equal(null);
    if (connection !== null) client.attach(connection, false);
  });
  return { client, server };
}

export const done = ({ client, server }: Transfer): boolean => client.closed && server.closed;

/** Everything arrived, in order, both ways, without an error. */
export function expectWhole({ client, server }: Transfer): void {
  expect(client.error, 'client').to.equal(null);
  expect(server.error, 'server').to.equal(null);
  expect(server.mismatch, 'first wrong octet at the server').to.equal(-1);
  expect(client.mismatch, 'first wrong octet at the client').to.equal(-1);
  expect(server.received, 'octets at the server').to.equal(client.length);
  expect(client.received, 'octets at the client').to.equal(server.length);
  expect(client.ended && server.ended, 'both directions ended').to.equal(true);
}
