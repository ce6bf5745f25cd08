/** A script after parsing: events in order, each with its time. Calls and their expressions are in ast.ts. */
import type { SocketCall } from './ast.js';
import type { OptionSpec } from './option-spec.js';

/** Microseconds from the start of the script, or from the event before. */
export type EventTime =
  | { readonly kind: 'absolute' | 'relative'; readonly at: number }
  | { readonly kind: 'absolute-range' | 'relative-range'; readonly at: number; readonly end: number }
  /** `*`: whenever it happens. */
  | { readonly kind: 'any' };

export interface ScriptEvent {
  readonly line: number;
  readonly time: EventTime;
  readonly action: Action;
}

export type Action =
  | { readonly kind: 'packet'; readonly packet: PacketSpec }
  /** `end`: when a blocking call returns, on the clock of the event's time; null for a call that does not block. */
  | { readonly kind: 'call'; readonly call: SocketCall; readonly end: number | null }
  | { readonly kind: 'command'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string };

export interface Script {
  readonly path: string;
  /** Shell lines before the first event, and after the last. */
  readonly init: Command | null;
  readonly cleanup: Command | null;
  readonly events: readonly ScriptEvent[];
}

export interface Command {
  readonly line: number;
  readonly text: string;
}

// ---- packets ----------------------------------------------------------------------------------------------

export interface PacketSpec {
  readonly line: number;
  /** As the script has it, for messages. */
  readonly text: string;
  /** `<` puts the packet on the wire, `>` waits for it. */
  readonly direction: 'in' | 'out';
  /** sock(N): the socket's flow. */
  readonly socket: number | null;
  readonly ip: IpSpec;
  readonly source: EndpointSpec | null;
  readonly destination: EndpointSpec | null;
  readonly body: TcpSpec | IcmpSpec | UdpSpec;
}

export interface IpSpec {
  /** What of the traffic class is given, and compared: nothing, the ECN bits, "ECT(0) or ECT(1)", all eight bits. */
  readonly check: 'none' | 'ecn' | 'ect01' | 'tos';
  readonly tos: number;
  /** 0: not given. */
  readonly ttl: number;
  readonly flowLabel: number;
}

export type EndpointSpec =
  /** addr[NAME]: known from earlier packets, or learnt from this one. */
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'address'; readonly address: string; readonly port: number }
  | { readonly kind: 'port'; readonly port: number };

export interface TcpFlags {
  readonly fin: boolean;
  readonly syn: boolean;
  readonly rst: boolean;
  readonly psh: boolean;
  readonly ack: boolean;
  readonly urg: boolean;
  /** ECE, CWR, AE; given by letters or together as the ACE number. */
  readonly ece: boolean;
  readonly cwr: boolean;
  readonly ae: boolean;
}

export interface TcpSpec {
  readonly kind: 'tcp';
  readonly flags: TcpFlags;
  /** The three ECN flags were written as one number. */
  readonly ace: boolean;
  readonly seq: number;
  readonly length: number;
  readonly ack: number;
  /** null: not written, so not compared. */
  readonly window: number | null;
  readonly urgent: number;
  /** null: <...>, not compared. */
  readonly options: readonly OptionSpec[] | null;
}

export interface IcmpSpec {
  readonly kind: 'icmp';
  readonly type: string;
  readonly code: string | null;
  readonly mtu: number | null;
  readonly echoId: number;
  /** What of the packet that caused it comes back. */
  readonly echoed: {
    readonly protocol: 'tcp' | 'udp' | 'raw';
    readonly seq: number;
    readonly length: number;
  };
}

export interface UdpSpec {
  readonly kind: 'udp';
  readonly length: number;
}
