/** Puts a host together: stack, device, driver, interface watch, path manager, capture. */
import * as abi from '../../assembly/abi.js';
import { CC_BALIA, CC_CUBIC, CC_LIA, CC_OLIA, CC_RENO, CC_WVEGAS } from '../../assembly/cc/ids.js';
import { realClock } from '../core/clock.js';
import type { Settings } from '../core/core.js';
import { loadCore } from '../core/load.js';
import { secureRandom } from '../core/random.js';
import { PlaitError } from '../errors.js';
import type { Device, DeviceStats, Path } from '../io/device.js';
import { Driver } from '../io/driver.js';
import { openPlatform } from '../io/platform.js';
import {
  watchInterfaces,
  type AddressChange,
  type InterfaceWatch,
  type LocalAddress,
} from '../path/interfaces.js';
import { PathManager } from '../path/path-manager.js';
import { canonicalAddress, familyOf } from '../core/address.js';
import { Stack } from '../stack/stack.js';
import type { Counters } from '../stack/info.js';
import { flowConfig, flowSettings } from './flow.js';
import { PathEvents } from './path-events.js';
import { checkPort } from './port.js';
import { resourceConfig } from './resources.js';
import { PlaitServer } from './server.js';
import { PlaitSocket } from './socket.js';
import type {
  CongestionName,
  ConnectOptions,
  Host,
  HostDevice,
  HostOptions,
  Server,
  Socket,
  SynCookies,
} from './types.js';

const CONGESTION: Readonly<Record<CongestionName, number>> = {
  reno: CC_RENO,
  cubic: CC_CUBIC,
  lia: CC_LIA,
  olia: CC_OLIA,
  balia: CC_BALIA,
  wvegas: CC_WVEGAS,
};
const SYN_COOKIES: Readonly<Record<SynCookies, number>> = { never: 0, flooded: 1, always: 2 };
const SCHEDULERS: Readonly<Record<string, number>> = { minrtt: 0 };
/** RFC 8684 section 3.5 recommends as many. */
const FASTCLOSE_RETRIES = 3;
const CONNECT_TIMEOUT = 30_000;
/** Time for FIN exchanges and last acknowledgements when a host closes, microseconds. */
const GRACE = 1.5e6;
const GRACE_STEP = 5e3;
/** Looks for a first address, and microseconds between them. */
const SETTLE_TRIES = 20;
const SETTLE_STEP = 50e3;

export async function createHost(given: HostOptions = {}): Promise<Host> {
  const options: HostOptions =
    given.paths === undefined ? given : { ...given, paths: given.paths.map(canonicalAddress) };
  const config: [number, number][] = [
    [abi.CFG_MPTCP, options.multipath === false ? 0 : 1],
    [abi.CFG_CHECKSUM, options.checksum === true ? 1 : 0],
    [abi.CFG_FAST_OPEN, 3], // either side, where a socket or a server asks for it
  ];
  if (options.congestion !== undefined) {
    const id = CONGESTION[options.congestion];
    if (id === undefined) {
      throw new PlaitError(
        'EINVAL',
        `no congestion control "${options.congestion as string}"; choose ${Object.keys(CONGESTION).join(', ')}`,
      );
    }
    config.push([abi.CFG_CC_SINGLE, id], [abi.CFG_CC_MULTI, id]);
  }
  if (options.scheduler !== undefined) {
    const id = SCHEDULERS[options.scheduler];
    if (id === undefined) {
      throw new PlaitError('EINVAL', `no scheduler "${options.scheduler as string}"; choose minrtt`);
    }
    config.push([abi.CFG_SCHEDULER, id]);
  }
  config.push(...resourceConfig(options.resources ?? {}), ...flowConfig(options));
  const { closeTimeout, synCookies, denyJoins } = options;
  if (options.ecn === true) config.push([abi.CFG_ECN, 1]);
  if (synCookies !== undefined) config.push([abi.CFG_SYN_COOKIES, SYN_COOKIES[synCookies]]);
  if (denyJoins === true) config.push([abi.CFG_DENY_JOIN, 1]);
  if (options.fastclose === 'repeat') config.push([abi.CFG_FASTCLOSE_RETRIES, FASTCLOSE_RETRIES]);
  if (closeTimeout !== undefined) config.push([abi.CFG_CLOSE_TIMEOUT, closeTimeout * 1000]);
  const driver = new Driver(realClock);
  const module = await loadCore();
  const platform = await openPlatform(options, driver);
  const stack = new Stack({
    name: 'host',
    module,
    random: secureRandom,
    timers: driver,
    wake: driver.wake,
    runNow: driver.runNow,
    config,
  });
  const host = new RealHost(stack, driver, platform, options);
  await host.start();
  return host;
}

interface Platform {
  readonly kind: HostDevice;
  readonly device: Device;
  /** `wanted`: local addresses that no list shows, like 127.0.0.2. Default: those of the options. */
  addresses(wanted?: readonly string[]): readonly LocalAddress[];
  /** Whether an address that is not listed is this machine's all the same. */
  holds(address: string): boolean;
  sourceFor(remote: string, local?: string): Promise<string>;
  resolve(name: string): Promise<string>;
  /** Flushes and closes the capture. */
  finish(): Promise<void>;
}

class RealHost implements Host {
  readonly device: HostDevice;
  readonly pathManager: PathManager;
  readonly events: PathEvents;
  readonly #stack: Stack;
  readonly #driver: Driver;
  readonly #platform: Platform;
  readonly #options: HostOptions;
  readonly #sockets = new Set<PlaitSocket>();
  /** Path ids by interface name and address. */
  readonly #known = new Map<string, number>();
  #watch: InterfaceWatch | null = null;
  #closed = false;

  constructor(stack: Stack, driver: Driver, platform: Platform, options: HostOptions) {
    this.#stack = stack;
    this.#driver = driver;
    this.#platform = platform;
    this.#options = options;
    this.device = platform.kind;
    if (options.addAddrTimeout !== undefined) stack.addAddrTimeout = options.addAddrTimeout * 1000;
    this.events = new PathEvents((listener) => stack.monitor.listen(listener));
    this.pathManager = new PathManager(stack, options.pathManager ?? 'laminar', {
      sourceFor: (remote) => platform.sourceFor(remote).catch(() => null),
      // An address that is no path by itself (loopback) becomes one.
      endpointAdded: ({ address }) => void this.#pathFor(address),
    });
    stack.policy = this.pathManager;
  }

  async start(): Promise<void> {
    const { paths } = this.#options;
    this.#stack.addDevice(this.#platform.device);
    this.#driver.drive(this.#stack);
    await this.#configurePaths();
    this.#watch = watchInterfaces(
      {
        source: () => this.#platform.addresses(),
        timers: this.#driver,
        holds: (address) => this.#platform.holds(address),
        ...(paths === undefined ? {} : { include: paths }),
      },
      ({ added, removed, down, up, changed }) => {
        for (const change of changed) this.#change(change);
        for (const one of removed) this.#remove(one);
        for (const one of added) void this.#add(one);
        for (const one of down) this.#setState(one, false);
        for (const one of up) this.#setState(one, true);
      },
    );
    // An interface that has just come up gets its addresses in a moment.
    for (let i = 0; i < SETTLE_TRIES && paths === undefined && this.#watch.addresses.length === 0; i++) {
      await this.#driver.sleep(SETTLE_STEP);
      this.#watch.refresh();
    }
    const missing = paths?.find((one) => !this.#watch?.addresses.some(({ address }) => address === one));
    if (missing !== undefined) {
      await this.close();
      throw new PlaitError(
        'EADDRNOTAVAIL',
        `no interface that is up has the address ${missing}; plait doctor lists the paths`,
      );
    }
    const results = await Promise.all(this.#watch.addresses.map((one) => this.#add(one)));
    const error = results.find((result) => result !== null);
    if (
      error !== undefined &&
      error !== null &&
      (paths !== undefined || results.every((result) => result !== null))
    ) {
      await this.close();
      throw error;
    }
  }

  async #configurePaths(): Promise<void> {
    const { limits = {}, endpoints = [] } = this.#options;
    try {
      this.pathManager.setLimits(limits);
      for (const endpoint of endpoints) this.pathManager.addEndpoint(endpoint);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #add(one: LocalAddress): Promise<PlaitError | null> {
    const key = keyOf(one);
    if (this.#closed || this.#known.has(key)) return Promise.resolve(null);
    return new Promise((resolve) => {
      let failed = false;
      const info = { ...this.#traits(one), address: one.address };
      const { id } = this.#stack.addPath(this.#platform.device, info, (error) => {
        if (error !== null) {
          failed = true;
          this.#known.delete(key);
        }
        resolve(error);
      });
      if (!failed) this.#known.set(key, id);
    });
  }

  #traits({ name, mtu }: LocalAddress): { name: string; mtu: number } {
    return { name, mtu: Math.min(mtu, this.#options.mtu ?? 65535) };
  }

  #change({ before, now }: AddressChange): void {
    const id = this.#known.get(keyOf(before));
    if (id !== undefined && this.#stack.changePath(id, this.#traits(now)) === null) {
      this.#known.delete(keyOf(before));
      this.#known.set(keyOf(now), id);
      this.#stack.pathState(id, true);
      return;
    }
    this.#remove(before);
    void this.#add(now);
  }

  #remove(one: LocalAddress): void {
    const key = keyOf(one);
    const id = this.#known.get(key);
    if (id === undefined) return;
    this.#known.delete(key);
    this.#stack.removePath(id);
  }

  #setState(one: LocalAddress, up: boolean): void {
    const id = this.#known.get(keyOf(one));
    if (id !== undefined) this.#stack.pathState(id, up);
  }

  /** Address given with --path or found later: a loopback address is a path only when somebody needs it. */
  async #pathFor(address: string): Promise<Path | null> {
    const find = (): Path | undefined => this.#stack.paths().find((path) => path.address === address);
    const path = find();
    if (path !== undefined || this.#options.paths !== undefined) return path ?? null;
    const one = this.#platform.addresses([address]).find((candidate) => candidate.address === address);
    if (one === undefined) return null;
    await this.#add(one);
    return find() ?? null;
  }

  // ---- Host ---------------------------------------------------------------------------------------------------------

  connect(options: ConnectOptions): Socket {
    const socket = new PlaitSocket();
    socket.readInto(options.onread);
    this.#track(socket);
    this.#open(socket, options).catch((error: Error) => socket.destroy(error));
    return socket;
  }

  async #open(socket: PlaitSocket, options: ConnectOptions): Promise<void> {
    const { port, localPort = 0, timeout = CONNECT_TIMEOUT } = options;
    checkPort(port, 1);
    checkPort(localPort, 0);
    const flow = flowSettings(options);
    const settings: Settings = options.fastOpen === true ? [...flow, [abi.OPT_FAST_OPEN, 1]] : flow;
    const remote = await this.#platform.resolve(options.host);
    const path = await this.#choosePath(remote, options.localAddress);
    if (socket.destroyed) return;
    await new Promise<void>((resolve, reject) => {
      this.#stack.connect(
        path.id,
        localPort,
        remote,
        port,
        (error, connection) => {
          if (error !== null || connection === null) {
            reject(error ?? new PlaitError('EHOSTUNREACH', `cannot reach ${remote}`));
            return;
          }
          socket.attach(connection, false, options.fastOpen === true);
          resolve();
        },
        settings,
      );
    });
    const cancel = this.#driver.at(this.#driver.now() + timeout * 1000, () => {
      if (!socket.connecting) return;
      const what = `no answer from ${remote} port ${port} within ${timeout / 1000} s`;
      socket.destroy(
        new PlaitError('ETIMEDOUT', `${what}; check that the peer runs and uses the same --device`),
      );
    });
    socket.once('connect', cancel);
    socket.once('close', cancel);
  }

  /** The first subflow's path: as asked, else where the routing table points, else the first of the family. */
  async #choosePath(remote: string, wanted: string | undefined): Promise<Path> {
    if (wanted !== undefined) {
      const path = await this.#pathFor(canonicalAddress(wanted));
      if (path !== null) return path;
      throw new PlaitError('EADDRNOTAVAIL', `${wanted} is no path of this host; plait doctor lists them`);
    }
    const routed = await this.#platform.sourceFor(remote).catch((error: PlaitError) => error);
    const path = typeof routed === 'string' ? await this.#pathFor(routed) : null;
    if (path !== null) return path;
    const family = familyOf(remote);
    for (const other of this.#stack.paths().filter(({ address }) => familyOf(address) === family)) {
      // The address may be no path, and a rule may have a route for other addresses only.
      if (typeof routed === 'string' || (await this.#leadsTo(remote, other.address))) return other;
    }
    if (routed instanceof PlaitError) throw routed;
    throw new PlaitError(
      'EHOSTUNREACH',
      `no IPv${family} path leads to ${remote}; plait doctor lists the paths`,
    );
  }

  #leadsTo(remote: string, local: string): Promise<boolean> {
    return this.#platform.sourceFor(remote, local).then(
      () => true,
      () => false,
    );
  }

  createServer(onConnection?: (socket: Socket) => void): Server {
    const provide = async (address: string): Promise<string> => {
      const bare = await this.#platform.resolve(address);
      await this.#pathFor(bare);
      return bare;
    };
    return new PlaitServer(this.#stack, (socket) => this.#track(socket), provide, onConnection);
  }

  #track(socket: PlaitSocket): void {
    this.#sockets.add(socket);
    // Its handshake was under way when the host began to close.
    if (this.#closed) socket.destroy();
    socket.once('close', () => this.#sockets.delete(socket));
  }

  paths(): readonly Path[] {
    return this.#stack.paths();
  }

  deviceStats(): DeviceStats {
    return this.#platform.device.statistics?.() ?? { dropped: null, paths: [] };
  }

  counters(): Counters {
    return this.#stack.counters();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#stack.run(this.#driver.now());
    // Subflows say goodbye; only TIME-WAITs, which need no host, may be left.
    const until = this.#driver.now() + GRACE;
    while (this.#stack.busy() && this.#driver.now() < until) await this.#driver.sleep(GRACE_STEP);
    this.#stack.close();
    this.#driver.close();
    await this.#platform.finish();
    this.events.close();
  }
}

const keyOf = ({ name, address }: LocalAddress): string => `${name} ${address}`;
