/** The local addresses of a host as paths: their numbers, what the core knows of them, and whether they work. */
import * as abi from '../../assembly/abi.js';
import { addressBytes } from '../core/address.js';
import type { Core } from '../core/core.js';
import type { PlaitError } from '../errors.js';
import type { Device, Path } from '../io/device.js';
import { Backlog } from './backlog.js';
import type { Outlet } from './transmitter.js';

interface ChangingPath extends Path {
  name: string;
  mtu: number;
}

export interface PathEntry extends Outlet {
  readonly path: ChangingPath;
  /** 16 octets. */
  readonly bytes: Uint8Array;
  up: boolean;
}

/** Path numbers run from 1 to this (assembly/paths.ts). */
const MAX_PATHS = 255;

/** A path's address ID on connections that did not begin there (RFC 8684 section 3.2); 0 means the first. */
export const addressId = (path: number): number => (path % MAX_PATHS) + 1;

export class PathTable {
  /** By number. */
  readonly entries = new Map<number, PathEntry>();
  readonly #core: Core;
  /** Of every path ever: subflows are told of after their path is gone. */
  readonly #names = new Map<number, string>();
  #next = 1;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Adds a local address of a device. `done` is called once, perhaps at once; without an error the path works. */
  attach(
    device: Device,
    info: { name: string; address: string; mtu: number },
    done: (error: PlaitError | null, path: Path) => void,
  ): Path {
    const path: ChangingPath = { id: this.#freeId(), ...info };
    const entry: PathEntry = {
      path,
      device,
      bytes: addressBytes(info.address),
      up: false,
      backlog: new Backlog(),
    };
    this.#names.set(path.id, path.name);
    device.attach(path, (error) => {
      if (error === null) this.#enter(entry);
      done(error, path);
    });
    return path;
  }

  #enter(entry: PathEntry): void {
    const { path, device } = entry;
    const traits =
      (device.needsChecksum ? abi.PATH_CHECKSUM : 0) |
      (device.hidesEcn?.(path.address) === true ? abi.PATH_HIDES_ECN : 0) |
      (device.collect === undefined ? 0 : abi.PATH_LENDS);
    this.#core.x.setPath(path.id, path.mtu, device.overhead, traits, addressId(path.id));
    this.#core.x.setPathOffload(path.id, device.segmentation ?? 0);
    entry.up = true;
    this.entries.set(path.id, entry);
  }

  /** Its interface is another one, or has other traits. An error: it cannot go on, and has to be attached anew. */
  change({ path, device }: PathEntry, info: { name: string; mtu: number }): PlaitError | null {
    Object.assign(path, info);
    this.#names.set(path.id, path.name);
    const error = device.changed?.(path.id) ?? null;
    if (error !== null) return error;
    this.#core.x.setPathMtu(path.id, path.mtu);
    this.#core.x.setPathOffload(path.id, device.segmentation ?? 0);
    return null;
  }

  /** Its last packets have left. */
  detach({ path, device }: PathEntry): void {
    this.entries.delete(path.id);
    device.detach(path.id);
    this.#core.x.setPath(path.id, 0, 0, 0, 0);
  }

  /** The core's table has 255 paths; addresses come and go for longer than that, so numbers are used again. */
  #freeId(): number {
    let id: number;
    let tries = 0;
    do {
      id = this.#next;
      this.#next = (id % MAX_PATHS) + 1;
    } while (this.entries.has(id) && ++tries < MAX_PATHS);
    return id;
  }

  /** Paths that work at present. */
  working(): Path[] {
    return [...this.entries.values()].filter(({ up }) => up).map(({ path }) => path);
  }

  /** All paths, those that are down included. */
  all(): Path[] {
    return [...this.entries.values()].map(({ path }) => path);
  }

  nameOf(id: number): string {
    return this.#names.get(id) ?? '';
  }
}
