/**
 * The path manager of a host (RFC 8684 section 3.4): hands each connection to a policy, and keeps the endpoint table,
 * the limits and the ports that endpoints announce. As soon as there is an endpoint, endpoints decide (in-kernel.ts);
 * until then it is the policy that the host was made with.
 */
import * as abi from '../../assembly/abi.js';
import { addressBytes, addressText } from '../core/address.js';
import { PlaitError } from '../errors.js';
import type { Path } from '../io/device.js';
import type { Connection } from '../stack/connection.js';
import { addressId } from '../stack/path-table.js';
import type { PathPolicy, Stack, SubflowDown } from '../stack/stack.js';
import { Automatic } from './automatic.js';
import {
  EndpointTable,
  type EndpointChange,
  type EndpointName,
  type EndpointSpec,
  type PathEndpoint,
  type PathLimits,
} from './endpoints.js';
import { InKernel } from './in-kernel.js';
import type { EndpointControl } from './ip-mptcp.js';
import { NDiffPorts } from './ndiffports.js';
import type { Policy } from './policy.js';

/** `ndiffports` alone means two subflows. */
export type PathManagerName =
  'laminar' | 'fullmesh' | 'none' | 'endpoints' | 'ndiffports' | `ndiffports:${number}`;

export interface PathManagerHooks {
  /** Local address from which the routing table leads to a remote one, null when none does. */
  readonly sourceFor?: (remote: string) => Promise<string | null>;
  readonly endpointAdded?: (entry: PathEndpoint) => void;
}

export class PathManager implements PathPolicy, EndpointControl {
  readonly #stack: Stack;
  readonly #table = new EndpointTable();
  readonly #inKernel: InKernel;
  readonly #initial: Policy;
  readonly #policies = new Map<Connection, Policy>();
  /** What gives the port of an endpoint back, by its ID. */
  readonly #ports = new Map<number, () => void>();
  readonly #hooks: PathManagerHooks;
  #endpointMode: boolean;

  /** Throws EINVAL for a name that does not exist. */
  constructor(stack: Stack, name: PathManagerName, hooks: PathManagerHooks = {}) {
    this.#stack = stack;
    this.#hooks = hooks;
    this.#inKernel = new InKernel(stack, this.#table, {
      implicit: (address) => this.#addImplicit(address),
      sourceFor: hooks.sourceFor ?? null,
    });
    this.#initial = initialPolicy(stack, name) ?? this.#inKernel;
    this.#endpointMode = this.#initial === this.#inKernel;
    if (this.#endpointMode) this.#synchronize();
  }

  // ---- events of the stack --------------------------------------------------------------------------------------

  established(connection: Connection): void {
    const policy = this.#endpointMode ? this.#inKernel : this.#initial;
    this.#policies.set(connection, policy);
    policy.established(connection);
  }
  subflowUp(connection: Connection, subflow: number): void {
    this.#policies.get(connection)?.subflowUp(connection, subflow);
  }
  subflowDown(connection: Connection, down: SubflowDown): void {
    this.#policies.get(connection)?.subflowDown(connection, down);
  }
  addressAdded(connection: Connection, id: number, address: string, port: number): void {
    this.#policies.get(connection)?.addressAdded(connection, id, address, port);
  }
  addressRemoved(connection: Connection, id: number): void {
    this.#policies.get(connection)?.addressRemoved(connection, id);
  }
  closed(connection: Connection): void {
    this.#policies.get(connection)?.closed(connection);
    this.#policies.delete(connection);
  }
  pathAdded(path: Path): void {
    if (this.#endpointMode) this.#synchronize();
    for (const policy of this.#active()) policy.pathAdded(path);
  }
  pathUp(path: Path): void {
    for (const policy of this.#active()) policy.pathUp(path);
  }
  pathRemoved(path: Path): void {
    for (const policy of this.#active()) policy.pathRemoved(path);
  }

  /** A join came in on an address without an endpoint, and was given this ID. */
  localIdTaken(path: number, id: number): void {
    const address = this.#stack.allPaths().find((one) => one.id === path)?.address;
    if (address !== undefined && this.#table.implicitId() === id) this.#table.addImplicit(address);
    this.#synchronize();
  }

  addressIdOf(path: number): number | null {
    if (!this.#endpointMode) return addressId(path);
    const address = this.#stack.allPaths().find(({ id }) => id === path)?.address ?? '';
    return (this.#table.forLocal(address, 0) ?? this.#addImplicit(address))?.id ?? null;
  }

  #active(): Set<Policy> {
    return new Set([this.#initial, this.#inKernel]);
  }

  // ---- endpoints and limits ---------------------------------------------------------------------------------------

  /**
   * Adds an endpoint, which live connections use at once. One with a port listens there for joins. Throws EINVAL,
   * EEXIST, EBUSY, ERANGE as the table does, and EADDRINUSE when the port is taken.
   */
  addEndpoint(spec: EndpointSpec): PathEndpoint {
    const entry = this.#table.add(spec);
    if (entry.port !== 0) {
      try {
        const { address, port, id, backup } = entry;
        this.#ports.set(id, this.#stack.openPort(address, port, id, backup));
      } catch (error) {
        this.#table.delete({ id: entry.id });
        throw error;
      }
    }
    this.#endpointMode = true;
    this.#synchronize();
    this.#hooks.endpointAdded?.(entry);
    this.#inKernel.endpointAdded(entry);
    return entry;
  }

  /**
   * Deletes an endpoint: what was announced is withdrawn, its subflows are closed. ID 0 with an address means the first
   * subflow's address of the connections that began there. Throws EINVAL when there is none.
   */
  deleteEndpoint(name: EndpointName): void {
    if (name.id === 0) {
      if (name.address === undefined) throw new PlaitError('EINVAL', 'to delete ID 0 an address is needed');
      this.#inKernel.initialRemoved(addressText(addressBytes(name.address)));
      return;
    }
    const entry = this.#table.delete(name);
    this.#stopListening(entry.id);
    this.#synchronize();
    this.#inKernel.endpointRemoved(entry);
  }

  /** Changes flags; live subflows follow. Throws EINVAL. */
  changeEndpoint(name: EndpointName, change: EndpointChange): void {
    const [before, after] = this.#table.change(name, change);
    this.#synchronize();
    this.#inKernel.endpointChanged(before, after);
  }

  /** Deletes all endpoints. */
  flushEndpoints(): void {
    const entries = this.#table.flush();
    for (const { id } of entries) this.#stopListening(id);
    this.#synchronize();
    this.#inKernel.flushed(entries);
  }

  endpoints(): readonly PathEndpoint[] {
    return this.#table.list();
  }

  limits(): PathLimits {
    return this.#table.limits;
  }

  /** Throws EINVAL. */
  setLimits(limits: Partial<PathLimits>): void {
    this.#table.setLimits(limits);
    if (this.#endpointMode) this.#synchronize();
    this.#inKernel.limitsChanged();
  }

  #addImplicit(address: string): PathEndpoint | null {
    const entry = this.#table.addImplicit(address);
    this.#synchronize();
    return entry;
  }

  #stopListening(id: number): void {
    this.#ports.get(id)?.();
    this.#ports.delete(id);
  }

  /** Tells the core what answers to joins need: IDs, backup flags, how many subflows there may be. */
  #synchronize(): void {
    if (!this.#endpointMode) return;
    const { core } = this.#stack;
    for (const path of this.#stack.allPaths()) {
      const entry = this.#table.forLocal(path.address, 0);
      core.x.setPathEndpoint(path.id, entry?.id ?? 0, entry?.backup === true ? 1 : 0);
    }
    core.x.setNextId(this.#table.implicitId());
    core.x.configure(abi.CFG_SUBFLOWS_MAX, this.#table.limits.subflows + 1);
  }
}

function initialPolicy(stack: Stack, name: PathManagerName): Policy | null {
  if (name === 'endpoints') return null;
  if (name === 'laminar' || name === 'fullmesh' || name === 'none') return new Automatic(stack, name);
  const count = name === 'ndiffports' ? 2 : Number(/^ndiffports:([1-8])$/.exec(name)?.[1] ?? NaN);
  if (Number.isNaN(count)) {
    throw new PlaitError(
      'EINVAL',
      `no path manager "${name}"; choose laminar, fullmesh, none, endpoints or ndiffports:N with N from 1 to 8`,
    );
  }
  return new NDiffPorts(stack, count);
}
