/** What the stack asks and tells the path manager. */
import type { Path } from '../io/device.js';
import type { Connection } from './connection.js';

/** Decides on subflows and addresses; src/path implements it. */
export interface PathPolicy {
  established(connection: Connection): void;
  subflowUp(connection: Connection, subflow: number): void;
  subflowDown(connection: Connection, down: SubflowDown): void;
  addressAdded(connection: Connection, id: number, address: string, port: number): void;
  addressRemoved(connection: Connection, id: number): void;
  closed(connection: Connection): void;
  pathAdded(path: Path): void;
  /** A path was down, with its address and its subflows, and works again. */
  pathUp(path: Path): void;
  /** A path is about to go; its subflows are still there. */
  pathRemoved(path: Path): void;
  /** Address ID of a path on connections that did not begin there; null: it gets none. */
  addressIdOf(path: number): number | null;
  /** A join came in on a path that had no address ID, and was given the next one. */
  localIdTaken(path: number, id: number): void;
}

export interface SubflowDown {
  readonly subflow: number;
  readonly path: number;
  readonly remote: string;
  readonly remotePort: number;
  readonly established: boolean;
  /** CLOSE_* of assembly/abi.ts. */
  readonly reason: number;
  /** MP_TCPRST reason of the peer, 255 for none. */
  readonly resetReason: number;
  readonly transient: boolean;
}
