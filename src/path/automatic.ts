/**
 * The policies that need no configuration: every usable address is a path. The side that opened the connection joins
 * pairs of addresses (pairing.ts); the other side announces its addresses.
 */
import * as abi from '../../assembly/abi.js';
import type { Path } from '../io/device.js';
import type { Connection } from '../stack/connection.js';
import { addressId } from '../stack/path-table.js';
import type { Stack, SubflowDown } from '../stack/stack.js';
import { Joins } from './joins.js';
import { sameSubnet, wantedPairs, type PairingName, type RemoteAddress } from './pairing.js';
import type { Policy } from './policy.js';

/** Subflows of one connection, the first one included (Linux' largest limit). */
const MAX_SUBFLOWS = 8;
/** Addresses that a peer may announce per connection. */
const MAX_REMOTE = 8;

interface State {
  readonly client: boolean;
  readonly remotes: Map<number, RemoteAddress>;
  readonly joins: Joins;
}

export class Automatic implements Policy {
  readonly #stack: Stack;
  readonly #pairing: PairingName;
  readonly #states = new Map<Connection, State>();

  constructor(stack: Stack, pairing: PairingName) {
    this.#stack = stack;
    this.#pairing = pairing;
  }

  /** Address IDs: 0 for the first subflow's address, else the path's own (RFC 8684 section 3.2). */
  #localId(connection: Connection, path: number): number {
    return path === connection.initialPath ? 0 : addressId(path);
  }

  established(connection: Connection): void {
    const joins = new Joins(this.#stack, connection, () => this.#joinMore(connection, state));
    const state: State = { client: connection.isClient, remotes: new Map(), joins };
    if (!connection.deniesJoin) {
      const { remoteAddress: address, remotePort: port } = connection;
      state.remotes.set(0, { id: 0, address, port });
    }
    this.#states.set(connection, state);
    if (this.#pairing === 'none') return;
    if (state.client) this.#joinMore(connection, state);
    else for (const path of this.#stack.paths()) this.#announce(connection, path);
  }

  subflowUp(connection: Connection, subflow: number): void {
    this.#states.get(connection)?.joins.up(subflow);
  }

  subflowDown(connection: Connection, down: SubflowDown): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    const mine = state.joins.down(down) !== 'foreign';
    const alone = connection.liveSubflows().length === 0;
    // A peer that refuses our only way back has forgotten the connection.
    if (alone && mine && down.reason === abi.CLOSE_REFUSED && state.client) {
      connection.abort();
      return;
    }
    if (!state.client || down.reason === abi.CLOSE_NORMAL) return;
    if (alone) state.joins.hurry();
    this.#joinMore(connection, state);
  }

  addressAdded(connection: Connection, id: number, address: string, port: number): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    if (!state.remotes.has(id) && state.remotes.size >= MAX_REMOTE) return;
    state.remotes.set(id, { id, address, port: port === 0 ? connection.remotePort : port });
    if (!state.client || this.#pairing === 'none') return;
    // A handshake towards another subnet gives way to one within ours.
    for (const subflow of connection.liveSubflows()) {
      const { local, remote, state: tcp, id: handle } = subflow;
      const better = sameSubnet(local.address, address) && !sameSubnet(local.address, remote.address);
      if (better && tcp === 'SYN_SENT') this.#stack.closeSubflow(handle, 0, true);
    }
    this.#joinMore(connection, state);
  }

  addressRemoved(connection: Connection, id: number): void {
    const state = this.#states.get(connection);
    state?.remotes.delete(id);
    state?.joins.forget(({ remoteId }) => remoteId === id);
  }

  closed(connection: Connection): void {
    this.#states.get(connection)?.joins.close();
    this.#states.delete(connection);
  }

  pathAdded(path: Path): void {
    if (this.#pairing === 'none') return;
    for (const [connection, state] of this.#states) {
      if (state.client) {
        state.joins.forget((target) => target.path.id === path.id);
        this.#joinMore(connection, state);
      } else this.#announce(connection, path);
    }
  }

  pathUp(path: Path): void {
    if (this.#pairing === 'none') return;
    for (const [connection, state] of this.#states) {
      state.joins.hurry((target) => target.path.id === path.id);
      if (state.client) this.#joinMore(connection, state);
      else if (!connection.announcer.has(this.#localId(connection, path.id)))
        this.#announce(connection, path);
    }
  }

  pathRemoved(path: Path): void {
    for (const [connection, state] of this.#states) {
      const id = this.#localId(connection, path.id);
      const announced = connection.announcer.forget(id);
      const used = connection.liveSubflows().some((subflow) => subflow.path === path.id);
      if (announced || used) this.#stack.withdraw(connection, [id]);
      state.joins.forget((target) => target.path.id === path.id);
    }
  }

  #joinMore(connection: Connection, state: State): void {
    if (this.#pairing === 'none') return;
    if (connection.handle === 0 || connection.over || !connection.info().mptcp) return;
    const live = connection.liveSubflows();
    const inUse = live.map(({ path, remote }) => ({ path, address: remote.address, port: remote.port }));
    const pairs = wantedPairs(this.#pairing, this.#stack.paths(), [...state.remotes.values()], inUse);
    let count = live.length;
    for (const { path, remote } of pairs) {
      if (count >= MAX_SUBFLOWS) break;
      const { id: remoteId, address, port } = remote;
      const localId = this.#localId(connection, path.id);
      if (state.joins.open({ path, localId, remoteId, address, port, backup: false })) count++;
    }
  }

  #announce(connection: Connection, path: Path): void {
    const id = this.#localId(connection, path.id);
    if (id === 0) return; // the peer knows it
    connection.announcer.announce(id, path.address, 0, () => undefined);
  }
}
