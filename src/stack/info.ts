/** What a connection tells about itself: the shapes behind `--stats`, progress lines and tests. */

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface SubflowInfo {
  /** Handle in the core; unique while the subflow lives. */
  readonly id: number;
  /** Path id (`Path.id`) and its name ("eth0"). */
  readonly path: number;
  readonly pathName: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Address IDs of RFC 8684 section 3.4.1. */
  readonly localId: number;
  readonly remoteId: number;
  /** TCP state in RFC 9293's names ("ESTABLISHED"). */
  readonly state: string;
  readonly backup: boolean;
  /** Both sides agreed on Explicit Congestion Notification (RFC 3168). */
  readonly ecn: boolean;
  /** Set aside after repeated timeouts while another subflow works. */
  readonly stale: boolean;
  /** Not the first subflow of its connection. */
  readonly joined: boolean;
  /** Ends as soon as what is in flight has arrived. */
  readonly closing: boolean;
  /** Payload octets, retransmissions not counted. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Smoothed round-trip time in microseconds; 0 before the first sample. */
  readonly srtt: number;
  readonly minRtt: number;
  /** Retransmission timeout in microseconds. */
  readonly rto: number;
  /** Congestion window and slow-start threshold in segments. */
  readonly cwnd: number;
  readonly ssthresh: number;
  /** Segments in flight. */
  readonly inFlight: number;
  readonly retransmissions: number;
  readonly mss: number;
}

export interface ConnectionInfo {
  /** True while the connection speaks Multipath TCP (from the handshake on, until a fallback). */
  readonly mptcp: boolean;
  /** Why the connection is plain TCP ("peer" and so on), or null. */
  readonly fallback: string | null;
  /** The peer proved that it has our key (RFC 8684 section 3.1). */
  readonly fullyEstablished: boolean;
  readonly state: string;
  /** Token by which the peer joins us, 8 hex digits; null after fallback. */
  readonly localToken: string | null;
  readonly remoteToken: string | null;
  /** Application octets. */
  readonly bytesWritten: number;
  readonly bytesRead: number;
  /** Octets written by the application that the peer has acknowledged (DATA_ACK). */
  readonly bytesAcked: number;
  /** Octets sent again on another subflow. */
  readonly bytesReinjected: number;
  /** One entry per subflow that lives or has lived; `state` is CLOSED for the latter. */
  readonly subflows: readonly SubflowInfo[];
}

/** Counters of one stack under the kernel's MIB names, as nstat prints them without prefix. */
export type Counters = Readonly<Record<string, number>>;
