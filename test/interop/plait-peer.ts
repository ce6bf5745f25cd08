/** Runs `plait-agent.ts` in a namespace. */
import { fileURLToPath } from 'node:url';
import type { ConnectionInfo, Counters } from '../../src/stack/info.js';
import type { Namespace, PeerReport, Running } from './netns.js';

/** What the agent prints for its connection: the kernel peer's report, and what only Plait knows. */
export interface AgentReport extends PeerReport {
  /** Processor time of the transfer in seconds. */
  readonly cpu: number;
  readonly fallback: string | null;
  readonly info: ConnectionInfo;
  readonly counters: Counters;
  /** What the device counted (`RawStats`, `UdpStats`). */
  readonly device: Readonly<Record<string, number>>;
}

/** A program in a namespace that talks MPTCP through Plait. */
export class PlaitPeer {
  readonly process: Running;

  constructor(
    where: Namespace,
    mode: 'server' | 'client',
    address: string,
    port: number,
    ...options: string[]
  ) {
    const script = fileURLToPath(new URL('plait-agent.js', import.meta.url));
    this.process = where.spawn(process.execPath, [script, mode, address, String(port), ...options]);
  }

  /** The port of a server, once it listens. */
  async port(): Promise<number> {
    return (JSON.parse(await this.process.line()) as { listening: number }).listening;
  }

  async report(): Promise<AgentReport> {
    return JSON.parse(await this.process.line()) as AgentReport;
  }
}
