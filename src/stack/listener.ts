/** A listening port on every path, or on one address. */
import { addressBytes, addressText } from '../core/address.js';
import type { Settings } from '../core/core.js';
import { PlaitError } from '../errors.js';
import type { Path } from '../io/device.js';
import type { Connection } from './connection.js';
import { commandError } from './names.js';
import type { Stack } from './stack.js';

const ANY = new Uint8Array(16);

export class Listener {
  /** 0 until `start` has chosen one. */
  port: number;
  readonly #stack: Stack;
  readonly #address: string | null;
  readonly #onConnection: (connection: Connection) => void;
  readonly #settings: Settings;
  /** The core's record whose settings accepted connections begin with; 0: the stack's. */
  #model = 0;
  readonly #bound = new Set<number>();
  #open = true;
  /** Connections wait in the accept queue until `Connection.take`; otherwise they are taken as they come. */
  holds = false;
  /** Called once: the port is bound on every path there was, or it failed. */
  onReady: ((error: PlaitError | null) => void) | null = null;

  constructor(
    stack: Stack,
    port: number,
    address: string | null,
    onConnection: (connection: Connection) => void,
    settings: Settings = [],
  ) {
    this.#stack = stack;
    this.port = port;
    this.#address = address;
    this.#onConnection = onConnection;
    this.#settings = settings;
  }

  /** The one address listened on, or null. */
  get address(): string | null {
    return this.#address === null ? null : addressText(this.#bytes());
  }

  /** @internal Local address (or any) and port. */
  get key(): string {
    return `${this.address ?? '*'} ${this.port}`;
  }

  /** Binds the port on the paths that exist; later ones follow by themselves. */
  start(ready: (error: PlaitError | null) => void): void {
    const paths = this.#stack.allPaths().filter((path) => this.#wants(path));
    const [first] = paths;
    const device = first === undefined ? null : this.#stack.deviceOf(first.id);
    if (first === undefined || device === null) {
      const where = this.#address ?? 'any address';
      return ready(new PlaitError('EADDRNOTAVAIL', `no path with ${where}; plait doctor lists the paths`));
    }
    if (this.port !== 0) return this.#listen(paths, ready);
    // The first path's device draws a port; it has to be free on the others, too.
    device.bind(first.id, 0, (error, port) => {
      if (error !== null) return ready(error);
      this.port = port;
      this.#listen(paths, (failed) => {
        device.unbind(first.id, port);
        ready(failed);
      });
    });
  }

  #listen(paths: readonly Path[], ready: (error: PlaitError | null) => void): void {
    const core = this.#stack.core;
    const model =
      this.#settings.length === 0 ? 0 : this.#stack.core.create(this.#stack.now(), this.#settings);
    core.setAddresses(this.#bytes());
    const result = model < 0 ? model : core.x.listen(this.port, model);
    if (result < 0) {
      if (model > 0) core.x.release(this.#stack.now(), model);
      return ready(commandError(result, `listen on port ${this.port}`));
    }
    this.#model = model;
    this.#stack.addListener(this);
    let left = paths.length;
    let failed: PlaitError | null = null;
    for (const path of paths) {
      this.#bind(path, (error) => {
        failed ??= error;
        if (--left > 0) return;
        if (failed !== null) this.close();
        ready(failed);
      });
    }
  }

  #bytes(): Uint8Array {
    return this.#address === null ? ANY : addressBytes(this.#address);
  }

  #wants(path: Path): boolean {
    // Joins come in on other paths than the one that was listened on: all of them are bound.
    return this.#address === null || path.address === this.#address;
  }

  #bind(path: Path, done: (error: PlaitError | null) => void): void {
    const device = this.#stack.deviceOf(path.id);
    if (device === null) return done(null);
    device.bind(path.id, this.port, (error) => {
      if (error === null) {
        if (this.#open) this.#bound.add(path.id);
        else device.unbind(path.id, this.port);
      }
      done(error);
    });
  }

  /** @internal A path appeared. */
  bindPath(path: Path): void {
    if (this.#open && this.#wants(path)) this.#bind(path, () => undefined);
  }
  /** @internal A path went away. */
  unbindPath(path: number): void {
    this.#bound.delete(path);
  }

  /** @internal */
  accept(connection: Connection): void {
    if (!this.holds) connection.take();
    this.#onConnection(connection);
  }

  /** Changes a setting of connections that are accepted from now on; only for a listener that began with some. */
  setOption(option: number, value: number): void {
    if (this.#model !== 0) this.#stack.core.x.setOption(this.#stack.now(), this.#model, option, value);
  }

  /** Stops accepting. Connections accepted before live on, and so do their joins' ports until they end. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const core = this.#stack.core;
    core.setAddresses(this.#bytes());
    core.x.unlisten(this.port);
    if (this.#model !== 0) core.x.release(this.#stack.now(), this.#model);
    this.#model = 0;
    this.#stack.removeListener(this);
    for (const path of this.#bound) this.#stack.deviceOf(path)?.unbind(path, this.port);
    this.#bound.clear();
  }
}
