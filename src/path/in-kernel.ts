/**
 * The policy of endpoints and limits, as Linux' in-kernel path manager applies it. Either side announces its `signal`
 * endpoints, one after the other, and joins the peer from its `subflow` endpoints; announced addresses are joined from
 * where the routing table says, from every `fullmesh` endpoint, or from a `laminar` one that is free.
 *
 * An endpoint is tried once. Beyond the kernel, a refusal that the peer calls transient is tried again (joins.ts), and so
 * are the endpoints of a path that was down; a connection without subflows tries whatever path there is.
 */
import * as abi from '../../assembly/abi.js';
import { familyOf } from '../core/address.js';
import type { Path } from '../io/device.js';
import type { Connection } from '../stack/connection.js';
import type { SubflowInfo } from '../stack/info.js';
import type { Stack, SubflowDown } from '../stack/stack.js';
import type { EndpointTable, PathEndpoint } from './endpoints.js';
import { Joins } from './joins.js';
import { sameSubnet, type RemoteAddress } from './pairing.js';
import type { Policy } from './policy.js';

/** Addresses of the peer that are remembered per connection. */
const MAX_REMOTE = 8;

interface State {
  /** IDs of endpoints that were announced or joined from, or are the first subflow's. */
  readonly used: Set<number>;
  /** Subflow endpoints in use beside the first subflow's. */
  localsUsed: number;
  /** Of the peer's IDs, those that a join was made for. */
  readonly accepted: Set<number>;
  /** What the peer announced, by ID. */
  readonly remotes: Map<number, RemoteAddress>;
  /** Endpoint of the first subflow's local address: it has ID 0 on this connection. 0: none. */
  initialId: number;
  readonly joins: Joins;
}

interface World {
  /** An endpoint for an address that has none (the table changes). */
  implicit(address: string): PathEndpoint | null;
  /** Local address from which the routing table leads to a remote one. */
  readonly sourceFor: ((remote: string) => Promise<string | null>) | null;
}

/** The local end of a join. */
interface Source {
  readonly path: Path;
  /** Address ID on this connection. */
  readonly id: number;
  readonly backup: boolean;
}

export class InKernel implements Policy {
  readonly #stack: Stack;
  readonly #table: EndpointTable;
  readonly #world: World;
  readonly #states = new Map<Connection, State>();

  constructor(stack: Stack, table: EndpointTable, world: World) {
    this.#stack = stack;
    this.#table = table;
    this.#world = world;
  }

  // ---- what happens to a connection -----------------------------------------------------------------------------

  established(connection: Connection): void {
    const joins = new Joins(this.#stack, connection, () => this.#again(connection, state));
    const state: State = {
      used: new Set(),
      localsUsed: 0,
      accepted: new Set(),
      remotes: new Map(),
      initialId: 0,
      joins,
    };
    this.#states.set(connection, state);
    const initial = this.#table.forLocal(connection.localAddress, connection.localPort);
    if (initial !== null) {
      state.used.add(initial.id);
      state.initialId = initial.id;
      const [first] = connection.liveSubflows();
      // MP_CAPABLE has no backup flag (RFC 8684 section 3.3.8).
      if (initial.backup && first !== undefined) this.#stack.setBackup(first.id, true);
    }
    this.#work(connection, state);
  }

  subflowUp(connection: Connection, subflow: number): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    state.joins.up(subflow);
    this.#work(connection, state);
  }

  subflowDown(connection: Connection, down: SubflowDown): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    const mine = state.joins.down(down) !== 'foreign';
    if (usable(connection).length === 0) {
      // A peer that refuses our only way back has forgotten the connection.
      if (mine && down.reason === abi.CLOSE_REFUSED && connection.isClient) {
        connection.abort();
        return;
      }
      state.joins.hurry();
    }
    this.#again(connection, state);
  }

  addressAdded(connection: Connection, id: number, address: string, port: number): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    const initial = address === connection.remoteAddress && (port === 0 || port === connection.remotePort);
    // Nobody else's address may take the place of the first one.
    if (id === 0 && !initial) return;
    const { addAddrAccepted, subflows } = this.#table.limits;
    const room = state.accepted.size < addAddrAccepted && this.#extra(connection, state) < subflows;
    const instead = this.#denied(connection, state);
    if (id !== 0 && !room && !instead) return;
    if (state.remotes.has(id) || state.remotes.size < MAX_REMOTE) {
      state.remotes.set(id, { id, address, port: port === 0 ? connection.remotePort : port });
    }
    const known = usable(connection).some(
      ({ remote }) => remote.address === address && (port === 0 || remote.port === port),
    );
    if (known) return;
    state.joins.forget((target) => target.address === address && target.remoteId === id);
    const remote = { id, address, port: port === 0 ? connection.remotePort : port };
    const open = (sources: readonly Source[]): void => {
      const opened = sources.filter((source) => this.#join(state, source, remote));
      if (opened.length > 0 && id !== 0) state.accepted.add(id);
    };
    const chosen = this.#chosenSources(connection, state, remote, instead);
    if (chosen !== null) open(chosen);
    else this.#routedSource(connection, state, remote.address, (source) => open([source]));
  }

  addressRemoved(connection: Connection, id: number): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    state.accepted.delete(id);
    state.remotes.delete(id);
    state.joins.forget(({ remoteId }) => remoteId === id);
  }

  closed(connection: Connection): void {
    this.#states.get(connection)?.joins.close();
    this.#states.delete(connection);
  }

  // ---- what happens to addresses ----------------------------------------------------------------------------------

  pathAdded(path: Path): void {
    for (const [connection, state] of this.#states) {
      state.joins.forget((target) => target.path.id === path.id);
      const entry = this.#table.forLocal(path.address, 0);
      if (entry !== null) this.#free(state, entry);
      this.#work(connection, state);
    }
  }

  pathUp(path: Path): void {
    const entry = this.#table.forLocal(path.address, 0);
    for (const [connection, state] of this.#states) {
      state.joins.hurry((target) => target.path.id === path.id);
      if (entry !== null && !this.#isInUse(connection, state, entry)) this.#free(state, entry);
      this.#again(connection, state);
    }
  }

  pathRemoved(path: Path): void {
    for (const [connection, state] of this.#states) {
      const ids = new Set<number>();
      for (const entry of this.#table.entries) {
        if (entry.address !== path.address) continue;
        if (connection.announcer.forget(this.#idOf(state, entry))) ids.add(this.#idOf(state, entry));
        this.#free(state, entry);
      }
      for (const subflow of connection.liveSubflows()) if (subflow.path === path.id) ids.add(subflow.localId);
      if (ids.size > 0) this.#stack.withdraw(connection, [...ids]);
      state.joins.forget((target) => target.path.id === path.id);
    }
  }

  endpointAdded(entry: PathEndpoint): void {
    for (const [connection, state] of this.#states) {
      const { localAddress, localPort } = connection;
      const initial = entry.address === localAddress && (entry.port === 0 || entry.port === localPort);
      if (initial) state.initialId = entry.id;
      state.joins.forget(({ path }) => path.address === entry.address);
      this.#work(connection, state);
    }
  }

  endpointRemoved(entry: PathEndpoint): void {
    for (const [connection, state] of this.#states) {
      const id = this.#idOf(state, entry);
      const announced = connection.announcer.forget(id);
      const used = fromAddress(connection, entry);
      if (announced || (used.length > 0 && !entry.implicit)) this.#stack.withdraw(connection, [id]);
      this.#close(used.filter(({ localId }) => localId === id));
      if (announced || entry.subflow) this.#free(state, entry);
      if (state.initialId === entry.id) state.initialId = 0;
      state.joins.forget(({ path }) => path.address === entry.address);
    }
  }

  /** The first subflow's address of the connections that began at `address` (ID 0). */
  initialRemoved(address: string): void {
    for (const [connection, state] of this.#states) {
      if (connection.localAddress !== address) continue;
      connection.announcer.forget(0);
      this.#stack.withdraw(connection, [0]);
      this.#close(usable(connection).filter(({ localId }) => localId === 0));
      state.used.delete(state.initialId);
    }
  }

  flushed(entries: readonly PathEndpoint[]): void {
    for (const [connection, state] of this.#states) {
      const announced = entries
        .map((entry) => this.#idOf(state, entry))
        .filter((id) => connection.announcer.forget(id));
      if (announced.length > 0) this.#stack.withdraw(connection, announced);
      for (const entry of entries) {
        const id = this.#idOf(state, entry);
        this.#close(fromAddress(connection, entry).filter(({ localId }) => localId === id));
      }
      state.used.clear();
      state.localsUsed = 0;
      state.initialId = 0;
    }
  }

  endpointChanged(before: PathEndpoint, after: PathEndpoint): void {
    for (const [connection, state] of this.#states) {
      if (before.backup !== after.backup) {
        // As Linux: the first one speaks for the endpoint.
        const [first] = fromAddress(connection, after);
        if (first !== undefined) this.#stack.setBackup(first.id, after.backup);
      }
      if (before.fullmesh === after.fullmesh || !after.subflow) continue;
      const id = this.#idOf(state, after);
      this.#close(usable(connection).filter(({ localId }) => localId === id));
      state.joins.forget(({ path }) => path.address === after.address);
      this.#free(state, after);
      this.#work(connection, state);
    }
  }

  /** There may be room for more now. */
  limitsChanged(): void {
    for (const [connection, state] of this.#states) this.#work(connection, state);
  }

  // ---- announcing and joining -----------------------------------------------------------------------------------

  /** Announces the next address, and joins from the endpoints that are left. */
  #work(connection: Connection, state: State): void {
    if (connection.handle === 0 || connection.over || !connection.info().mptcp) return;
    const both = this.#announceNext(connection, state);
    // Where the peer forbids joins to its first address, the endpoints are kept for those that it announces.
    if (this.#denied(connection, state)) return;
    const { subflows } = this.#table.limits;
    let next = both;
    while (state.localsUsed < this.#table.count('subflow') && this.#extra(connection, state) < subflows) {
      next ??= this.#table.entries.find((one) => one.subflow && !state.used.has(one.id)) ?? null;
      if (next === null) return;
      const entry = next;
      next = null;
      state.used.add(entry.id);
      if (entry.id !== state.initialId) state.localsUsed++;
      const source = this.#sourceOf(state, entry);
      if (source === null) continue;
      for (const remote of this.#remotesFor(connection, source, entry)) {
        if (this.#extra(connection, state) >= subflows) break;
        this.#join(state, source, remote);
      }
    }
  }

  /** Sends ADD_ADDR for one more endpoint. Returns it when it is to be joined from as well. */
  #announceNext(connection: Connection, state: State): PathEndpoint | null {
    const entry = this.#table.entries.find((one) => one.signal && !state.used.has(one.id));
    if (entry === undefined) return null;
    const settled = (): void => this.#work(connection, state);
    if (!connection.announcer.announce(this.#idOf(state, entry), entry.address, entry.port, settled))
      return null;
    state.used.add(entry.id);
    return entry.subflow ? entry : null;
  }

  /** Tries again what the peer invites to, then goes on. */
  #again(connection: Connection, state: State): void {
    if (connection.handle === 0 || connection.over || !connection.info().mptcp) return;
    const { subflows } = this.#table.limits;
    const alone = usable(connection).length === 0;
    for (const target of state.joins.invited()) {
      if (this.#extra(connection, state) >= subflows) break;
      if (this.#stack.paths().some(({ id }) => id === target.path.id)) state.joins.open(target);
    }
    if (alone && connection.isClient) this.#rescue(connection, state);
    this.#work(connection, state);
  }

  /** No subflow is left: any path to any address of the peer will do (RFC 8684 section 3.8.1). */
  #rescue(connection: Connection, state: State): void {
    const { remoteAddress: address, remotePort: port } = connection;
    const remotes = [...state.remotes.values()];
    if (!connection.deniesJoin) remotes.unshift({ id: 0, address, port });
    for (const path of this.#stack.paths()) {
      for (const remote of remotes) {
        if (this.#extra(connection, state) >= Math.max(1, this.#table.limits.subflows)) return;
        if (familyOf(path.address) !== familyOf(remote.address)) continue;
        const source = this.#sourceAt(connection, state, path);
        if (source !== null) this.#join(state, source, remote);
      }
    }
  }

  #join(state: State, { path, id, backup }: Source, remote: RemoteAddress): boolean {
    const { id: remoteId, address, port } = remote;
    return state.joins.open({ path, localId: id, remoteId, address, port, backup });
  }

  /** Subflows beside the first one, those in the making included. */
  #extra(connection: Connection, state: State): number {
    return usable(connection).filter(({ joined }) => joined).length + state.joins.opening;
  }

  /** Joins to the first address are forbidden, and nothing else was asked for: announced addresses replace it. */
  #denied(connection: Connection, state: State): boolean {
    const { addAddrAccepted, subflows } = this.#table.limits;
    if (!connection.deniesJoin || addAddrAccepted > 0 || state.localsUsed > 0) return false;
    return this.#extra(connection, state) < subflows;
  }

  // ---- which pairs ------------------------------------------------------------------------------------------------

  /** Where joins from an endpoint go: the first address, or with `fullmesh` every address in use. */
  #remotesFor(connection: Connection, source: Source, entry: PathEndpoint): RemoteAddress[] {
    // Where the peer's first port is, nobody listens: an answerer joins announced addresses only (as Linux 6.18).
    if (!connection.isClient) return [];
    const { remoteAddress: address, remotePort: port, deniesJoin } = connection;
    const fits = (one: RemoteAddress): boolean =>
      familyOf(one.address) === familyOf(source.path.address) && !(deniesJoin && one.id === 0);
    if (!entry.fullmesh) return [{ id: 0, address, port }].filter(fits);
    const taken = new Set<number>();
    const remotes = new Map<number, RemoteAddress>();
    for (const { localId, remoteId, remote } of usable(connection)) {
      if (localId === source.id) taken.add(remoteId);
      if (!remotes.has(remoteId)) remotes.set(remoteId, { id: remoteId, ...remote });
    }
    return [...remotes.values()].filter((one) => !taken.has(one.id) && fits(one));
  }

  /** The endpoints from which an announced address is joined; null: that is left to the routing table. */
  #chosenSources(
    connection: Connection,
    state: State,
    remote: RemoteAddress,
    instead: boolean,
  ): Source[] | null {
    const { subflows } = this.#table.limits;
    const room = subflows - this.#extra(connection, state);
    const fits = ({ path }: Source): boolean => familyOf(path.address) === familyOf(remote.address);
    const sources = (entries: readonly PathEndpoint[]): Source[] =>
      entries
        .map((entry) => this.#sourceOf(state, entry))
        .filter((one): one is Source => one !== null && fits(one));
    const take = (entry: PathEndpoint | undefined): void => {
      if (entry === undefined || !entry.subflow || state.used.has(entry.id)) return;
      state.used.add(entry.id);
      if (entry.id !== state.initialId) state.localsUsed++;
    };
    const { entries } = this.#table;
    if (this.#table.count('fullmesh') > 0) {
      const mesh = sources(entries.filter((entry) => entry.fullmesh));
      const chosen = mesh.slice(0, room);
      if (instead)
        for (const { path } of chosen) take(entries.find((entry) => entry.address === path.address));
      // Where none is of the announced family, it is as without any.
      if (mesh.length > 0) return chosen;
    }
    if (this.#table.count('laminar') > 0) {
      const busy = new Set(usable(connection).map(({ localId }) => localId));
      const free = entries.filter((entry) => entry.laminar && !busy.has(this.#idOf(state, entry)));
      const [chosen] = sources(free);
      if (chosen === undefined) return [];
      take(entries.find((entry) => entry.laminar && entry.address === chosen.path.address));
      return [chosen];
    }
    if (instead) {
      const unused = entries.filter(
        (one) => one.subflow && !state.used.has(one.id) && one.id !== state.initialId,
      );
      const chosen = sources(unused).slice(0, room);
      for (const { path } of chosen) take(unused.find((entry) => entry.address === path.address));
      return chosen;
    }
    return null;
  }

  /** `use` gets the local end from which the routing table leads to an address. */
  #routedSource(connection: Connection, state: State, address: string, use: (source: Source) => void): void {
    const take = (local: string | null): void => {
      if (connection.handle === 0 || connection.over) return;
      const path =
        this.#stack.paths().find((one) => one.address === local) ?? this.#guess(connection, address);
      const source = path === null ? null : this.#sourceAt(connection, state, path);
      if (source !== null) use(source);
    };
    if (this.#world.sourceFor === null) take(null);
    else void this.#world.sourceFor(address).then(take);
  }

  /** Without a routing table: the path of the same subnet, else the first subflow's, else any of the family. */
  #guess(connection: Connection, address: string): Path | null {
    const paths = this.#stack.paths().filter((path) => familyOf(path.address) === familyOf(address));
    const near = paths.find((path) => sameSubnet(path.address, address));
    return near ?? paths.find((path) => path.address === connection.localAddress) ?? paths[0] ?? null;
  }

  #sourceOf(state: State, entry: PathEndpoint): Source | null {
    const paths = this.#stack.paths().filter(({ address }) => address === entry.address);
    const path = paths.find(({ name }) => name === entry.dev) ?? paths[0];
    return path === undefined ? null : { path, id: this.#idOf(state, entry), backup: entry.backup };
  }

  /** A local address as such; it becomes an implicit endpoint if need be. */
  #sourceAt(connection: Connection, state: State, path: Path): Source | null {
    const found = this.#table.forLocal(path.address, 0);
    const backup = found?.backup === true;
    if (path.address === connection.localAddress) return { path, id: 0, backup };
    const entry = found ?? this.#world.implicit(path.address);
    return entry === null ? null : { path, id: this.#idOf(state, entry), backup };
  }

  #idOf(state: State, entry: PathEndpoint): number {
    return entry.id === state.initialId ? 0 : entry.id;
  }

  #isInUse(connection: Connection, state: State, entry: PathEndpoint): boolean {
    return connection.announcer.has(this.#idOf(state, entry)) || fromAddress(connection, entry).length > 0;
  }

  /** The endpoint may be used again. */
  #free(state: State, entry: PathEndpoint): void {
    if (!state.used.delete(entry.id)) return;
    if (entry.subflow && entry.id !== state.initialId && state.localsUsed > 0) state.localsUsed--;
  }

  #close(subflows: readonly SubflowInfo[]): void {
    for (const { id } of subflows) this.#stack.finishSubflow(id);
  }
}

const CLOSING: ReadonlySet<string> = new Set([
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSED',
]);

/** Subflows that are not on their way out. */
function usable(connection: Connection): SubflowInfo[] {
  return connection.liveSubflows().filter(({ state, closing }) => !closing && !CLOSING.has(state));
}

function fromAddress(connection: Connection, entry: PathEndpoint): SubflowInfo[] {
  return usable(connection).filter(
    ({ local }) => local.address === entry.address && (entry.port === 0 || local.port === entry.port),
  );
}
