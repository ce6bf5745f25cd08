/** The JSON object of `--stats`. */
import type { Host, Socket } from '../net/types.js';
import type { SubflowInfo } from '../stack/info.js';
import { formatEndpoint } from './target.js';
import { mbps } from './units.js';

export interface Measured {
  /** Octets that count as the run's result. */
  readonly bytes: number;
  readonly milliseconds: number;
}

export function statsLine(host: Host, socket: Socket | null, measured: Measured): string {
  const info = socket?.info() ?? null;
  return JSON.stringify({
    bytes: measured.bytes,
    seconds: round(measured.milliseconds / 1000),
    mbps: round(mbps(measured.bytes, measured.milliseconds)),
    device: host.device,
    ...host.deviceStats(),
    mptcp: info?.mptcp ?? false,
    fallback: info?.fallback ?? null,
    bytesWritten: info?.bytesWritten ?? 0,
    bytesRead: info?.bytesRead ?? 0,
    bytesReinjected: info?.bytesReinjected ?? 0,
    subflows: info?.subflows.map(subflowStats) ?? [],
    counters: host.counters(),
  });
}

function subflowStats(subflow: SubflowInfo): object {
  return {
    local: formatEndpoint(subflow.local.address, subflow.local.port),
    remote: formatEndpoint(subflow.remote.address, subflow.remote.port),
    path: subflow.pathName,
    state: subflow.state,
    backup: subflow.backup,
    bytes: subflow.bytesSent + subflow.bytesReceived,
    bytesSent: subflow.bytesSent,
    bytesReceived: subflow.bytesReceived,
    srtt: round(subflow.srtt / 1000),
    minRtt: round(subflow.minRtt / 1000),
    cwnd: subflow.cwnd,
    retransmissions: subflow.retransmissions,
  };
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
