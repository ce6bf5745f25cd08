/**
 * Cookies of TCP Fast Open (RFC 7413 section 4.1): those that this side hands out, a SipHash of both addresses as in
 * Linux, and those that it was given, by pair of addresses.
 */
import { allocZero } from '../arena';
import { equal } from '../hmac';
import { now, random64 } from '../host';
import { hashSeed } from '../secrets';
import { siphash } from '../siphash';
import { COOKIE_MAX } from '../wire/tcp';
import { Subflow } from './subflow';
import { put64 } from '../bytes';

// ---- handed out -------------------------------------------------------------------------------------------

const KEY: u32 = 16;
/** Length of our cookies. */
export const COOKIE: u32 = 8;
/** The key in use, and the one before it, so that keys can change while cookies are under way. */
const keys = memory.data(2 * 16, 8);
let keyCount: u32 = 0;
const addresses = memory.data(32, 8);
const cookieOut = memory.data(8, 8);

/** Sets the key, and (`backup` not 0) a second one whose cookies are still taken. 16 octets each. */
export function setFastOpenKeys(primary: usize, backup: usize): void {
  memory.copy(keys, primary, KEY);
  if (backup != 0) memory.copy(keys + KEY, backup, KEY);
  keyCount = backup != 0 ? 2 : 1;
}

/** The cookie of the subflow's peer under a key, valid until the next one. */
function cookieUnder(sf: Subflow, key: usize): usize {
  if (keyCount == 0) {
    store<u64>(keys, random64());
    store<u64>(keys + 8, random64());
    keyCount = 1;
  }
  put64(addresses, sf.remoteHigh);
  put64(addresses + 8, sf.remoteLow);
  put64(addresses + 16, sf.localHigh);
  put64(addresses + 24, sf.localLow);
  if (sf.family == 4) {
    // Linux' cookies hash eight octets of addresses then.
    store<u32>(addresses, load<u32>(addresses + 12));
    store<u32>(addresses + 4, load<u32>(addresses + 28));
  }
  store<u64>(cookieOut, siphash(key, addresses, sf.family == 4 ? 8 : 32));
  return cookieOut;
}

/** The cookie that the subflow's peer is to bring. */
export function cookieOf(sf: Subflow): usize {
  return cookieUnder(sf, keys);
}

/** Which key the cookie that the peer brought was made with: 1, 2 the one before, 0 none. */
export function cookieCheck(sf: Subflow, cookie: usize, length: u32): u32 {
  if (length != COOKIE) return 0;
  if (equal(cookieUnder(sf, keys), cookie, COOKIE)) return 1;
  return keyCount == 2 && equal(cookieUnder(sf, keys + KEY), cookie, COOKIE) ? 2 : 0;
}

// ---- given to us ------------------------------------------------------------------------------------------

/** What is known of the way from one address to another. */
@unmanaged
export class FastOpenEntry {
  localHigh: u64;
  localLow: u64;
  remoteHigh: u64;
  remoteLow: u64;
  cookie0: u64;
  cookie1: u64;
  /** Octets of the cookie, 0 none. */
  length: u32;
  /** Segment size that the peer announced. */
  mss: u32;
  /** Time of the latest use, plus 1; 0: the place is free. */
  usedAt: f64;
  /** The cookie came in, or is asked for with, the option's experimental form. */
  experimental: bool;
  /** 1: the standard form got no answer, the experimental one is tried; 2: neither did. */
  attempt: u8;

  @inline
  get cookie(): usize {
    return changetype<usize>(this) + offsetof<FastOpenEntry>('cookie0');
  }
}

const ENTRY: u32 = offsetof<FastOpenEntry>();
/** Places: sets of four, in which the one that rested longest makes room. */
const SETS: u32 = 64;
const WAYS: u32 = 4;
let cache: usize = 0;

@inline
function entryAt(set: u32, way: u32): FastOpenEntry {
  return changetype<FastOpenEntry>(cache + (set * WAYS + way) * ENTRY);
}

function setOf(lHigh: u64, lLow: u64, rHigh: u64, rLow: u64): u32 {
  let h = (rLow ^ rHigh ^ <u64>hashSeed()) * 0x9e3779b97f4a7c15;
  h = (h ^ (h >> 29) ^ lLow ^ lHigh) * 0xbf58476d1ce4e5b9;
  return <u32>(h >> 32) & (SETS - 1);
}

/** The entry of a pair of addresses, or null. */
export function fastOpenFind(lHigh: u64, lLow: u64, rHigh: u64, rLow: u64): FastOpenEntry | null {
  if (cache == 0) return null;
  const set = setOf(lHigh, lLow, rHigh, rLow);
  for (let way: u32 = 0; way < WAYS; way++) {
    const e = entryAt(set, way);
    if (
      e.usedAt != 0 &&
      e.remoteLow == rLow &&
      e.remoteHigh == rHigh &&
      e.localLow == lLow &&
      e.localHigh == lHigh
    ) {
      e.usedAt = now + 1;
      return e;
    }
  }
  return null;
}

/** The entry of a subflow's pair of addresses, or null. */
export function fastOpenOf(sf: Subflow): FastOpenEntry | null {
  return fastOpenFind(sf.localHigh, sf.localLow, sf.remoteHigh, sf.remoteLow);
}

/** The same, made when there is none; null without memory. */
function fastOpenEntry(sf: Subflow): FastOpenEntry | null {
  const found = fastOpenOf(sf);
  if (found) return found;
  if (cache == 0) cache = allocZero(SETS * WAYS * ENTRY);
  if (cache == 0) return null;
  const set = setOf(sf.localHigh, sf.localLow, sf.remoteHigh, sf.remoteLow);
  let oldest = entryAt(set, 0);
  for (let way: u32 = 1; way < WAYS; way++) {
    const e = entryAt(set, way);
    if (e.usedAt < oldest.usedAt) oldest = e;
  }
  memory.fill(changetype<usize>(oldest), 0, ENTRY);
  oldest.localHigh = sf.localHigh;
  oldest.localLow = sf.localLow;
  oldest.remoteHigh = sf.remoteHigh;
  oldest.remoteLow = sf.remoteLow;
  oldest.usedAt = now + 1;
  return oldest;
}

/**
 * Notes what a SYN/ACK said: the segment size, and a cookie of `length` octets (0: none). `attempt` 1 or 2: it had
 * been asked for in the standard or the experimental form and did not come.
 */
export function fastOpenNote(
  sf: Subflow,
  mss: u32,
  cookie: usize,
  length: u32,
  experimental: bool,
  attempt: u8,
): void {
  const e = fastOpenEntry(sf);
  if (!e) return;
  e.mss = mss;
  if (length != 0) {
    memory.copy(e.cookie, cookie, min(length, COOKIE_MAX));
    e.length = length;
    e.experimental = experimental;
  } else if (e.length == 0 && attempt > e.attempt) {
    e.attempt = attempt;
    e.experimental = attempt == 1;
  }
}
