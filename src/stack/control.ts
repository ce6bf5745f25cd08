/**
 * Subflows and addresses of one connection by hand, as the userspace path manager of Linux has it. A path manager that
 * acts on its own may stay beside it; with `none` nobody else decides.
 */
import { addressBytes, addressText } from '../core/address.js';
import { PlaitError } from '../errors.js';
import type { Path } from '../io/device.js';
import type { Connection } from './connection.js';
import type { SubflowInfo } from './info.js';
import { closeError } from './names.js';
import type { SubflowDown } from './policy.js';

export interface AnnounceOptions {
  /** Address ID, 1 to 255. Default: that of the path with this address, else a free one. */
  readonly id?: number;
  /** Where joins may come in; it is open for joins from then on. Default: the port of the connection. */
  readonly port?: number;
}

export interface OpenSubflowOptions {
  /** Local address: that of a path. Default: the first subflow's. */
  readonly local?: string;
  /** Address ID of the local address. Default: that of the path. */
  readonly localId?: number;
  /** Default: the first subflow's remote address and port. */
  readonly remote?: string;
  readonly remotePort?: number;
  /** Ask the peer to send here only when nothing else works. Default false. */
  readonly backup?: boolean;
}

/** A subflow by its handle (`SubflowInfo.id`), or by its addresses and ports. */
export type SubflowName =
  | number
  | {
      readonly local: string;
      readonly localPort: number;
      readonly remote: string;
      readonly remotePort: number;
    };

/** What it needs of the stack. */
export interface ControlHost {
  paths(): Path[];
  addressIdOf(connection: Connection, path: number): number;
  nameAddress(path: number, id: number): void;
  openPort(address: string, port: number, id: number, backup: boolean): () => void;
  join(
    connection: Connection,
    path: number,
    remote: string,
    remotePort: number,
    ids: { local: number; remote: number; backup?: boolean },
    done: (error: PlaitError | null, subflow: number) => void,
  ): void;
  withdraw(connection: Connection, ids: readonly number[]): void;
  finishSubflow(subflow: number): void;
  setBackup(subflow: number, backup: boolean): void;
}

type Opened = (error: PlaitError | null, subflow: number) => void;

export class PathControl {
  readonly #host: ControlHost;
  readonly #connection: Connection;
  /** What gives the port of an announcement back, by address ID. */
  readonly #ports = new Map<number, () => void>();
  /** Joins without an end so far, by subflow. */
  readonly #opening = new Map<number, Opened>();

  constructor(host: ControlHost, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
  }

  /** Subflows that live. */
  subflows(): SubflowInfo[] {
    return this.#connection.liveSubflows();
  }

  /**
   * Announces an address of this host to the peer (ADD_ADDR), and again until the peer's echo comes. Returns its
   * address ID. Throws EINVAL, EADDRINUSE (the port), EBUSY (the port, for another ID), and as `remove` does.
   */
  announce(address: string, options: AnnounceOptions = {}): number {
    this.#check();
    const { port = 0 } = options;
    const bare = addressText(addressBytes(address));
    const id = options.id ?? this.#idOf(bare);
    if (
      !(Number.isInteger(id) && id >= 0 && id <= 255) ||
      (id === 0 && bare !== this.#connection.localAddress)
    ) {
      throw new PlaitError('EINVAL', `${id} cannot be the ID of ${bare}; give one from 1 to 255`);
    }
    if (!(Number.isInteger(port) && port >= 0 && port <= 65535)) {
      throw new PlaitError('EINVAL', `${port} is no port; give one from 1 to 65535`);
    }
    // What answers to joins at the address say has to be what was announced, or the peer could not remove it.
    const path = this.#host.paths().find((one) => one.address === bare);
    if (path !== undefined && id !== 0) this.#host.nameAddress(path.id, id);
    const close = port === 0 || id === 0 ? null : this.#host.openPort(bare, port, id, false);
    this.#closePort(id);
    if (close !== null) this.#ports.set(id, close);
    if (!this.#connection.announcer.announce(id, bare, port, () => undefined)) {
      this.#closePort(id);
      throw new PlaitError('ENOBUFS', `announce ${bare}: too many signals wait; try again`);
    }
    return id;
  }

  /**
   * Withdraws an address (REMOVE_ADDR); the peer ends its subflows there. Throws EINVAL when the peer does not know the
   * ID, EOPNOTSUPP on a connection without Multipath TCP, ERR_SOCKET_CLOSED.
   */
  remove(id: number): void {
    this.#check();
    const announced = this.#connection.announcer.forget(id);
    if (!announced && !this.subflows().some(({ localId }) => localId === id)) {
      throw new PlaitError('EINVAL', `the peer knows no address with ID ${id}`);
    }
    this.#closePort(id);
    this.#host.withdraw(this.#connection, [id]);
  }

  /**
   * Joins a subflow. `done` gets its handle once it is established, or why it is not: ECONNREFUSED, ETIMEDOUT and the
   * like from the handshake, EADDRNOTAVAIL, EINVAL, ENOBUFS (a limit), and as `remove` throws.
   */
  openSubflow(options: OpenSubflowOptions, done: Opened): void {
    const { localAddress, remoteAddress, remotePort } = this.#connection;
    const {
      local = localAddress,
      remote = remoteAddress,
      remotePort: port = remotePort,
      backup = false,
    } = options;
    let path: Path | undefined;
    try {
      this.#check();
      addressBytes(remote);
      const bare = addressText(addressBytes(local));
      path = this.#host.paths().find(({ address }) => address === bare);
      if (path === undefined) {
        throw new PlaitError('EADDRNOTAVAIL', `${local} is no path of this host; plait doctor lists them`);
      }
    } catch (error) {
      return done(error as PlaitError, 0);
    }
    const id = options.localId ?? this.#host.addressIdOf(this.#connection, path.id);
    const ids = { local: id, remote: 0, backup };
    this.#host.join(this.#connection, path.id, remote, port, ids, (error, subflow) => {
      if (error !== null) done(error, 0);
      else this.#opening.set(subflow, done);
    });
  }

  /** Ends a subflow in order; what it carries goes to the others. Throws ESRCH, and as `remove` does. */
  closeSubflow(name: SubflowName): void {
    this.#check();
    this.#host.finishSubflow(this.#find(name).id);
  }

  /** Makes a subflow backup or regular, and tells the peer (MP_PRIO). Throws ESRCH, and as `remove` does. */
  setBackup(name: SubflowName, backup: boolean): void {
    this.#check();
    this.#host.setBackup(this.#find(name).id, backup);
  }

  #find(name: SubflowName): SubflowInfo {
    const found = this.subflows().find((one) =>
      typeof name === 'number'
        ? one.id === name
        : one.local.address === name.local &&
          one.local.port === name.localPort &&
          one.remote.address === name.remote &&
          one.remote.port === name.remotePort,
    );
    if (found === undefined)
      throw new PlaitError('ESRCH', 'the connection has no such subflow; list them with info()');
    return found;
  }

  #idOf(address: string): number {
    const path = this.#host.paths().find((one) => one.address === address);
    if (path !== undefined) return this.#host.addressIdOf(this.#connection, path.id);
    const taken = new Set(this.subflows().map(({ localId }) => localId));
    let id = 1;
    while (id < 255 && (taken.has(id) || this.#connection.announcer.has(id))) id++;
    return id;
  }

  #check(): void {
    const connection = this.#connection;
    if (connection.handle === 0 || connection.over) {
      throw new PlaitError('ERR_SOCKET_CLOSED', 'the connection is closed');
    }
    const { mptcp, fullyEstablished } = connection.info();
    if (!mptcp) throw new PlaitError('EOPNOTSUPP', 'the connection is plain TCP; info().fallback says why');
    if (!fullyEstablished) {
      throw new PlaitError(
        'EAGAIN',
        'the peer has not proved that it speaks Multipath TCP; wait for "established"',
      );
    }
  }

  #closePort(id: number): void {
    this.#ports.get(id)?.();
    this.#ports.delete(id);
  }

  // ---- from the stack -----------------------------------------------------------------------------------------------

  /** @internal */
  subflowUp(subflow: number): void {
    const done = this.#opening.get(subflow);
    this.#opening.delete(subflow);
    done?.(null, subflow);
  }

  /** @internal */
  subflowDown({ subflow, reason }: SubflowDown): void {
    const done = this.#opening.get(subflow);
    this.#opening.delete(subflow);
    done?.(closeError(reason) ?? new PlaitError('ECONNRESET', 'the peer closed the subflow'), 0);
  }

  /** @internal The connection is over. */
  close(): void {
    for (const close of this.#ports.values()) close();
    this.#ports.clear();
    for (const done of this.#opening.values())
      done(new PlaitError('ERR_SOCKET_CLOSED', 'the connection is closed'), 0);
    this.#opening.clear();
  }
}
