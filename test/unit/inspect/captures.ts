/** Captures of simulated transfers: what the dissector and the tracker are tried on. */
import { capture } from '../../../src/io/capture.js';
import type { DuplexOptions } from '../../../src/io/memory.js';
import type { Device } from '../../../src/io/device.js';
import { Pair, done, start, type PairOptions, type Transfer } from '../../sim/pair.js';

export interface Scene extends Omit<PairOptions, 'wrap' | 'links'> {
  readonly links: readonly DuplexOptions[];
  /** Octets that client and server send. */
  readonly up: number;
  readonly down: number;
  /** Called before the first packet. */
  readonly prepare?: (pair: Pair, transfer: Transfer) => void;
}

/** Runs a transfer to its end; the client's side of it as pcapng, and what came of it. */
export async function captured(scene: Scene): Promise<{ file: Buffer; pair: Pair; transfer: Transfer }> {
  const chunks: Buffer[] = [];
  const wrap = (device: Device, name: string, world: Pair['world']): Device =>
    name === 'client'
      ? capture(device, world.clock, (chunk) => void chunks.push(Buffer.from(chunk)), { epoch: EPOCH })
      : device;
  const pair = await Pair.create({ ...scene, wrap });
  const transfer = start(pair, scene.up, scene.down, { ipv6: scene.ipv6 ?? false });
  scene.prepare?.(pair, transfer);
  pair.world.runUntil(() => done(transfer), { maxTime: 900e6, maxSteps: 20e6 });
  return { file: Buffer.concat(chunks), pair, transfer };
}

/** Microseconds since 1970. */
const EPOCH = 1_700_000_000_000_000;
