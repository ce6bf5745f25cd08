/** Whether a packet that the stack sent is the one that the script expects. */
import type { Config } from './config.js';
import type { Flow } from './flow.js';
import { compareOptions } from './options.js';
import type { Known } from './resolve.js';
import type { IpSpec, PacketSpec, TcpFlags, TcpSpec } from './script.js';
import * as wire from './wire.js';

export function flagBits(flags: TcpFlags): number {
  const bits: readonly (readonly [boolean, number])[] = [
    [flags.fin, wire.FIN],
    [flags.syn, wire.SYN],
    [flags.rst, wire.RST],
    [flags.psh, wire.PSH],
    [flags.ack, wire.ACK],
    [flags.urg, wire.URG],
    [flags.ece, wire.ECE],
    [flags.cwr, wire.CWR],
    [flags.ae, wire.AE],
  ];
  return bits.reduce((sum, [on, bit]) => sum | (on ? bit : 0), 0);
}

/** What differs first, or null. Learns timestamps, keys, addresses and nonces on the way. */
export function comparePacket(
  spec: PacketSpec,
  tcp: TcpSpec,
  live: wire.Packet,
  known: Known,
  config: Config,
  /** Microseconds from the start of the script, for the tolerance of TS val. */
  elapsed: number,
): string | null {
  const { flow } = known;
  learnTimestamp(tcp, live, flow);
  return (
    compareLength(tcp, live) ??
    compareIp(spec.ip, live, flow) ??
    compareHeader(tcp, live, flow) ??
    (tcp.options === null ? null : compareOptions(tcp.options, live.options, known, tcp.flags.syn)) ??
    compareTimestamp(tcp, live, flow, config, elapsed)
  );
}

const differs = (what: string, expected: number, actual: number): string | null =>
  expected === actual ? null : `${what}: expected ${String(expected)}, got ${String(actual)}`;

function compareLength(tcp: TcpSpec, live: wire.Packet): string | null {
  return differs('payload', tcp.length, live.payload.length);
}

function compareIp(ip: IpSpec, live: wire.Packet, flow: Flow): string | null {
  const ecn = live.tos & 3;
  if (ip.check === 'tos' && ip.tos !== live.tos) return differs('tos', ip.tos, live.tos);
  if (ip.check === 'ecn' && ip.tos !== ecn) return differs('ECN bits', ip.tos, ecn);
  if (ip.check === 'ect01' && ecn !== 1 && ecn !== 2) return `ECN bits: expected 1 or 2, got ${String(ecn)}`;
  if (ip.ttl !== 0 && ip.ttl !== live.ttl) return differs('ttl', ip.ttl, live.ttl);
  return ip.flowLabel === 0 || live.source.includes('.') ? null : compareFlowLabel(ip.flowLabel, live, flow);
}

/** The script's label stands for the first live one; another one for any other. */
function compareFlowLabel(script: number, { flowLabel }: wire.Packet, flow: Flow): string | null {
  if (flowLabel === 0) return 'flow label: none in the packet';
  const known = flow.flowLabel;
  if (known !== null && (known.script === script) !== (known.live === flowLabel)) {
    return known.script === script ? 'flow label: changed' : 'flow label: the same as before';
  }
  flow.flowLabel = { script, live: flowLabel };
  return null;
}

const ALWAYS = wire.FIN | wire.SYN | wire.RST | wire.PSH | wire.ACK | wire.URG;

function compareHeader(tcp: TcpSpec, live: wire.Packet, flow: Flow): string | null {
  const wanted = flagBits(tcp.flags);
  const off = (wanted ^ live.flags) & (ALWAYS | wire.ECE | wire.CWR | wire.AE);
  if (off !== 0)
    return off & ALWAYS ? 'TCP flags differ' : `${tcp.ace ? 'ACE field' : 'ECN flags'} of TCP differ`;
  if (live.reserved !== 0) return differs('reserved bits', 0, live.reserved);
  const { syn } = tcp.flags;
  const ack = (live.flags & wire.ACK) !== 0 ? (live.ack - flow.remoteOffset(syn)) >>> 0 : live.ack;
  return (
    differs('sequence number', tcp.seq, (live.seq - flow.localOffset(syn)) >>> 0) ??
    differs('ack', tcp.ack, ack) ??
    (tcp.window === null ? null : differs('window', tcp.window, live.window)) ??
    differs('urgent pointer', tcp.urgent, live.urgent)
  );
}

// ---- timestamps -------------------------------------------------------------------------------------------

const timestampSpec = (tcp: TcpSpec) => tcp.options?.find((option) => option.kind === 'timestamp') ?? null;
const liveTimestamp = (live: wire.Packet): number | null =>
  live.options
    .find(({ kind, data }) => kind === wire.OPTION_TIMESTAMP && data.length === 8)
    ?.data.readUInt32BE(0) ?? null;

function learnTimestamp(tcp: TcpSpec, live: wire.Packet, flow: Flow): void {
  const script = timestampSpec(tcp);
  const actual = liveTimestamp(live);
  if (script === null || actual === null) return;
  flow.timestamps.set(script.val, actual);
  flow.firstTimestamp ??= { script: script.val, live: actual };
}

/** Compared only when the script says how long a tick is. */
function compareTimestamp(
  tcp: TcpSpec,
  live: wire.Packet,
  flow: Flow,
  config: Config,
  elapsed: number,
): string | null {
  const script = timestampSpec(tcp);
  const actual = liveTimestamp(live);
  const first = flow.firstTimestamp;
  if (config.tsTickUsecs === 0 || script === null || actual === null || first === null) return null;
  const mapped = (actual - first.live + first.script) >>> 0;
  const tolerance = Math.max(config.toleranceUsecs, (config.tolerancePercent / 100) * elapsed);
  const off = Math.abs((mapped - script.val) | 0) * config.tsTickUsecs;
  return off > tolerance ? differs('TS val', script.val, mapped) : null;
}
