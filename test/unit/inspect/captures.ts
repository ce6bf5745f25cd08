/** Captures of simulated transfers: what the dissector and the tracker are tried on. */
import { capture } from '../../../src/io/capture.js';
import { CFG_CHECKSUM, CFG_MPTCP } from '../../../assembly/abi.js';
import type { DuplexOptions } from '../../../src/io/memory.js';
import type { Device } from '../../../src/io/device.js';
import { Pair, done, start, type PairOptions, type Transfer } from '../../sim/pair.js';

export interface Scene extends Omit<PairOptions, 'wrap' | 'links'> {
  readonly links: readonly DuplexOptions[];
  /** Octets that client and server send. */
  readonly up: number;
  readonly down: number;
  /** A device between the captured packets and the link. */
  readonly below?: (device: Device) => Device;
  /** Called before the first packet. */
  readonly prepare?: (pair: Pair, transfer: Transfer) => void;
}

/** Runs a transfer to its end; the client's side of it as pcapng, and what came of it. */
export async function captured(scene: Scene): Promise<{ file: Buffer; pair: Pair; transfer: Transfer }> {
  const chunks: Buffer[] = [];
  const below = scene.below ?? ((device: Device) => device);
  const wrap = (device: Device, name: string, world: Pair['world']): Device =>
    name === 'client'
      ? capture(below(device), world.clock, (chunk) => void chunks.push(Buffer.from(chunk)), { epoch: EPOCH })
      : device;
  const pair = await Pair.create({ ...scene, wrap });
  const transfer = start(pair, scene.up, scene.down, { ipv6: scene.ipv6 ?? false });
  scene.prepare?.(pair, transfer);
  pair.world.runUntil(() => done(transfer), { maxTime: 900e6, maxSteps: 20e6 });
  return { file: Buffer.concat(chunks), pair, transfer };
}

const WIFI: DuplexOptions = { rate: 20e6, delay: 10_000 };
const LTE: DuplexOptions = { rate: 10e6, delay: 30_000 };
const LOSSY = [
  { ...WIFI, loss: 0.01 },
  { ...LTE, loss: 0.02 },
];
const CHECKSUMS = [[CFG_CHECKSUM, 1]] as const;

/** One of each kind of thing that happens. */
export const SCENES = {
  'two paths': { links: [WIFI, LTE], up: 100_000, down: 5000 },
  losses: { seed: 5, links: LOSSY, up: 300_000, down: 20_000 },
  checksums: { seed: 5, links: LOSSY, up: 100_000, down: 20_000, client: CHECKSUMS },
  'a peer that speaks TCP only': { links: [WIFI], up: 50_000, down: 1000, server: [[CFG_MPTCP, 0]] },
  'IPv6, every pair of addresses': {
    links: [WIFI, LTE, LTE],
    ipv6: true,
    pairing: 'fullmesh',
    up: 50_000,
    down: 50_000,
  },
  'a path that goes away and comes back': {
    links: [WIFI, LTE],
    up: 1_000_000,
    down: 0,
    prepare: ({ world, links }) => {
      world.at(0.2e6, () => links[0]?.setUp(false));
      world.at(2e6, () => links[0]?.setUp(true));
    },
  },
  'an abort': {
    links: [WIFI, LTE],
    up: 1_000_000,
    down: 0,
    prepare: ({ world }, { client }) => world.at(0.3e6, () => client.connection?.abort()),
  },
  'reordered and repeated packets': {
    links: [{ ...WIFI, reorder: 0.05, reorderDelay: 5000, duplicate: 0.03 }, LTE],
    up: 200_000,
    down: 50_000,
  },
} as const satisfies Record<string, Scene>;

/** Microseconds since 1970. */
const EPOCH = 1_700_000_000_000_000;
