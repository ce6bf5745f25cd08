/** One way to decide on subflows and announcements. `PathManager` asks the policy that a connection began with. */
import type { Path } from '../io/device.js';
import type { Connection } from '../stack/connection.js';
import type { SubflowDown } from '../stack/policy.js';

export interface Policy {
  /** Joins and announcements are possible from now on. */
  established(connection: Connection): void;
  subflowUp(connection: Connection, subflow: number): void;
  subflowDown(connection: Connection, down: SubflowDown): void;
  /** The peer announced an address; port 0 is that of the connection. The echo has been sent. */
  addressAdded(connection: Connection, id: number, address: string, port: number): void;
  addressRemoved(connection: Connection, id: number): void;
  closed(connection: Connection): void;
  pathAdded(path: Path): void;
  /** A path was down, with its address and its subflows, and works again. */
  pathUp(path: Path): void;
  /** A path is about to go; its subflows are still there. */
  pathRemoved(path: Path): void;
}
