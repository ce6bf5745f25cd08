/**
 * MTUs of which routers have told, for each path and destination, as Linux keeps them beside its routes: subflows begin
 * with what is known, and for ten minutes nobody tries more (RFC 1191 section 6.3; Linux' mtu_expires).
 */
import { now } from './host';

const KEPT: f64 = 600e6;
/** Entries; a new one takes the place of the oldest. */
const COUNT: u32 = 64;

@unmanaged
class Entry {
  until: f64;
  remoteHigh: u64;
  remoteLow: u64;
  path: u32;
  mtu: u32;
}

const SIZE: u32 = 32;
const table = memory.data(64 * 32, 8);

@inline
function entryAt(i: u32): Entry {
  return changetype<Entry>(table + i * SIZE);
}

/** Where that is noted, or 0. */
function find(path: u32, remoteHigh: u64, remoteLow: u64): usize {
  for (let i: u32 = 0; i < COUNT; i++) {
    const e = entryAt(i);
    if (e.until > now && e.path == path && e.remoteLow == remoteLow && e.remoteHigh == remoteHigh) {
      return changetype<usize>(e);
    }
  }
  return 0;
}

/** What the latest `mtuKnown` found: MTU, and until when it holds. */
export let knownMtu: u32 = 0;
export let knownUntil: f64 = 0;

/** Looks for an MTU on the way from a path to a destination. False: nothing is known. */
export function mtuKnown(path: u32, remoteHigh: u64, remoteLow: u64): bool {
  const p = find(path, remoteHigh, remoteLow);
  if (p == 0) return false;
  knownMtu = changetype<Entry>(p).mtu;
  knownUntil = changetype<Entry>(p).until;
  return true;
}

/** A router has told of it. Returns until when it holds. */
export function mtuLearnt(path: u32, remoteHigh: u64, remoteLow: u64, mtu: u32): f64 {
  let p = find(path, remoteHigh, remoteLow);
  if (p == 0) {
    p = table;
    for (let i: u32 = 1; i < COUNT; i++) {
      if (entryAt(i).until < changetype<Entry>(p).until) p = table + i * SIZE;
    }
  }
  const e = changetype<Entry>(p);
  e.path = path;
  e.remoteHigh = remoteHigh;
  e.remoteLow = remoteLow;
  e.mtu = mtu;
  return (e.until = now + KEPT);
}

/** A path is new, or gone. */
export function mtusForget(path: u32): void {
  for (let i: u32 = 0; i < COUNT; i++) if (entryAt(i).path == path) entryAt(i).until = 0;
}
