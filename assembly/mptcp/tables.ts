/**
 * Who is who: subflows by four-tuple, connections by token, listeners by port. Chained hash tables that double
 * when they are as full as they are long.
 */
import { alloc, allocZero, blockSize, free } from '../arena';
import { hashSeed } from '../secrets';
import { blockPath } from '../paths';
import { Subflow } from '../tcp/subflow';
import { Connection, markDirty } from './connection';

const FIRST: u32 = 64;

// ---- subflows ---------------------------------------------------------------------------------------------

let subflowTable: usize = 0;
let subflowSlots: u32 = 0;
export let subflowCount: u32 = 0;

@inline
function hashTuple(lLow: u64, rHigh: u64, rLow: u64, ports: u32): u32 {
  let h = (lLow ^ (<u64>ports << 32) ^ <u64>hashSeed()) * 0x9e3779b97f4a7c15;
  h = (h ^ (h >> 29) ^ rLow) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 32) ^ rHigh) * 0x94d049bb133111eb;
  return <u32>(h >> 32);
}

@inline
function portsOf(local: u32, remote: u32): u32 {
  return (local << 16) | remote;
}

/** The subflow of a four-tuple, 0 when there is none. */
export function findSubflow(
  lHigh: u64,
  lLow: u64,
  lPort: u32,
  rHigh: u64,
  rLow: u64,
  rPort: u32,
): usize {
  if (subflowCount == 0) return 0;
  const h = hashTuple(lLow, rHigh, rLow, portsOf(lPort, rPort)) & (subflowSlots - 1);
  let p = load<usize>(subflowTable + (h << 2));
  while (p != 0) {
    const sf = changetype<Subflow>(p);
    if (
      sf.remoteLow == rLow &&
      sf.remotePort == rPort &&
      sf.localPort == lPort &&
      sf.localLow == lLow &&
      sf.remoteHigh == rHigh &&
      sf.localHigh == lHigh
    ) {
      return p;
    }
    p = sf.hashNext;
  }
  return 0;
}

function slotOf(sf: Subflow): usize {
  const h = hashTuple(sf.localLow, sf.remoteHigh, sf.remoteLow, portsOf(sf.localPort, sf.remotePort));
  return subflowTable + ((h & (subflowSlots - 1)) << 2);
}

/** Enters a subflow; its four-tuple is free. False: no memory. */
export function enterSubflow(sf: Subflow): bool {
  if (subflowCount >= subflowSlots && !growSubflows()) return false;
  const slot = slotOf(sf);
  sf.hashNext = load<usize>(slot);
  store<usize>(slot, changetype<usize>(sf));
  subflowCount++;
  return true;
}

export function removeSubflow(sf: Subflow): void {
  let link = slotOf(sf);
  let p = load<usize>(link);
  while (p != 0) {
    if (p == changetype<usize>(sf)) {
      store<usize>(link, sf.hashNext);
      subflowCount--;
      return;
    }
    link = p + offsetof<Subflow>('hashNext');
    p = load<usize>(link);
  }
}

/** The device of a path (of setPath) is full, or it takes packets again: then the path's subflows go on. */
export function setPathBlocked(path: u32, on: u32): void {
  blockPath(path, on != 0);
  if (on == 0) eachSubflowOn(path, (c: Connection) => markDirty(c));
}

/** Calls for the subflows of a path that belong to a connection. */
export function eachSubflowOn(path: u32, act: (c: Connection, sf: Subflow) => void): void {
  for (let i: u32 = 0; i < subflowSlots; i++) {
    for (let p = load<usize>(subflowTable + (i << 2)); p != 0; p = changetype<Subflow>(p).hashNext) {
      const sf = changetype<Subflow>(p);
      if (sf.path == path && sf.conn != 0) act(changetype<Connection>(sf.conn), sf);
    }
  }
}

function growSubflows(): bool {
  const old = subflowTable;
  const oldSlots = subflowSlots;
  const slots: u32 = oldSlots == 0 ? FIRST : oldSlots * 2;
  const fresh = allocZero(slots * 4);
  if (fresh == 0) return false;
  subflowTable = fresh;
  subflowSlots = slots;
  for (let i: u32 = 0; i < oldSlots; i++) {
    let p = load<usize>(old + (i << 2));
    while (p != 0) {
      const sf = changetype<Subflow>(p);
      const next = sf.hashNext;
      const slot = slotOf(sf);
      sf.hashNext = load<usize>(slot);
      store<usize>(slot, p);
      p = next;
    }
  }
  if (old != 0) free(old, oldSlots * 4);
  return true;
}

// ---- tokens -----------------------------------------------------------------------------------------------

let tokenTable: usize = 0;
let tokenSlots: u32 = 0;
let tokenCount: u32 = 0;

/** The connection that owns a token, 0 when there is none. Tokens are hashes already. */
export function findToken(token: u32): usize {
  if (tokenCount == 0) return 0;
  let p = load<usize>(tokenTable + ((token & (tokenSlots - 1)) << 2));
  while (p != 0) {
    const c = changetype<Connection>(p);
    if (c.localToken == token) return p;
    p = c.tokenNext;
  }
  return 0;
}

export function enterToken(c: Connection): bool {
  if (tokenCount >= tokenSlots && !growTokens()) return false;
  const slot = tokenTable + ((c.localToken & (tokenSlots - 1)) << 2);
  c.tokenNext = load<usize>(slot);
  store<usize>(slot, changetype<usize>(c));
  tokenCount++;
  return true;
}

/** Forgets a connection's token; harmless when it is not entered. */
export function removeToken(c: Connection): void {
  if (tokenCount == 0 || c.localToken == 0) return;
  let link = tokenTable + ((c.localToken & (tokenSlots - 1)) << 2);
  let p = load<usize>(link);
  while (p != 0) {
    if (p == changetype<usize>(c)) {
      store<usize>(link, c.tokenNext);
      tokenCount--;
      c.localToken = 0;
      return;
    }
    link = p + offsetof<Connection>('tokenNext');
    p = load<usize>(link);
  }
}

function growTokens(): bool {
  const old = tokenTable;
  const oldSlots = tokenSlots;
  const slots: u32 = oldSlots == 0 ? FIRST : oldSlots * 2;
  const fresh = allocZero(slots * 4);
  if (fresh == 0) return false;
  for (let i: u32 = 0; i < oldSlots; i++) {
    let p = load<usize>(old + (i << 2));
    while (p != 0) {
      const c = changetype<Connection>(p);
      const next = c.tokenNext;
      const slot = fresh + ((c.localToken & (slots - 1)) << 2);
      c.tokenNext = load<usize>(slot);
      store<usize>(slot, p);
      p = next;
    }
  }
  if (old != 0) free(old, oldSlots * 4);
  tokenTable = fresh;
  tokenSlots = slots;
  return true;
}

/** Octets that all tables take from the arena. */
export function tablesBytes(): u32 {
  let octets: u32 = 0;
  for (let p = listeners; p != 0; p = changetype<Listener>(p).next) octets += blockSize(LISTENER_SIZE);
  if (subflowSlots != 0) octets += blockSize(subflowSlots * 4);
  if (tokenSlots != 0) octets += blockSize(tokenSlots * 4);
  return octets;
}

// ---- listeners --------------------------------------------------------------------------------------------

/** A listener accepts connections on a port, at one address or at any. */
@unmanaged
export class Listener {
  next: usize;
  port: u32;
  /** Both zero: any address. */
  high: u64;
  low: u64;
  /** Accepts joins only (a port announced in ADD_ADDR). */
  joinsOnly: bool;
  /** What SYN/ACKs of joins say there. */
  addressId: u8;
  backup: bool;
  /** Fast Open: connections that wait for their third packet, and places that resets took until `penaltyUntil`. */
  early: u32;
  penalty: u32;
  penaltyUntil: f64;
  /** Names it to what waits here. */
  number: u32;
  /** Handshakes under way, those of them whose SYN/ACK was not repeated yet, and connections to be accepted. */
  requests: u32;
  young: u32;
  queued: u32;
  /** Handle of the connection whose settings accepted ones begin with; 0: the stack's. */
  like: u32;
}

const LISTENER_SIZE: u32 = offsetof<Listener>();
let listeners: usize = 0;
let listenersMade: u32 = 0;

/** The listener of this number, 0 when it is gone. */
export function listenerOf(number: u32): usize {
  let p = listeners;
  while (p != 0 && changetype<Listener>(p).number != number) p = changetype<Listener>(p).next;
  return p;
}

/** The listener for a packet's destination, 0 when there is none. An exact address wins. */
export function findListener(high: u64, low: u64, port: u32): usize {
  let wild: usize = 0;
  for (let p = listeners; p != 0; p = changetype<Listener>(p).next) {
    const l = changetype<Listener>(p);
    if (l.port != port) continue;
    if (l.high == high && l.low == low) return p;
    if (l.high == 0 && l.low == 0) wild = p;
  }
  return wild;
}

/** 1 entered, 0 taken, -1 no memory. */
export function enterListener(high: u64, low: u64, port: u32, like: u32): i32 {
  for (let p = listeners; p != 0; p = changetype<Listener>(p).next) {
    const l = changetype<Listener>(p);
    if (l.port == port && l.high == high && l.low == low) return 0;
  }
  const p = allocZero(LISTENER_SIZE);
  if (p == 0) return -1;
  const l = changetype<Listener>(p);
  l.next = listeners;
  l.port = port;
  l.high = high;
  l.low = low;
  l.joinsOnly = false;
  l.addressId = 0;
  l.backup = false;
  l.like = like;
  if (++listenersMade == 0) listenersMade = 1;
  l.number = listenersMade;
  listeners = p;
  return 1;
}

/** The same for joins only; they get this address ID and backup flag. */
export function enterJoinListener(high: u64, low: u64, port: u32, addressId: u32, backup: bool): i32 {
  const result = enterListener(high, low, port, 0);
  if (result != 1) return result;
  const l = changetype<Listener>(listeners);
  l.joinsOnly = true;
  l.addressId = <u8>addressId;
  l.backup = backup;
  return 1;
}

export function removeListener(high: u64, low: u64, port: u32): bool {
  let before: usize = 0;
  for (let p = listeners; p != 0; p = changetype<Listener>(p).next) {
    const l = changetype<Listener>(p);
    if (l.port == port && l.high == high && l.low == low) {
      if (before != 0) changetype<Listener>(before).next = l.next;
      else listeners = l.next;
      free(p, LISTENER_SIZE);
      return true;
    }
    before = p;
  }
  return false;
}
