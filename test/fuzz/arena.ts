/**
 * Where fuzz cases are fought out: one stack under attack, an honest host with a bulk and an idle connection to it
 * over two links of their own, and the paths on which the attacker's packets come in. Virtual time.
 */
import {
  CFG_CC_MULTI,
  CFG_CC_SINGLE,
  CFG_FASTCLOSE_RETRIES,
  CFG_TCP_RMEM_DEFAULT,
  CFG_TCP_RMEM_MAX,
} from '../../assembly/abi.js';
import type { CoreModule } from '../../src/core/load.js';
import { SeededRandom } from '../../src/core/random.js';
import type { PlaitError } from '../../src/errors.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from '../../src/io/device.js';
import { fillTcpChecksum } from '../../src/io/segment-header.js';
import { MemoryNetwork, type MemoryDevice } from '../../src/io/memory.js';
import { PathManager } from '../../src/path/path-manager.js';
import { SimulationError, World } from '../../src/sim/world.js';
import type { ConnectionEvent } from '../../src/stack/connection.js';
import { Stack } from '../../src/stack/stack.js';
import { ApartDevice, receiveApart } from '../support/apart-device.js';
import { SegmentingDevice } from '../support/segmenting-device.js';
import { auditCore } from './builds.js';
import { Failure } from './failure.js';
import { Honest } from './honest.js';
import { Victim } from './victim.js';

export type Config = readonly (readonly [number, number])[];

export interface ArenaOptions {
  readonly module: CoreModule;
  readonly seed: number;
  readonly config?: Config;
  /** Devices that cut super-segments, and have joined what arrives. Default: with odd seeds. */
  readonly offload?: boolean;
  /** Octets that the core may have in use at any time. */
  readonly memoryLimit?: number;
}

export const ATTACKED_PORT = 5000;
const HONEST_PORT = 6000;
const LARGEST_PACKET = 65535;
/** Octets that the bulk connection sends each way at each step. */
const BULK_STEP = 1024;
const MEMORY_LIMIT = 512 << 20;
/** Microseconds within which the honest connections have to be done once the attacker is silent. */
const PATIENCE = 300e6;
/** After so long nothing of any connection is left: sixteen timeouts of the longest kind, and TIME-WAIT. */
const FORGOTTEN = 2400e6;

export interface AttackPath {
  readonly info: { readonly name: string; readonly address: string; readonly mtu: number };
  readonly stack: Uint8Array;
  /** Addresses of the attacker begin with this; the last two octets are its choice. */
  readonly prefix: Uint8Array;
}

export const ATTACK_PATHS: readonly AttackPath[] = [
  {
    info: { name: 'attack4', address: '10.9.0.1', mtu: 1500 },
    stack: Uint8Array.of(10, 9, 0, 1),
    prefix: Uint8Array.of(10, 9, 0, 2),
  },
  {
    info: { name: 'attack6', address: 'fd09::1', mtu: 1500 },
    stack: Uint8Array.of(0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    prefix: Uint8Array.of(0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  },
];

/** Bits of the seed: windows as tcp_rmem has them, writes may borrow, each algorithm of congestion control. */
const ACCOUNT = 1 << 16;
const LENDS = 1 << 17;
const ALGORITHM = 1 << 18;
const ALGORITHMS = 6;
/** Payload comes in buffers of its own (assembly/mptcp/placed.ts). */
const APART = 1 << 19;

/** What a seed stands for beside random numbers. */
function configOf(seed: number): Config {
  return [
    ...((seed & 2) === 0 ? [] : [[CFG_FASTCLOSE_RETRIES, 3] as const]),
    ...((seed & ACCOUNT) === 0
      ? []
      : ([
          [CFG_TCP_RMEM_DEFAULT, 131072],
          [CFG_TCP_RMEM_MAX, 6 << 20],
        ] as const)),
    ...((seed & ALGORITHM) === 0
      ? []
      : ([
          [CFG_CC_SINGLE, seed % ALGORITHMS],
          [CFG_CC_MULTI, (seed >> 4) % ALGORITHMS],
        ] as const)),
  ];
}

/** The attacker's network card: what the stack sends is shown to `hear`. */
class AttackDevice implements Device {
  readonly kind = 'memory';
  readonly overhead = 0;
  readonly needsChecksum = true;
  /** Set before the device is used. */
  segmentation = 0;
  host: DeviceHost | null = null;
  hear: (octets: Uint8Array, length: number) => void = () => {};
  /** Set before the device is used: payload may leave from where it lies (assembly/mptcp/loan.ts). */
  collect?: () => void;
  /** Packets that it refuses next; as if its queue were full, or its socket's (`tells` is false then). */
  refuse = 0;
  tells = true;
  /** The packet that came last. */
  last: Uint8Array = new Uint8Array(0);
  readonly #buffer = new Uint8Array(65536);
  #port = 40000;

  open(host: DeviceHost): void {
    this.host = host;
  }
  attach(_path: Path, done: (error: PlaitError | null) => void): void {
    done(null);
  }
  detach(): void {}
  bind(_path: number, port: number, done: (error: PlaitError | null, port: number) => void): void {
    done(null, port === 0 ? (this.#port = 40000 + ((this.#port + 1) % 20000)) : port);
  }
  unbind(): void {}
  send(_path: number, packet: OutPacket): boolean {
    packet.copyTo(this.#buffer, 0);
    this.last = this.#buffer.subarray(0, packet.length);
    if (this.refuse > 0) {
      this.refuse--;
      if (this.tells) this.host?.congested(this.last);
      return false;
    }
    this.hear(this.#buffer, packet.length);
    return true;
  }
  flush(): void {}
  close(): void {}
}

/** Looks at the honest packets that pass by, so that blind packets can be kept off what nobody can guess. */
export interface Watched {
  readonly client: Uint8Array;
  readonly server: Uint8Array;
  readonly clientPort: number;
  /** Sequence numbers seen last from either side. */
  clientSeq: number;
  serverSeq: number;
}

export class Arena {
  readonly world = new World(1e6);
  readonly stack: Stack;
  readonly device = new AttackDevice();
  /** Stack's path numbers of ATTACK_PATHS; they change when a path goes and comes back. */
  readonly paths: Path[] = [];
  readonly victims: Victim[] = [];
  readonly watched = new Map<number, Watched>();
  /** What happened on the attacked side since the last look. */
  readonly news = new Set<string>();
  /** The stack looks for answers while a write borrows. */
  onCollect: () => void = () => {};
  packets = 0;
  refused = 0;
  readonly #honest: Stack;
  readonly #pairs: [Honest, Honest][] = [];
  readonly #offload: boolean;
  readonly #apart: boolean;
  readonly #memoryLimit: number;
  #broken: PlaitError | null = null;
  #peakMemory = 0;
  #honestPath = 0;

  constructor(options: ArenaOptions) {
    const { module, seed, config = [] } = options;
    this.#offload = options.offload ?? seed % 2 === 1;
    this.#apart = (seed & APART) !== 0;
    this.device.segmentation = this.#offload ? LARGEST_PACKET : 0;
    if ((seed & LENDS) !== 0) this.device.collect = () => this.onCollect();
    this.#memoryLimit = options.memoryLimit ?? MEMORY_LIMIT;
    const make = (name: string, salt: number, settings: Config): Stack => {
      const stack: Stack = new Stack({
        name,
        module,
        random: new SeededRandom(seed * 2 + salt),
        timers: this.world,
        wake: () => this.world.wake(stack),
        config: settings,
      });
      stack.policy = new PathManager(stack, 'laminar');
      stack.onBroken = (error) => (this.#broken = error);
      this.world.addHost(stack);
      return stack;
    };
    this.stack = make('attacked', 0, [...configOf(seed), ...config]);
    this.#honest = make('honest', 1, []);
    this.#connectHonest(seed);
    this.stack.addDevice(this.device);
    for (const { info } of ATTACK_PATHS) this.paths.push(this.stack.addPath(this.device, info));
    this.#listen(ATTACKED_PORT, (victim) => this.victims.push(victim));
    this.flush();
  }

  // ---- the honest part ------------------------------------------------------------------------------------------

  #connectHonest(seed: number): void {
    const network = new MemoryNetwork(this.world.clock, { seed });
    this.world.addNetwork(network);
    const near = network.device();
    const far = network.device();
    const [ours, theirs] = [near, far].map((device) => {
      const watched = watching(device, (octets, length) => this.#watch(octets, length));
      const whole = this.#offload ? new SegmentingDevice(watched) : watched;
      return device === near && this.#apart ? new ApartDevice(whole) : whole;
    }) as [Device, Device];
    this.stack.addDevice(ours);
    this.#honest.addDevice(theirs);
    for (const i of [0, 1]) {
      network.connect(`10.0.${i}.1`, `10.0.${i}.2`, { delay: 500 + 300 * i });
      const path = this.stack.addPath(ours, { name: `honest${i}`, address: `10.0.${i}.1`, mtu: 1500 });
      if (i === 0) this.#honestPath = path.id;
      this.#honest.addPath(theirs, { name: `honest${i}`, address: `10.0.${i}.2`, mtu: 1500 });
    }
    const accepted: Honest[] = [new Honest('bulk, attacked side'), new Honest('idle, attacked side')];
    let count = 0;
    this.stack
      .listen(HONEST_PORT, null, (connection) => {
        if (this.#apart) connection.takeBuffers();
        accepted[count++]?.attach(connection, true);
      })
      .start((error) => {
        if (error !== null) throw error;
      });
    for (const name of ['bulk', 'idle']) {
      const client = new Honest(`${name}, honest side`);
      const path = this.#honest.paths()[0] as Path;
      this.#honest.connect(path.id, 0, '10.0.0.1', HONEST_PORT, (error, connection) => {
        if (error !== null || connection === null) throw error ?? new Error('no connection');
        client.attach(connection, false);
      });
      this.world.runUntil(() => client.connected && count === this.#pairs.length + 1);
      this.#pairs.push([client, accepted[this.#pairs.length] as Honest]);
    }
    this.world.runUntil(this.world.now() + 2e6); // joins
  }

  #watch(octets: Uint8Array, length: number): void {
    if ((octets[0] ?? 0) >> 4 !== 4 || length < 40) return;
    const dv = new DataView(octets.buffer, octets.byteOffset, length);
    const fromServer = octets[15] === 1;
    const clientPort = dv.getUint16(fromServer ? 22 : 20);
    const client = octets.slice(fromServer ? 16 : 12, fromServer ? 20 : 16);
    const server = octets.slice(fromServer ? 12 : 16, fromServer ? 16 : 20);
    const key = clientPort * 256 + (client[2] ?? 0);
    let one = this.watched.get(key);
    if (one === undefined) {
      one = { client, server, clientPort, clientSeq: 0, serverSeq: 0 };
      this.watched.set(key, one);
    }
    if (fromServer) one.serverSeq = dv.getUint32(24);
    else one.clientSeq = dv.getUint32(24);
  }

  /** Path on which the first honest subflows run. */
  get honestPath(): number {
    return this.#honestPath;
  }

  /** A little more of the bulk transfer. */
  work(): void {
    const [client, server] = this.#pairs[0] as [Honest, Honest];
    if (client.wanted - server.received < 1 << 20) client.send(BULK_STEP);
    if (server.wanted - client.received < 1 << 20) server.send(BULK_STEP);
  }

  #listen(port: number, accept: (victim: Victim) => void): void {
    this.stack
      .listen(port, null, (connection) => {
        if (this.#apart) connection.takeBuffers();
        accept(new Victim(connection, this.#hear));
      })
      .start((error) => {
        if (error !== null) throw error;
      });
  }

  readonly #hear = (event: ConnectionEvent['type']): void => {
    this.news.add(event);
  };

  /** The stack opens a connection to the attacker. */
  dial(path: number, address: string, port: number): void {
    const one = this.paths[path];
    if (one === undefined) return;
    this.stack.connect(one.id, 0, address, port, (error, connection) => {
      if (error !== null || connection === null) return;
      if (this.#apart) connection.takeBuffers();
      this.victims.push(new Victim(connection, this.#hear));
    });
  }

  // ---- packets and time -----------------------------------------------------------------------------------------

  /** Hands a packet to the stack as if it came in on an attacker's path. */
  inject(path: number, octets: Uint8Array): void {
    const id = this.paths[path]?.id;
    if (id !== undefined) this.injectOn(id, octets);
  }

  injectOn(id: number, octets: Uint8Array): void {
    this.packets++;
    const segment = this.#offload ? joinedFrom(octets) : 0;
    if (this.#apart && isSound(octets) && receiveApart(this.stack, id, octets, segment)) return;
    if (!this.stack.receive(id, octets, Checksum.Unknown, segment)) this.refused++;
  }

  /** Runs what is due now. */
  flush(): void {
    this.#run(this.world.now());
  }

  /** Lets microseconds pass. */
  wait(microseconds: number): void {
    this.#run(this.world.now() + microseconds);
  }

  #run(until: number): void {
    try {
      this.world.runUntil(until);
    } catch (error) {
      if (error instanceof SimulationError) throw new Failure('livelock', error.message);
      throw error;
    }
    this.check();
  }

  /** What has to be true at any time. */
  check(): void {
    if (this.#broken !== null) throw new Failure('trap', this.#broken.message);
    const used = this.stack.core.x.memoryUsed();
    if (used > this.#peakMemory) this.#peakMemory = used;
    if (used > this.#memoryLimit) {
      throw new Failure('memory', `${used} octets in use, ${this.#memoryLimit} are allowed`);
    }
    for (const pair of this.#pairs) {
      for (const one of pair) {
        if (one.wrongAt >= 0) throw new Failure('honest', `${one.name}: octet ${one.wrongAt} is wrong`);
        if (one.closed)
          throw new Failure('honest', `${one.name}: ended (${one.error?.message ?? 'in order'})`);
      }
    }
  }

  /** Looks at everything inside the core, where the build can. */
  audit(): void {
    const wrong = auditCore(this.stack.core);
    if (wrong !== null) throw new Failure('audit', wrong);
  }

  get peakMemory(): number {
    return this.#peakMemory;
  }

  get honestOctets(): number {
    return this.#pairs.reduce((sum, [client, server]) => sum + client.received + server.received, 0);
  }

  // ---- the end --------------------------------------------------------------------------------------------------

  /** The attacker falls silent: honest connections deliver everything and end; nothing of the others is left. */
  finish(): void {
    this.audit();
    this.#deliver();
    for (const victim of this.victims) victim.connection.release();
    this.victims.length = 0;
    this.#endHonest();
    this.world.runUntil(this.world.now() + FORGOTTEN);
    if (this.#broken !== null) throw new Failure('trap', this.#broken.message);
    this.audit();
    const { x } = this.stack.core;
    if (x.connections() !== 0 || x.subflows() !== 0) {
      throw new Failure(
        'left',
        `${x.connections()} connections and ${x.subflows()} subflows are never freed`,
      );
    }
  }

  #deliver(): void {
    for (const [client, server] of this.#pairs) {
      client.send(1000);
      server.send(1000);
    }
    const complete = (): boolean =>
      this.#pairs.every(
        ([client, server]) => client.received === server.wanted && server.received === client.wanted,
      );
    try {
      this.world.runUntil(complete, { maxTime: PATIENCE });
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      const state = this.#pairs
        .flat()
        .map((one) => `${one.name}: ${one.received} received, ${one.sent} of ${one.wanted} sent`);
      throw new Failure('honest', `not delivered (${error.code}); ${state.join('; ')}`);
    }
    this.check();
  }

  #endHonest(): void {
    for (const one of this.#pairs.flat()) one.end();
    try {
      this.world.runUntil(() => this.#pairs.flat().every((one) => one.closed), { maxTime: PATIENCE });
    } catch (error) {
      if (!(error instanceof SimulationError)) throw error;
      throw new Failure('honest', `does not end (${error.code})`);
    }
    for (const one of this.#pairs.flat()) {
      if (one.error !== null) throw new Failure('honest', `${one.name}: ${one.error.message}`);
      one.connection?.release();
    }
  }
}

/** Segments of which a device says to have joined a packet: any, whatever is in it. */
function joinedFrom(octets: Uint8Array): number {
  const [low = 0, high = 0] = octets.subarray(octets.length - 2);
  return low % 3 === 0 ? 0 : 1 + ((high * 256 + low) % octets.length);
}

/** Whether the TCP checksum of a packet is right. */
function isSound(octets: Uint8Array): boolean {
  const right = octets.slice();
  fillTcpChecksum(right);
  return Buffer.compare(right, octets) === 0;
}

function watching(device: MemoryDevice, look: (octets: Uint8Array, length: number) => void): Device {
  const buffer = new Uint8Array(65536);
  const send = device.send.bind(device);
  device.send = (path, packet) => {
    packet.copyTo(buffer, 0);
    look(buffer, packet.length);
    return send(path, packet);
  };
  return device;
}
