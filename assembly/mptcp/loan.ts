/**
 * A loan: octets that leave straight from the application's memory. They are numbered as if they lay in the send
 * ring; packets that carry them point to their offset in the loan (LOAN). When they have left, what the peer has not
 * acknowledged is copied to the ring from its end on, while further answers come and are handled, and the loan ends.
 * One connection borrows at a time, and the application runs only afterwards.
 */
import { MIB_LentOctets, MIB_RepaidOctets } from '../mib';
import { countBy } from '../counters';
import { dsnLt, dsnMax } from '../dsn';
import { pathLends, pathSumsPayload } from '../paths';
import { Subflow } from '../tcp/subflow';
import { Connection, C_CHECKSUM, C_FIN_QUEUED, C_SEND_INFINITE, isOpen, markDirty } from './connection';
import { placeOf, sendFree, sendGrow, sendPrepare, sendRoom } from './send-ring';
import { noteWrite, unsentOf } from './transmit';

/** Loans of fewer octets are not worth their turn. */
const LEAST: u32 = 65536;
/**
 * Of the peer's window. A loan may fill a smaller one at once, while a Linux peer's application is reading: then all
 * of it is acknowledged by the subflows and nothing at data level, and Linux says no more of that until its window has
 * doubled.
 */
const LEAST_WINDOW: u64 = 1 << 20;

/** Loans make the ring as large as this at most: more that the peer does not take would only be copied. */
const LARGEST_RING: u32 = 4 << 20;

/** Octets that are copied at once: a packet or two, in the time of which the peer may answer. */
const PIECE: u32 = 128 << 10;

let borrower: usize = 0;
/** Data sequence number of the loan's first octet. */
export let loanStart: u64 = 0;
/** What the borrower writes beyond is in the ring already. */
let copied: u64 = 0;
/** Where the piece named last comes from, and where to. */
let from: u32 = 0;
let to: usize = 0;

@inline
export function isBorrower(c: Connection): bool {
  return borrower == changetype<usize>(c);
}

/** Lends a connection up to `octets` at its end. Returns how many it takes; 0: they have to be written as usual. */
export function lend(c: Connection, octets: u32): u32 {
  if (!mayBorrow(c) || !sendPrepare(c)) return 0;
  while (sendRoom(c) < octets && c.sndCap < LARGEST_RING && sendGrow(c));
  const n = min(octets, sendRoom(c));
  // A packet has two spans: the second is for the loan, so what it joins must lie in one piece.
  if (n < LEAST || placeOf(c, c.dataNxt) + unsentOf(c) > c.sndCap) return 0;
  borrower = changetype<usize>(c);
  loanStart = c.writeSeq;
  noteWrite(c);
  copied = c.writeSeq += n;
  c.more = false;
  countBy(MIB_LentOctets, n);
  markDirty(c);
  return n;
}

/** Its packets point to where octets lie, and nobody has to read these: neither sums nor copies are made of them. */
function mayBorrow(c: Connection): bool {
  if (!isOpen(c) || c.wndEdge - c.dataUna < LEAST_WINDOW) return false;
  if ((c.flags & (C_CHECKSUM | C_FIN_QUEUED | C_SEND_INFINITE)) != 0) return false;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const path = changetype<Subflow>(p).path;
    if (!pathLends(path) || pathSumsPayload(path)) return false;
  }
  return c.subflows != 0;
}

/**
 * Octets to be copied next, from offset `repayFrom` of the loan to `repayAt`; 0: none are left. They are the last ones
 * that are still needed, since the peer acknowledges the first ones meanwhile. The loan goes on until `loanEnd`.
 */
export function repayNext(): u32 {
  const c = changetype<Connection>(borrower);
  const first = dsnMax(c.bufSeq, loanStart);
  if (c.snd == 0 || !isOpen(c) || !dsnLt(first, copied)) return 0;
  // Where the ring holds nothing else, this loan has the place of the one before, which is in the cache.
  if (copied == c.writeSeq && !dsnLt(c.bufSeq, loanStart)) c.sndStart = <u32>loanStart;
  const end = placeOf(c, copied - 1) + 1;
  const n = min(min(<u32>(copied - first), PIECE), end);
  copied -= n;
  to = c.snd + end - n;
  from = <u32>(copied - loanStart);
  countBy(MIB_RepaidOctets, n);
  return n;
}
export function repayAt(): usize {
  return to;
}
export function repayFrom(): u32 {
  return from;
}

/** Ends the loan, of which nothing is left to copy; its octets count as written. */
export function loanEnd(): void {
  const c = changetype<Connection>(borrower);
  borrower = 0;
  if (c.bufSeq == c.writeSeq) sendFree(c);
  if (c.snd != 0 && isOpen(c)) markDirty(c); // what needs copies of its own may have waited
}
