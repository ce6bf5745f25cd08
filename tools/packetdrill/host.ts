/** The host under test: one stack in virtual time behind a device `tun0`, whose other end the script holds. */
import { CFG_CORE_RMEM_MAX, CFG_TCP_RMEM_DEFAULT, CFG_TCP_RMEM_MAX } from '../../assembly/abi.js';
import type { CoreModule } from '../../src/core/load.js';
import { SeededRandom } from '../../src/core/random.js';
import type { PlaitError } from '../../src/errors.js';
import { Checksum, type Device, type DeviceHost, type OutPacket, type Path } from '../../src/io/device.js';
import { PathManager } from '../../src/path/path-manager.js';
import { World } from '../../src/sim/world.js';
import { setFastOpenKeys } from '../../src/stack/fast-open.js';
import { Stack } from '../../src/stack/stack.js';
import type { Config } from './config.js';
import type { Endpoint, Flow } from './flow.js';
import { addressingOf, type Machine } from './machine.js';
import { FASTOPEN_KEY, fastOpenKey, modeDefaults } from './modes.js';
import type { Addressing, Mode } from './socket-layer.js';
import { fillChecksum, readPacket, type Packet } from './wire.js';

/** What scripts take for granted as second and third number of tcp_rmem, and net.core.rmem_max of Linux 6.18; octets. */
const TCP_RMEM_DEFAULT = 131072;
const TCP_RMEM_MAX = 15728640;
const CORE_RMEM_MAX = 4194304;

/** First port for connections of the stack, and for those of the script's peer. */
const LOCAL_PORTS = 40000;
const REMOTE_PORTS = 50000;

/** Records what the stack sends. */
class TunDevice implements Device {
  readonly kind = 'memory';
  readonly overhead = 0;
  readonly needsChecksum = false;
  readonly sent: Packet[] = [];
  host: DeviceHost | null = null;
  #port = LOCAL_PORTS;

  constructor(readonly now: () => number) {}
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
  send(_path: number, packet: OutPacket): boolean {
    const bytes = Buffer.alloc(packet.length);
    packet.copyTo(bytes, 0);
    const read = readPacket(bytes, this.now());
    if (read !== null) this.sent.push(read);
    return true;
  }
  flush(): void {}
  close(): void {}
}

export class Host implements Machine {
  readonly world = new World(1e6);
  readonly stack: Stack;
  /** The endpoint table, which is empty at first. */
  readonly paths: PathManager;
  readonly addressing: Addressing;
  readonly slack = 0;
  readonly #device: TunDevice;
  #mtu: number;
  readonly #paths = new Map<string, Path>();
  #remotePort = REMOTE_PORTS;

  constructor(module: CoreModule, mode: Mode, config: Config) {
    const defaults = modeDefaults(mode);
    this.addressing = addressingOf(mode, config, defaults);
    this.#mtu = config.mtu ?? defaults.mtu;
    const stack: Stack = new Stack({
      name: 'stack',
      module,
      random: new SeededRandom(1),
      timers: this.world,
      wake: () => this.world.wake(stack),
    });
    this.stack = stack;
    this.paths = new PathManager(stack, 'endpoints');
    stack.policy = this.paths;
    setFastOpenKeys(stack.core, fastOpenKey(FASTOPEN_KEY));
    this.configure(CFG_TCP_RMEM_DEFAULT, TCP_RMEM_DEFAULT);
    this.configure(CFG_TCP_RMEM_MAX, TCP_RMEM_MAX);
    this.configure(CFG_CORE_RMEM_MAX, CORE_RMEM_MAX);
    this.world.addHost(stack);
    this.#device = new TunDevice(() => this.world.now());
    stack.addDevice(this.#device);
    this.addAddress(this.addressing.local);
  }

  /** Sets CFG_* of assembly/abi.ts. Throws a RangeError for a value that it cannot have. */
  configure(key: number, value: number): void {
    if (this.stack.core.x.configure(key, value) < 0) throw new RangeError('the stack refuses this value');
  }

  get now(): number {
    return this.world.now();
  }

  get sent(): Packet[] {
    return this.#device.sent;
  }

  addAddress(address: string): void {
    if (this.#paths.has(address)) return;
    this.#paths.set(address, this.stack.addPath(this.#device, { name: 'tun0', address, mtu: this.#mtu }));
    this.settle();
  }

  removeAddress(address: string): void {
    const path = this.#paths.get(address);
    if (path === undefined) return;
    this.#paths.delete(address);
    this.stack.removePath(path.id);
    this.settle();
  }

  get addresses(): readonly string[] {
    return [...this.#paths.keys()];
  }

  /** For addresses that are added from now on, and for those there are. */
  setMtu(mtu: number): void {
    this.#mtu = mtu;
    for (const address of this.addresses) {
      this.removeAddress(address);
      this.addAddress(address);
    }
  }

  setUp(up: boolean): void {
    for (const { id } of this.#paths.values()) this.stack.pathState(id, up);
    this.settle();
  }

  hasFlow({ local, remote }: Flow): boolean {
    const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;
    for (const connection of this.stack.connections()) {
      if (connection.liveSubflows().some((one) => same(one.local, local) && same(one.remote, remote)))
        return true;
    }
    return false;
  }

  nextRemotePort(): number {
    return this.#remotePort++;
  }

  inject(bytes: Buffer, destination: string): void {
    const path = this.#paths.get(destination);
    if (path === undefined) return; // nobody has this address
    fillChecksum(bytes);
    this.#device.host?.receive(path.id, bytes, Checksum.Good);
    this.settle();
  }

  settle(): void {
    this.world.runUntil(this.now);
  }

  sleepUntil(time: number): void {
    this.world.runUntil(Math.max(time, this.now));
  }

  waitFor(condition: () => boolean, latest: number): boolean {
    const cancel = this.world.at(latest, () => undefined);
    this.world.runUntil(() => condition() || this.now >= latest, { maxTime: Infinity });
    cancel();
    return condition();
  }
}
