/**
 * A connection that became plain TCP by our own decision, while the peer may still take it for Multipath TCP: nothing
 * that we then send to a peer that only sends tells it so. Without DATA_ACKs it would repeat its data for ever, and
 * each repetition would be new octets of a plain stream. So its mappings are still looked at. After a short while
 * MP_FAIL asks it to follow (RFC 8684 section 3.7), and DATA_ACKs keep it going until it does.
 */
import { MIB_DuplicateData, MIB_MPFailRx } from '../mib';
import { count } from '../counters';
import { deadlineArm } from '../deadlines';
import { dsnExpand, dsnGt } from '../dsn';
import { now } from '../host';
import { seqDiff, seqGt } from '../seq';
import { SF_ACK_NOW, SF_SEND_FAIL, Subflow } from '../tcp/subflow';
import { DSS_DSN8, DSS_FIN, DSS_MAP, HAS_DSS, HAS_FAIL, seg } from '../wire/segment';
import { peerDone } from './close';
import {
  Connection,
  C_CLIENT,
  C_DSS_SEEN,
  C_PEER_DONE,
  C_PEER_FIN,
  C_SEND_INFINITE,
  C_TOLD,
  C_WATCH,
  markDirty,
} from './connection';

/** Less than any retransmission timeout of the peer's data level, microseconds. */
const TELL_AFTER: f64 = 100e3;

/** The segment in hand has a DATA_FIN for a connection that is watched. */
let finInHand: bool = false;

/**
 * The connection has just become plain. `end` is the data sequence number after the last mapping that came, `start`
 * where the plain stream begins.
 */
export function watchPeer(c: Connection, sf: Subflow, start: u64, end: u64): void {
  // A peer that has had no DATA_ACK yet sees by itself that options are lost.
  if (!c.is(C_DSS_SEEN) || (!c.is(C_CLIENT) && sf.lastAck == sf.irs + 1)) return;
  c.set(C_WATCH);
  finInHand = seg.has(HAS_DSS) && (seg.dssFlags & DSS_FIN) != 0 && seg.dssLength == 1;
  c.mapEnd = dsnGt(end, start) ? end : c.rcvNxt;
  // What lies behind the end of its stream is not the peer's.
  if (c.is(C_PEER_FIN) && dsnGt(c.mapEnd, c.peerFin)) c.mapEnd = c.peerFin;
  c.mapAck = start;
  c.mapDelta = <u32>c.remoteIdsn;
  if (hasMapping()) tellLater(sf);
}

@inline
function hasMapping(): bool {
  return seg.has(HAS_DSS) && (seg.dssFlags & DSS_MAP) != 0;
}

/** Tells the peer unless it has followed by then. */
export function tellLater(sf: Subflow): void {
  if (sf.waitAt != Infinity) return;
  sf.waitAt = now + TELL_AFTER;
  deadlineArm(changetype<usize>(sf), sf.heapField, sf.waitAt);
}

/** The peer has not followed: tells it, and goes on with DATA_ACKs meanwhile. */
export function tellPeer(c: Connection, sf: Subflow): void {
  c.set(C_TOLD | C_SEND_INFINITE);
  sf.failDsn = c.mapEnd;
  sf.set(SF_SEND_FAIL | SF_ACK_NOW);
  markDirty(c);
}

/**
 * Looks at the options of the segment in hand before its payload is taken. Returns how many of its new octets repeat
 * older data, or -1 when it must not be taken out of order.
 */
export function lookAtMapping(c: Connection, sf: Subflow): i32 {
  finInHand = false;
  if (seg.has(HAS_FAIL)) count(MIB_MPFailRx);
  if (seg.length != 0 && !seqGt(seg.seq + seg.length, sf.rcvNxt)) return 0;
  if (!hasMapping()) {
    if (seg.length == 0) return 0;
    if (!seqGt(seg.seq, sf.rcvNxt)) c.mapEnd += <u64>seqDiff(seg.seq + seg.length, sf.rcvNxt);
    c.clear(C_TOLD); // data without a mapping: the peer knows
    sf.waitAt = Infinity;
    return 0;
  }
  if (seg.dssLength == 0) {
    c.clear(C_WATCH | C_TOLD);
    sf.waitAt = Infinity;
    return 0;
  }
  if (!c.is(C_TOLD)) tellLater(sf);
  const dsn = (seg.dssFlags & DSS_DSN8) != 0 ? seg.dssDsn : dsnExpand(c.mapEnd, <u32>seg.dssDsn);
  const fin = (seg.dssFlags & DSS_FIN) != 0;
  if (fin) {
    finInHand = true;
    c.set(C_PEER_FIN);
    c.peerFin = dsn + seg.dssLength - 1;
    if (seg.dssLength == 1) {
      sf.set(SF_ACK_NOW);
      markDirty(c);
      return 0;
    }
  }
  if (seg.length == 0) return 0;
  if (seqGt(seg.seq, sf.rcvNxt)) return -1;
  return countRepeated(c, sf, dsn, seg.dssLength - (fin ? 1 : 0));
}

/** The peer's mapping of `length` octets from `dsn` on, as far as the segment in hand has them. */
function countRepeated(c: Connection, sf: Subflow, dsn: u64, length: u32): i32 {
  const fresh = <u32>seqDiff(seg.seq + seg.length, sf.rcvNxt);
  const offset = <u32>max<i32>(0, seqDiff(sf.rcvNxt, sf.irs + sf.ssnShift + seg.dssSsn));
  if (offset >= length) return 0;
  const n = min(fresh, length - offset);
  // In the peer's own numbers, whatever a middlebox put in between.
  c.mapEnd = dsn + offset + n;
  // New data keeps the distance of both numberings. A repetition has a new subflow sequence number: it falls behind.
  const behind = seqDiff(c.mapDelta + seg.dssSsn, <u32>dsn);
  if (behind <= 0) return 0;
  const repeated = min<i32>(behind, n);
  c.mapDelta -= repeated;
  count(MIB_DuplicateData);
  return repeated;
}

/** After its payload was taken: what can be acknowledged, and whether the stream has ended. */
export function settleWatched(c: Connection, sf: Subflow): void {
  if (sf.oooCount != 0) return;
  if (!c.is(C_PEER_DONE)) c.mapAck = c.mapEnd;
  // Linux says DATA_FIN while data waits for the congestion window, and on every segment of the last mapping.
  if (!finInHand || seg.seq + seg.length != sf.rcvNxt) return;
  if (c.mapEnd != c.peerFin) return;
  finInHand = false;
  c.mapAck = c.peerFin + 1;
  peerDone(c);
}
