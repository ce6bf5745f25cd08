/**
 * One host: the core, its paths over devices, its connections and listeners. Sans-IO like the core: `run` is given
 * the time, devices are called, nothing waits.
 */
import * as abi from '../../assembly/abi.js';
import * as mib from '../../assembly/mib.js';
import { addressBytes, addressText } from '../core/address.js';
import { Core, isTrap, type CoreEvent, type Settings } from '../core/core.js';
import { readCounters } from '../core/counters.js';
import type { CoreModule } from '../core/load.js';
import type { Random } from '../core/random.js';
import { PlaitError } from '../errors.js';
import type { Checksum, Device, DeviceHost, OutPacket, Path, ReceiveRing } from '../io/device.js';
import type { Timers } from '../io/timers.js';
import { Connection, type ConnectionHost } from './connection.js';
import { created, dispatch } from './dispatch.js';
import { fromFreePort } from './free-port.js';
import type { Counters } from './info.js';
import { Intake } from './intake.js';
import { readFlow } from './ip-header.js';
import { JoinPorts } from './join-ports.js';
import { Lender, type LenderHost } from './lender.js';
import { Listener } from './listener.js';
import { Monitor } from './monitor.js';
import { commandError } from './names.js';
import { addressId, PathTable } from './path-table.js';
import type { PathPolicy } from './policy.js';
import { SharedPorts } from './shared-ports.js';
import { Transmitter } from './transmitter.js';

export type { PathPolicy, SubflowDown } from './policy.js';

export interface StackOptions {
  readonly name: string;
  readonly module: CoreModule;
  readonly random: Random;
  readonly timers: Timers;
  /** Called when the stack wants to be run soon. */
  readonly wake: () => void;
  /** Called when it wants to be run now, from outside of `run`. Default: `wake`. */
  readonly runNow?: () => void;
  /** CFG_* of assembly/abi.ts, applied in order. */
  readonly config?: readonly (readonly [number, number])[];
}

/** Ports of subflows stay reserved this long after them: a late segment still finds a host that knows it. */
const LINGER = 2e6;
/** Rounds of one `run`, so that two hosts in a pipe cannot keep each other busy for ever. */
const MAX_ROUNDS = 256;

export class Stack implements DeviceHost, ConnectionHost, LenderHost {
  readonly name: string;
  readonly core: Core;
  readonly timers: Timers;
  policy: PathPolicy | null = null;
  readonly monitor = new Monitor();
  readonly #joinPorts = new JoinPorts(this);
  readonly #sharedPorts = new SharedPorts(this, LINGER);
  /** Microseconds at most until ADD_ADDR is repeated for the first time; 0: it is not. */
  addAddrTimeout = 120e6;
  readonly #wake: () => void;
  readonly #paths: PathTable;
  readonly #devices = new Set<Device>();
  readonly #connections = new Map<number, Connection>();
  /** By address and port: one port may have a listener per address. */
  readonly #listeners = new Map<string, Listener>();
  readonly #transmitter: Transmitter;
  readonly lender: Lender;
  /** Whose octets may come in buffers of their own. */
  readonly takers = new Set<Connection>();
  readonly #intake: Intake;
  #running = false;
  /** What handlers threw during this turn. */
  readonly #thrown: unknown[] = [];
  #kicked = false;
  /** Set when the core trapped: a bug of ours, nothing more can be done with this stack. */
  #broken: PlaitError | null = null;
  /** Called with the error when the core traps. */
  onBroken: ((error: PlaitError) => void) | null = null;

  constructor(options: StackOptions) {
    this.name = options.name;
    this.timers = options.timers;
    this.#wake = options.wake;
    this.core = new Core(options.module, options.random);
    this.#paths = new PathTable(this.core);
    this.#transmitter = new Transmitter(this.core, this.#paths.entries);
    this.lender = new Lender(this.core, this.#transmitter, this.#devices, this);
    const { wake, runNow = wake } = options;
    this.#intake = new Intake(this.core, this.takers, {
      wake,
      runNow: () => {
        if (!this.#running) runNow();
      },
      makeRoom: () => {
        if (!this.#running) this.run(this.now());
      },
    });
    for (const [key, value] of options.config ?? []) {
      const result = this.core.x.configure(key, value);
      if (result < 0) throw commandError(result, `configuration ${key}`);
    }
  }

  now(): number {
    return this.timers.now();
  }

  kick(): void {
    this.#kicked = true;
    if (!this.#running) this.#wake();
  }

  counters(): Counters {
    return readCounters(this.core);
  }

  // ---- paths --------------------------------------------------------------------------------------------------------

  addDevice(device: Device): void {
    this.#devices.add(device);
    device.open(this);
  }

  /** Adds a local address of a device as a path. `done` is called once, perhaps at once. */
  addPath(
    device: Device,
    info: { name: string; address: string; mtu: number },
    done?: (error: PlaitError | null, path: Path) => void,
  ): Path {
    return this.#paths.attach(device, info, (error, path) => {
      if (error === null) {
        for (const listener of this.#listeners.values()) listener.bindPath(path);
        this.#joinPorts.bindPath(path);
        this.#sharedPorts.bindPath(path);
        this.policy?.pathAdded(path);
      }
      done?.(error, path);
    });
  }

  removePath(id: number): void {
    const entry = this.#paths.entries.get(id);
    if (entry === undefined) return;
    entry.up = false; // no path for anybody any more, but its last packets leave
    this.policy?.pathRemoved(entry.path);
    this.#eachSubflow(id, (subflow) => this.closeSubflow(subflow, 0, true));
    for (const listener of this.#listeners.values()) listener.unbindPath(id);
    this.#sharedPorts.unbindPath(id);
    if (this.#running) this.#transmitter.transmit();
    else this.run(this.now());
    this.#transmitter.forget(entry);
    this.#paths.detach(entry);
  }

  /**
   * The interface of a path has another name or MTU, or it is another one with the same address. Subflows go on there; null,
   * or why they cannot.
   */
  changePath(id: number, info: { name: string; mtu: number }): PlaitError | null {
    const entry = this.#paths.entries.get(id);
    if (entry === undefined) return new PlaitError('EADDRNOTAVAIL', 'no such path');
    const error = this.#paths.change(entry, info);
    this.kick();
    return error;
  }

  #eachSubflow(path: number, act: (subflow: number) => void): void {
    for (const connection of this.#connections.values()) {
      for (const subflow of connection.liveSubflows()) if (subflow.path === path) act(subflow.id);
    }
  }

  /** Paths that work at present. */
  paths(): Path[] {
    return this.#paths.working();
  }

  /** All paths, those that are down included. */
  allPaths(): Path[] {
    return this.#paths.all();
  }

  pathName(id: number): string {
    return this.#paths.nameOf(id);
  }

  deviceOf(path: number): Device | null {
    return this.#paths.entries.get(path)?.device ?? null;
  }

  // ---- DeviceHost -----------------------------------------------------------------------------------------------------

  get receiveRing(): ReceiveRing {
    return this.#intake.ring;
  }

  receive(path: number, packet: Uint8Array, checksum: Checksum, segment = 0): boolean {
    return this.#intake.packet(path, packet, checksum, segment);
  }

  /** Like `receive`, straight out of another stack's memory (`DirectHost` of io/pipe.ts). */
  receiveFrom(path: number, packet: OutPacket, checksum: Checksum): boolean {
    return this.#intake.gather(path, packet, checksum);
  }

  /** Like `receiveFrom`, a whole batch. */
  receivePack(path: number, pack: Uint8Array, packets: number, checksum: Checksum): boolean {
    return this.#intake.pack(path, pack, packets, checksum);
  }

  receiveSegment(
    path: number,
    remote: Uint8Array,
    remotePort: number,
    localPort: number,
    segment: Uint8Array,
    joined = 0,
  ): boolean {
    const local = this.#paths.entries.get(path)?.bytes;
    if (local === undefined || segment.length < 20) return true;
    return this.#intake.segment(path, local, localPort, remote, remotePort, segment, joined);
  }

  batchOver(): void {
    this.#intake.batchOver();
  }

  noSegmentation(path: number): void {
    this.core.x.setPathOffload(path, 0);
  }

  congested(header: Uint8Array): void {
    const { local, remote, localPort, remotePort } = readFlow(header);
    this.core.setAddresses(local, remote);
    this.core.x.queueFull(localPort, remotePort);
  }

  writable(): void {
    this.#transmitter.resume();
    this.#wake();
  }

  /**
   * A path that is down keeps its address and its subflows, as in Linux: their packets may come and go through another
   * interface. What they have in flight goes to others at once, and what fails from now on is left to timeouts, until it
   * is up again.
   */
  pathState(id: number, up: boolean): void {
    const entry = this.#paths.entries.get(id);
    if (entry === undefined || entry.up === up) return;
    entry.up = up;
    const { x } = this.core;
    if (up) this.policy?.pathUp(entry.path);
    this.#eachSubflow(id, (subflow) =>
      up ? x.reviveSubflow(this.now(), subflow) : x.suspectSubflow(subflow),
    );
    this.kick();
  }

  // ---- running ----------------------------------------------------------------------------------------------------------

  /** Handles packets, deadlines and commands until nothing is left at `now`. Returns the next deadline. */
  run(now: number): number {
    if (this.#running || this.#broken !== null) return Infinity;
    this.#running = true;
    let next = Infinity;
    try {
      for (let round = 0; round < MAX_ROUNDS; round++) {
        this.#kicked = false;
        if (this.core.rxPending > 0) this.core.rxHandle(now, this.#drain);
        const more = this.core.x.poll(now);
        const events = this.#drain();
        this.core.rxRelease();
        if (round === 0) this.lender.letWrite(this.#thrown);
        const held = this.core.x.blocked() === 1;
        if (events === 0 && !this.#kicked && more === 0 && !held && this.core.rxPending === 0) break;
      }
      for (const device of this.#devices) device.flush();
      this.core.refillRandom();
      next = this.core.rxPending > 0 || this.#kicked ? now : this.core.x.deadline();
    } catch (error) {
      if (!isTrap(error)) throw error;
      this.#fail(error);
    } finally {
      this.#running = false;
    }
    this.#rethrow();
    return next;
  }

  get isIdle(): boolean {
    return !this.#running && this.#broken === null;
  }

  hold(on: boolean): void {
    this.#running = on;
  }

  /** Throws what handlers threw, after every event of the turn was handled. */
  #rethrow(): void {
    const errors = this.#thrown.splice(0);
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `handlers failed; first: ${String(errors[0])}`);
  }

  /** Sends what waits and hands out events. Returns the number of events. */
  readonly #drain = (): number => {
    this.#transmitter.transmit();
    this.core.refillRandom();
    return this.core.drainEvents(this.#guarded, this.#onEnded);
  };

  #fail(cause: Error): void {
    const error = new PlaitError(
      'ERR_PLAIT_CORE',
      `the protocol core stopped: ${cause.message}; please report this with a capture`,
    );
    this.#broken = error;
    for (const connection of this.#connections.values()) {
      connection.over = true;
      connection.error = error;
      connection.handler?.onClosed(error);
    }
    this.#connections.clear();
    this.onBroken?.(error);
  }

  // ---- opening and listening ----------------------------------------------------------------------------------------------

  /**
   * Opens a connection over a path. `done` gets it, its handshake just begun, or an error. `settings` hold from the
   * SYN on; with OPT_FAST_OPEN, data that `done` writes goes with the SYN if the peer has given a cookie.
   */
  connect(
    path: number,
    localPort: number,
    remote: string,
    remotePort: number,
    done: (error: PlaitError | null, connection: Connection | null) => void,
    settings: Settings = [],
  ): void {
    const entry = this.#paths.entries.get(path);
    if (entry === undefined) {
      done(new PlaitError('EADDRNOTAVAIL', 'no such path; see plait doctor for those found'), null);
      return;
    }
    let handle = 0;
    const open = (port: number): number => {
      handle = this.core.create(this.now(), settings);
      this.core.setAddresses(entry.bytes, addressBytes(remote));
      this.core.refillRandom();
      if (handle < 0) return handle;
      const result = this.core.x.connect(this.now(), handle, path, port, remotePort);
      if (result < 0) this.core.x.release(this.now(), handle);
      return result;
    };
    fromFreePort(entry, localPort, open, (error, port, result) => {
      if (error !== null) return done(error, null);
      if (result < 0) return done(commandError(result, `connect to ${remote}:${remotePort}`), null);
      const connection = new Connection(this, handle >>> 0, {
        path,
        local: entry.path.address,
        localPort: port,
        remote,
        remotePort,
      });
      this.#connections.set(connection.handle, connection);
      const [first] = connection.liveSubflows();
      if (first !== undefined) connection.holdPort({ subflow: first.id, path, port });
      this.kick();
      done(null, connection);
    });
  }

  /** Joins a subflow. `done` gets the subflow's handle or an error. */
  join(
    connection: Connection,
    path: number,
    remote: string,
    remotePort: number,
    ids: { local: number; remote: number; backup?: boolean },
    done: (error: PlaitError | null, subflow: number) => void,
  ): void {
    const entry = this.#paths.entries.get(path);
    if (entry === undefined) return done(new PlaitError('EADDRNOTAVAIL', 'no such path'), 0);
    const open = (port: number): number => {
      this.core.setAddresses(entry.bytes, addressBytes(remote));
      this.core.refillRandom();
      const backup = ids.backup === true ? 1 : 0;
      const { handle } = connection;
      return this.core.x.join(this.now(), handle, path, port, remotePort, ids.local, ids.remote, backup);
    };
    fromFreePort(entry, 0, open, (error, port, handle) => {
      if (error !== null) {
        this.core.count(mib.MIB_MPJoinSynTxBindErr);
        return done(error, 0);
      }
      if (handle < 0) {
        if (handle === abi.E_NOMEM) this.core.count(mib.MIB_MPJoinSynTxCreatSkErr);
        if (handle === abi.E_INUSE) this.core.count(mib.MIB_MPJoinSynTxConnectErr);
        return done(commandError(handle, `join ${remote}:${remotePort}`), 0);
      }
      connection.holdPort({ subflow: handle >>> 0, path, port });
      this.kick();
      done(null, handle >>> 0);
    });
  }

  /** Accepts connections on a port of every path, or of one address. `settings` as for `connect`. */
  listen(
    port: number,
    address: string | null,
    onConnection: (connection: Connection) => void,
    settings: Settings = [],
  ): Listener {
    return new Listener(this, port, address, onConnection, settings);
  }

  /** @internal */
  addListener(listener: Listener): void {
    this.#listeners.set(listener.key, listener);
    this.monitor.listener('LISTENER_CREATED', listener.address, listener.port);
  }
  /** @internal */
  removeListener(listener: Listener): void {
    if (this.#listeners.get(listener.key) !== listener) return;
    this.#listeners.delete(listener.key);
    this.monitor.listener('LISTENER_CLOSED', listener.address, listener.port);
  }

  /** Opens a port at an address for joins; see `JoinPorts.open`. */
  openPort(address: string, port: number, id: number, backup: boolean): () => void {
    return this.#joinPorts.open(address, port, id, backup);
  }

  /** Answers to joins on a path give this address ID from now on. */
  nameAddress(path: number, id: number): void {
    this.core.x.setPathEndpoint(path, id, 0);
  }

  /** Address ID of a path on a connection. */
  addressIdOf(connection: Connection, path: number): number {
    if (path === connection.initialPath) return 0;
    return this.policy?.addressIdOf(path) ?? addressId(path);
  }

  closeSubflow(subflow: number, reason: number, transient: boolean): void {
    this.core.x.closeSubflow(this.now(), subflow, reason, transient ? 1 : 0);
    this.kick();
  }

  /** Ends a subflow in order, after what is in flight there. */
  finishSubflow(subflow: number): void {
    this.core.x.finishSubflow(this.now(), subflow);
    this.kick();
  }

  /** Makes a subflow backup or regular for both sides (MP_PRIO). */
  setBackup(subflow: number, backup: boolean): void {
    this.core.x.setBackup(subflow, backup ? 1 : 0);
    this.kick();
  }

  /** REMOVE_ADDR for address IDs of this host. */
  withdraw(connection: Connection, ids: readonly number[]): void {
    for (const id of ids) this.core.x.removeAddress(connection.handle, id);
    this.kick();
  }

  connections(): IterableIterator<Connection> {
    return this.#connections.values();
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection.handle);
    this.lender.forget(connection);
    this.takers.delete(connection);
    this.policy?.closed(connection);
    this.monitor.closed(connection);
    connection.closeControl();
    for (const { path, port } of connection.ports) this.#unbindLater(path, port);
    connection.ports = [];
    if (connection.isAccepted) this.#sharedPorts.release(connection.localPort);
  }

  #unbindLater(path: number, port: number): void {
    const device = this.deviceOf(path);
    this.timers.at(this.now() + LINGER, () => device?.unbind(path, port));
  }

  /** Connections still have something to say on the wire. */
  busy(): boolean {
    return this.core.x.connections() > 0;
  }

  /** Stops everything at once. */
  close(): void {
    for (const connection of [...this.#connections.values()]) connection.release();
    this.run(this.now());
    for (const listener of this.#listeners.values()) listener.close();
    this.#sharedPorts.close();
    for (const device of this.#devices) device.close();
    this.#paths.entries.clear();
  }

  // ---- events ---------------------------------------------------------------------------------------------------------------

  /** The connection may be let go by an event before the one that tells of the subflow: keep its figures now. */
  readonly #onEnded = (handle: number, subflow: number): void => {
    const connection = this.#connections.get(handle);
    connection?.remember(connection.subflow(subflow));
  };

  /** A handler that throws must not cost others their events. A trap is a bug of the core: nothing goes on after it. */
  readonly #guarded = (event: CoreEvent): void => {
    try {
      dispatch(this, event);
    } catch (error) {
      if (isTrap(error)) throw error;
      this.#thrown.push(error);
    }
  };

  /** @internal */
  connection(handle: number): Connection | undefined {
    return this.#connections.get(handle);
  }

  /** @internal */
  accepted(event: CoreEvent): void {
    const first = this.#firstSubflow(event.subflow);
    // As in the core: the exact address wins.
    const listener = this.#listeners.get(`${first.local} ${event.a}`) ?? this.#listeners.get(`* ${event.a}`);
    const connection = new Connection(this, event.connection, first);
    this.#connections.set(connection.handle, connection);
    if (listener === undefined) {
      connection.release();
      return;
    }
    if (event.b === 1) created(this, connection);
    connection.isAccepted = true;
    this.#sharedPorts.hold(connection.localPort);
    listener.accept(connection);
  }

  #firstSubflow(subflow: number): {
    path: number;
    local: string;
    localPort: number;
    remote: string;
    remotePort: number;
  } {
    const { core } = this;
    core.x.subflowInfo(subflow);
    return {
      path: core.scratchU32(abi.SI_PATH),
      local: addressText(core.scratchBytes(abi.SI_LOCAL, 16)),
      localPort: core.scratchU32(abi.SI_LOCAL_PORT),
      remote: addressText(core.scratchBytes(abi.SI_REMOTE, 16)),
      remotePort: core.scratchU32(abi.SI_REMOTE_PORT),
    };
  }

  /** @internal */
  portDone(connection: Connection, subflow: number): void {
    const bound = connection.freePort(subflow);
    if (bound !== undefined) this.#unbindLater(bound.path, bound.port);
  }
}
