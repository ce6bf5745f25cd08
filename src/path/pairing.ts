/** Which pairs of local paths and remote addresses a connection should have subflows on. */
import { familyOf, samePrefix } from '../core/address.js';
import type { Path } from '../io/device.js';

/**
 * `laminar`: every local path once, with a remote address of the same subnet if there is one, else with one that
 * is least used, of the same family (as Linux' endpoint flag of that name). `fullmesh`: every pair. `none`: only
 * what the peer opens.
 */
export type PairingName = 'laminar' | 'fullmesh' | 'none';

export interface RemoteAddress {
  readonly id: number;
  readonly address: string;
  readonly port: number;
}

export interface PairInUse {
  readonly path: number;
  readonly address: string;
  readonly port: number;
}

export interface Pair {
  readonly path: Path;
  readonly remote: RemoteAddress;
}

/** Prefix lengths taken for "same subnet": what access networks use; the device does not know the mask. */
const SUBNET = { 4: 24, 6: 64 } as const;

export function sameSubnet(a: string, b: string): boolean {
  return samePrefix(a, b, SUBNET[familyOf(a)]);
}

/** The pairs that should exist and do not yet, in the order in which to open them. */
export function wantedPairs(
  pairing: PairingName,
  paths: readonly Path[],
  remotes: readonly RemoteAddress[],
  inUse: readonly PairInUse[],
): Pair[] {
  if (pairing === 'none') return [];
  return pairing === 'fullmesh' ? fullMesh(paths, remotes, inUse) : laminar(paths, remotes, inUse);
}

/** Same family, and loopback only to loopback: other addresses never lead there. */
function reachable({ address }: Path, remote: RemoteAddress): boolean {
  return familyOf(address) === familyOf(remote.address) && isLoopback(address) === isLoopback(remote.address);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function exists(inUse: readonly PairInUse[], path: Path, remote: RemoteAddress): boolean {
  return inUse.some((u) => u.path === path.id && u.address === remote.address && u.port === remote.port);
}

function fullMesh(
  paths: readonly Path[],
  remotes: readonly RemoteAddress[],
  inUse: readonly PairInUse[],
): Pair[] {
  return paths.flatMap((path) =>
    remotes
      .filter((remote) => reachable(path, remote) && !exists(inUse, path, remote))
      .map((remote) => ({ path, remote })),
  );
}

function laminar(
  paths: readonly Path[],
  remotes: readonly RemoteAddress[],
  inUse: readonly PairInUse[],
): Pair[] {
  const uses = new Map<string, number>();
  for (const { address } of inUse) uses.set(address, (uses.get(address) ?? 0) + 1);
  const result: Pair[] = [];
  const free = paths.filter((path) => !inUse.some((u) => u.path === path.id));
  // Paths with a remote address in their subnet choose first.
  const ranked = [...free].sort(
    (a, b) => Number(hasNeighbour(b, remotes)) - Number(hasNeighbour(a, remotes)),
  );
  for (const path of ranked) {
    const candidates = remotes.filter((remote) => reachable(path, remote));
    const score = (remote: RemoteAddress): number =>
      (sameSubnet(path.address, remote.address) ? 0 : 1000) + (uses.get(remote.address) ?? 0);
    let best: RemoteAddress | null = null;
    for (const remote of candidates) if (best === null || score(remote) < score(best)) best = remote;
    if (best === null) continue;
    uses.set(best.address, (uses.get(best.address) ?? 0) + 1);
    result.push({ path, remote: best });
  }
  return result;
}

function hasNeighbour(path: Path, remotes: readonly RemoteAddress[]): boolean {
  return remotes.some((remote) => sameSubnet(path.address, remote.address));
}
