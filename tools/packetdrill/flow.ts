/** One TCP flow between the stack and the script's peer: its addresses, and how the script's numbers map to live ones. */
import type { MptcpConnection } from './mptcp-state.js';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export type Handshake =
  /** The stack opens: its SYN is out, or was answered. */
  | 'syn-sent'
  | 'syn-answered'
  /** The script opens: its SYN is in, SYN/ACK is out, or was answered. */
  | 'syn-received'
  | 'syn-ack-sent'
  | 'established';

export class Flow {
  handshake: Handshake;
  /** Initial sequence numbers in the script; those of the peer are the same on the wire. */
  scriptLocalIsn = 0;
  scriptRemoteIsn = 0;
  liveLocalIsn = 0;
  liveRemoteIsn = 0;
  /** Outgoing TS val by what the script calls it. */
  readonly timestamps = new Map<number, number>();
  firstTimestamp: { readonly script: number; readonly live: number } | null = null;
  /** Nonces of joins, and the peer's address ID. */
  peerNonce = 42;
  stackNonce = 0;
  peerId = 0;
  flowLabel: { script: number; live: number } | null = null;
  /** RST went either way: a new SYN begins a new flow. */
  reset = false;
  peerFin = false;
  stackFin = false;

  constructor(
    readonly local: Endpoint,
    readonly remote: Endpoint,
    readonly connection: MptcpConnection,
    handshake: Handshake,
    /** A subflow that joins. */
    readonly join: boolean,
  ) {
    this.handshake = handshake;
  }

  /** Nothing more is expected of it. */
  get over(): boolean {
    return this.reset || (this.peerFin && this.stackFin);
  }

  /** Numbers of a SYN are absolute, all others count from the initial ones. */
  localOffset(syn: boolean): number {
    return this.liveLocalIsn - (syn ? this.scriptLocalIsn : 0);
  }
  remoteOffset(syn: boolean): number {
    return this.liveRemoteIsn - (syn ? this.scriptRemoteIsn : 0);
  }
}
