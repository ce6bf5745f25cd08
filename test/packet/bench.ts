/** One stack in virtual time behind a device that records what it sends and lets tests inject packets. */
import { expect } from 'chai';
import type { PlaitError } from '../../src/errors.js';
import type { Settings } from '../../src/core/core.js';
import { loadCore, type CoreModule } from '../../src/core/load.js';
import { SeededRandom, type Random } from '../../src/core/random.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from '../../src/io/device.js';
import { applyIpMptcp } from '../../src/path/ip-mptcp.js';
import { PathManager, type PathManagerName } from '../../src/path/path-manager.js';
import { World } from '../../src/sim/world.js';
import type { Connection, ConnectionEvent, ConnectionHandler } from '../../src/stack/connection.js';
import { Stack } from '../../src/stack/stack.js';
import { parsePacket, type ParsedSegment } from './segment.js';

export interface Recorded extends ParsedSegment {
  readonly path: number;
  readonly time: number;
}

class FakeDevice implements Device {
  readonly kind = 'memory';
  readonly overhead = 0;
  readonly needsChecksum = true;
  readonly sent: Recorded[] = [];
  readonly hidesEcn = (): boolean => this.blind;
  host: DeviceHost | null = null;
  /** Paths on which it takes no packets. */
  readonly full = new Set<number>();
  #port = 40000;
  constructor(
    readonly now: () => number,
    readonly blind: boolean,
  ) {}
  open(host: DeviceHost): void {
    this.host = host;
  }
  attach(_path: Path, done: (error: PlaitError | null) => void): void {
    done(null);
  }
  detach(): void {}
  bind(_path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    done(null, port === 0 ? this.#port++ : port);
  }
  unbind(): void {}
  send(path: number, packet: OutPacket): boolean {
    if (this.full.has(path)) return false;
    const octets = new Uint8Array(packet.length);
    packet.copyTo(octets, 0);
    this.sent.push({ ...parsePacket(octets), path, time: this.now() });
    return true;
  }
  flush(): void {}
  close(): void {}
}

/** What an application on top of the stack saw. */
export class App implements ConnectionHandler {
  connection: Connection | null = null;
  connected = false;
  text = '';
  ended = false;
  closed = false;
  error: PlaitError | null = null;
  readonly events: ConnectionEvent[] = [];
  /** Reading is held back while false. */
  reading = true;

  attach(connection: Connection): void {
    this.connection = connection;
    connection.handler = this;
  }
  onConnected(): void {
    this.connected = true;
  }
  onReadable(): void {
    if (!this.reading || this.connection === null) return;
    const buffer = new Uint8Array(65536);
    for (let n = this.connection.readInto(buffer); n > 0; n = this.connection.readInto(buffer)) {
      this.text += Buffer.from(buffer.subarray(0, n)).toString('latin1');
    }
  }
  onWritable(): void {}
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
  /** The connection; the test fails when there is none. */
  get live(): Connection {
    if (this.connection === null) throw new Error('no connection was accepted or opened');
    return this.connection;
  }
  write(data: string | Buffer): number {
    return this.live.write(Buffer.from(data as string, 'latin1'));
  }
  /** Fallback reason, or null while it is Multipath TCP. */
  get fallback(): string | null {
    return this.live.info().mptcp ? null : this.live.info().fallback;
  }
  has(type: ConnectionEvent['type']): boolean {
    return this.events.some((event) => event.type === type);
  }
}

export interface BenchOptions {
  readonly config?: readonly (readonly [number, number])[];
  readonly mtu?: number;
  readonly ipv6?: boolean;
  /** Local paths; each has its own subnet. Default 1. */
  readonly paths?: number;
  /** Packets arrive without the ECN bits of their headers. */
  readonly hidesEcn?: boolean;
  /** With the path manager; without it the test itself decides on joins and announcements. */
  readonly manager?: boolean | PathManagerName;
  readonly seed?: number;
  /** In the place of a seed. */
  readonly random?: Random;
  /** In the place of the debug build. */
  readonly module?: CoreModule;
}

export interface OpenOptions {
  readonly port?: number;
  readonly localPort?: number;
  /** Of the peer. */
  readonly address?: string;
  readonly settings?: Settings;
  readonly data?: string;
}

/** Address of the stack (host 1) or of the peer (host 2) on a path, counted from 0. */
export const addressOf = (path: number, host: number, ipv6 = false): string =>
  ipv6 ? `fd00:${String(path + 1)}::${String(host)}` : `10.0.${String(path)}.${String(host)}`;

export class Bench {
  readonly app = new App();
  readonly apps: App[] = [];
  /** Packets that arrive wait for `settle`, so that they make one batch. */
  holding = false;
  private constructor(
    readonly world: World,
    readonly stack: Stack,
    readonly device: FakeDevice,
    readonly paths: readonly Path[],
    readonly ipv6: boolean,
    readonly manager: PathManager | null,
  ) {}

  static async create(options: BenchOptions = {}): Promise<Bench> {
    const module = options.module ?? (await loadCore('debug'));
    const world = new World(1e6);
    const stack: Stack = new Stack({
      name: 'stack',
      module,
      random: options.random ?? new SeededRandom(options.seed ?? 1),
      timers: world,
      wake: () => world.wake(stack),
      config: options.config ?? [],
    });
    world.addHost(stack);
    const { manager: name = false } = options;
    const manager = name === false ? null : new PathManager(stack, name === true ? 'laminar' : name);
    stack.policy = manager;
    const device = new FakeDevice(() => world.now(), options.hidesEcn === true);
    stack.addDevice(device);
    const ipv6 = options.ipv6 === true;
    const paths = Array.from({ length: options.paths ?? 1 }, (_, i) =>
      stack.addPath(device, {
        name: `path${String(i)}`,
        address: addressOf(i, 1, ipv6),
        mtu: options.mtu ?? 1500,
      }),
    );
    return new Bench(world, stack, device, paths, ipv6, manager);
  }

  /** Carries out `ip mptcp ...` with the path manager. Returns what it prints. */
  ip(command: string): string {
    if (this.manager === null) throw new Error('this bench has no path manager');
    const result = applyIpMptcp(this.manager, command);
    this.settle();
    return result;
  }

  get now(): number {
    return this.world.now();
  }

  /** Lets microseconds pass. */
  wait(microseconds: number): void {
    this.world.runUntil(this.now + microseconds);
  }

  /** Runs what is due at this instant. */
  settle(): void {
    this.world.runUntil(this.now);
  }

  listen(port = 5000, settings: Settings = []): void {
    this.stack
      .listen(
        port,
        null,
        (connection) => {
          const app = this.app.connection === null ? this.app : new App();
          app.attach(connection);
          app.connected = true;
          this.apps.push(app);
        },
        settings,
      )
      .start((error) => expect(error).to.equal(null));
  }

  connect(port = 5000, localPort = 0): void {
    this.open(this.app, { port, localPort });
  }

  /** Opens a connection to the peer for an application, which writes `data` in the same turn. */
  open(app: App, options: OpenOptions = {}): void {
    const path = this.paths[0] as Path;
    const { port = 5000, localPort = 0, address = addressOf(0, 2, this.ipv6), settings = [], data } = options;
    this.stack.connect(
      path.id,
      localPort,
      address,
      port,
      (error, connection) => {
        expect(error).to.equal(null);
        if (connection !== null) app.attach(connection);
        if (data !== undefined) expect(app.write(data)).to.equal(data.length);
      },
      settings,
    );
    this.settle();
  }

  /** Joins from a path of the stack. Returns the subflow's handle. */
  join(path: number, remoteId = 0, options: { backup?: boolean; port?: number } = {}): number {
    let handle = 0;
    const ids = { local: path === 0 ? 0 : path + 1, remote: remoteId, backup: options.backup === true };
    const to = addressOf(path, 2, this.ipv6);
    this.stack.join(
      this.app.live,
      (this.paths[path] as Path).id,
      to,
      options.port ?? 5000,
      ids,
      (error, subflow) => {
        expect(error).to.equal(null);
        handle = subflow;
      },
    );
    this.settle();
    return handle;
  }

  inject(path: number, packet: Uint8Array): void {
    this.device.host?.receive((this.paths[path] as Path).id, packet, Checksum.Unknown);
    if (!this.holding) this.settle();
  }

  /** A counter of the kernel's name. */
  counter(name: string): number {
    const value = this.stack.counters()[name];
    if (value === undefined) throw new Error(`no counter ${name}`);
    return value;
  }
}
