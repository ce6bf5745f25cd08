/**
 * What happens to the subflows and addresses of a host, in the words of `ip mptcp monitor` (ip-mptcp(8)). Tokens are
 * told, keys never.
 */
import { familyOf } from '../core/address.js';
import type { Connection } from './connection.js';
import type { SubflowInfo } from './info.js';
import { errnoOf } from './names.js';
import type { SubflowDown } from './policy.js';

export type PathEventKind =
  | 'CREATED'
  | 'ESTABLISHED'
  | 'CLOSED'
  | 'ANNOUNCED'
  | 'REMOVED'
  | 'SF_ESTABLISHED'
  | 'SF_CLOSED'
  | 'SF_PRIORITY'
  | 'LISTENER_CREATED'
  | 'LISTENER_CLOSED';

/** Attributes are there where they mean something. */
export interface PathEvent {
  readonly event: PathEventKind;
  /** This side's token, 8 hex digits: it names the connection. */
  readonly token?: string;
  /** Address IDs of the peer and of this side. */
  readonly remid?: number;
  readonly locid?: number;
  readonly saddr4?: string;
  readonly saddr6?: string;
  readonly daddr4?: string;
  readonly daddr6?: string;
  readonly sport?: number;
  readonly dport?: number;
  /** 1: the subflow is a backup. */
  readonly backup?: number;
  /** Why a subflow ended, as an errno of Linux. */
  readonly error?: number;
  /** MP_TCPRST of the peer: its reason, and 1 where it is transient (RFC 8684 section 3.6). */
  readonly reset_reason?: number;
  readonly reset_flags?: number;
  /** 1: the peer opened the connection. */
  readonly server_side?: number;
  /** 1: the peer forbids joins to its first address; 2: the peer opened the connection. */
  readonly flags?: number;
}

export type PathListener = (event: PathEvent) => void;

export class Monitor {
  readonly #listeners = new Set<PathListener>();

  /** Calls back for every event from now on. Returns what ends that. */
  listen(listener: PathListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The first handshake is done, the connection speaks Multipath TCP. */
  created(connection: Connection): void {
    if (this.#listeners.size > 0) this.#whole('CREATED', connection);
  }

  established(connection: Connection): void {
    if (this.#listeners.size > 0) this.#whole('ESTABLISHED', connection);
  }

  closed(connection: Connection): void {
    const { token } = connection;
    connection.token = null;
    if (token !== null) this.#tell({ event: 'CLOSED', token });
  }

  #whole(event: PathEventKind, connection: Connection): void {
    const server = !connection.isClient;
    const flags = (connection.deniesJoin ? 1 : 0) | (server ? 2 : 0);
    this.#tell({
      event,
      ...tokenOf(connection),
      remid: 0,
      locid: 0,
      ...ends(
        { address: connection.localAddress, port: connection.localPort },
        { address: connection.remoteAddress, port: connection.remotePort },
      ),
      server_side: server ? 1 : 0,
      ...(flags !== 0 && { flags }),
    });
  }

  /** `port` is that of the announcement, or the connection's. */
  announced(connection: Connection, remid: number, address: string, port: number): void {
    if (this.#listeners.size === 0) return;
    const daddr = familyOf(address) === 4 ? { daddr4: address } : { daddr6: address };
    this.#tell({ event: 'ANNOUNCED', ...tokenOf(connection), remid, ...daddr, dport: port });
  }

  removed(connection: Connection, remid: number): void {
    this.#tell({ event: 'REMOVED', ...tokenOf(connection), remid });
  }

  /** `subflow`: its handle. */
  subflowEstablished(connection: Connection, subflow: number): void {
    if (this.#listeners.size > 0) this.#subflow('SF_ESTABLISHED', connection, connection.subflow(subflow));
  }

  priority(connection: Connection, subflow: number): void {
    if (this.#listeners.size > 0) this.#subflow('SF_PRIORITY', connection, connection.subflow(subflow));
  }

  subflowClosed(connection: Connection, subflow: SubflowInfo, down: SubflowDown): void {
    if (this.#listeners.size === 0) return;
    const error = errnoOf(down.reason);
    const reset =
      down.resetReason === 255 ? {} : { reset_reason: down.resetReason, reset_flags: down.transient ? 1 : 0 };
    this.#subflow('SF_CLOSED', connection, subflow, { ...(error !== 0 && { error }), ...reset });
  }

  /** `address` null: any. */
  listener(event: 'LISTENER_CREATED' | 'LISTENER_CLOSED', address: string | null, port: number): void {
    const bare = address ?? '0.0.0.0';
    this.#tell({ event, ...(familyOf(bare) === 4 ? { saddr4: bare } : { saddr6: bare }), sport: port });
  }

  #subflow(
    event: PathEventKind,
    connection: Connection,
    subflow: SubflowInfo,
    more: Partial<PathEvent> = {},
  ): void {
    const { remoteId: remid, localId: locid, local, remote } = subflow;
    const backup = subflow.backup ? 1 : 0;
    this.#tell({ event, ...tokenOf(connection), remid, locid, ...ends(local, remote), backup, ...more });
  }

  #tell(event: PathEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

interface End {
  readonly address: string;
  readonly port: number;
}

function ends(local: End, remote: End): Partial<PathEvent> {
  const ports = { sport: local.port, dport: remote.port };
  return familyOf(local.address) === 4
    ? { saddr4: local.address, daddr4: remote.address, ...ports }
    : { saddr6: local.address, daddr6: remote.address, ...ports };
}

const tokenOf = ({ token }: Connection): { token?: string } => (token === null ? {} : { token });
