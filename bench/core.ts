/** The core and the stack around it, without a network: speed, memory, size. */
import { gzipSync } from 'node:zlib';
import { readFile } from 'node:fs/promises';
import { CFG_CHECKSUM, CFG_RCVBUF_MAX, CFG_SNDBUF_MAX } from '../assembly/abi.js';
import type { Connection } from '../src/stack/connection.js';
import { CopyPeer } from './copy-peer.js';
import { heapUsed, processorSeconds } from './measure.js';
import { median, type Report } from './report.js';
import { measureSegments } from './segments.js';
import { Stream } from './stream.js';
import { QuietHandler, TwoHosts, type HostsOptions } from './two-hosts.js';

const RUNS = 7;
const RUN_OCTETS = 128 << 20;

interface Case {
  readonly name: string;
  readonly options: HostsOptions;
  /** Payload octets of a packet. */
  readonly payload: number;
  /** Gbit/s. */
  readonly least?: number;
}

const DSS: HostsOptions['config'] = [[CFG_CHECKSUM, 1]];

/** One connection, two subflows. */
const CASES: readonly Case[] = [
  { name: 'MTU 1500', options: {}, payload: 1420, least: 20 },
  { name: 'MTU 1500, TCP checksums', options: { tcpChecksum: true }, payload: 1420 },
  { name: 'MTU 1500, DSS checksums', options: { config: DSS }, payload: 1420 },
  {
    name: 'MTU 1500, TCP and DSS checksums',
    options: { tcpChecksum: true, config: DSS },
    payload: 1420,
    least: 10,
  },
  { name: 'MTU 9000', options: { mtu: 9000 }, payload: 8920, least: 20 },
  {
    name: 'MTU 9000, TCP and DSS checksums',
    options: { mtu: 9000, tcpChecksum: true, config: DSS },
    payload: 8920,
    least: 10,
  },
  { name: 'super-segments', options: { segmentation: 65535 }, payload: 63900, least: 20 },
  {
    name: 'super-segments, DSS checksums, TCP checksums left to the device',
    options: { segmentation: 65535, tcpChecksum: true, config: DSS },
    payload: 63900,
    least: 10,
  },
];

export async function core(report: Report): Promise<void> {
  for (const one of CASES) if (report.wants(one.name)) await throughput(report, one);
  if (report.wants('data segment')) await measureSegments(report);
  if (report.wants('growth over a million segments')) await steadyMemory(report);
  if (report.wants('idle connection')) await idleConnections(report);
  const wasm = await readFile(new URL('../core.wasm', import.meta.url));
  const size = gzipSync(wasm, { level: 9 }).length;
  report.add({ case: 'core.wasm, gzip', value: size, unit: 'octets', limit: { most: 65536 } });
}

async function throughput(report: Report, { name, options, payload, least }: Case): Promise<void> {
  const stream = await Stream.open(options);
  const peer = await CopyPeer.create(payload);
  const gigabits = (work: { transfer(octets: number): void }): number =>
    (RUN_OCTETS * 8e-9) / processorSeconds(() => work.transfer(RUN_OCTETS));
  gigabits(stream);
  gigabits(peer);
  const ours: number[] = [];
  const peers: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    ours.push(gigabits(stream));
    peers.push(gigabits(peer));
  }
  report.add({
    case: name,
    value: median(ours),
    unit: 'Gbit/s',
    peer: 'two copies and one sum',
    peerValue: median(peers),
    ...(least === undefined ? {} : { limit: { least } }),
    detail: { best: Math.max(...ours), smallerShare: Math.min(...stream.shares()) },
  });
}

/** A million segments later, no memory has grown: neither the core's nor JavaScript's. */
async function steadyMemory(report: Report): Promise<void> {
  const stream = await Stream.open();
  const { client, server } = stream.hosts;
  const core = (): number => client.core.x.memoryUsed() + server.core.x.memoryUsed();
  const linear = (): number => client.core.memoryBytes + server.core.memoryBytes;
  const states = (): [number, number, number] => [core(), linear(), heapUsed()];
  stream.transfer(64 << 20);
  const before = states();
  const until = stream.segments + 1e6;
  while (stream.segments < until) stream.transfer(16 << 20);
  const after = states();
  const grown = after.map((value, i) => value - (before[i] ?? 0));
  const name = 'growth over a million segments';
  report.add({ case: `${name}: core`, value: grown[0] ?? NaN, unit: 'octets', limit: { most: 0 } });
  report.add({ case: `${name}: linear memory`, value: grown[1] ?? NaN, unit: 'octets', limit: { most: 0 } });
  // Compiled code and its feedback come and go; a single octet per segment would show.
  report.add({ case: `${name}: JavaScript`, value: grown[2] ?? NaN, unit: 'octets', limit: { most: 5e5 } });
}

/** What a connection with two subflows takes when nothing is under way: its rings are given back then. */
async function idleConnections(report: Report): Promise<void> {
  const COUNT = 500;
  const RING = 4096;
  const hosts = await TwoHosts.create({
    config: [
      [CFG_SNDBUF_MAX, RING],
      [CFG_RCVBUF_MAX, RING],
    ],
  });
  const octet = Uint8Array.of(7);
  const settle = (): void => {
    for (let i = 0; i < 40; i++) hosts.turn();
  };
  const far: Connection[] = [];
  const near: Connection[] = [];
  const openOne = (): void => {
    near.push(
      hosts.open(new QuietHandler(), (connection) => {
        far.push(connection);
        return new QuietHandler();
      }),
    );
    settle();
    // One octet each way: both rings exist, and the handshake is complete in every respect.
    for (const end of [near.at(-1), far.at(-1)]) {
      end?.write(octet);
      settle();
    }
    for (const end of [near.at(-1), far.at(-1)]) {
      if (end?.readInto(new Uint8Array(4)) !== 1 || end.liveSubflows().length !== 2) {
        throw new Error('a connection did not open on both paths');
      }
    }
    settle();
  };
  openOne();
  for (const [name, stack] of Object.entries({ opener: hosts.client, listener: hosts.server })) {
    const before = stack.core.x.memoryUsed();
    for (let i = 0; i < COUNT; i++) openOne();
    const each = (stack.core.x.memoryUsed() - before) / COUNT;
    report.add({ case: `idle connection, ${name}`, value: each, unit: 'octets', limit: { most: 8192 } });
  }
}
