/**
 * TCP Fast Open (RFC 7413) for a connection. Data of a SYN lies outside the data sequence space: the first octet after
 * it has subflow sequence number 1 (RFC 8684 appendix B.2). Data that the listening side did not take with the SYN is
 * sent as any other.
 */
import { CONN_ESTABLISHED, EVENT_ACCEPT, TCP_SYN_SENT } from '../abi';
import {
  MIB_PassiveOpens,
  MIB_TCPFastOpenActive,
  MIB_TCPFastOpenActiveFail,
  MIB_TCPFastOpenBlackhole,
  MIB_TCPFastOpenCookieReqd,
  MIB_TCPFastOpenListenOverflow,
  MIB_TCPFastOpenPassive,
  MIB_TCPFastOpenPassiveAltKey,
  MIB_TCPFastOpenPassiveFail,
} from '../mib';
import { fastOpenHole, holeClosed, holeFound, holeOpen } from '../blackhole';
import { count } from '../counters';
import { emit } from '../events';
import { cfgFastOpen, cfgFastOpenBlackhole, now } from '../host';
import { cookieCheck, cookieOf, COOKIE, fastOpenFind, fastOpenNote, fastOpenOf } from '../tcp/fastopen';
import { SF_FAST_OPEN, SF_SYN_RETRANSMITTED, Subflow } from '../tcp/subflow';
import { HAS_FAST_OPEN, seg } from '../wire/segment';
import { COOKIE_MAX, writeFastOpen } from '../wire/tcp';
import { backlogOf, enterAcceptQueue } from './accept-queue';
import { Connection, C_MPTCP, C_OPENED, C_SYN_DATA, enterState, startSequences } from './connection';
import { moveAnchor } from './fallback';
import { startPlain } from './handshake';
import { idsnOf } from './keys';
import { chooseCongestionControl } from './lifecycle';
import { segmentSize } from './packet';
import { placeData, receiveEdge, receivePrepare } from './reassembly';
import { startWindow } from './receive-window';
import { findListener, Listener } from './tables';

// CFG_FAST_OPEN, Linux' bits
const OPENER: u32 = 1;
const LISTENER: u32 = 2;
const OPENER_NO_COOKIE: u32 = 4;
const LISTENER_NO_COOKIE: u32 = 0x200;
const EVERY_LISTENER: u32 = 0x400;

// Subflow.fastOpen
/** The next SYN or SYN/ACK carries the option. */
const WITH_OPTION: u8 = 1;
/** The option has its experimental form. */
const EXPERIMENTAL: u8 = 2;
/** The SYN asked for a cookie, brought one, or had data. */
const TRIED: u8 = 4;
/** A cookie is known, or none is wanted: data may go with the SYN. */
const WITH_DATA: u8 = 8;

/** Octets of header and options of a SYN with data (Linux leaves room for all options there are). */
const SYN_OVERHEAD: u32 = 40;
/** Silence after so many SYNs or segments is blamed on Fast Open. */
const HOLE_RETRIES: u32 = 2;
/** How long a place in the queue stays taken by a connection that was reset, microseconds. */
const RESET_PENALTY: f64 = 60e6;

// ---- the opener -------------------------------------------------------------------------------------------

/** Before the first SYN: what it will carry, and data sequence numbers for what is written until then. */
export function prepareFastOpen(c: Connection, sf: Subflow): void {
  startSequences(c, c.is(C_MPTCP) ? idsnOf(c.localKey) : 0, 0);
  if ((cfgFastOpen & OPENER) == 0 || holeOpen(fastOpenHole, cfgFastOpenBlackhole)) return;
  sf.fastOpen = TRIED;
  if ((cfgFastOpen & OPENER_NO_COOKIE) != 0 || c.fastOpenNoCookie) {
    sf.fastOpen |= WITH_DATA;
    return;
  }
  sf.fastOpen |= WITH_OPTION;
  const known = fastOpenOf(sf);
  if (known) sf.fastOpen |= (known.length != 0 ? WITH_DATA : 0) | (known.experimental ? EXPERIMENTAL : 0);
}

/** Whether a SYN between these addresses could carry data: a cookie is known, or none is wanted. */
export function fastOpenReady(lHigh: u64, lLow: u64, rHigh: u64, rLow: u64): bool {
  if ((cfgFastOpen & OPENER) == 0 || holeOpen(fastOpenHole, cfgFastOpenBlackhole)) return false;
  if ((cfgFastOpen & OPENER_NO_COOKIE) != 0) return true;
  const known = fastOpenFind(lHigh, lLow, rHigh, rLow);
  return known ? known.length != 0 : false;
}

/** Octets that the first SYN carries. */
export function synDataLength(c: Connection, sf: Subflow): u32 {
  if ((sf.fastOpen & WITH_DATA) == 0 || sf.is(SF_SYN_RETRANSMITTED)) return 0;
  const header: u32 = (sf.family == 4 ? 40 : 60) + sf.overhead;
  const known = fastOpenOf(sf);
  const size = min<u32>(known && known.mss != 0 ? known.mss : sf.peerMss, sf.mtu - header);
  return min<u32>(max<u32>(size, SYN_OVERHEAD) - SYN_OVERHEAD, <u32>(c.writeSeq - c.dataUna));
}

/** Writes the option of a SYN or SYN/ACK if there is one; retransmissions go without. Returns its octets. */
export function addFastOpen(sf: Subflow, at: usize): u32 {
  if ((sf.fastOpen & WITH_OPTION) == 0) return 0;
  sf.fastOpen &= ~WITH_OPTION;
  const experimental = (sf.fastOpen & EXPERIMENTAL) != 0;
  if (sf.state != TCP_SYN_SENT) return writeFastOpen(at, cookieOf(sf), COOKIE, experimental);
  const known = fastOpenOf(sf);
  if (!known || known.length == 0) return writeFastOpen(at, 0, 0, experimental);
  return writeFastOpen(at, known.cookie, known.length, experimental);
}

/** Octets that the option of the next SYN or SYN/ACK takes. */
export function fastOpenOctets(sf: Subflow): u32 {
  if ((sf.fastOpen & WITH_OPTION) == 0) return 0;
  let cookie: u32 = COOKIE;
  if (sf.state == TCP_SYN_SENT) {
    const known = fastOpenOf(sf);
    cookie = known ? known.length : 0;
  }
  return (cookie + ((sf.fastOpen & EXPERIMENTAL) != 0 ? 4 : 2) + 3) & ~3;
}

/**
 * The SYN/ACK in hand answers: what it took of the SYN's data leaves the ring, and the cookie is kept. The subflow's
 * numbers go on behind it.
 */
export function fastOpenAnswered(c: Connection, sf: Subflow): void {
  const taken = seg.ack - sf.iss - 1;
  sf.sndUna = sf.sndNxt = seg.ack;
  sf.ssnOutShift = taken;
  c.dataUna += taken;
  c.bufSeq = c.dataUna;
  c.synBytes += taken;
  if ((sf.fastOpen & TRIED) == 0) return;
  if (taken != 0) c.set(C_SYN_DATA);
  const cookie = seg.has(HAS_FAST_OPEN) ? seg.cookieLength : 0;
  const refused = cookie == 0 && sf.synData == 0 && !sf.is(SF_SYN_RETRANSMITTED);
  const attempt: u8 = refused ? ((sf.fastOpen & EXPERIMENTAL) != 0 ? 2 : 1) : 0;
  fastOpenNote(sf, sf.peerMss, seg.cookiePtr, cookie, seg.cookieExperimental, attempt);
  if (sf.synData == 0) return;
  count(taken == sf.synData ? MIB_TCPFastOpenActive : MIB_TCPFastOpenActiveFail);
  if (taken == sf.synData) holeClosed(fastOpenHole);
}

/** A timeout: perhaps a middlebox drops what Fast Open sends (RFC 7413 section 7.1). */
export function fastOpenTimeout(sf: Subflow): void {
  if ((sf.fastOpen & TRIED) == 0 || sf.retries != HOLE_RETRIES) return;
  count(MIB_TCPFastOpenActiveFail);
  if (holeFound(fastOpenHole, cfgFastOpenBlackhole)) count(MIB_TCPFastOpenBlackhole);
}

// ---- the listening side -----------------------------------------------------------------------------------

/** Connections of a listener that may wait for their third packet; `set` is its own number. */
function queueLimit(l: Listener, set: u32): u32 {
  if ((cfgFastOpen & LISTENER) == 0) return 0;
  return set == 0 && (cfgFastOpen & EVERY_LISTENER) != 0 ? backlogOf(l) : set;
}

function queueRoom(l: Listener, limit: u32): bool {
  if (limit == 0) return false;
  if (now >= l.penaltyUntil) l.penalty = 0;
  if (l.early + l.penalty < limit) return true;
  count(MIB_TCPFastOpenListenOverflow);
  return false;
}

/**
 * The SYN in hand, for a connection in SYN-RECEIVED: whether it may be accepted now, with the data of the SYN. Notes
 * on the subflow whether its SYN/ACK gives a cookie.
 */
export function fastOpenAsked(c: Connection, sf: Subflow, l: Listener): bool {
  const asked = seg.has(HAS_FAST_OPEN);
  if (asked && seg.cookieLength == 0) count(MIB_TCPFastOpenCookieReqd);
  if ((seg.length == 0 && !asked) || !queueRoom(l, queueLimit(l, c.fastOpen))) return false;
  if ((cfgFastOpen & LISTENER_NO_COOKIE) != 0 || c.fastOpenNoCookie) return true;
  if (!asked) return false;
  let key: u32 = 0;
  if (seg.cookieLength != 0) {
    key = cookieCheck(sf, seg.cookiePtr, seg.cookieLength);
    if (key == 0) count(MIB_TCPFastOpenPassiveFail);
  }
  if (key != 1) sf.fastOpen = WITH_OPTION | (seg.cookieExperimental ? EXPERIMENTAL : 0);
  if (key == 2) count(MIB_TCPFastOpenPassiveAltKey);
  return key != 0;
}

/** Accepts a connection with the data of its SYN, before anything proves that the SYN was not forged but the cookie. */
export function acceptEarly(c: Connection, sf: Subflow, l: Listener): void {
  count(MIB_TCPFastOpenPassive);
  count(MIB_PassiveOpens);
  sf.set(SF_FAST_OPEN);
  l.early++;
  if (c.is(C_MPTCP)) startSequences(c, idsnOf(c.localKey), 0); // the peer's key is not known yet
  else startPlain(c, sf, c.fallback);
  sf.sndEdge = sf.iss + 1 + sf.sndWnd;
  sf.mss = segmentSize(c, sf);
  sf.rcvMss = min<u32>(sf.mss, 536);
  startWindow(c, sf);
  sf.usable = true;
  chooseCongestionControl(c);
  c.wndEdge = c.dataUna + sf.sndWnd;
  enterState(c, CONN_ESTABLISHED);
  c.set(C_OPENED);
  enterAcceptQueue(c, sf);
  emit(EVENT_ACCEPT, c.handle, sf.handle, sf.localPort, c.is(C_MPTCP) ? 1 : 0, c.fallback);
  takeSynData(c, sf);
}

function takeSynData(c: Connection, sf: Subflow): void {
  if (seg.length == 0 || !receivePrepare(c)) return;
  const n = <u32>min<u64>(seg.length, receiveEdge(c) - c.rcvNxt);
  placeData(c, c.rcvNxt, seg.payload, n);
  sf.rcvNxt += n;
  sf.bytesReceived += n;
  c.set(C_SYN_DATA);
  if (c.is(C_MPTCP)) sf.ssnShift = n;
  else moveAnchor(c, sf);
}

/** The third packet of a connection accepted early has come, or a reset has: its place in the queue is free. */
export function leaveQueue(sf: Subflow, reset: bool): void {
  if (!sf.is(SF_FAST_OPEN)) return;
  sf.clear(SF_FAST_OPEN);
  const l = findListener(sf.localHigh, sf.localLow, sf.localPort);
  if (l == 0) return;
  const listener = changetype<Listener>(l);
  if (listener.early != 0) listener.early--;
  if (!reset) return;
  // Whoever forges SYNs could have the host reset them all at once (RFC 7413 section 5.1).
  listener.penalty++;
  listener.penaltyUntil = now + RESET_PENALTY;
}
