/** What a connection came to, at the end of a capture. */
import { other, type Connection, type Subflow, type Way } from './connection.js';
import type { Flow } from './flow.js';

export interface ConnectionSummary {
  readonly connection: number;
  readonly opener: string;
  readonly answerer: string;
  readonly protocol: string;
  readonly start: number;
  readonly seconds: number;
  /** From the opener to the answerer, and back. */
  readonly forward: DirectionSummary;
  readonly backward: DirectionSummary;
  readonly checksums: boolean;
  readonly fallback: { readonly reason: string; readonly time: number } | null;
  readonly end: string;
  readonly subflows: readonly SubflowSummary[];
  readonly addresses: readonly AddressSummary[];
  readonly signals: readonly {
    readonly time: number;
    readonly subflow: string;
    readonly way: '>' | '<';
    readonly text: string;
  }[];
}

export interface DirectionSummary {
  /** Octets of the stream, each counted once. */
  readonly bytes: number;
  readonly mbps: number;
  readonly reinjectedBytes: number;
  readonly reinjections: number;
}

export interface SubflowSummary {
  readonly name: string;
  readonly opener: string;
  readonly answerer: string;
  readonly openedBy: '>' | '<';
  /** Seconds since the start of the connection. */
  readonly from: number;
  readonly to: number;
  readonly backup: boolean;
  readonly forward: FlowSummary;
  readonly backward: FlowSummary;
  /** Milliseconds: of the handshake, and the mean over data and acknowledgements in the direction that has more. */
  readonly handshakeRtt: number | null;
  readonly meanRtt: number | null;
  readonly minRtt: number | null;
  readonly join: string | null;
  readonly end: string;
}

export interface FlowSummary {
  readonly packets: number;
  /** Octets of payload, retransmissions included. */
  readonly bytes: number;
  readonly retransmissions: number;
  readonly retransmittedBytes: number;
}

export interface AddressSummary {
  readonly from: '>' | '<';
  readonly addressId: number;
  readonly address: string;
  readonly port: number | null;
  readonly times: number;
  readonly echoed: boolean;
  readonly removed: boolean;
  readonly hmac: string;
}

export function summarize(connection: Connection): ConnectionSummary {
  const first = connection.subflows[0]!;
  const seconds = (connection.lastTime - connection.firstTime) / 1e6;
  return {
    connection: connection.id,
    opener: first.flows[0].endpoint,
    answerer: first.flows[1].endpoint,
    protocol: protocol(connection),
    start: connection.firstTime,
    seconds,
    forward: direction(connection, 0, seconds),
    backward: direction(connection, 1, seconds),
    checksums: connection.checksums,
    fallback: connection.fallback,
    end: ending(connection),
    subflows: connection.subflows.map((subflow) => summarizeSubflow(subflow)),
    addresses: connection.announcements.map((one) => ({
      from: arrow(one.way),
      addressId: one.addressId,
      address: one.address,
      port: one.port,
      times: one.times,
      echoed: one.echoed,
      removed: one.removed,
      hmac: one.hmac,
    })),
    signals: connection.signals.map(({ time, way, subflow, text }) => ({
      time,
      subflow: subflow.name,
      way: arrow(way),
      text,
    })),
  };
}

function protocol(connection: Connection): string {
  if (!connection.multipath) return 'TCP';
  const version = connection.version === null ? '' : ` v${String(connection.version)}`;
  return connection.handshake === 'asked' ? 'TCP' : `Multipath TCP${version}`;
}

function direction(connection: Connection, way: Way, seconds: number): DirectionSummary {
  const { data } = connection.sides[way];
  // Plain TCP, also from the fallback on, counts in the subflow's own space.
  const plain = connection.subflows[0]!.flows[way];
  const bytes = connection.speaksMultipath ? data.octets : streamOctets(plain);
  return {
    bytes,
    mbps: seconds > 0 ? (bytes * 8) / seconds / 1e6 : 0,
    reinjectedBytes: data.reinjected,
    reinjections: data.reinjections,
  };
}

/** Octets of payload that arrived in order, seen or acknowledged. */
function streamOctets(flow: Flow): number {
  const end = Math.max(flow.seen.contiguousFrom(flow.synSeen ? 0 : 1), flow.acked);
  return Math.max(0, (flow.finAt === null ? end : Math.min(end, flow.finAt)) - 1);
}

function summarizeSubflow(subflow: Subflow): SubflowSummary {
  const { flows, connection, join } = subflow;
  const [a, b] = flows;
  const busy = a.rtt.samples >= b.rtt.samples ? a.rtt : b.rtt;
  const seconds = (time: number): number => (time - connection.firstTime) / 1e6;
  return {
    name: subflow.name,
    opener: a.endpoint,
    answerer: b.endpoint,
    openedBy: arrow(subflow.opener),
    from: seconds(subflow.firstTime),
    to: seconds(subflow.lastTime),
    backup: subflow.backup[0] || subflow.backup[1],
    forward: summarizeFlow(a),
    backward: summarizeFlow(b),
    handshakeRtt: subflow.handshakeTime === null ? null : subflow.handshakeTime / 1000,
    meanRtt: busy.samples === 0 ? null : busy.sum / busy.samples / 1000,
    minRtt: busy.samples === 0 ? null : busy.min / 1000,
    join:
      join === null
        ? null
        : `HMAC ${join.hmacs[other(subflow.opener)] ?? 'missing'}, ${join.hmacs[subflow.opener] ?? 'missing'}`,
    end: subflowEnding(subflow),
  };
}

function summarizeFlow({ stats }: Flow): FlowSummary {
  return {
    packets: stats.packets,
    bytes: stats.octets,
    retransmissions: stats.retransmissions,
    retransmittedBytes: stats.retransmittedOctets,
  };
}

function ending(connection: Connection): string {
  const { sides, subflows, fastclose } = connection;
  if (fastclose !== null) return `MP_FASTCLOSE by the ${role(fastclose)}`;
  if (connection.speaksMultipath) {
    const ended = sides.map(({ data }) => data.finAcked);
    if (ended[0] === true && ended[1] === true) return 'DATA_FIN both ways';
    const half = ([0, 1] as const).find((way) => sides[way].data.finAt !== null);
    if (half !== undefined) return `DATA_FIN by the ${role(half)} only`;
    const resets = subflows.filter(({ reset }) => reset !== null).length;
    return resets > 0 && resets === subflows.length ? 'every subflow reset' : 'open';
  }
  return subflowEnding(subflows[0]!);
}

function subflowEnding({ flows, reset }: Subflow): string {
  const [a, b] = flows;
  if (reset !== null) {
    return `reset by the ${role(reset.way)}${reset.reason === null ? '' : `: ${reset.reason}`}`;
  }
  if (a.finAt !== null && b.finAt !== null) return 'FIN both ways';
  if (a.finAt !== null || b.finAt !== null) return `FIN by the ${role(a.finAt !== null ? 0 : 1)} only`;
  return 'open';
}

function role(way: Way): string {
  return way === 0 ? 'opener' : 'answerer';
}

function arrow(way: Way): '>' | '<' {
  return way === 0 ? '>' : '<';
}
