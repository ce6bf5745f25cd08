/**
 * Two stacks in one process, joined by one pipe per path, in time that this file advances: no link model, no
 * event loop, so that what is measured is the stack. A segment is gathered from the sender's memory straight
 * into the receiver's ring.
 */
import { loadCore } from '../src/core/load.js';
import { SeededRandom } from '../src/core/random.js';
import { MemoryPipe } from '../src/io/pipe.js';
import type { Cancel, Timers } from '../src/io/timers.js';
import { PathManager } from '../src/path/path-manager.js';
import type { Connection, ConnectionHandler } from '../src/stack/connection.js';
import { Heap } from '../src/sim/heap.js';
import { Stack } from '../src/stack/stack.js';

const PORT = 5000;
const PATHS = 2;
/**
 * What the first turn of both hosts takes, and by how much each one is longer than the one before, microseconds.
 * The scheduler prefers the shorter round trip: the subflow that rested is the better one then, and both are
 * used in turn. Were all round trips alike, it would stay with one of them for ever.
 */
const TURN_FIRST = 20;
const TURN_GROWTH = 0.05;

export interface HostsOptions {
  /** Whether the stacks compute and verify TCP checksums. */
  readonly tcpChecksum?: boolean;
  /** Largest IP packet of the paths, octets. Default 1500. */
  readonly mtu?: number;
  /** Largest packet that stands for several segments; its TCP checksum is left to the "device". Default: none. */
  readonly segmentation?: number;
  readonly config?: readonly (readonly [number, number])[];
}

/** Microseconds that pass when `advance` is called; timers fire then. */
class HandClock implements Timers {
  #now = 1e6;
  readonly #timers = new Heap<{ time: number; fn: (() => void) | null }>((a, b) => a.time < b.time);
  now(): number {
    return this.#now;
  }
  at(time: number, fn: () => void): Cancel {
    const timer: { time: number; fn: (() => void) | null } = { time, fn };
    this.#timers.push(timer);
    return () => void (timer.fn = null);
  }
  advance(by: number): void {
    this.#now += by;
    for (let timer = this.#timers.peek(); timer && timer.time <= this.#now; timer = this.#timers.peek()) {
      this.#timers.pop();
      timer.fn?.();
    }
  }
}

export class TwoHosts {
  readonly clock = new HandClock();
  #turnTime = TURN_FIRST;
  private constructor(
    readonly client: Stack,
    readonly server: Stack,
    readonly pipes: readonly MemoryPipe[],
  ) {}

  static async create(options: HostsOptions = {}): Promise<TwoHosts> {
    const module = await loadCore('release');
    const pipes = Array.from(
      { length: PATHS },
      () =>
        new MemoryPipe({
          needsChecksum: options.tcpChecksum === true,
          segmentation: options.segmentation ?? 0,
        }),
    );
    const make = (name: string, seed: number): Stack =>
      new Stack({
        name,
        module,
        random: new SeededRandom(seed),
        timers: { now: () => hosts.clock.now(), at: (time, fn) => hosts.clock.at(time, fn) },
        wake: () => undefined,
        config: options.config ?? [],
      });
    const hosts: TwoHosts = new TwoHosts(make('client', 1), make('server', 2), pipes);
    const { client, server } = hosts;
    client.policy = new PathManager(client, 'laminar');
    server.policy = new PathManager(server, 'laminar');
    pipes.forEach((pipe, i) => {
      for (const [stack, device, host] of [
        [client, pipe.a, 1],
        [server, pipe.b, 2],
      ] as const) {
        stack.addDevice(device);
        stack.addPath(device, { name: `path${i}`, address: `10.0.${i}.${host}`, mtu: options.mtu ?? 1500 });
      }
    });
    return hosts;
  }

  /** Both hosts do what there is to do. */
  turn(): void {
    this.#turnTime += TURN_GROWTH;
    this.clock.advance(this.#turnTime);
    const now = this.clock.now();
    for (const pipe of this.pipes) pipe.pump();
    this.client.run(now);
    this.server.run(now);
  }

  /** Opens a connection over both paths; resolved by turns, with both ends established on two subflows. */
  open(client: ConnectionHandler, server: (connection: Connection) => ConnectionHandler): Connection {
    let near: Connection | null = null;
    if (!this.#listening) {
      this.#listening = true;
      this.server.listen(PORT, null, (connection) => this.#accept(connection)).start(rethrow);
    }
    this.#accept = (connection) => void (connection.handler = server(connection));
    const [path] = this.client.paths();
    this.client.connect(path?.id ?? 0, 0, '10.0.0.2', PORT, (error, connection) => {
      rethrow(error);
      near = connection;
      if (connection !== null) connection.handler = client;
    });
    const opened = near as Connection | null;
    if (opened === null) throw new Error('no connection');
    return opened;
  }
  #listening = false;
  #accept: (connection: Connection) => void = () => undefined;
}

function rethrow(error: Error | null): void {
  if (error !== null) throw error;
}

/** Does nothing; benchmarks override what they need. */
export class QuietHandler implements ConnectionHandler {
  onConnected(): void {}
  onReadable(): void {}
  onWritable(): void {}
  onEnd(): void {}
  onClosed(error: Error | null): void {
    rethrow(error);
  }
  onEvent(): void {}
}
