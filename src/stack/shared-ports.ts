/**
 * Ports of accepted connections: joins may come in there on every path, even after the listener is gone. Each is bound
 * once, however many connections there are.
 */
import type { Device, Path } from '../io/device.js';
import type { Cancel, Timers } from '../io/timers.js';

/** What it needs of the stack. */
export interface SharedPortsHost {
  readonly timers: Timers;
  allPaths(): Path[];
  deviceOf(path: number): Device | null;
}

interface Shared {
  /** Connections. */
  users: number;
  readonly paths: Set<number>;
  /** Ends the wait after the last connection. */
  cancel: Cancel | null;
}

export class SharedPorts {
  readonly #host: SharedPortsHost;
  readonly #linger: number;
  readonly #ports = new Map<number, Shared>();

  /** `linger`: microseconds that a port stays bound after its last connection. */
  constructor(host: SharedPortsHost, linger: number) {
    this.#host = host;
    this.#linger = linger;
  }

  /** One more connection. */
  hold(port: number): void {
    let shared = this.#ports.get(port);
    if (shared === undefined) {
      shared = { users: 0, paths: new Set(), cancel: null };
      this.#ports.set(port, shared);
      for (const path of this.#host.allPaths()) this.#bind(port, shared, path.id);
    }
    shared.users++;
    shared.cancel?.();
    shared.cancel = null;
  }

  /** One less. */
  release(port: number): void {
    const shared = this.#ports.get(port);
    if (shared === undefined || --shared.users > 0) return;
    const { timers } = this.#host;
    shared.cancel = timers.at(timers.now() + this.#linger, () => {
      this.#ports.delete(port);
      for (const path of shared.paths) this.#host.deviceOf(path)?.unbind(path, port);
    });
  }

  /** A path appeared. */
  bindPath(path: Path): void {
    for (const [port, shared] of this.#ports) this.#bind(port, shared, path.id);
  }

  /** A path went away, and what was bound there with it. */
  unbindPath(path: number): void {
    for (const { paths } of this.#ports.values()) paths.delete(path);
  }

  close(): void {
    for (const { cancel } of this.#ports.values()) cancel?.();
    this.#ports.clear();
  }

  #bind(port: number, shared: Shared, path: number): void {
    const device = this.#host.deviceOf(path);
    device?.bind(path, port, (error) => {
      if (error !== null) return;
      if (this.#ports.get(port) === shared) shared.paths.add(path);
      else device.unbind(path, port);
    });
  }
}
