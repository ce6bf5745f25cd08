/**
 * The send ring of a connection: application octets from bufSeq to writeSeq, each at its distance from sndStart modulo
 * the size. Packets point into it; nothing is copied on the way out. What is lent lies elsewhere (loan.ts).
 */
import { LOAN } from '../abi';
import { MIB_PrivateFull } from '../mib';
import { alloc, blockSize, free, memoryShort } from '../arena';
import { count } from '../counters';
import { dsnLt, dsnMin } from '../dsn';
import { maxPrivate } from '../limits';
import { seqMax } from '../seq';
import { Connection, C_OVERFULL, C_WANT_WRITE, markDirty, tellWritable } from './connection';
import { isBorrower, loanStart } from './loan';
import { CA_LOSS, SF_OVERFULL, Subflow } from '../tcp/subflow';
import { Rec, recAt } from '../tcp/records';
import { txHolds, txPayload, txPending, txPurge } from '../rings';

/** Free octets. */
export function sendRoom(c: Connection): u32 {
  return c.sndCap - <u32>(c.writeSeq - c.bufSeq);
}

/** The ring exists after this, and grown when the flight deserves it. False: no memory. */
export function sendPrepare(c: Connection): bool {
  if (c.snd == 0) {
    c.snd = alloc(c.sndCap);
    c.sndStart = <u32>c.bufSeq; // the start of the memory is used first, so that it stays in the processor's cache
    return c.snd != 0;
  }
  const flight = <u32>(c.dataNxt - c.bufSeq);
  if (sendRoom(c) == 0 && flight > c.sndCap / 2) sendGrow(c);
  return true;
}

/** Doubles the ring. False: it is as large as it may be, or has to stay where it is. */
export function sendGrow(c: Connection): bool {
  // Packets that wait for the device point into the ring.
  if (c.sndCap >= c.sndMax || txPending() != 0 || memoryShort()) return false;
  const fresh = alloc(c.sndCap * 2);
  if (fresh == 0) return false;
  const length = <u32>(c.writeSeq - c.bufSeq);
  const from = placeOf(c, c.bufSeq);
  const first = min<u32>(length, c.sndCap - from);
  memory.copy(fresh, c.snd + from, first);
  memory.copy(fresh + first, c.snd, length - first);
  free(c.snd, c.sndCap);
  c.snd = fresh;
  c.sndCap *= 2;
  c.sndStart = <u32>c.bufSeq;
  return true;
}

/** Where the octet at `dsn` lies in the ring's memory. */
@inline
export function placeOf(c: Connection, dsn: u64): u32 {
  return (<u32>dsn - c.sndStart) & (c.sndCap - 1);
}

/** Where the application may write next, and how much in one piece. */
export function sendPointer(c: Connection): usize {
  return c.snd + placeOf(c, c.writeSeq);
}
export function sendContiguous(c: Connection): u32 {
  return min<u32>(sendRoom(c), c.sndCap - placeOf(c, c.writeSeq));
}

/** Attaches [dsn, dsn + length) to a packet. */
export function sendAttach(c: Connection, slot: usize, dsn: u64, length: u32): void {
  const owner = changetype<usize>(c);
  const from = placeOf(c, dsn);
  if (isBorrower(c) && dsnLt(loanStart, dsn + length)) {
    const own = dsnLt(dsn, loanStart) ? <u32>(loanStart - dsn) : 0;
    txPayload(slot, owner, c.snd + from, own, <usize>LOAN + <u32>(dsn + own - loanStart), length - own);
    return;
  }
  const first = min<u32>(length, c.sndCap - from);
  txPayload(slot, owner, c.snd + from, first, c.snd, length - first);
}

/** Copies a record's payload out of the ring so that the ring need not keep it. False: no more than `most` octets. */
export function sendDetach(c: Connection, sf: Subflow, r: Rec, most: u32): bool {
  if (r.length == 0 || r.data != 0) return true;
  if (isBorrower(c) && dsnLt(loanStart, r.dsn + r.length)) return false; // the core cannot read it yet
  const size = blockSize(r.length);
  let all = size;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) all += changetype<Subflow>(p).privateBytes;
  if (all > most) {
    count(MIB_PrivateFull);
    return false;
  }
  const data = alloc(r.length);
  if (data == 0) return false;
  sf.privateBytes += size;
  const from = placeOf(c, r.dsn);
  const first = min<u32>(r.length, c.sndCap - from);
  memory.copy(data, c.snd + from, first);
  memory.copy(data + first, c.snd, r.length - first);
  r.data = data;
  r.dataSize = r.length;
  return true;
}

/**
 * Frees what is DATA_ACKed and no subflow may need for a retransmission of its own. A subflow in timeout, or one
 * that lags while room is short, would hold the ring: its octets are copied out instead (RFC 8684 section 3.3: the
 * same subflow sequence numbers always carry the same octets).
 */
export function sendRelease(c: Connection): void {
  let keep = c.dataUna;
  const short = sendRoom(c) < c.sndCap / 2;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    // Records that use the ring are in order of their data sequence numbers: reinjected ones have copies.
    let id = seqMax(sf.ringHint, sf.recHead);
    for (; id != sf.recTail; id++) {
      const r = recAt(sf, id);
      if (r.length == 0 || r.data != 0) continue;
      if (!dsnLt(r.dsn, keep)) break;
      if ((sf.caState == CA_LOSS || short) && sendDetach(c, sf, r, maxPrivate)) continue;
      if (sf.caState == CA_LOSS && c.subflowCount > 1 && !isBorrower(c) && !dsnLt(c.dataUna, r.dsn + r.length)) {
        sf.set(SF_OVERFULL);
        c.set(C_OVERFULL);
        markDirty(c);
      }
      keep = dsnMin(keep, r.dsn);
      break;
    }
    sf.ringHint = id;
  }
  if (keep == c.bufSeq) return;
  c.bufSeq = keep;
  // A connection at rest holds no ring: ten thousand of them would hold gigabytes.
  if (!isBorrower(c) && !dsnLt(keep, c.writeSeq) && !txHolds(changetype<usize>(c))) sendFree(c);
  if (c.is(C_WANT_WRITE) && sendRoom(c) >= c.sndCap / 4) tellWritable(c);
}

export function sendFree(c: Connection): void {
  if (c.snd == 0) return;
  txPurge(changetype<usize>(c));
  free(c.snd, c.sndCap);
  c.snd = 0;
}
