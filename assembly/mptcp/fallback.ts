/**
 * Fallback to plain TCP (RFC 8684 section 3.7): the data sequence space becomes the subflow's own. It happens
 * on the only subflow a connection ever had, once, and for good.
 */
import {
  EVENT_FALLBACK,
  FALLBACK_CHECKSUM,
  FALLBACK_INFINITE,
  FALLBACK_MAPPING,
  FALLBACK_MP_FAIL,
  FALLBACK_NO_DSS,
} from '../abi';
import { MIB_DSSCorruptionFallback, MIB_DssFallback, MIB_FallbackFailed, MIB_InfiniteMapRx } from '../mib';
import { count } from '../counters';
import { dsnGt, dsnMin } from '../dsn';
import { emit } from '../events';
import { seqDiff } from '../seq';
import { recAt } from '../tcp/records';
import {
  SF_ACK_NOW,
  SF_ASKED,
  SF_BARE,
  SF_FAILING,
  SF_FIN_RECEIVED,
  SF_PRE_ESTABLISHED,
  SF_SEND_FAIL,
  SF_SEND_PRIO,
  Subflow,
} from '../tcp/subflow';
import { seg } from '../wire/segment';
import { peerDone } from './close';
import {
  Connection,
  C_ESTABLISHED,
  C_FIN_ACKED,
  C_FIN_SENT,
  C_MPTCP,
  C_NO_INFINITE,
  C_OPENED,
  C_PEER_DONE,
  C_PEER_FIN,
  C_SEND_INFINITE,
  C_TOLD,
  C_WATCH,
  markDirty,
} from './connection';
import { heldStart, mappedEnd, mappingsFree, placeHeldPlain } from './mapping';
import { receiveEdge } from './reassembly';
import { removeToken } from './tables';
import { watchPeer } from './unaware';

/** Whether an infinite mapping is safe: one subflow, never a second one, and both sequence spaces in step. */
export function canFallBack(c: Connection): bool {
  return isAlone(c) && isInStep(c, c.firstSubflow);
}

function isAlone(c: Connection): bool {
  return c.is(C_MPTCP) && !c.is(C_NO_INFINITE) && c.subflowCount == 1;
}

/** Every octet of the subflow was the next one of the data: nothing was repeated, nothing is missing. */
function isInStep(c: Connection, sf: Subflow): bool {
  const fin: u32 = sf.is(SF_FIN_RECEIVED) && sf.heldCount == 0 ? 1 : 0;
  return <u32>(plainStart(c) - c.remoteIdsn) == heldStart(sf) - sf.irs - sf.ssnShift - fin;
}

/** Octets up to `end` will find room in the receive ring even if the connection becomes plain: none can be dropped. */
export function fitsPlain(c: Connection, sf: Subflow, end: u32): bool {
  return !isAlone(c) || <u64>seqDiff(end, heldStart(sf)) <= receiveEdge(c) - plainStart(c);
}

/** Next data sequence number in order, the peer's DATA_FIN not counted. */
function plainStart(c: Connection): u64 {
  return c.rcvNxt - (c.is(C_PEER_DONE) ? 1 : 0);
}

/** Plain TCP from now on. The caller has checked `canFallBack` unless the handshake is still going on. */
export function fallBack(c: Connection, sf: Subflow, reason: i32): void {
  becomePlain(c, sf, reason, plainStart(c), MIB_DssFallback);
}

/** The same where a segment has more octets than its own mapping covers. */
export function fallBackCut(c: Connection, sf: Subflow): void {
  becomePlain(c, sf, FALLBACK_MAPPING, plainStart(c), MIB_DSSCorruptionFallback);
}

/**
 * `dsn`: data sequence number of the first octet of the subflow that has not gone to the receive ring; `mib` counts
 * what has no counter of its own.
 */
function becomePlain(c: Connection, sf: Subflow, reason: i32, dsn: u64, mib: i32): void {
  if (!c.is(C_MPTCP)) return;
  const wasUp = c.is(C_ESTABLISHED);
  c.clear(C_MPTCP | C_ESTABLISHED);
  c.fallback = reason;
  if (reason != FALLBACK_NO_DSS && reason != FALLBACK_MP_FAIL && wasUp) count(mib);
  removeToken(c);
  sf.waitAt = Infinity;
  sf.clear(SF_PRE_ESTABLISHED | SF_SEND_FAIL | SF_SEND_PRIO | SF_FAILING | SF_BARE | SF_ASKED);
  // Octets that wait for a mapping come first; they start the plain stream.
  const start = heldStart(sf);
  const end = mappedEnd(c, sf);
  c.rcvAnchorSeq = start;
  c.rcvAnchorDsn = dsn;
  placeHeldPlain(c, sf, start, dsn);
  mappingsFree(c, sf);
  if (reason != FALLBACK_INFINITE) watchPeer(c, sf, dsn, end);
  // A DATA_FIN on its way means nothing any more, nor one whose acknowledgement came with data: FIN takes its place.
  if (c.is(C_FIN_SENT) && !c.is(C_FIN_ACKED)) {
    c.clear(C_FIN_SENT);
    c.dataNxt = c.writeSeq;
    c.dataUna = dsnMin(c.dataUna, c.writeSeq);
    c.bufSeq = dsnMin(c.bufSeq, c.dataUna);
  }
  c.infiniteDsn = c.dataUna;
  if (c.is(C_OPENED)) emit(EVENT_FALLBACK, c.handle, sf.handle, reason, 0, 0);
  markDirty(c);
  if (c.is(C_PEER_FIN) && !c.is(C_PEER_DONE) && c.rcvNxt == c.peerFin) {
    c.mapAck = c.peerFin + 1;
    peerDone(c);
  }
  if (sf.is(SF_FIN_RECEIVED)) peerDone(c); // it came while its octets waited for their mapping
}

/**
 * An infinite mapping arrived: it says itself where the stream goes on (RFC 8684 section 3.7). What it covers may have
 * been delivered; only what is new is taken.
 */
export function infiniteMapping(c: Connection, sf: Subflow, dsn: u64): bool {
  count(MIB_InfiniteMapRx);
  if (!isAlone(c)) {
    count(MIB_FallbackFailed);
    return false;
  }
  const ahead = seqDiff(sf.irs + sf.ssnShift + seg.dssSsn, heldStart(sf));
  const start = dsn - <u64>(<i64>ahead);
  const next = plainStart(c);
  // A gap can never be filled any more: the stream goes on with what there is, as on Linux.
  const reason = sf.is(SF_FAILING) ? FALLBACK_CHECKSUM : FALLBACK_INFINITE;
  becomePlain(c, sf, reason, dsnGt(start, next) ? next : start, MIB_DssFallback);
  return true;
}

/** The peer's answer to our MP_FAIL: both directions become plain, and the octets count as they came. */
export function failAnswered(c: Connection, sf: Subflow): void {
  fallBack(c, sf, FALLBACK_CHECKSUM);
  // The peer goes on with mappings until it has new data for its infinite one.
  c.set(C_WATCH | C_TOLD | C_SEND_INFINITE);
  sf.set(SF_ACK_NOW);
}

/**
 * The peer has sent MP_FAIL, and no new data will carry the infinite mapping: FIN says it, with DATA_FIN for a peer
 * that waits for that, and the subflow's ACKs are what counts. False: not that case.
 */
export function endAfterFail(c: Connection, sf: Subflow): bool {
  if (!c.is(C_SEND_INFINITE) || !c.is(C_FIN_SENT) || sf.packetsOut != 0 || !canFallBack(c)) return false;
  fallBack(c, sf, FALLBACK_MP_FAIL);
  if (c.is(C_WATCH)) c.set(C_TOLD);
  return true;
}

/** Data sequence number of subflow sequence number `seq` on a plain connection. */
export function plainDsn(c: Connection, seq: u32): u64 {
  return c.rcvAnchorDsn + <u64>(<i64>seqDiff(seq, c.rcvAnchorSeq));
}

/** After octets were taken in order: moves the anchor along, so that the difference never wraps. */
export function moveAnchor(c: Connection, sf: Subflow): void {
  c.rcvAnchorDsn = plainDsn(c, sf.rcvNxt);
  c.rcvAnchorSeq = sf.rcvNxt;
}

/** On a plain connection the subflow's acknowledgement is the data acknowledgement. */
export function plainDataUna(c: Connection, sf: Subflow): u64 {
  for (let id = sf.recHead; id != sf.recTail; id++) {
    const r = recAt(sf, id);
    if (r.length != 0) return r.dsn;
  }
  return c.dataNxt;
}
