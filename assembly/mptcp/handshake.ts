/**
 * Opening: SYN, SYN/ACK and third ACK with MP_CAPABLE (RFC 8684 section 3.1) and MP_JOIN (3.2).
 */
import {
  CLOSE_PROTOCOL,
  CLOSE_REFUSED,
  CONN_ESTABLISHED,
  CONN_FIN_WAIT_1,
  EVENT_ACCEPT,
  EVENT_CONNECTED,
  EVENT_ESTABLISHED,
  EVENT_SUBFLOW_UP,
  FALLBACK_ACK,
  FALLBACK_SIMULTANEOUS,
  FALLBACK_SYN,
  FALLBACK_SYN_TIMEOUT,
  TCP_ESTABLISHED,
  TCP_FIN_WAIT_1,
  TCP_SYN_RCVD,
  TCP_SYN_SENT,
} from '../abi';
import {
  MIB_AttemptFails,
  MIB_Blackhole,
  MIB_MPCapableACKRX,
  MIB_MPCapableFallbackACK,
  MIB_MPCapableFallbackSYNACK,
  MIB_MPCapableSYNACKRX,
  MIB_MPFallbackTokenInit,
  MIB_MPJoinAckHMacFailure,
  MIB_MPJoinAckRx,
  MIB_MPJoinPortAckRx,
  MIB_MPJoinPortSynAckRx,
  MIB_MPJoinSynAckBackupRx,
  MIB_MPJoinSynAckHMacFailure,
  MIB_MPJoinSynAckRx,
  MIB_MPJoinRejected,
  MIB_MPJoinSynTx,
  MIB_MismatchPortAckRx,
  MIB_PassiveOpens,
  MIB_RetransSegs,
  MIB_SimultConnectFallback,
  MIB_TCPSynRetrans,
} from '../mib';
import { holeClosed, holeFound, multipathHole } from '../blackhole';
import { put16, put32 } from '../bytes';
import { count } from '../counters';
import { deadlineArm } from '../deadlines';
import { dsnMax } from '../dsn';
import { emit } from '../events';
import { equal } from '../hmac';
import {
  cfgBlackholeTimeout,
  cfgChecksum,
  cfgDenyJoin,
  cfgSack,
  cfgTimestamps,
  cfgWindowScale,
  now,
  random64,
} from '../host';
import { txRoom } from '../rings';
import { initialSequence, timestampOffset } from '../secrets';
import { seqDiff, seqLe } from '../seq';
import { deferThirdAck } from '../tcp/delack';
import { ecnAsk, ecnSynFlags, ecnTakeSyn } from '../tcp/ecn';
import { pacingWindow } from '../tcp/pacing';
import { endTimeouts } from '../tcp/recovery';
import { minRttSample, noRttSample, RTO_INITIAL, rttSample, tsNow } from '../tcp/rtt';
import {
  SF_ACK_NOW,
  SF_BACKUP_LOCAL,
  SF_BACKUP_REMOTE,
  SF_FAILING,
  SF_FAST_OPEN,
  SF_FIN_SENT,
  SF_JOIN,
  SF_PASSIVE,
  SF_PLAIN_SYN,
  SF_PRE_ESTABLISHED,
  SF_SACK,
  SF_SCALE,
  SF_SEND_SYN,
  SF_SYN_RETRANSMITTED,
  SF_TIMESTAMPS,
  Subflow,
  TIMER_HANDSHAKE,
} from '../tcp/subflow';
import { restartTimer, startTimer, stopTimer } from '../tcp/timers';
import {
  ACK,
  CAPABLE_CHECKSUM,
  CAPABLE_DENY_JOIN,
  CAPABLE_SHA256,
  HAS_CAPABLE,
  HAS_JOIN,
  HAS_MPTCP,
  HAS_MSS,
  HAS_SACK_OK,
  HAS_SCALE,
  HAS_TS,
  seg,
  SYN,
} from '../wire/segment';
import { writeCapableSyn, writeCapableSynAck, writeJoinSyn, writeJoinSynAck } from '../wire/mptcp';
import {
  Connection,
  C_CHECKSUM,
  C_CLIENT,
  C_DENY_JOIN,
  C_ESTABLISHED,
  C_FIN_QUEUED,
  C_MPTCP,
  C_NO_INFINITE,
  C_OPENED,
  enterState,
  markDirty,
  startReceiving,
  startSequences,
  roomForJoin,
} from './connection';
import { failConnection, RST_MPTCP, RST_PROHIBITED, sendReset, subflowFailed, NO_REASON } from './close';
import { enterAcceptQueue } from './accept-queue';
import { fallBack } from './fallback';
import { addFastOpen, fastOpenAnswered, fastOpenOctets, leaveQueue, prepareFastOpen, synDataLength } from './fast-open';
import { idsnOf, joinHmac, tokenOf } from './keys';
import { takesJoins } from './answer';
import { chooseCongestionControl, leaveHalfOpen } from './lifecycle';
import { refuse } from './refuse';
import { begin, finishControl, finishSyn, optionAdded, optionPointer, segmentSize, sendAck } from './packet';
import { firstSpace, startWindow, windowScale } from './receive-window';
import { isJoinPort } from './signal';
import { enterToken, findToken, removeToken } from './tables';
import { armKeepalive } from './timers';

const hmacOut = memory.data(32, 8);
/** Draws before the stack gives up on a unique token (Linux' number). */
const TOKEN_TRIES: u32 = 4;
/** Largest window of a SYN: it is not scaled (RFC 7323 section 2.2). */
const SYN_WINDOW: u32 = 65535;

/** Draws a key whose token no other connection has. False: plain TCP it is. */
export function drawKey(c: Connection): bool {
  for (let i: u32 = 0; i < TOKEN_TRIES; i++) {
    const key = random64();
    if (key != 0 && adoptLocalKey(c, key)) return true;
  }
  count(MIB_MPFallbackTokenInit);
  return false;
}

/** Makes `key` ours. False: another connection has its token, or there is no memory. */
export function adoptLocalKey(c: Connection, key: u64): bool {
  const token = tokenOf(key);
  if (token == 0 || findToken(token) != 0) return false;
  c.localKey = key;
  c.localToken = token;
  if (enterToken(c)) return true;
  c.localToken = 0;
  return false;
}

/** Numbers and options that this side offers. */
export function prepareSubflow(c: Connection, sf: Subflow): void {
  sf.iss = initialSequence(
    sf.localHigh,
    sf.localLow,
    sf.remoteHigh,
    sf.remoteLow,
    (sf.localPort << 16) | sf.remotePort,
  );
  sf.tsOffset = timestampOffset();
  sf.sndUna = sf.iss;
  sf.sndNxt = sf.iss + 1;
  sf.highSeq = sf.iss;
  // The scale serves the largest buffer that tuning may reach (RFC 7323 section 2.2).
  sf.rcvScale = cfgWindowScale ? windowScale(c) : 0;
  sf.flags |=
    (cfgTimestamps ? SF_TIMESTAMPS : 0) | (cfgSack ? SF_SACK : 0) | (cfgWindowScale ? SF_SCALE : 0);
}

/** Opens a subflow: its first SYN, or with Fast Open at the end of the turn, so that what is written goes with it. */
export function sendFirstSyn(c: Connection, sf: Subflow): void {
  prepareSubflow(c, sf);
  sf.state = TCP_SYN_SENT;
  ecnAsk(sf);
  if (c.fastOpen != 0 && !sf.is(SF_JOIN)) {
    prepareFastOpen(c, sf);
    sf.set(SF_SEND_SYN);
    markDirty(c);
  } else {
    sendSyn(c, sf);
  }
  startTimer(sf, TIMER_HANDSHAKE, RTO_INITIAL);
}

// ---- SYN and SYN/ACK --------------------------------------------------------------------------------------

/** MSS to announce: the path's, never less for options (RFC 6691). */
function announcedMss(c: Connection, sf: Subflow): u32 {
  const most = sf.mtu - (sf.family == 4 ? 40 : 60) - sf.overhead;
  return c.maxSegment == 0 ? most : min(most, c.maxSegment);
}

/** Payload of the full segments that the peer sends (Linux' advmss). */
export function advertisedMss(c: Connection, sf: Subflow): u32 {
  return announcedMss(c, sf) - (sf.is(SF_TIMESTAMPS) ? 12 : 0);
}

/** Window of a SYN: whole segments, and of a SYN/ACK those that timestamps leave room for (as on Linux). */
export function synWindow(c: Connection, sf: Subflow): u32 {
  const window = min(firstSpace(c), c.rcvCap);
  const size = announcedMss(c, sf) - (sf.is(SF_PASSIVE) && sf.is(SF_TIMESTAMPS) ? 12 : 0);
  return min<u32>(window < size ? window : window - (window % size), SYN_WINDOW);
}

/** Options in the order of Linux: MSS, SACK permitted, timestamps, window scale. */
function addSynOptions(c: Connection, sf: Subflow): void {
  let at = optionPointer();
  put32(at, 0x02040000 | announcedMss(c, sf));
  at += 4;
  // Where both sides open at once, the SYN/ACK is our SYN again, whatever the peer's SYN has (as on Linux).
  const ours = sf.state == TCP_SYN_RCVD && c.is(C_CLIENT) && !sf.is(SF_PASSIVE);
  if (ours ? cfgTimestamps : sf.is(SF_TIMESTAMPS)) {
    put32(at, (ours ? cfgSack : sf.is(SF_SACK)) ? 0x0402080a : 0x0101080a);
    put32(at + 4, tsNow(sf));
    put32(at + 8, sf.tsRecent);
    at += 12;
  } else if (sf.is(SF_SACK)) {
    put32(at, 0x01010402);
    at += 4;
  }
  if (sf.is(SF_SCALE)) {
    put32(at, 0x01030300 | sf.rcvScale);
    at += 4;
  }
  optionAdded(<u32>(at - optionPointer()));
}

/** Sends SYN or SYN/ACK, or notes that it has to go. */
export function sendSyn(c: Connection, sf: Subflow): bool {
  if (txRoom() == 0) {
    sf.set(SF_SEND_SYN);
    markDirty(c);
    return false;
  }
  sf.clear(SF_SEND_SYN);
  const answer = sf.state == TCP_SYN_RCVD;
  // Where a cookie and MP_CAPABLE leave no room for them, timestamps go (as in Linux' SYN/ACK).
  if (c.is(C_MPTCP) && fastOpenOctets(sf) + (answer ? 12 : 4) > 20) sf.clear(SF_TIMESTAMPS);
  begin(sf);
  addSynOptions(c, sf);
  optionAdded(addFastOpen(sf, optionPointer()));
  if (c.is(C_MPTCP) && !sf.is(SF_PLAIN_SYN)) {
    if (sf.is(SF_JOIN)) addJoin(c, sf, answer);
    else addCapable(c, answer);
  }
  const window = synWindow(c, sf);
  const data: u32 = answer ? 0 : synDataLength(c, sf);
  const flags = (answer ? SYN | ACK : SYN) | ecnSynFlags(sf, answer);
  if (data != 0) {
    sf.synData = data;
    finishSyn(c, sf, flags, window, c.dataUna, data);
  } else {
    finishControl(sf, sf.iss, answer ? sf.rcvNxt : 0, flags, window);
  }
  sf.rcvEdge = sf.rcvNxt + window;
  sf.lastAck = sf.rcvNxt;
  return true;
}

/** The same again: its answer, or itself, was lost. */
export function repeatSyn(c: Connection, sf: Subflow): bool {
  count(MIB_RetransSegs);
  count(MIB_TCPSynRetrans);
  return sendSyn(c, sf);
}

function addCapable(c: Connection, answer: bool): void {
  const flags = CAPABLE_SHA256 | (cfgChecksum ? CAPABLE_CHECKSUM : 0) | (cfgDenyJoin ? CAPABLE_DENY_JOIN : 0);
  if (answer) {
    optionAdded(writeCapableSynAck(optionPointer(), flags, c.localKey));
  } else {
    optionAdded(writeCapableSyn(optionPointer(), flags));
  }
}

function addJoin(c: Connection, sf: Subflow, answer: bool): void {
  const backup = sf.is(SF_BACKUP_LOCAL);
  if (answer) {
    joinHmac(c.localKey, c.remoteKey, sf.localNonce, sf.remoteNonce, hmacOut);
    optionAdded(writeJoinSynAck(optionPointer(), backup, sf.localId, hmacOut, sf.localNonce));
  } else {
    optionAdded(writeJoinSyn(optionPointer(), backup, sf.localId, c.remoteToken, sf.localNonce));
    if (sf.retries == 0) count(MIB_MPJoinSynTx);
  }
}

/** Takes the options of the peer's SYN or SYN/ACK. */
export function takeSynOptions(sf: Subflow): void {
  ecnTakeSyn(sf);
  sf.irs = seg.seq;
  sf.rcvNxt = seg.seq + 1;
  if (seg.has(HAS_MSS)) sf.peerMss = max<u32>(seg.mss, 88);
  if (!seg.has(HAS_TS)) sf.clear(SF_TIMESTAMPS);
  else if (sf.is(SF_TIMESTAMPS)) {
    sf.tsRecent = seg.tsVal;
    sf.tsRecentAt = now;
  }
  if (!seg.has(HAS_SACK_OK)) sf.clear(SF_SACK);
  if (seg.has(HAS_SCALE) && sf.is(SF_SCALE)) {
    sf.sndScale = seg.scale;
  } else {
    sf.clear(SF_SCALE);
    sf.sndScale = 0;
    sf.rcvScale = 0;
  }
  sf.sndWnd = seg.window;
  sf.maxWnd = seg.window;
  sf.sndWl1 = seg.seq;
  sf.sndWl2 = seg.ack;
}

/** Both SYNs are acknowledged. */
function established(c: Connection, sf: Subflow): void {
  sf.state = sf.is(SF_FIN_SENT) ? TCP_FIN_WAIT_1 : TCP_ESTABLISHED; // the program may have left a Fast Open
  sf.sndUna = sf.firstOut;
  sf.sndEdge = sf.sndUna + sf.sndWnd;
  sf.lastReceived = sf.establishedAt = now;
  sf.delivered = 1; // our SYN
  leaveHalfOpen(sf);
  endTimeouts(sf);
  if (!sf.is(SF_PASSIVE)) sf.appLimited = 0;
  sf.retries = 0;
  sf.backoff = 0;
  sf.clear(SF_SEND_SYN); // one that the full transmit ring held back
  if (c.keepalive) armKeepalive(c, sf);
  if (sf.is(SF_PASSIVE)) {
    if (!sf.is(SF_FAST_OPEN)) count(MIB_PassiveOpens);
    // Linux' books of an accepted connection begin with the peer's SYN, without our answer to it.
    sf.segmentsIn = 2;
    sf.segmentsOut = 0;
  }
  const rtt = handshakeRtt(sf);
  if (rtt >= 0) {
    minRttSample(sf, rtt);
    rttSample(sf, rtt);
  } else if (sf.is(SF_SYN_RETRANSMITTED)) noRttSample(sf);
  sf.mss = segmentSize(c, sf);
  sf.rcvMss = min<u32>(sf.mss, 536);
  if (sf.rcvRatio == 0) startWindow(c, sf);
  sf.usable = true;
  chooseCongestionControl(c);
  // RFC 6928 section 3: one segment after a lost SYN; as on Linux, after two of them.
  if (sf.timeouts > 1) sf.cwnd = 1;
  pacingWindow(sf);
}

/** Microseconds, -1: nobody knows. Of a SYN that was repeated the echo tells (RFC 7323 section 4.1). */
function handshakeRtt(sf: Subflow): f64 {
  // A handshake answered without state does not know when.
  if (!sf.is(SF_SYN_RETRANSMITTED)) return sf.lastSent >= 0 ? now - sf.lastSent : -1;
  if (!sf.is(SF_TIMESTAMPS) || !seg.has(HAS_TS) || seg.tsEcr == 0) return -1;
  const elapsed = seqDiff(tsNow(sf), seg.tsEcr);
  return elapsed >= 0 && elapsed < 1 << 20 ? max(<f64>elapsed, 1) * 1000 : -1;
}

/** What both keys make known. `early`: this side sends already. */
function adoptKey(c: Connection, key: u64, early: bool): void {
  c.remoteKey = key;
  c.remoteToken = tokenOf(key);
  if (early) startReceiving(c, idsnOf(key));
  else startSequences(c, idsnOf(c.localKey), idsnOf(key));
}

/** The peer proved to have our key: joins are possible in both directions. */
export function fullyEstablished(c: Connection): void {
  if (c.is(C_ESTABLISHED)) return;
  c.set(C_ESTABLISHED);
  if (c.is(C_OPENED)) emit(EVENT_ESTABLISHED, c.handle, 0, 0, 0, 0);
}

/** Plain TCP from the handshake on. */
export function startPlain(c: Connection, sf: Subflow, reason: i32): void {
  c.clear(C_MPTCP);
  c.fallback = reason;
  removeToken(c);
  startSequences(c, 0, 0);
  c.rcvAnchorSeq = sf.irs + 1;
  c.rcvAnchorDsn = 1;
}

// ---- the opener's side ------------------------------------------------------------------------------------

/** A segment arrives in SYN-SENT (RFC 9293 section 3.10.7.3), its ACK and RST already checked. */
export function synAckArrives(c: Connection, sf: Subflow): void {
  takeSynOptions(sf);
  stopTimer(sf);
  if (sf.is(SF_JOIN)) {
    joinAnswered(c, sf);
    return;
  }
  if (c.fastOpen != 0) fastOpenAnswered(c, sf);
  // A key of 0 is what a broken or forged handshake has; Linux refuses it, too.
  const capable = c.is(C_MPTCP) && seg.has(HAS_CAPABLE) && seg.capSenderKey != 0;
  if (capable) {
    count(MIB_MPCapableSYNACKRX);
    holeClosed(multipathHole);
    if (cfgChecksum || (seg.capFlags & CAPABLE_CHECKSUM) != 0) c.set(C_CHECKSUM);
    if ((seg.capFlags & CAPABLE_DENY_JOIN) != 0) c.set(C_DENY_JOIN);
    adoptKey(c, seg.capSenderKey, false);
  } else {
    if (c.is(C_MPTCP)) {
      if (!sf.is(SF_PLAIN_SYN)) count(MIB_MPCapableFallbackSYNACK);
      else if (holeFound(multipathHole, cfgBlackholeTimeout)) count(MIB_Blackhole);
    }
    const reason: i32 = !c.is(C_MPTCP)
      ? c.fallback
      : sf.is(SF_PLAIN_SYN)
        ? FALLBACK_SYN_TIMEOUT
        : FALLBACK_SYN;
    startPlain(c, sf, reason);
  }
  established(c, sf);
  enterState(c, c.is(C_FIN_QUEUED) ? CONN_FIN_WAIT_1 : CONN_ESTABLISHED); // closed while it opened
  c.wndEdge = c.dataUna + seg.window;
  // The third packet goes ahead of data that waits, unless the SYN had brought that data in vain (as in Linux).
  if (c.deferAccept != 0) deferThirdAck(sf);
  else if (sf.synData != sf.ssnOutShift || !sendAck(c, sf)) sf.set(SF_ACK_NOW);
  emit(EVENT_CONNECTED, c.handle, sf.handle, capable ? 1 : 0, c.fallback, 0);
  markDirty(c);
}

function joinAnswered(c: Connection, sf: Subflow): void {
  if (!seg.has(HAS_JOIN) || !c.is(C_MPTCP)) {
    sf.sndNxt = sf.iss + 1;
    sendReset(c, sf, RST_MPTCP, false, false);
    subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
    return;
  }
  count(MIB_MPJoinSynAckRx);
  if (sf.remotePort != c.remotePort) count(MIB_MPJoinPortSynAckRx);
  sf.remoteNonce = seg.joinNonce;
  sf.remoteId = <u8>seg.joinId;
  joinHmac(c.remoteKey, c.localKey, sf.remoteNonce, sf.localNonce, hmacOut);
  if (!equal(hmacOut, seg.joinHmac, 8)) {
    count(MIB_MPJoinSynAckHMacFailure);
    sendReset(c, sf, RST_MPTCP, false, false);
    subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
    return;
  }
  if (seg.joinBackup) {
    count(MIB_MPJoinSynAckBackupRx);
    sf.set(SF_BACKUP_REMOTE);
  }
  established(c, sf);
  // Nothing but the third ACK until the fourth packet has come (RFC 8684 section 3.2).
  sf.set(SF_PRE_ESTABLISHED | SF_ACK_NOW);
  startTimer(sf, TIMER_HANDSHAKE, sf.rto);
  markDirty(c);
}

/** The fourth packet of a join arrived. */
export function joinConfirmed(c: Connection, sf: Subflow): void {
  sf.clear(SF_PRE_ESTABLISHED);
  stopTimer(sf);
  joined(c, sf);
}

function joined(c: Connection, sf: Subflow): void {
  c.closeAt = Infinity;
  c.set(C_NO_INFINITE);
  // Where a checksum failed, the data now has another way.
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const other = changetype<Subflow>(p);
    if (!other.is(SF_FAILING)) continue;
    other.waitAt = now;
    deadlineArm(p, other.heapField, now);
  }
  emit(EVENT_SUBFLOW_UP, c.handle, sf.handle, sf.localId, sf.remoteId, 0);
  markDirty(c);
}

/** SYN without ACK in SYN-SENT: both sides opened at once (RFC 9293 section 3.5, figure 7). */
export function simultaneousOpen(c: Connection, sf: Subflow): void {
  // A join has no such form, and nobody's bare SYN may take Multipath TCP from a connection that has it.
  if (sf.is(SF_JOIN)) return;
  takeSynOptions(sf);
  if (c.is(C_MPTCP)) {
    count(MIB_SimultConnectFallback);
    c.clear(C_MPTCP);
    c.fallback = FALLBACK_SIMULTANEOUS;
    removeToken(c);
  }
  sf.state = TCP_SYN_RCVD;
  sendSyn(c, sf);
}

// ---- the answering side -----------------------------------------------------------------------------------

/**
 * A segment with a valid ACK arrives in SYN-RECEIVED. True: go on with it as ESTABLISHED; false: it was dealt
 * with or dropped.
 */
export function handshakeAckArrives(c: Connection, sf: Subflow): bool {
  if (sf.is(SF_JOIN)) return joinAckArrives(c, sf);
  const early = sf.is(SF_FAST_OPEN);
  if (c.is(C_MPTCP)) {
    const keys = seg.has(HAS_CAPABLE) && seg.capLength >= 20;
    const proof = keys && seg.capReceiverKey == c.localKey && seg.capSenderKey != 0;
    if (proof) {
      count(MIB_MPCapableACKRX);
      if ((seg.capFlags & CAPABLE_DENY_JOIN) != 0) c.set(C_DENY_JOIN);
      adoptKey(c, seg.capSenderKey, early);
    } else {
      // Data that overtook the third ACK proves nothing yet; the opener repeats MP_CAPABLE with its first octet.
      if (!seqLe(seg.seq, sf.rcvNxt) && seg.has(HAS_MPTCP)) return false;
      count(MIB_MPCapableFallbackACK);
      if (early) fallBack(c, sf, FALLBACK_ACK);
      else startPlain(c, sf, FALLBACK_ACK);
    }
  } else if (!early) {
    startPlain(c, sf, c.fallback != 0 ? c.fallback : FALLBACK_SYN);
  }
  takeScaledWindow(sf);
  stopTimer(sf);
  established(c, sf);
  c.wndEdge = dsnMax(c.wndEdge, c.dataUna + sf.sndWnd);
  if (early) {
    leaveQueue(sf, false);
    if (c.is(C_MPTCP)) fullyEstablished(c);
    restartTimer(sf);
    markDirty(c); // what the application answered has waited
    return true;
  }
  enterState(c, CONN_ESTABLISHED);
  if (c.is(C_CLIENT)) {
    // Simultaneous open: this side asked for the connection.
    emit(EVENT_CONNECTED, c.handle, sf.handle, 0, c.fallback, 0);
    return true;
  }
  c.set(C_OPENED);
  enterAcceptQueue(c, sf);
  emit(EVENT_ACCEPT, c.handle, sf.handle, sf.localPort, c.is(C_MPTCP) ? 1 : 0, c.fallback);
  if (c.is(C_MPTCP)) fullyEstablished(c);
  return true;
}

/** The first window with scaling. */
function takeScaledWindow(sf: Subflow): void {
  sf.sndWnd = (seg.flags & SYN) != 0 ? seg.window : seg.window << sf.sndScale;
  sf.maxWnd = max(sf.maxWnd, sf.sndWnd);
  sf.sndWl1 = seg.seq;
  sf.sndWl2 = seg.ack;
}

function joinAckArrives(c: Connection, sf: Subflow): bool {
  if (!c.is(C_MPTCP) || !seg.has(HAS_JOIN)) {
    // Anything else before the proof is no part of this handshake.
    return joinRefused(c, sf, RST_MPTCP);
  }
  joinHmac(c.remoteKey, c.localKey, sf.remoteNonce, sf.localNonce, hmacOut);
  if (!equal(hmacOut, seg.joinHmac, 20)) {
    count(MIB_MPJoinAckHMacFailure);
    return joinRefused(c, sf, RST_MPTCP);
  }
  // The announcement may be withdrawn, the connection at its end or full meanwhile.
  if (!isJoinPort(c, sf.localPort)) {
    count(MIB_MismatchPortAckRx);
    return joinRefused(c, sf, RST_PROHIBITED);
  }
  if (!takesJoins(c) || !roomForJoin(c)) {
    count(MIB_MPJoinRejected);
    return joinRefused(c, sf, RST_PROHIBITED);
  }
  if (sf.localPort != c.localPort) count(MIB_MPJoinPortAckRx);
  count(MIB_MPJoinAckRx);
  takeScaledWindow(sf);
  stopTimer(sf);
  established(c, sf);
  // The fourth packet, ahead of all data: Linux resets a joined subflow whose first octets come out of order before it
  // has seen the fourth packet.
  if (!sendAck(c, sf)) sf.set(SF_ACK_NOW);
  joined(c, sf);
  return true;
}

/** As to a stranger, like Linux: RST without ACK. */
function joinRefused(c: Connection, sf: Subflow, reason: u32): bool {
  refuse(sf.path, reason);
  subflowFailed(c, sf, CLOSE_PROTOCOL, NO_REASON, false);
  return false;
}

/** The handshake of an opener's subflow failed: refused or timed out. */
export function openFailed(c: Connection, sf: Subflow, reason: i32, rstReason: u32, transient: bool): void {
  count(MIB_AttemptFails);
  if (sf.is(SF_JOIN)) subflowFailed(c, sf, reason, rstReason, transient);
  else failConnection(c, reason == CLOSE_PROTOCOL ? CLOSE_REFUSED : reason, NO_REASON, false);
}
