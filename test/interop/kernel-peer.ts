/** Runs `kernel_peer.py` in a namespace. */
import { fileURLToPath } from 'node:url';
import { root } from '../support/root.js';
import type { Namespace } from './netns.js';
import type { Running } from './running.js';

/** What `kernel_peer.py` prints for a connection. */
export interface PeerReport {
  readonly sent: number;
  readonly received: number;
  readonly sentSha256: string;
  readonly receivedSha256: string;
  readonly seconds: number;
  /** Still MPTCP at the end. */
  readonly mptcp: boolean;
  /** The most seen at once. */
  readonly subflows: number;
  readonly local: readonly [address: string, port: number] | null;
  readonly remote: readonly [address: string, port: number] | null;
  /** An errno name. */
  readonly error: string | null;
}

/** A program in a namespace that talks MPTCP through the kernel; the arguments are those of `kernel_peer.py`. */
export class KernelPeer {
  readonly process: Running;

  constructor(
    where: Namespace,
    mode: 'server' | 'client',
    address: string,
    port: number,
    ...options: string[]
  ) {
    // The compiler does not copy this file.
    const script = fileURLToPath(new URL('test/interop/kernel_peer.py', root));
    this.process = where.spawn('python3', [script, mode, address, String(port), ...options]);
  }

  /** The port of a server, once it listens. */
  async port(): Promise<number> {
    return (JSON.parse(await this.process.line()) as { listening: number }).listening;
  }

  /** The result of the next connection. */
  async report(): Promise<PeerReport> {
    return JSON.parse(await this.process.line()) as PeerReport;
  }
}
