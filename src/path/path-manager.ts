/**
 * The path manager: which subflows to open, which addresses to announce, when to try again (RFC 8684 section 3.4).
 *
 * The side that opened the connection joins; the other side announces its addresses. Local addresses that appear
 * later are used, those that go away are withdrawn with REMOVE_ADDR.
 */
import * as abi from '../../assembly/abi.js';
import type { Path } from '../io/device.js';
import type { Cancel } from '../io/timers.js';
import type { Connection } from '../stack/connection.js';
import { addressId, type PathPolicy, type Stack, type SubflowDown } from '../stack/stack.js';
import { sameSubnet, wantedPairs, type PairingName, type RemoteAddress } from './pairing.js';

/** Subflows of one connection, the first one included (Linux' largest limit). */
const MAX_SUBFLOWS = 8;
/** Addresses that a peer may announce per connection. */
const MAX_REMOTE = 8;
/** First wait before a join is tried again, doubled each time, and its limit; microseconds. */
const RETRY_FIRST = 1e6;
const RETRY_LAST = 60e6;
/** A refused pair is not tried again soon (RFC 8684 section 3.6: reasons 3, 4, 6). */
const RETRY_REFUSED = 30e6;
/** Waits before ADD_ADDR is repeated without an echo: about a timeout, then doubled, three times (as Linux). */
const ANNOUNCE_FIRST = 500e3;
const ANNOUNCE_TRIES = 4;

interface Attempt {
  wait: number;
  /** Not before this time. */
  notBefore: number;
  /** Handle of the subflow in handshake or established; 0: none. */
  subflow: number;
  binding: boolean;
}

interface Announcement {
  readonly path: Path;
  tries: number;
  cancel: Cancel | null;
}

interface State {
  readonly client: boolean;
  readonly remotes: Map<number, RemoteAddress>;
  /** By "path id > remote address:port". */
  readonly attempts: Map<string, Attempt>;
  readonly announcements: Map<number, Announcement>;
  retry: Cancel | null;
}

export class PathManager implements PathPolicy {
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

  // ---- events of the stack --------------------------------------------------------------------------------------

  established(connection: Connection): void {
    const client = connection.isClient;
    const state: State = {
      client,
      remotes: new Map(),
      attempts: new Map(),
      announcements: new Map(),
      retry: null,
    };
    if (!connection.deniesJoin) {
      const { remoteAddress: address, remotePort: port } = connection;
      state.remotes.set(0, { id: 0, address, port });
    }
    this.#states.set(connection, state);
    if (this.#pairing === 'none') return;
    if (client) this.#joinMore(connection, state);
    else for (const path of this.#stack.paths()) this.#announce(connection, state, path);
  }

  subflowUp(connection: Connection, subflow: number): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    for (const attempt of state.attempts.values()) {
      if (attempt.subflow === subflow) attempt.wait = RETRY_FIRST;
    }
  }

  subflowDown(connection: Connection, down: SubflowDown): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    let mine = false;
    for (const attempt of state.attempts.values()) {
      if (attempt.subflow !== down.subflow) continue;
      mine = true;
      attempt.subflow = 0;
      const refused = down.reason === abi.CLOSE_REFUSED && !down.transient;
      attempt.notBefore =
        this.#stack.now() + (refused ? Math.max(attempt.wait, RETRY_REFUSED) : attempt.wait);
      attempt.wait = Math.min(attempt.wait * 2, RETRY_LAST);
    }
    const alone = connection.liveSubflows().length === 0;
    // A peer that refuses our only way back has forgotten the connection.
    if (alone && mine && down.reason === abi.CLOSE_REFUSED && state.client) {
      connection.abort();
      return;
    }
    if (state.client && down.reason !== abi.CLOSE_NORMAL && this.#pairing !== 'none') {
      if (alone) for (const attempt of state.attempts.values()) attempt.notBefore = 0;
      this.#joinMore(connection, state);
    }
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

  addressEchoed(connection: Connection, id: number): void {
    const announcement = this.#states.get(connection)?.announcements.get(id);
    announcement?.cancel?.();
    if (announcement !== undefined) announcement.cancel = null;
  }

  addressRemoved(connection: Connection, id: number): void {
    this.#states.get(connection)?.remotes.delete(id);
  }

  closed(connection: Connection): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    state.retry?.();
    for (const announcement of state.announcements.values()) announcement.cancel?.();
    this.#states.delete(connection);
  }

  pathAdded(path: Path): void {
    if (this.#pairing === 'none') return;
    for (const [connection, state] of this.#states) {
      if (state.client) {
        for (const [key, attempt] of state.attempts) {
          if (key.startsWith(`${path.id}>`)) attempt.notBefore = 0;
        }
        this.#joinMore(connection, state);
      }
      if (!state.client || state.announcements.has(this.#localId(connection, path.id))) {
        this.#announce(connection, state, path);
      }
    }
  }

  pathRemoved(path: Path): void {
    for (const [connection, state] of this.#states) {
      const id = this.#localId(connection, path.id);
      const announcement = state.announcements.get(id);
      announcement?.cancel?.();
      state.announcements.delete(id);
      if (this.#pairing !== 'none') this.#stack.withdraw(connection, id);
    }
  }

  // ---- joining ------------------------------------------------------------------------------------------------------

  #joinMore(connection: Connection, state: State): void {
    if (connection.handle === 0 || connection.over || !connection.info().mptcp) return;
    const now = this.#stack.now();
    const live = connection.liveSubflows();
    const inUse = live.map(({ path, remote }) => ({ path, address: remote.address, port: remote.port }));
    const pairs = wantedPairs(this.#pairing, this.#stack.paths(), [...state.remotes.values()], inUse);
    let count = live.length;
    let next = Infinity;
    for (const { path, remote } of pairs) {
      if (count >= MAX_SUBFLOWS) break;
      const key = `${path.id}>${remote.address}:${remote.port}`;
      let attempt = state.attempts.get(key);
      if (attempt === undefined) {
        attempt = { wait: RETRY_FIRST, notBefore: 0, subflow: 0, binding: false };
        state.attempts.set(key, attempt);
      }
      if (attempt.subflow !== 0 || attempt.binding) continue;
      if (attempt.notBefore > now) {
        next = Math.min(next, attempt.notBefore);
        continue;
      }
      count++;
      this.#join(connection, state, path, remote, attempt);
    }
    state.retry?.();
    state.retry = null;
    if (next < Infinity) {
      state.retry = this.#stack.timers.at(next, () => {
        state.retry = null;
        this.#joinMore(connection, state);
      });
    }
  }

  #join(connection: Connection, state: State, path: Path, remote: RemoteAddress, attempt: Attempt): void {
    const ids = { local: this.#localId(connection, path.id), remote: remote.id };
    attempt.binding = true;
    this.#stack.join(connection, path.id, remote.address, remote.port, ids, (error, subflow) => {
      attempt.binding = false;
      attempt.subflow = subflow;
      if (error === null || connection.handle === 0) return;
      attempt.notBefore = this.#stack.now() + attempt.wait;
      attempt.wait = Math.min(attempt.wait * 2, RETRY_LAST);
      state.retry ??= this.#stack.timers.at(attempt.notBefore, () => {
        state.retry = null;
        this.#joinMore(connection, state);
      });
    });
  }

  // ---- announcing -----------------------------------------------------------------------------------------------------

  #announce(connection: Connection, state: State, path: Path): void {
    const id = this.#localId(connection, path.id);
    if (id === 0) return; // the peer knows it
    const known = state.announcements.get(id);
    if (known !== undefined && known.cancel !== null) return;
    const announcement: Announcement = { path, tries: 0, cancel: null };
    state.announcements.set(id, announcement);
    this.#repeat(connection, announcement, id);
  }

  #repeat(connection: Connection, announcement: Announcement, id: number): void {
    announcement.cancel = null;
    if (connection.handle === 0 || connection.over || announcement.tries >= ANNOUNCE_TRIES) return;
    this.#stack.announce(connection, id, announcement.path.address, 0);
    const wait = ANNOUNCE_FIRST * 2 ** announcement.tries++;
    announcement.cancel = this.#stack.timers.at(this.#stack.now() + wait, () =>
      this.#repeat(connection, announcement, id),
    );
  }
}
