/**
 * New data. It leaves in bursts of a few segments, as from a host whose network card cuts large packets into segments:
 * PSH ends each of them, and on Multipath TCP all segments of what was written at once repeat one mapping (RFC 8684
 * section 3.3.1 lets a mapping span segments). Sizes and waits (Nagle, Minshall, cork) are Linux'.
 */
import { FALLBACK_MP_FAIL, TCP_CLOSE_WAIT, TCP_FIN_WAIT_1, TCP_LAST_ACK, TCP_SYN_RCVD } from '../abi';
import { ccOnIdle } from '../cc/controller';
import { dssChecksum } from '../checksum';
import { dsnDiff, dsnMin } from '../dsn';
import { now } from '../host';
import { maxRecords } from '../limits';
import { txRoom } from '../rings';
import { pickSubflow } from '../sched/scheduler';
import { canCarry, hasRoom } from '../sched/available';
import { seqGt, seqLe } from '../seq';
import { pacingRate } from '../tcp/pacing';
import { Rec, REC_CAPABLE, REC_DATA_FIN, REC_FIN, REC_INFINITE, REC_PSH, recAt, recMarkLost } from '../tcp/records';
import { tcpMinTsoSegs, tcpSlowStartAfterIdle } from '../sysctl';
import { CA_LOSS, CA_RECOVERY, SF_FAST_OPEN, SF_FIN_QUEUED, SF_FIN_SENT, Subflow } from '../tcp/subflow';
import {
  Connection,
  C_CHECKSUM,
  C_CLIENT,
  C_ESTABLISHED,
  C_FIN_QUEUED,
  C_FIN_SENT,
  C_MPTCP,
  C_ORPHAN,
  C_SEND_INFINITE,
  mappingOpen,
} from './connection';
import { canFallBack, fallBack } from './fallback';
import { isBorrower } from './loan';
import { MAX_SEGMENT, packetPayload, recordPayload, ringSum, segmentSize } from './packet';
import { reinjectSubflow } from './reinject';
import { launch, newRecord, roomOn, shareWindow, unsentOf } from './transmit';
import { urgentMode } from './urgent';

/** Octets of one burst, and so of one mapping: what Linux puts into one packet for segmentation. */
export const MAX_BURST: u32 = 65215;
/** Round trips below 2^9 us times this many bits let a burst be as large as it can (Linux' tcp_tso_rtt_log). */
const RTT_SHIFT: u32 = 9;
/** After this time without a packet sending does not wait for more, microseconds. */
const SOON: f64 = 1000;

export function sendNew(c: Connection): void {
  while (txRoom() > 2) {
    if (unsentOf(c) == 0) return;
    shareWindow(c, c.dataNxt);
    const p = subflowForNew(c);
    if (p == 0 || waitsForKey(c, changetype<Subflow>(p))) return;
    if (!sendBurst(c, changetype<Subflow>(p), MAX_SEGMENT, false)) return;
  }
}

/**
 * Accepted with its SYN, a plain connection answers at once. The first DATA_ACK comes with the peer's key, in the third
 * packet, and Linux becomes plain TCP when data comes without one.
 */
@inline
function waitsForKey(c: Connection, sf: Subflow): bool {
  return sf.is(SF_FAST_OPEN) && c.is(C_MPTCP);
}

/** A mapping that is half sent is ended where it began: subflow numbers that were promised carry what was promised. */
function subflowForNew(c: Connection): usize {
  if (!mappingOpen(c)) return pickSubflow(c.subflows, 0);
  const sf = changetype<Subflow>(c.mapOwner);
  if (canCarry(sf)) {
    if (hasRoom(sf)) return c.mapOwner;
    if (sf.caState != CA_LOSS || c.subflowCount == 1) return 0;
    promiseRest(c, sf);
    return pickSubflow(c.subflows, 0);
  }
  c.mapOwner = 0; // it carries nothing new any more
  return pickSubflow(c.subflows, 0);
}

/** A path that falls silent keeps the rest of its mapping as lost records, and the others carry it meanwhile. */
function promiseRest(c: Connection, sf: Subflow): void {
  const size = min(segmentSize(c, sf), MAX_SEGMENT);
  while (mappingOpen(c)) {
    const n = <u32>min<u64>(size, sf.mapEnd - c.dataNxt);
    const id = newRecord(sf, c.dataNxt, n, size);
    if (id == 0) return;
    const r = recAt(sf, id);
    map(c, sf, r, size, n);
    c.dataNxt += n;
    sf.sndNxt = r.end;
    sf.packetsOut++;
    recMarkLost(sf, id, r);
  }
  reinjectSubflow(c, sf, sf.handle);
}

/**
 * Sends one burst of at most `most` segments. `force`: a small segment need not wait, nor fit the window. False: it is
 * better to wait, or memory is out.
 */
export function sendBurst(c: Connection, sf: Subflow, most: u32, force: bool): bool {
  if (sf.packetsOut == 0) restartAfterIdle(sf);
  const size = min(segmentSize(c, sf), MAX_SEGMENT);
  let unsent = unsentOf(c);
  const window = <u32>max<i64>(0, min<i64>(dsnDiff(dsnMin(c.writeSeq, c.wndEdge), c.dataNxt), 0x7fffffff));
  const room = min(window, roomOn(sf));
  if (c.is(C_MPTCP)) {
    // What the data level lets go is on its own, and a segment ends with its mapping.
    unsent = min(unsent, window);
    if (mappingOpen(c)) unsent = min(unsent, <u32>(changetype<Subflow>(c.mapOwner).mapEnd - c.dataNxt));
  }
  // A segment goes whole or not at all: silly windows wait for the probe timer.
  if (unsent == 0 || room == 0 || (room < min(unsent, size) && !force)) return false;
  const left = maxRecords - min(maxRecords, sf.packetsOut);
  const whole = burstSegments(c, sf, size);
  if (!force && most > 1 && defers(c, sf, size, unsentOf(c), room, whole)) return false;
  const flight = sf.inFlight;
  // No more than half the window, so that two bursts are under way.
  const open = min(max<u32>(sf.cwnd >> 1, 1), sf.cwnd > flight ? sf.cwnd - flight : 1);
  const quota = min(min(most, min(open, whole)), max(left, 1)) * size; // newRecord refuses what is too much
  let n = min(min(unsent, room), min(quota, (txRoom() - 2) * packetPayload(sf, size)));
  const partial = n % size;
  if (partial != 0 && !force && waits(c, sf, n == unsentOf(c))) {
    n -= partial;
    if (n == 0) return false;
  }
  return sendSegments(c, sf, n, size, force);
}

/**
 * Nagle's rule in Minshall's form: a small segment waits only while an earlier small one is not acknowledged. The one
 * at the end of a loan waits until that is over, since more may be written at once: alone it would wake the peer.
 */
function waits(c: Connection, sf: Subflow, last: bool): bool {
  if (urgentMode(c)) return false;
  if (last ? c.is(C_FIN_QUEUED) : mappingOpen(c)) return false; // more cannot join it
  if (c.cork || (c.more && !c.is(C_MPTCP)) || isBorrower(c)) return true;
  return !c.nodelay && sf.packetsOut != 0 && seqGt(sf.sndSmall, sf.sndUna) && seqLe(sf.sndSmall, sf.sndNxt);
}

/**
 * It is better to wait for an acknowledgement that is due any moment than to send a small part of what is there: larger
 * bursts cost less (Linux' tcp_tso_should_defer). `room` octets fit the peer's window, `whole` segments are a burst.
 */
function defers(c: Connection, sf: Subflow, size: u32, unsent: u32, room: u32, whole: u32): bool {
  if (urgentMode(c)) return false;
  if (unsent <= size || c.subflowCount != 1 || sf.packetsOut == 0 || sf.caState >= CA_RECOVERY) return false;
  if (now - sf.lastSent >= SOON) return false;
  const window = (sf.cwnd - min(sf.cwnd, sf.inFlight)) * size;
  const limit = min(room, window);
  if (limit >= min(whole * size, min(sf.sndWnd, sf.cwnd * size) / 3)) return false;
  if (recAt(sf, sf.recHead).xmit + sf.srtt - now > min(sf.srtt / 2, SOON)) return false;
  if (window < room) sf.windowHeld = window <= unsent;
  return c.is(C_FIN_QUEUED) ? limit <= unsent : true;
}

/** Segments of one burst: what a millisecond or so of the path's rate takes. */
function burstSegments(c: Connection, sf: Subflow, size: u32): u32 {
  let octets: f64 = <f64>MAX_BURST;
  if (sf.srtt > 0) {
    octets = min(pacingRate(sf, size), c.maxPacing == 0 ? Infinity : c.maxPacing) / 1024;
    const shift = <u32>sf.minRtt >> RTT_SHIFT;
    if (shift < 32) octets += <f64>(MAX_BURST >> shift);
  }
  return max(<u32>(min(octets, <f64>MAX_BURST) / <f64>size), tcpMinTsoSegs);
}

/** The window decays while nothing is sent (RFC 2861). */
function restartAfterIdle(sf: Subflow): void {
  if (!tcpSlowStartAfterIdle || sf.lastDataSent == 0) return;
  const idle = now - sf.lastDataSent;
  if (idle > sf.rto) ccOnIdle(sf, idle, sf.rto);
}

/** Sends `octets` in segments of `size`; there is room for them. */
function sendSegments(c: Connection, sf: Subflow, octets: u32, size: u32, push: bool): bool {
  let left = octets;
  while (left != 0) {
    const n = min(left, recordPayload(size));
    const id = newRecord(sf, c.dataNxt, n, size);
    if (id == 0) return false;
    const r = recAt(sf, id);
    left -= n;
    const last = n == unsentOf(c);
    resolveInfinite(c, sf, r);
    if (c.is(C_MPTCP)) map(c, sf, r, size, n + left);
    if (n % size != 0) sf.sndSmall = r.seq + n;
    if (left == 0 && (push || (last && (!c.more || c.is(C_MPTCP))))) r.flags |= REC_PSH;
    if (last && c.is(C_FIN_QUEUED) && finMayLeave(c, sf)) withFin(c, sf, r);
    c.dataNxt += n;
    if (c.is(C_FIN_SENT) && last && c.is(C_MPTCP)) c.dataNxt = c.finDsn + 1;
    launch(c, sf, id);
  }
  return true;
}

/** New data after MP_FAIL: the stream goes on without mappings, unless there is more than one subflow meanwhile. */
function resolveInfinite(c: Connection, sf: Subflow, r: Rec): void {
  if (!c.is(C_SEND_INFINITE)) return;
  if (c.is(C_MPTCP)) {
    if (canFallBack(c)) fallBack(c, sf, FALLBACK_MP_FAIL);
    else c.clear(C_SEND_INFINITE);
  }
  if (!c.is(C_SEND_INFINITE)) return;
  r.flags |= REC_INFINITE;
  c.clear(C_SEND_INFINITE);
}

// ---- mappings ---------------------------------------------------------------------------------------------

/** Gives a record its place in the open mapping, or opens one. */
function map(c: Connection, sf: Subflow, r: Rec, size: u32, burst: u32): void {
  if (c.mapOwner != changetype<usize>(sf) || !mappingOpen(c)) openMapping(c, sf, r, size, burst);
  r.mapOffset = <u32>(r.dsn - sf.mapStart);
  r.mapLength = <u32>(sf.mapEnd - sf.mapStart);
  if (sf.mapCapable && !c.is(C_ESTABLISHED)) r.flags |= REC_CAPABLE;
  else if (c.is(C_FIN_QUEUED) && sf.mapEnd == c.writeSeq) r.flags |= REC_DATA_FIN;
  if (!c.is(C_CHECKSUM)) return;
  const dataLength = r.mapLength + (r.is(REC_DATA_FIN) ? 1 : 0);
  r.checksum = dssChecksum(sf.mapStart, sf.ssnOut(r.seq - r.mapOffset), <u16>dataLength, sf.mapSum);
}

/**
 * All that was written and not sent, up to one large packet and to what the peer's window takes. Where other subflows
 * could take over, or old octets have to go again on this one, only the burst that leaves now: a stalled path must not
 * hold what it has promised and not sent. Of a loan as well: its end becomes one packet with what is written next.
 */
function openMapping(c: Connection, sf: Subflow, r: Rec, size: u32, burst: u32): void {
  const window = <u32>max<i64>(0, min<i64>(dsnDiff(c.wndEdge, r.dsn), 0x7fffffff));
  let most = min(min((MAX_BURST / size) * size, window), roomOn(sf));
  if (c.subflowCount > 1 || c.reinjectHead != 0 || isBorrower(c)) most = min(most, burst);
  const length = max(r.length, min(most, unsentOf(c)));
  c.mapOwner = changetype<usize>(sf);
  sf.mapStart = r.dsn;
  sf.mapEnd = r.dsn + length;
  sf.mapCapable = c.is(C_CLIENT) && !c.is(C_ESTABLISHED) && r.seq == sf.firstOut;
  if (c.is(C_CHECKSUM)) sf.mapSum = ringSum(c, r.dsn, length);
}

/** The last data carries the end of the stream: DATA_FIN, or FIN on a plain connection. */
function withFin(c: Connection, sf: Subflow, r: Rec): void {
  if (c.is(C_MPTCP)) {
    // MP_CAPABLE has no place for it.
    if (r.is(REC_DATA_FIN)) c.set(C_FIN_SENT);
  } else {
    r.flags |= REC_FIN;
    c.set(C_FIN_SENT);
    finLeaves(sf);
  }
}

/** Before the third packet (Fast Open) a FIN leaves only when the program has left, as on Linux. */
export function finMayLeave(c: Connection, sf: Subflow): bool {
  return sf.state != TCP_SYN_RCVD || (sf.is(SF_FAST_OPEN) && c.is(C_ORPHAN) && !c.is(C_MPTCP));
}

export function finLeaves(sf: Subflow): void {
  sf.set(SF_FIN_SENT);
  sf.clear(SF_FIN_QUEUED);
  if (sf.state == TCP_SYN_RCVD) return; // the third packet makes FIN-WAIT-1 of it
  sf.state = sf.state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT_1;
}
