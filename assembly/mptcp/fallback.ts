/**
 * Fallback to plain TCP (RFC 8684 section 3.7): the data sequence space becomes the subflow's own. It happens
 * on the only subflow a connection ever had, once, and for good.
 */
import {
  EVENT_FALLBACK,
  FALLBACK_INFINITE,
  FALLBACK_MP_FAIL,
  MIB_DssFallback,
  MIB_FallbackFailed,
  MIB_InfiniteMapRx,
  MIB_MPCurrEstab,
} from '../abi';
import { count, uncount } from '../counters';
import { emit } from '../events';
import { seqDiff } from '../seq';
import { recAt } from '../tcp/records';
import { SF_PRE_ESTABLISHED, SF_SEND_FAIL, SF_SEND_PRIO, Subflow } from '../tcp/subflow';
import {
  Connection,
  C_ESTABLISHED,
  C_FIN_ACKED,
  C_FIN_SENT,
  C_MPTCP,
  C_NO_INFINITE,
  C_OPENED,
  C_PEER_DONE,
  markDirty,
} from './connection';
import { heldStart, mappingsFree, placeHeldPlain } from './mapping';
import { removeToken } from './tables';

/** Whether the two sequence spaces still run in step, so that an infinite mapping is safe. */
export function canFallBack(c: Connection): bool {
  return c.is(C_MPTCP) && !c.is(C_NO_INFINITE) && c.subflowCount == 1 && c.oooCount == 0;
}

/** Plain TCP from now on. The caller has checked `canFallBack` unless the handshake is still going on. */
export function fallBack(c: Connection, sf: Subflow, reason: i32): void {
  if (!c.is(C_MPTCP)) return;
  const wasUp = c.is(C_ESTABLISHED);
  c.clear(C_MPTCP);
  c.fallback = reason;
  if (reason != FALLBACK_INFINITE && reason != FALLBACK_MP_FAIL && wasUp) count(MIB_DssFallback);
  if (wasUp) uncount(MIB_MPCurrEstab);
  c.clear(C_ESTABLISHED);
  removeToken(c);
  sf.clear(SF_PRE_ESTABLISHED | SF_SEND_FAIL | SF_SEND_PRIO);
  // The next octet in order of the subflow is the next one of the data.
  anchor(c, sf);
  // A DATA_FIN on its way means nothing any more; FIN takes its place.
  if (c.is(C_FIN_SENT) && !c.is(C_FIN_ACKED)) {
    c.clear(C_FIN_SENT);
    c.dataNxt = c.writeSeq;
  }
  if (c.is(C_OPENED)) emit(EVENT_FALLBACK, c.handle, sf.handle, reason, 0, 0);
  markDirty(c);
}

/** Octets that wait for a mapping come first; they start the plain stream. */
function anchor(c: Connection, sf: Subflow): void {
  const start = heldStart(sf);
  const dsn = c.rcvNxt - (c.is(C_PEER_DONE) ? 1 : 0);
  c.rcvAnchorSeq = start;
  c.rcvAnchorDsn = dsn;
  placeHeldPlain(c, sf, start, dsn);
  mappingsFree(c, sf);
}

/** An infinite mapping arrived (RFC 8684 section 3.7): it says itself where the stream goes on. */
export function infiniteMapping(c: Connection, sf: Subflow): bool {
  count(MIB_InfiniteMapRx);
  if (!canFallBack(c)) {
    count(MIB_FallbackFailed);
    return false;
  }
  fallBack(c, sf, FALLBACK_INFINITE);
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
