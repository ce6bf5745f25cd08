/**
 * Octets that still lie in the packets that brought them, in order or beyond a hole: an application that reads them
 * before their receive area is used again gets them from there, which saves the copy to the receive ring. What one
 * subflow brings often waits only for what another brings in the same batch, or in the next one: that has another area.
 */
import { dsnDiff, dsnLt } from '../dsn';
import { RX_SLOTS, rxAreaOf } from '../rings';
import { Connection } from './connection';

/** Data sequence number u64; u32 each: address, length (0: gone), connection, number of its next piece (0: none). */
const PIECE: u32 = 24;
const ADDRESS: usize = 8;
const LENGTH: usize = 12;
const OWNER: usize = 16;
const NEXT: usize = 20;
/** As many for each area as it has packets, in the order in which they came, and how many there are. */
const table = memory.data(2 * 256 * 24, 8);
const counts = memory.data(2 * 4, 4);

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

/** Leaves octets from `dsn` on, of which no piece has any, where they lie. False: they have to be copied. */
export function directAdd(c: Connection, dsn: u64, from: usize, length: u32): bool {
  const area = rxAreaOf(from);
  if (area < 0 || countOf(area) == RX_SLOTS) return false;
  const count = countOf(area) + 1;
  store<u32>(counts + area * 4, count);
  const number = area * RX_SLOTS + count;
  const at = pieceAt(number);
  store<u64>(at, dsn);
  store<u32>(at, <u32>from, ADDRESS);
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
    store<u32>(at, 0, LENGTH);
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
    store<u32>(at, 0, LENGTH);
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
