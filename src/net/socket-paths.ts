/** `socket.mptcp`: subflows and addresses of one connection by hand, with promises. */
import { PlaitError } from '../errors.js';
import type { Connection } from '../stack/connection.js';
import type { AnnounceOptions, OpenSubflowOptions, PathControl, SubflowName } from '../stack/control.js';
import type { SubflowInfo } from '../stack/info.js';

export class SocketPaths {
  readonly #connection: () => Connection | null;

  constructor(connection: () => Connection | null) {
    this.#connection = connection;
  }

  get #control(): PathControl {
    const connection = this.#connection();
    if (connection === null) throw new PlaitError('ERR_SOCKET_CLOSED', 'there is no connection yet');
    return connection.mptcp;
  }

  /** Subflows that live. */
  subflows(): SubflowInfo[] {
    return this.#connection()?.mptcp.subflows() ?? [];
  }

  /** See `PathControl.announce`. */
  announce(address: string, options: AnnounceOptions = {}): number {
    return this.#control.announce(address, options);
  }

  /** See `PathControl.remove`. */
  remove(id: number): void {
    this.#control.remove(id);
  }

  /** Resolves with the subflow's handle once it is established; rejects as `PathControl.openSubflow` says. */
  openSubflow(options: OpenSubflowOptions = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#control.openSubflow(options, (error, subflow) => {
        if (error === null) resolve(subflow);
        else reject(error);
      });
    });
  }

  /** See `PathControl.closeSubflow`. */
  closeSubflow(name: SubflowName): void {
    this.#control.closeSubflow(name);
  }

  /** See `PathControl.setBackup`. */
  setBackup(name: SubflowName, backup: boolean): void {
    this.#control.setBackup(name, backup);
  }
}
