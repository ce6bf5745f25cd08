/**
 * Octets that still lie in the packets that brought them, in order or beyond a hole: an application that reads them
 * before their receive area is used again gets them from there, which saves the copy to the receive ring. What one
 * subflow brings often waits only for what another brings in the same batch, or in the next one: that has another area.
 * What came in a buffer of its own, outside the core, stays there.
 */
import { PLACED, PLACED_SHIFT, PLACED_SLOTS } from '../abi';
import { dsnDiff, dsnLt } from '../dsn';
import { OUTSIDE, RX_SLOTS, rxAreaOf } from '../rings';
import { Connection } from './connection';

/** Data sequence number u64; u32 each: address, length (0: gone), connection, number of its next piece (0: none). */
const PIECE: u32 = 24;
const ADDRESS: usize = 8;
const LENGTH: usize = 12;
const OWNER: usize = 16;
const NEXT: usize = 20;
/** As many for each area as it has packets, in the order in which they came, and how many there are. */
const table = memory.data(3 * 256 * 24, 8);
const counts = memory.data(2 * 4, 4);

/** Of each buffer outside the core (PLACED): its pieces, and one more until its packet is handled. u16 each. */
const uses = memory.data(256 * 2, 8);

/** Where those numbers are. The host adds the one for a packet. */
export function placedUses(): usize {
  return uses;
}

@inline
function usesOf(address: u32): usize {
  return uses + (((address - <u32>PLACED) >> PLACED_SHIFT) << 1);
}

/** For the audit: pieces are counted, and no buffer has more of them than are counted. */
export function placedRight(): bool {
  let live: u32 = 0;
  for (let i: u32 = 0; i < <u32>PLACED_SLOTS; i++) {
    let pieces: u32 = 0;
    for (let k: u32 = 1; k <= RX_SLOTS; k++) {
      const at = pieceAt(OUTSIDE * RX_SLOTS + k);
      if (load<u32>(at, LENGTH) != 0 && usesOf(load<u32>(at, ADDRESS)) == uses + (i << 1)) pieces++;
    }
    if (pieces > load<u16>(uses + (i << 1))) return false;
    live += pieces;
  }
  return live == outside;
}

/** The packet whose payload is at `address` is handled. */
export function placedHandled(address: u32): void {
  store<u16>(usesOf(address), load<u16>(usesOf(address)) - 1);
}

/** A piece is not needed any more. */
function drop(at: usize): void {
  store<u32>(at, 0, LENGTH);
  if (load<u32>(at, ADDRESS) < <u32>PLACED) return;
  placedHandled(load<u32>(at, ADDRESS));
  outside--;
}

@inline
function countOf(area: u32): u32 {
  return load<u32>(counts + area * 4);
}
/** Pieces are numbered from 1. */
@inline
function pieceAt(number: u32): usize {
  return table + (number - 1) * PIECE;
}
@inline
function numberOf(at: usize): u64 {
  return load<u64>(at);
}
@inline
function nextOf(number: u32): u32 {
  return load<u32>(pieceAt(number), NEXT);
}

/** The piece after those of an area of received packets, 0: there are as many as it may have. */
function freeInside(area: u32): u32 {
  const count = countOf(area) + 1;
  if (count > RX_SLOTS) return 0;
  store<u32>(counts + area * 4, count);
  return area * RX_SLOTS + count;
}

/** Pieces of octets outside the core, and where to look for a free one. */
let outside: u32 = 0;
let lookAt: u32 = 0;

/** They are not freed in order: any one of theirs that is gone. */
function freeOutside(): u32 {
  if (outside == RX_SLOTS) return 0;
  do lookAt = (lookAt + 1) & (RX_SLOTS - 1);
  while (load<u32>(pieceAt(OUTSIDE * RX_SLOTS + lookAt + 1), LENGTH) != 0);
  return OUTSIDE * RX_SLOTS + lookAt + 1;
}

/** Leaves octets from `dsn` on, of which no piece has any, where they lie. False: they have to be copied. */
export function directAdd(c: Connection, dsn: u64, from: usize, length: u32): bool {
  const area = rxAreaOf(from);
  if (area < 0) return false;
  const number = area == OUTSIDE ? freeOutside() : freeInside(area);
  if (number == 0) return false;
  const at = pieceAt(number);
  store<u64>(at, dsn);
  store<u32>(at, <u32>from, ADDRESS);
  if (area == OUTSIDE) {
    store<u16>(usesOf(<u32>from), load<u16>(usesOf(<u32>from)) + 1);
    outside++;
  }
  store<u32>(at, length, LENGTH);
  store<u32>(at, <u32>changetype<usize>(c), OWNER);
  // Behind the piece that was added last, as a rule.
  let before = c.directLast;
  if (before != 0 && dsnLt(dsn, numberOf(pieceAt(before)))) before = 0;
  let next = before == 0 ? c.directHead : nextOf(before);
  while (next != 0 && dsnLt(numberOf(pieceAt(next)), dsn)) {
    before = next;
    next = nextOf(next);
  }
  store<u32>(at, next, NEXT);
  if (before == 0) c.directHead = number;
  else store<u32>(pieceAt(before), number, NEXT);
  c.directLast = number;
  return true;
}

/** Where the octet `dsn` lies, and in `directLength` how many of its piece follow it; 0: in no piece. */
export function directFind(c: Connection, dsn: u64): usize {
  directLength = 0;
  for (let number = c.directHead; number != 0; number = nextOf(number)) {
    const at = pieceAt(number);
    if (dsnLt(dsn, numberOf(at))) {
      directLength = <u32>dsnDiff(numberOf(at), dsn);
      return 0;
    }
    const skip = <u64>dsnDiff(dsn, numberOf(at));
    const length = load<u32>(at, LENGTH);
    if (skip >= length) continue;
    directLength = length - <u32>skip;
    return load<u32>(at, ADDRESS) + <u32>skip;
  }
  return 0;
}
/** Of an octet in no piece: how far it is to the next one; 0: there is none. */
export let directLength: u32 = 0;

/** What precedes `end` is not needed any more. */
export function directDrop(c: Connection, end: u64): void {
  while (c.directHead != 0) {
    const at = pieceAt(c.directHead);
    const gone = dsnDiff(end, numberOf(at));
    if (gone <= 0) return;
    const length = load<u32>(at, LENGTH);
    const n = <u32>min<i64>(length, gone);
    if (n < length) {
      store<u64>(at, numberOf(at) + n);
      store<u32>(at, load<u32>(at, ADDRESS) + n, ADDRESS);
      store<u32>(at, length - n, LENGTH);
      return;
    }
    drop(at);
    if (c.directLast == c.directHead) c.directLast = 0;
    c.directHead = load<u32>(at, NEXT);
  }
}

/** Numbers of the peer's stream moved by `shift`. */
export function directShift(c: Connection, shift: u64): void {
  for (let number = c.directHead; number != 0; number = nextOf(number)) {
    store<u64>(pieceAt(number), numberOf(pieceAt(number)) + shift);
  }
}

/** The connection is about to be freed. */
export function directForget(c: Connection): void {
  while (c.directHead != 0) {
    const at = pieceAt(c.directHead);
    drop(at);
    c.directHead = load<u32>(at, NEXT);
  }
  c.directLast = 0;
}

/** Whether nothing is left in an area that anybody may still read. */
export function directEmpty(area: u32): bool {
  let count = countOf(area);
  while (count != 0 && load<u32>(pieceAt(area * RX_SLOTS + count), LENGTH) == 0) count--;
  store<u32>(counts + area * 4, count);
  return count == 0;
}

/** Takes a piece of an area out, which has to be copied. Returns whose it is, or 0: there are none any more. */
export function directTake(area: u32): usize {
  for (let count = countOf(area); count != 0; ) {
    const number = area * RX_SLOTS + count;
    store<u32>(counts + area * 4, --count);
    const at = pieceAt(number);
    directLength = load<u32>(at, LENGTH);
    if (directLength == 0) continue;
    takenSeq = numberOf(at);
    takenAt = load<u32>(at, ADDRESS);
    const owner: usize = load<u32>(at, OWNER);
    unlink(changetype<Connection>(owner), number);
    return owner;
  }
  return 0;
}
/** Whether there are so many free pieces for octets outside the core. */
export function directRoom(pieces: u32): bool {
  return outside + pieces <= RX_SLOTS;
}

/** Data sequence number and place of the octets of the piece taken last; `directLength` is how many. */
export let takenSeq: u64 = 0;
export let takenAt: usize = 0;

function unlink(c: Connection, number: u32): void {
  const next = nextOf(number);
  if (c.directLast == number) c.directLast = 0;
  if (c.directHead == number) {
    c.directHead = next;
    return;
  }
  let before = c.directHead;
  while (nextOf(before) != number) before = nextOf(before);
  store<u32>(pieceAt(before), next, NEXT);
}
