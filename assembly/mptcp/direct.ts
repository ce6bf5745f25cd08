/**
 * Octets that still lie in the packets that brought them, in order or beyond a hole: an application that reads them
 * before the receive area is used again gets them from there, which saves the copy to the receive ring. Subflows are
 * read one after the other, so what one of them brings often waits only for what the other brought in the same batch.
 */
import { dsnDiff, dsnLt } from '../dsn';
import { inRxArea, RX_SLOTS } from '../rings';
import { Connection } from './connection';

/** Data sequence number u64; u32 each: address, length, connection, number of the connection's next piece (0: none). */
const PIECE: u32 = 24;
const ADDRESS: usize = 8;
const LENGTH: usize = 12;
const OWNER: usize = 16;
const NEXT: usize = 20;
const table = memory.data(256 * 24, 8);
let pieces: u32 = 0;

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
  if (pieces == RX_SLOTS || !inRxArea(from)) return false;
  const at = pieceAt(++pieces);
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
  if (before == 0) c.directHead = pieces;
  else store<u32>(pieceAt(before), pieces, NEXT);
  c.directLast = pieces;
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

/** Data sequence number of the first octet in a piece. There is one. */
export function directFirst(c: Connection): u64 {
  return numberOf(pieceAt(c.directHead));
}

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
  const owner = <u32>changetype<usize>(c);
  for (let i: u32 = 1; i <= pieces; i++) if (load<u32>(pieceAt(i), OWNER) == owner) store<u32>(pieceAt(i), 0, OWNER);
}

/** Some connection that has pieces, or 0: then there are none any more. */
export function directOwner(): usize {
  for (; pieces != 0; pieces--) {
    const p: usize = load<u32>(pieceAt(pieces), OWNER);
    if (p != 0 && changetype<Connection>(p).directHead != 0) return p;
  }
  return 0;
}
