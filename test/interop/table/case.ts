/**
 * One row of the table: how both sides are set up, what happens while data flows, and what both sides' counters must
 * say. Case families and names are those of the kernel's own tests.
 *
 * The server has the addresses 10.0.N.1 and dead:beef:N::1, the client 10.0.N.2 and dead:beef:N::2, N from 1 to 4.
 */
import type { Run } from './run.js';

export type Role = 'client' | 'server';
export type Implementation = 'plait' | 'kernel';
export const other = (role: Role): Role => (role === 'client' ? 'server' : 'client');

/** Who plays the client, and who the server. */
export interface Pair {
  readonly client: Implementation;
  readonly server: Implementation;
}
export const pairName = ({ client, server }: Pair): string => `${client} > ${server}`;

export interface Case {
  readonly family: string;
  readonly name: string;
  readonly client?: Side;
  readonly server?: Side;
  /** The pairs that make sense. Default: Plait on either side, the kernel on the other. */
  readonly pairs?: readonly Pair[];
  /** Where the client connects to. Default 10.0.1.1. */
  readonly to?: string;
  /** Where the server listens. Default: every address of the family of `to`. */
  readonly listen?: string;
  /** Connections, one after the other. Default 1. */
  readonly connections?: number;
  /** Mbit/s of the links, one after the other, in either direction. The stop for steps comes early then. */
  readonly rates?: readonly number[];
  /** Goes through without a stop, which would wait for what is not delivered yet. */
  readonly nonstop?: boolean;
  /** Both peers in one namespace. */
  readonly loopback?: boolean;
  /** Every 10.0.N.M of the case means dead:beef:N::M. */
  readonly ipv6?: boolean;
  /** What happens before the programs start. */
  readonly before?: readonly Step[];
  /** What happens after the first half of the data has passed and the expected joins are there. */
  readonly steps?: readonly Step[];
  readonly expect: Expected;
  /** Seconds that both halves and all steps may take. Default 60; a stall is a failure. */
  readonly within?: number;
}

/** The case with the addresses of IPv6. */
export const overIpv6 = (one: Case): Case => ({ ...one, name: `${one.name}, IPv6`, ipv6: true });

/** A text of a case with the addresses that are meant. */
export const addressed = ({ ipv6 = false }: Case, text: string): string =>
  ipv6 ? text.replace(/\b10\.0\.(\d+)\.(\d+)\b/g, 'dead:beef:$1::$2') : text;

export interface Side {
  /** Octets that it sends, half of them before the steps. Default 256 KiB. */
  readonly send?: number;
  /** Rests after every 64 KiB, seconds. */
  readonly pace?: number;
  /** As in `ip mptcp limits set`. Default 2 and 0, as in the kernel. */
  readonly subflows?: number;
  readonly addAddrAccepted?: number;
  /** As in `ip mptcp endpoint add`. */
  readonly endpoints?: readonly string[];
  /** The program uses plain TCP. */
  readonly tcp?: boolean;
  /** Multipath TCP is turned off in the host. */
  readonly disabled?: boolean;
  readonly checksum?: boolean;
  /** Every SYN is answered with a cookie. */
  readonly cookies?: boolean;
  /** Joins to the initial address are forbidden. */
  readonly denyJoinId0?: boolean;
  /** Seconds until ADD_ADDR is repeated, at most. */
  readonly addAddrTimeout?: number;
  /** The program uses TCP Fast Open. */
  readonly fastOpen?: boolean;
  /** The client uses one socket for all its connections, which the kernel only can. */
  readonly disconnect?: boolean;
  /** Asks for ECN when it opens a connection. */
  readonly ecn?: boolean;
  /** No path manager of its own: subflows and addresses by hand, as with the kernel's `userspace` path manager. */
  readonly byHand?: boolean;
  /** Plait's device. Default packet, which sees packets before the rules of nftables do. */
  readonly device?: 'packet' | 'raw';
  /** The client's own address of the first subflow. */
  readonly bind?: string;
  /** How a program of the kernel sends. */
  readonly io?: 'sendfile' | 'mmap' | 'splice';
  /** A program of the kernel looks at everything (MSG_PEEK) before it reads it. */
  readonly peek?: boolean;
  /** A server of the kernel takes connections to any address (IP_TRANSPARENT). */
  readonly transparent?: boolean;
}

/** Exactly so many, or from the first to the second. */
export type Count = number | readonly [least: number, most: number];
export type Counts = Readonly<Record<string, Count>>;

export interface Expected {
  /** Subflows that join: sets MPJoinSynTx and MPJoinSynAckRx at the client, MPJoinSynRx and MPJoinAckRx at the server. */
  readonly joins?: number;
  /** The same in the other direction. */
  readonly reverseJoins?: number;
  /** Counters; those of `WATCHED` that are not named must be 0. */
  readonly client?: Counts;
  readonly server?: Counts;
  /** Counters that only the kernel has, on whatever side it is. */
  readonly kernel?: Counts;
  /** How many subflows carried data at Plait. */
  readonly used?: Count;
  /** On how many Plait has sent data. */
  readonly sentOn?: Count;
  /** Of the sum of the rates, what the faster direction reached at least where nothing else runs. */
  readonly share?: number;
  /** Of all octets, what the second link carried. */
  readonly second?: Count;
  /** Plait's subflows agreed on ECN. */
  readonly ecn?: boolean;
  /** What this side receives was changed on the way: only its length is compared. */
  readonly corrupt?: Role;
  /** Whether it is Multipath TCP at the end; `either`: as it happens. Default true. */
  readonly mptcp?: boolean | 'either';
  /** The reason that Plait gives for being plain TCP. */
  readonly fallback?: Readonly<Partial<Record<Role, string>>>;
  /** A box changes what a side receives, and makes it so much longer; it may also arrive as it was sent. */
  readonly altered?: Readonly<Partial<Record<Role, number>>>;
  /** How the programs' transfer ends when not in order; data is not compared then. */
  readonly error?: Readonly<Partial<Record<Role, RegExp | null>>>;
}

export interface Step {
  /** For people: "client: endpoint add 10.0.2.2 subflow". */
  readonly title: string;
  readonly act: (run: Run) => Promise<void>;
}

/** What a row is about, and what tells of a misunderstanding; all others may be any. */
export const WATCHED: readonly string[] = [
  'MPCapableFallbackACK',
  'MPCapableFallbackSYNACK',
  'MPCapableDataFallback',
  'MPFallbackTokenInit',
  'MPJoinNoTokenFound',
  'MPJoinSynTx',
  'MPJoinSynRx',
  'MPJoinSynBackupRx',
  'MPJoinSynAckRx',
  'MPJoinSynAckBackupRx',
  'MPJoinSynAckHMacFailure',
  'MPJoinAckRx',
  'MPJoinAckHMacFailure',
  'MPJoinRejected',
  'MPJoinPortSynRx',
  'MPJoinPortSynAckRx',
  'MPJoinPortAckRx',
  'MismatchPortSynRx',
  'MismatchPortAckRx',
  'DSSNotMatching',
  'DSSCorruptionFallback',
  'DSSCorruptionReset',
  'DSSNoMatchTCP',
  'DssFallback',
  'DataCsumErr',
  'InfiniteMapTx',
  'InfiniteMapRx',
  'AddAddr',
  'AddAddrTx',
  'AddAddrTxDrop',
  'EchoAdd',
  'EchoAddTx',
  'EchoAddTxDrop',
  'PortAdd',
  'AddAddrDrop',
  'RmAddr',
  'RmAddrDrop',
  'RmAddrTx',
  'RmAddrTxDrop',
  'RmSubflow',
  'MPPrioTx',
  'MPPrioRx',
  'MPFailTx',
  'MPFailRx',
  'MPFastcloseTx',
  'MPFastcloseRx',
  'MPRstTx',
  'MPRstRx',
  'SimultConnectFallback',
  'FallbackFailed',
];
