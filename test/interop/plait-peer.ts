/** Runs `plait-agent.ts` in a namespace, and says what its runs have in common. */
import { expect } from 'chai';
import { fileURLToPath } from 'node:url';
import type { ConnectionInfo, Counters } from '../../src/stack/info.js';
import type { PeerReport } from './kernel-peer.js';
import type { Bench, Namespace } from './netns.js';
import { until } from '../support/until.js';
import { patternSha256 } from './pattern.js';
import type { Running } from './running.js';

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

export type Family = 4 | 6;

/** 64 blocks with a rest after each: about two seconds. */
export const PACED_SIZE = 4 << 20;
export const PACED = ['--send', String(PACED_SIZE), '--pace', '0.03'];
/** After its first block a side waits for `passGate`, so that there are joins before the data. */
export const WAIT_AT_START = ['--gate', String(64 << 10)];
/** For one of the two sides: the last block is kept back until `passGate`, so that what a test does comes before the end. */
export const KEEP_BACK = ['--gate', String(PACED_SIZE - (64 << 10))];

/** Options that keep an agent to one family's addresses. */
export function pathsOf(where: Namespace, family: Family, paths = [0, 1]): string[] {
  return paths.flatMap((path) => ['--path', where.address(path, family)]);
}

/** A peer received everything, unchanged. */
export function expectWhole(report: PeerReport, seed: string, size: number): void {
  expect(report).to.include({ error: null, received: size });
  expect(report.receivedSha256).to.equal(patternSha256(seed, size));
}

/** Plait carried data over every one of these paths, and stayed Multipath TCP. */
export function expectPaths(report: AgentReport, ...names: string[]): void {
  expect(report).to.include({ mptcp: true, fallback: null });
  const used = report.info.subflows.filter((one) => one.bytesSent + one.bytesReceived > 0);
  expect(used.map(({ pathName }) => pathName)).to.include.members(names);
  expectClean(report.counters);
}

/** Nothing in the counters (ours or the kernel's, which have the same names) tells of a misunderstanding. */
export function expectClean(counters: Counters): void {
  const bad = MISUNDERSTANDINGS.filter((name) => (counters[name] ?? 0) !== 0);
  expect(bad.map((name) => `${name} ${String(counters[name])}`)).to.deep.equal([]);
}

/** RST segments that the kernel of a namespace has sent. */
export async function kernelResets(where: Namespace): Promise<number> {
  const line = await where.run('nstat', '-asz', 'TcpOutRsts');
  return Number(/^TcpOutRsts\s+(\d+)/m.exec(line)?.[1]);
}

/** Waits until a counter of the kernel reaches a value. */
export async function counted(where: Namespace, name: string, least: number): Promise<void> {
  let counters: Counters = {};
  await until(
    async () => ((counters = await where.mptcpCounters())[name] ?? 0) >= least,
    () => `${name} from ${String(least)} on in ${JSON.stringify(counters)}`,
  );
}

/** More than a handshake, an announcement and acknowledgements of a short transfer come to. */
const DATA = 64 << 10;

/** Waits until a path has carried data. */
export async function carried(where: Namespace, path: number): Promise<void> {
  let octets = 0;
  await until(
    async () => (octets = await where.linkOctets(path)) >= DATA,
    () => `data on p${String(path)}, which has carried ${String(octets)} octets`,
  );
}

/** Lets a side send 1 MB/s over a path. */
export async function slow(where: Namespace, path: number): Promise<void> {
  await where.run(
    'tc',
    ...`qdisc add dev p${String(path)} root tbf rate 8mbit burst 32k limit 200k`.split(' '),
  );
}

/** Loses every packet on a path without either side noticing. At the entrance: packet sockets stand before the firewall. */
export async function swallow({ a, b }: Bench, path: number): Promise<void> {
  const chain = `{ type filter hook ingress device p${String(path)} priority 0; policy drop; }`;
  for (const side of [a, b]) {
    await side.run('nft', 'add table netdev swallow');
    await side.run('nft', `add chain netdev swallow in ${chain}`);
  }
}

/** Loses one of 61 packets that come in; counting spares the first handshakes. */
export async function loseSome(where: Namespace): Promise<void> {
  const nth = ['-m', 'statistic', '--mode', 'nth', '--every', '61', '--packet', '60'];
  await where.run('iptables', '-A', 'INPUT', '-p', 'tcp', ...nth, '-j', 'DROP');
}

const MISUNDERSTANDINGS = [
  'MPCapableFallbackACK',
  'MPCapableFallbackSYNACK',
  'MPCapableDataFallback',
  'MPFallbackTokenInit',
  'DSSNotMatching',
  'DSSCorruptionFallback',
  'DSSCorruptionReset',
  'DSSNoMatchTCP',
  'DssFallback',
  'DataCsumErr',
  'InfiniteMapTx',
  'InfiniteMapRx',
  'MPFailTx',
  'MPFailRx',
  'MPJoinSynAckHMacFailure',
  'MPJoinAckHMacFailure',
  'MPJoinNoTokenFound',
  'MPFastcloseTx',
  'MPFastcloseRx',
];
