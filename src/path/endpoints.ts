/**
 * The endpoint table of a host and its limits, with the rules of Linux' in-kernel path manager (ip-mptcp(8)). Knows no
 * connection: who uses the table hears of changes.
 */
import { addressBytes, addressText } from '../core/address.js';
import { PlaitError } from '../errors.js';

export const ENDPOINT_FLAGS = ['signal', 'subflow', 'backup', 'fullmesh', 'laminar', 'implicit'] as const;
export type EndpointFlag = (typeof ENDPOINT_FLAGS)[number];

/** A local address and what the path manager does with it. */
export interface PathEndpoint extends Readonly<Record<EndpointFlag, boolean>> {
  /** In text form; mapped IPv4 addresses in dotted form. */
  readonly address: string;
  /** Address ID, 1 to 255 (RFC 8684 section 3.4.1). */
  readonly id: number;
  /** Announced with the address; 0: that of the connection. */
  readonly port: number;
  /** Interface that subflows from here are bound to, or null. */
  readonly dev: string | null;
}

export interface EndpointSpec extends Partial<Readonly<Record<EndpointFlag, boolean>>> {
  readonly address: string;
  /** Default: a free one. */
  readonly id?: number;
  readonly port?: number;
  readonly dev?: string;
}

/** Names an endpoint by its ID, or by its address (and port, where it has one). */
export interface EndpointName {
  readonly id?: number;
  readonly address?: string;
  readonly port?: number;
}

/** What may change on a live endpoint. */
export interface EndpointChange {
  readonly backup?: boolean;
  readonly fullmesh?: boolean;
}

export interface PathLimits {
  /** Subflows of a connection beside its first one. */
  readonly subflows: number;
  /** Announced addresses of the peer that a connection takes up. */
  readonly addAddrAccepted: number;
}

export class EndpointTable {
  #limits: PathLimits = { subflows: 2, addAddrAccepted: 0 };
  /** Those with a port come first when one is looked for, as in Linux. */
  #entries: PathEndpoint[] = [];
  #nextId = 1;

  /** In the order in which they are used. */
  get entries(): readonly PathEndpoint[] {
    return this.#entries;
  }

  /** In the order of their IDs. */
  list(): PathEndpoint[] {
    return [...this.#entries].sort((a, b) => a.id - b.id);
  }

  get limits(): PathLimits {
    return this.#limits;
  }

  /** Each from 0 to 8; throws EINVAL. */
  setLimits(limits: Partial<PathLimits>): void {
    for (const value of Object.values(limits)) {
      if (!Number.isInteger(value) || value < 0 || value > MAX_LIMIT) {
        throw new PlaitError('EINVAL', `${value} is no limit; give one from 0 to ${MAX_LIMIT}`);
      }
    }
    this.#limits = { ...this.#limits, ...limits };
  }

  /** How many endpoints have a flag. */
  count(flag: EndpointFlag): number {
    return this.#entries.filter((entry) => entry[flag]).length;
  }

  /** Adds an endpoint. Throws EINVAL, EEXIST (its address), EBUSY (its ID), ERANGE (too many). */
  add(spec: EndpointSpec): PathEndpoint {
    const { port = 0, id = 0 } = spec;
    checkSpec(spec);
    const bare = addressText(addressBytes(spec.address));
    if (this.#entries.length >= MAX_ENDPOINTS) {
      throw new PlaitError('ERANGE', `there are ${MAX_ENDPOINTS} endpoints already; delete one first`);
    }
    if (id !== 0 && this.byId(id) !== null) {
      throw new PlaitError('EBUSY', `endpoint ID ${id} is taken; choose another or none`);
    }
    const same = this.#entries.find((one) => one.address === bare && one.port === port);
    if (same !== undefined && !same.implicit) {
      throw new PlaitError('EEXIST', `${bare} is an endpoint already; change or delete that one`);
    }
    if (same !== undefined && id !== 0) {
      throw new PlaitError('EINVAL', `${bare} is in use with ID ${same.id}; add it without an ID`);
    }
    if (same !== undefined) this.#entries = this.#entries.filter((one) => one !== same);
    return this.#insert({ ...spec, address: bare, id: same?.id ?? id, port });
  }

  /** The entry for a local address that subflows use although nobody configured it; null when there is no room. */
  addImplicit(address: string): PathEndpoint | null {
    if (this.implicitId() === 0) return null;
    return this.#insert({ address, id: 0, port: 0, implicit: true });
  }

  #insert(spec: EndpointSpec & { id: number; port: number }): PathEndpoint {
    const { address, id: wanted, port, dev = null } = spec;
    if (this.#nextId === MAX_ID) this.#nextId = 1;
    const id = wanted === 0 ? this.#freeId() : wanted;
    if (id === 0) throw new PlaitError('EINVAL', 'no endpoint ID is free; delete an endpoint first');
    this.#nextId = Math.max(this.#nextId, id);
    const flag = (name: EndpointFlag): boolean => spec[name] === true;
    const entry: PathEndpoint = {
      address,
      id,
      port,
      dev,
      signal: flag('signal'),
      subflow: flag('subflow'),
      backup: flag('backup'),
      fullmesh: flag('fullmesh'),
      laminar: flag('laminar'),
      implicit: flag('implicit'),
    };
    if (port === 0) this.#entries.push(entry);
    else this.#entries.unshift(entry);
    return entry;
  }

  /** The ID that `addImplicit` would give next; 0: there is no room. */
  implicitId(): number {
    return this.#entries.length >= MAX_ENDPOINTS ? 0 : this.#freeId();
  }

  #freeId(): number {
    const from = this.#nextId === MAX_ID ? 1 : this.#nextId;
    for (let i = 0; i < MAX_ID; i++) {
      const id = ((from - 1 + i) % MAX_ID) + 1;
      if (this.byId(id) === null) return id;
    }
    return 0;
  }

  /** Changes flags. Returns the entry before and after; throws EINVAL. */
  change(name: EndpointName, change: EndpointChange): [before: PathEndpoint, after: PathEndpoint] {
    const before = this.get(name);
    if (change.fullmesh === true && (before.signal || before.implicit)) {
      throw new PlaitError('EINVAL', 'a signal or implicit endpoint cannot be fullmesh');
    }
    const { backup = before.backup, fullmesh = before.fullmesh } = change;
    const after = { ...before, backup, fullmesh };
    this.#entries = this.#entries.map((one) => (one === before ? after : one));
    return [before, after];
  }

  /** Takes an endpoint out. Throws EINVAL when there is none. */
  delete(name: EndpointName): PathEndpoint {
    const entry = this.get(name);
    this.#entries = this.#entries.filter((one) => one !== entry);
    return entry;
  }

  /** Takes out all. */
  flush(): readonly PathEndpoint[] {
    const all = this.#entries;
    this.#entries = [];
    this.#nextId = 1;
    return all;
  }

  /** The endpoint of this name. Throws EINVAL when there is none. */
  get(name: EndpointName): PathEndpoint {
    const entry = name.id !== undefined ? this.byId(name.id) : this.#byAddress(name);
    if (entry !== null) return entry;
    throw new PlaitError(
      'EINVAL',
      `there is no endpoint ${name.id ?? name.address ?? ''}; list them with show`,
    );
  }

  #byAddress({ address = '', port = 0 }: EndpointName): PathEndpoint | null {
    const bare = addressText(addressBytes(address));
    return this.#entries.find((one) => one.address === bare && one.port === port) ?? null;
  }

  byId(id: number): PathEndpoint | null {
    return this.#entries.find((one) => one.id === id) ?? null;
  }

  /** The endpoint of a local address and port of a subflow: one with a port takes that port only. */
  forLocal(address: string, port: number): PathEndpoint | null {
    return (
      this.#entries.find((one) => one.address === address && (one.port === 0 || one.port === port)) ?? null
    );
  }
}

function checkSpec(spec: EndpointSpec): void {
  const { id, port } = spec;
  if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id <= MAX_ID)) {
    throw new PlaitError('EINVAL', `${id} is no endpoint ID; give one from 1 to ${MAX_ID}`);
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65535)) {
    throw new PlaitError('EINVAL', `${port} is no port; give one from 1 to 65535`);
  }
  if (port !== undefined && port !== 0 && (spec.signal !== true || spec.subflow === true)) {
    throw new PlaitError('EINVAL', 'an endpoint with a port must be signal and not subflow');
  }
  if (spec.signal === true && spec.fullmesh === true) {
    throw new PlaitError('EINVAL', 'an endpoint cannot be both signal and fullmesh');
  }
  if (spec.implicit === true) {
    throw new PlaitError('EINVAL', 'implicit endpoints come by themselves; add it without that flag');
  }
}

const MAX_ENDPOINTS = 8;
const MAX_LIMIT = 8;
const MAX_ID = 255;
