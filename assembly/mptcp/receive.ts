/**
 * The Multipath part of an arriving segment: DATA_ACK, mapping, DATA_FIN, payload (RFC 8684 section 3.3), and
 * what to do when they are not as they should be (3.7).
 */
import {
  CLOSE_PROTOCOL,
  FALLBACK_CHECKSUM,
  FALLBACK_CHECKSUM_FORM,
  FALLBACK_DSS_GONE,
  FALLBACK_INFINITE,
  FALLBACK_MAPPING,
  FALLBACK_NO_DSS,
  FALLBACK_NO_MAPPING,
} from '../abi';
import { MIB_DSSNoMatchTCP, MIB_MPCapableDataFallback } from '../mib';
import { count } from '../counters';
import { deadlineArm } from '../deadlines';
import { dsnExpand, dsnGt } from '../dsn';
import { now } from '../host';
import { seqDiff, seqGt, seqLe, seqLt, seqMax } from '../seq';
import { currentRto, RTO_INITIAL } from '../tcp/rtt';
import { SF_ACK_NOW, SF_ASKED, SF_BARE, SF_FAILING, SF_FIN_KNOWN, SF_SEND_FAIL, Subflow } from '../tcp/subflow';
import {
  DSS_ACK,
  DSS_ACK8,
  DSS_DSN8,
  DSS_FIN,
  DSS_MAP,
  FIN,
  HAS_CAPABLE,
  HAS_DSS,
  HAS_FAIL,
  HAS_MPTCP,
  seg,
} from '../wire/segment';
import { finAcked, NO_REASON, peerDone, RST_MIDDLEBOX, RST_MPTCP, sendReset, subflowFailed } from './close';
import {
  Connection,
  C_CHECKSUM,
  C_CHECKSUM_SEEN,
  C_CLIENT,
  C_DACK8,
  C_DACK_SEEN,
  C_DSS_SEEN,
  C_ESTABLISHED,
  C_FIN_ACKED,
  C_FIN_SENT,
  C_MPTCP,
  C_PEER_DONE,
  C_PEER_FIN,
  C_WATCH,
  markDirty,
  tellWritable,
} from './connection';
import { canFallBack, fallBack, fallBackCut, infiniteMapping, moveAnchor, plainDataUna, plainDsn } from './fallback';
import { fullyEstablished } from './handshake';
import {
  enterMapping,
  failedDsn,
  headUnmapped,
  isCutShort,
  isDisplaced,
  isFailing,
  mappingsArrived,
  takePayload,
  verifyReached,
} from './mapping';
import { isMapped, MAP_CONFLICT, MAP_FULL } from './mappings';
import { signalFin } from './output';
import { sendAck, sendProbe } from './packet';
import { placeData, receiveEdge, receiveEnd, receivePrepare, receiveRest } from './reassembly';
import { sendRelease } from './send-ring';
import { dsackSet, rangesAdd, rangesCover, rangesEnd, rangesRepeated, rangesRoom } from '../tcp/ranges';
import { settleWatched, tellLater, tellPeer } from './unaware';

/** What became of a segment's Multipath part. */
export const TAKEN: i32 = 0;
/** Go on without its payload. */
export const DROPPED: i32 = 1;
/** The subflow is gone. */
export const GONE: i32 = 2;
/** All of it had come before, beyond a hole. */
export const REPEATED: i32 = 3;

// ---- acknowledgements -------------------------------------------------------------------------------------

/** After the subflow took the acknowledgement: the data level's share of it. */
export function takeDataAck(c: Connection, sf: Subflow): void {
  let ack: u64;
  let edge: u64;
  if (c.is(C_MPTCP)) {
    if (!seg.has(HAS_DSS) || (seg.dssFlags & DSS_ACK) == 0) return;
    fullyEstablished(c);
    c.set(C_DACK_SEEN);
    c.dataAckAt = now;
    if ((sf.flags & (SF_BARE | SF_ASKED)) != 0) sf.clear(SF_BARE | SF_ASKED);
    ack = (seg.dssFlags & DSS_ACK8) != 0 ? seg.dssAck : dsnExpand(c.dataUna, <u32>seg.dssAck);
    if (dsnGt(ack, c.dataNxt)) return; // of nothing that was sent: ignore
    edge = ack + (seg.window << sf.sndScale);
    // The edge never moves left (RFC 8684 section 3.3.4).
    if (dsnGt(edge, c.wndEdge)) {
      c.wndEdge = edge;
      markDirty(c);
    }
  } else {
    ack = plainDataUna(c, sf);
    c.wndEdge = ack + sf.sndWnd;
    markDirty(c);
  }
  if (dsnGt(ack, c.dataUna)) advance(c, ack);
}

function advance(c: Connection, ack: u64): void {
  c.dataUna = ack;
  // All but DATA_FIN, after a timeout or MP_FAIL: it went with data that arrived otherwise than it was sent.
  const otherwise = c.dataBackoff != 0 || seg.has(HAS_FAIL);
  if (otherwise && c.is(C_MPTCP) && c.is(C_FIN_SENT) && ack == c.finDsn) signalFin(c);
  c.dataBackoff = 0;
  c.dataTimerAt = Infinity;
  if (seg.length == 0 && ourFinReached(c)) finAcked(c);
  sendRelease(c);
  if (c.watch) tellWritable(c);
  markDirty(c);
}

/** Less than the interval at which DATA_FIN is repeated, microseconds. */
const BARE_AGAIN: f64 = 150e3;

/**
 * A segment without any Multipath option: is it plain TCP (RFC 8684 section 3.7)? As long as no DATA_ACK has come, the
 * path may be stripping options: data acknowledged, or data or FIN arriving, settles it. Later an acknowledgement may
 * be of a proxy that acknowledges by itself: the data level's timer asks the peer (`askPeer`), or FIN settles it. What
 * says nothing at all, and again, stands where a DATA_FIN or its DATA_ACK should be. True when it fell back.
 */
export function optionsLost(c: Connection, sf: Subflow, acked: bool): bool {
  if ((seg.options & HAS_MPTCP) != 0 || !c.is(C_MPTCP)) return false;
  const later = c.is(C_DACK_SEEN);
  const silent = !acked && seg.length == 0 && sf.packetsOut == 0;
  if (acked || silent) {
    if (!sf.is(SF_BARE)) sf.bareAt = now;
    sf.set(SF_BARE);
  }
  // At the end nothing is left to be lost.
  if ((c.is(C_FIN_ACKED) && c.is(C_PEER_DONE)) || !canFallBack(c)) return false;
  // Data of the opener may be what its keys were for; its FIN would have a DATA_ACK at least.
  const says = acked || (c.is(C_CLIENT) && seg.length != 0);
  if ((seg.flags & FIN) == 0 && !sf.is(SF_ASKED) && (later || !says)) {
    if (silent && now - sf.bareAt >= BARE_AGAIN) ask(c, sf);
    return false;
  }
  if (!later) count(MIB_MPCapableDataFallback);
  fallBack(c, sf, later ? FALLBACK_DSS_GONE : FALLBACK_NO_DSS);
  // What was stripped in one direction may get through in the other.
  if (later && c.is(C_WATCH)) tellLater(sf);
  return true;
}

/** A probe: the peer's answer shows whether its options get through. */
export function ask(c: Connection, sf: Subflow): void {
  sf.set(SF_ASKED);
  sendProbe(c, sf);
}

// ---- mappings ---------------------------------------------------------------------------------------------

/**
 * Right edge of the window in the subflow's own numbers. The window belongs to the connection: a sender may fill it
 * through any subflow, whatever was advertised on that one (RFC 8684 section 3.3.1), and Linux does.
 */
export function subflowEdge(c: Connection, sf: Subflow): u32 {
  const edge = seqMax(sf.rcvEdge, sf.rcvNxt);
  return c.is(C_MPTCP) ? seqMax(edge, sf.rcvNxt + c.rcvCap) : edge;
}

/** Takes the mapping of the segment in hand, if it has one. */
export function takeMapping(c: Connection, sf: Subflow): i32 {
  if (seg.has(HAS_CAPABLE) && seg.capLength >= 22) {
    // RFC 8684 section 3.1: the first data of the opener; DSN and SSN are implied, the DSN in full width.
    takeWidth(c, sf, true);
    const sum = seg.capLength == 24 ? <i32>seg.capChecksum : -1;
    return noteMapping(c, sf, sf.irs + 1 + sf.ssnShift, seg.capDataLength, c.remoteIdsn + 1, seg.capDataLength, sum);
  }
  if (!seg.has(HAS_DSS) || (seg.dssFlags & DSS_MAP) == 0) return TAKEN;
  const wide = (seg.dssFlags & DSS_DSN8) != 0;
  const dsn = wide ? seg.dssDsn : dsnExpand(c.rcvNxt, <u32>seg.dssDsn);
  if (seg.dssLength == 0) return infiniteMapping(c, sf, dsn) ? TAKEN : mappingFailed(c, sf, FALLBACK_INFINITE);
  const fin = (seg.dssFlags & DSS_FIN) != 0;
  if (fin) notePeerFin(c, dsn + seg.dssLength - 1);
  // F with length 1 is the signal alone, whatever payload the segment has (RFC 8684 section 3.3.3).
  if (fin && seg.dssLength == 1) {
    // One that overtook data is acknowledged with that data, as Linux does it.
    if (c.is(C_PEER_DONE)) {
      sf.set(SF_ACK_NOW);
      markDirty(c);
    }
    return TAKEN;
  }
  takeWidth(c, sf, wide);
  const seq = sf.irs + sf.ssnShift + seg.dssSsn;
  const length = seg.dssLength - (fin ? 1 : 0);
  return noteMapping(c, sf, seq, length, dsn, seg.dssLength, seg.dssHasChecksum ? <i32>seg.dssChecksum : -1);
}

/** The width of our DATA_ACKs follows that of the mapping that the stream has reached, as Linux does it. */
function takeWidth(c: Connection, sf: Subflow, wide: bool): void {
  if (seqGt(seg.seq, sf.rcvNxt)) return;
  if (wide) c.set(C_DACK8);
  else c.clear(C_DACK8);
}

function noteMapping(
  c: Connection,
  sf: Subflow,
  seq: u32,
  length: u32,
  dsn: u64,
  dataLength: u32,
  sum: i32,
): i32 {
  // Checksums are there exactly when they were agreed on (RFC 8684 section 3.3).
  if (c.is(C_CHECKSUM) != sum >= 0) return mappingFailed(c, sf, FALLBACK_CHECKSUM_FORM);
  if (length == 0) return TAKEN;
  if (seqDiff(seq, subflowEdge(c, sf)) > 65535) {
    count(MIB_DSSNoMatchTCP);
    return TAKEN; // far beyond the window: as good as absent
  }
  c.set(C_DSS_SEEN);
  sf.mapDsn = dsn;
  const result = enterMapping(c, sf, seq, length, dsn, dataLength, sum);
  if (result == MAP_CONFLICT) return mappingFailed(c, sf, FALLBACK_MAPPING);
  if (result == MAP_FULL) return DROPPED;
  return TAKEN;
}

/**
 * A data-level repetition comes in the place of octets that a middlebox has taken out of a checksummed mapping. From
 * here on nothing fits. Plain TCP, where the repetition is recognised as one; MP_FAIL tells the peer.
 */
export function displaced(c: Connection, sf: Subflow): void {
  if (!c.is(C_CHECKSUM) || !seg.has(HAS_DSS) || (seg.dssFlags & DSS_MAP) == 0 || seg.seq != sf.rcvNxt) return;
  if (seg.dssLength == 0 || !canFallBack(c)) return;
  const dsn = (seg.dssFlags & DSS_DSN8) != 0 ? seg.dssDsn : dsnExpand(c.rcvNxt, <u32>seg.dssDsn);
  if (isDisplaced(sf, sf.irs + sf.ssnShift + seg.dssSsn, dsn)) fallBack(c, sf, FALLBACK_CHECKSUM);
}

/**
 * A probe of the subflow: what the peer has sent is acknowledged. If the stream stands still in a checksummed mapping,
 * a middlebox has taken octets out of it. False: the subflow is gone.
 */
export function probed(c: Connection, sf: Subflow): bool {
  if (!c.is(C_CHECKSUM) || !canFallBack(c) || !isCutShort(sf)) return true;
  if (checksumFailed(c, sf) == GONE) return false;
  if (c.is(C_WATCH)) {
    tellPeer(c, sf); // its own mappings stand still until it knows
    settleWatched(c, sf);
  }
  return true;
}

/** A mapping is broken: plain TCP while that is safe, else the subflow has to go. */
function mappingFailed(c: Connection, sf: Subflow, reason: i32): i32 {
  if (canFallBack(c)) {
    fallBack(c, sf, reason);
    return TAKEN;
  }
  if (seg.seq == sf.rcvNxt) sf.rcvNxt += seg.length; // the reset acknowledges what came with it, as on Linux
  sendReset(c, sf, RST_MPTCP, false, false);
  subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
  return GONE;
}

function notePeerFin(c: Connection, dsn: u64): void {
  if (c.is(C_PEER_FIN) || dsnGt(c.rcvNxt, dsn)) return;
  c.set(C_PEER_FIN);
  c.peerFin = dsn;
  if (seg.length == 0 && peerFinReached(c)) peerDone(c);
}

/** All data before the peer's DATA_FIN has come. */
function peerFinReached(c: Connection): bool {
  return c.is(C_PEER_FIN) && !c.is(C_PEER_DONE) && c.rcvNxt == c.peerFin;
}

/** Our DATA_FIN is acknowledged, and nobody has looked at that yet. */
function ourFinReached(c: Connection): bool {
  return c.is(C_MPTCP) && c.is(C_FIN_SENT) && !c.is(C_FIN_ACKED) && c.dataUna == c.finDsn + 1;
}

/**
 * After the payload of a segment: what it says of the ends of both streams. Linux leaves those to a worker, so the
 * segment itself is acknowledged first, as if it said nothing of them.
 */
export function settleFins(c: Connection, sf: Subflow): void {
  const ours = ourFinReached(c);
  const peers = peerFinReached(c);
  if (!ours && !peers) return;
  if (sf.is(SF_ACK_NOW)) sendAck(c, sf);
  if (ours) finAcked(c);
  if (peers && !c.is(C_PEER_DONE)) {
    sf.set(SF_ACK_NOW);
    peerDone(c);
  }
}

// ---- payload ----------------------------------------------------------------------------------------------

/**
 * Takes the payload of the segment in hand. Its octets before rcvNxt are skipped; so are the `repeated` ones after
 * them, which a plain connection has had already.
 */
export function takeData(c: Connection, sf: Subflow, repeated: u32): i32 {
  let seq = seg.seq;
  let from = seg.payload;
  let length = seg.length;
  if (seqLt(seq, sf.rcvNxt)) {
    const old = <u32>seqDiff(sf.rcvNxt, seq);
    if (old >= length) return DROPPED;
    dsackSet(sf, seq, sf.rcvNxt);
    seq += old;
    from += old;
    length -= old;
  }
  if (rangesCover(sf, seq, seq + length)) {
    rangesRepeated(sf, seq, seg.end);
    return REPEATED;
  }
  if (!rangesRoom(sf, seq) || !receivePrepare(c)) return DROPPED;
  const result = c.is(C_MPTCP)
    ? takeMapped(c, sf, seq, from, length)
    : takePlain(c, sf, seq, from, length, repeated);
  // Another subflow had brought it all.
  if (result != GONE) receiveRest(c);
  return result;
}

/** A plain stream ends at `last`: what has come of numbers beyond does not count (as on Linux). */
export function endsAt(c: Connection, sf: Subflow, last: u32): void {
  if (seqGt(seg.seq + seg.length, last)) seg.length = seqGt(last, seg.seq) ? <u32>seqDiff(last, seg.seq) : 0;
  if (sf.oooCount == 0) return;
  rangesEnd(sf, sf.is(SF_FIN_KNOWN) ? last + 1 : last);
  receiveEnd(c, plainDsn(c, last));
}

function takePlain(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32, repeated: u32): i32 {
  if (repeated != 0) {
    const n = min(repeated, length);
    rangesAdd(sf, seq, seq + n);
    c.rcvAnchorSeq += n; // they take no room in the stream
    if (n == length) return TAKEN;
    seq += n;
    from += n;
    length -= n;
  }
  if (c.is(C_PEER_DONE)) {
    // DATA_FIN came before the fallback: nothing follows the end of the stream.
    return rangesAdd(sf, seq, seq + length) ? TAKEN : DROPPED;
  }
  const dsn = plainDsn(c, seq);
  const room = receiveEdge(c) - dsn;
  if (<i64>room <= 0) return DROPPED;
  length = <u32>min<u64>(length, room); // the rest lies beyond the window
  placeData(c, dsn, from, length);
  if (!rangesAdd(sf, seq, seq + length)) return DROPPED;
  if (sf.oooCount == 0) moveAnchor(c, sf);
  sf.bytesReceived += length;
  return TAKEN;
}

function takeMapped(c: Connection, sf: Subflow, seq: u32, from: usize, length: u32): i32 {
  // After MP_FAIL, data without a mapping says that the peer has become plain.
  if (sf.is(SF_FAILING) && !seg.has(HAS_DSS) && seq == sf.rcvNxt && !isMapped(sf, seq)) {
    fallBack(c, sf, FALLBACK_CHECKSUM);
    return takePlain(c, sf, seq, from, length, 0);
  }
  if (!takePayload(c, sf, seq, from, length)) return DROPPED;
  if (!rangesAdd(sf, seq, seq + length)) return DROPPED;
  sf.bytesReceived += length;
  c.lastSubflow = changetype<usize>(sf);
  if (sf.mapCount != 0) mappingsArrived(c, sf, seq, seq + length);
  return settle(c, sf);
}

/** After octets or mappings arrived: places what waited, looks at checksums, DATA_FIN, and what has no mapping. */
export function settle(c: Connection, sf: Subflow): i32 {
  if (!c.is(C_MPTCP)) return TAKEN;
  if (sf.mapCount != 0 && !verifyReached(c, sf)) return checksumFailed(c, sf);
  if (seg.length == 0 && peerFinReached(c)) {
    sf.set(SF_ACK_NOW);
    peerDone(c);
  }
  if (!headUnmapped(sf)) {
    if (!sf.is(SF_FAILING)) sf.waitAt = Infinity;
    else if (!isFailing(sf)) {
      // The peer repeated what had failed, and it was right.
      sf.clear(SF_FAILING | SF_SEND_FAIL);
      sf.waitAt = Infinity;
    }
  } else if (canFallBack(c)) {
    // Linux does not wait either: on the only subflow the octets can be nothing but the next ones of the stream.
    const mapped = seg.has(HAS_DSS) && (seg.dssFlags & DSS_MAP) != 0;
    if (mapped && mapsFirstOctet(sf)) fallBackCut(c, sf);
    else {
      if (mapped) count(MIB_DSSNoMatchTCP);
      fallBack(c, sf, mapped ? FALLBACK_MAPPING : FALLBACK_NO_MAPPING);
    }
  } else if (sf.waitAt == Infinity) {
    // A middlebox may have joined segments; their second mapping comes with a data-level retransmission.
    waitFor(sf, currentRto(sf));
  }
  return TAKEN;
}

/** The mapping of the segment in hand is one of its first octets. */
function mapsFirstOctet(sf: Subflow): bool {
  const at = sf.irs + sf.ssnShift + seg.dssSsn;
  return seqLe(at, seg.seq) && seqGt(at + seg.dssLength, seg.seq);
}

function waitFor(sf: Subflow, delay: f64): void {
  sf.waitAt = now + delay;
  deadlineArm(changetype<usize>(sf), sf.heapField, sf.waitAt);
}

/**
 * RFC 8684 section 3.7: MP_FAIL, and the subflow goes unless it is the only one and still in step. There nothing of the
 * mapping is delivered before the peer answers, with MP_FAIL or with an infinite mapping, or repeats the data, or has
 * had the time for it.
 */
function checksumFailed(c: Connection, sf: Subflow): i32 {
  sf.failDsn = failedDsn;
  if (canFallBack(c)) {
    // Not one checksum was ever right: the middlebox has always been there.
    if (!c.is(C_CHECKSUM_SEEN)) {
      fallBack(c, sf, FALLBACK_CHECKSUM);
      return TAKEN;
    }
    sf.set(SF_FAILING | SF_SEND_FAIL | SF_ACK_NOW);
    waitFor(sf, RTO_INITIAL + 2 * currentRto(sf));
    return TAKEN;
  }
  sf.set(SF_SEND_FAIL);
  sendReset(c, sf, RST_MIDDLEBOX, false, false);
  subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
  return GONE;
}

/** The peer's FIN has been reached on a plain connection: the stream ends. */
export function plainFin(c: Connection): void {
  if (!c.is(C_MPTCP)) peerDone(c);
}
