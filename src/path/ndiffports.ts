/** Several subflows over the first pair of addresses, told apart by their source ports. */
import type { Path } from '../io/device.js';
import type { Connection } from '../stack/connection.js';
import type { Stack, SubflowDown } from '../stack/stack.js';
import { Joins } from './joins.js';
import type { Policy } from './policy.js';
import * as abi from '../../assembly/abi.js';

export class NDiffPorts implements Policy {
  readonly #stack: Stack;
  /** Subflows per connection, the first one included. */
  readonly #count: number;
  readonly #states = new Map<Connection, Joins>();

  constructor(stack: Stack, count: number) {
    this.#stack = stack;
    this.#count = count;
  }

  established(connection: Connection): void {
    if (!connection.isClient || connection.deniesJoin) return;
    const joins = new Joins(this.#stack, connection, () => this.#joinMore(connection, joins));
    this.#states.set(connection, joins);
    this.#joinMore(connection, joins);
  }

  subflowUp(connection: Connection, subflow: number): void {
    this.#states.get(connection)?.up(subflow);
  }

  subflowDown(connection: Connection, down: SubflowDown): void {
    const joins = this.#states.get(connection);
    if (joins === undefined) return;
    const mine = joins.down(down) !== 'foreign';
    if (connection.liveSubflows().length === 0) {
      // A peer that refuses our only way back has forgotten the connection.
      if (mine && down.reason === abi.CLOSE_REFUSED) {
        connection.abort();
        return;
      }
      joins.hurry();
    }
    if (down.reason !== abi.CLOSE_NORMAL) this.#joinMore(connection, joins);
  }

  addressAdded(): void {}
  addressRemoved(): void {}

  closed(connection: Connection): void {
    this.#states.get(connection)?.close();
    this.#states.delete(connection);
  }

  pathAdded(path: Path): void {
    for (const [connection, joins] of this.#states) {
      joins.forget((target) => target.path.id === path.id);
      this.#joinMore(connection, joins);
    }
  }

  pathUp(path: Path): void {
    for (const [connection, joins] of this.#states) {
      joins.hurry((target) => target.path.id === path.id);
      this.#joinMore(connection, joins);
    }
  }

  pathRemoved(): void {}

  #joinMore(connection: Connection, joins: Joins): void {
    if (connection.handle === 0 || connection.over || !connection.info().mptcp) return;
    const path = this.#stack.paths().find(({ address }) => address === connection.localAddress);
    if (path === undefined) return;
    const { remoteAddress: address, remotePort: port } = connection;
    const live = connection.liveSubflows();
    // The first subflow has no slot.
    const slots = this.#count - (live.some(({ joined }) => !joined) ? 1 : 0);
    let missing = this.#count - live.length - joins.opening;
    for (let slot = 0; slot < slots && missing > 0; slot++) {
      if (joins.open({ path, localId: 0, remoteId: 0, address, port, backup: false, slot })) missing--;
    }
  }
}
