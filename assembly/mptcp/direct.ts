/**
 * Octets in order that still lie in the packets that brought them: an application that reads them before the receive
 * area is used again gets them from there, which saves the copy to the receive ring. They follow those in the ring.
 */
import { dsnDiff, dsnLt } from '../dsn';
import { inRxArea, RX_SLOTS } from '../rings';
import { Connection } from './connection';

/** Connection u32, address u32, length u32, number of the connection's next piece u32 (0: none). */
const PIECE: u32 = 16;
const table = memory.data(256 * 16, 8);
let pieces: u32 = 0;

/** Pieces are numbered from 1. */
@inline
function pieceAt(number: u32): usize {
  return table + (number - 1) * PIECE;
}

/** Leaves the next octets in order where they lie. False: they have to be copied. */
export function directAdd(c: Connection, from: usize, length: u32): bool {
  if (pieces == RX_SLOTS || !inRxArea(from)) return false;
  const at = pieceAt(++pieces);
  store<u32>(at, <u32>changetype<usize>(c));
  store<u32>(at, <u32>from, 4);
  store<u32>(at, length, 8);
  store<u32>(at, 0, 12);
  if (c.directHead == 0) {
    c.directHead = pieces;
    c.directSeq = c.rcvNxt;
  } else {
    store<u32>(pieceAt(c.directTail), pieces, 12);
  }
  c.directTail = pieces;
  return true;
}

/** Where the octet `skip` behind `directSeq` lies, and in `directLength` how many follow it in its piece. */
export function directFind(c: Connection, skip: u32): usize {
  let at = pieceAt(c.directHead);
  while (skip >= load<u32>(at, 8)) {
    skip -= load<u32>(at, 8);
    at = pieceAt(load<u32>(at, 12));
  }
  directLength = load<u32>(at, 8) - skip;
  return load<u32>(at, 4) + skip;
}
export let directLength: u32 = 0;

/** What precedes `end` is not needed any more. */
export function directDrop(c: Connection, end: u64): void {
  while (c.directHead != 0 && dsnLt(c.directSeq, end)) {
    const at = pieceAt(c.directHead);
    const length = load<u32>(at, 8);
    const n = <u32>min<u64>(length, <u64>dsnDiff(end, c.directSeq));
    store<u32>(at, load<u32>(at, 4) + n, 4);
    store<u32>(at, length - n, 8);
    c.directSeq += n;
    if (n == length) c.directHead = load<u32>(at, 12);
  }
}

/** The connection is about to be freed. */
export function directForget(c: Connection): void {
  const owner = <u32>changetype<usize>(c);
  for (let i: u32 = 1; i <= pieces; i++) if (load<u32>(pieceAt(i)) == owner) store<u32>(pieceAt(i), 0);
}

/** Some connection that has pieces, or 0: then there are none any more. */
export function directOwner(): usize {
  for (; pieces != 0; pieces--) {
    const p: usize = load<u32>(pieceAt(pieces));
    if (p != 0 && changetype<Connection>(p).directHead != 0) return p;
  }
  return 0;
}
