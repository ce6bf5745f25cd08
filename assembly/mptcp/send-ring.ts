/**
 * The send ring of a connection: application octets from bufSeq to writeSeq, each at its data sequence number
 * modulo the size. Packets point into it; nothing is copied on the way out.
 */
import { MIB_PrivateFull } from '../abi';
import { alloc, blockSize, free, memoryShort } from '../arena';
import { count } from '../counters';
import { dsnLt, dsnMin } from '../dsn';
import { maxPrivate } from '../limits';
import { seqMax } from '../seq';
import { Connection, C_OVERFULL, C_WANT_WRITE, markDirty, tellWritable } from './connection';
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
    return c.snd != 0;
  }
  const flight = <u32>(c.dataNxt - c.bufSeq);
  if (sendRoom(c) == 0 && c.sndCap < c.sndMax && flight > c.sndCap / 2) grow(c);
  return true;
}

function grow(c: Connection): void {
  // Packets that wait for the device point into the ring.
  if (txPending() != 0 || memoryShort()) return;
  const capacity = c.sndCap * 2;
  const fresh = alloc(capacity);
  if (fresh == 0) return;
  let dsn = c.bufSeq;
  while (dsnLt(dsn, c.writeSeq)) {
    const from = <u32>dsn & (c.sndCap - 1);
    const to = <u32>dsn & (capacity - 1);
    const n = min<u32>(min<u32>(c.sndCap - from, capacity - to), <u32>(c.writeSeq - dsn));
    memory.copy(fresh + to, c.snd + from, n);
    dsn += n;
  }
  free(c.snd, c.sndCap);
  c.snd = fresh;
  c.sndCap = capacity;
}

/** Where the application may write next, and how much in one piece. */
export function sendPointer(c: Connection): usize {
  return c.snd + (<u32>c.writeSeq & (c.sndCap - 1));
}
export function sendContiguous(c: Connection): u32 {
  return min<u32>(sendRoom(c), c.sndCap - (<u32>c.writeSeq & (c.sndCap - 1)));
}

/** Attaches [dsn, dsn + length) of the ring to a packet. */
export function sendAttach(c: Connection, slot: usize, dsn: u64, length: u32): void {
  const from = <u32>dsn & (c.sndCap - 1);
  const first = min<u32>(length, c.sndCap - from);
  txPayload(slot, changetype<usize>(c), c.snd + from, first, c.snd, length - first);
}

/** Copies a record's payload out of the ring so that the ring need not keep it. False: no more than `most` octets. */
export function sendDetach(c: Connection, sf: Subflow, r: Rec, most: u32): bool {
  if (r.length == 0 || r.data != 0) return true;
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
  const from = <u32>r.dsn & (c.sndCap - 1);
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
      if (sf.caState == CA_LOSS && c.subflowCount > 1 && !dsnLt(c.dataUna, r.dsn + r.length)) {
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
  if (!dsnLt(keep, c.writeSeq) && !txHolds(changetype<usize>(c))) sendFree(c);
  if (c.is(C_WANT_WRITE) && sendRoom(c) >= c.sndCap / 4) tellWritable(c);
}

export function sendFree(c: Connection): void {
  if (c.snd == 0) return;
  txPurge(changetype<usize>(c));
  free(c.snd, c.sndCap);
  c.snd = 0;
}
