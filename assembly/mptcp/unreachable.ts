/**
 * What routers and hosts say about segments of ours (RFC 1122 section 4.2.3.9, RFC 1191, RFC 8201). They are believed
 * only about octets that are under way (RFC 5927): while a connection opens, an error ends the attempt, as on Linux;
 * later it is remembered as the reason of a timeout, and only a link that takes less than the path did has effect.
 */
import {
  CLOSE_BAD_HEADER,
  CLOSE_NET_UNREACHABLE,
  CLOSE_NO_PROTOCOL,
  CLOSE_PROHIBITED,
  CLOSE_REFUSED,
  CLOSE_UNREACHABLE,
  E_INVAL,
  EVENT_UNREACHABLE,
  TCP_ESTABLISHED,
  TCP_SYN_RCVD,
  TCP_SYN_SENT,
} from '../abi';
import { MIB_OutOfWindowIcmps, MIB_PathMtuReduced } from '../mib';
import { count } from '../counters';
import { emit } from '../events';
import { mtuLearnt } from '../path-mtu';
import { pathMtu, setMtu } from '../paths';
import { seqGe, seqLt } from '../seq';
import { takePathMtu } from '../tcp/mtu';
import { REC_LOST, REC_RETRANS, REC_SACKED, recAt, recMarkLost, recShatter, segmentsOf } from '../tcp/records';
import { CA_LOSS, REXMIT_LOST, SF_JOIN, SF_PASSIVE, Subflow } from '../tcp/subflow';
import { registerDeadline } from '../tcp/timers';
import {
  icmp,
  ICMP_HEADER_PROBLEM,
  ICMP_NET,
  ICMP_PORT,
  ICMP_PROHIBITED,
  ICMP_PROTOCOL,
  ICMP_TOO_BIG,
} from '../wire/icmp';
import { NO_REASON, subflowFailed } from './close';
import { Connection, C_OPENED, markDirty } from './connection';
import { openFailed } from './handshake';
import { segmentSize } from './packet';
import { eachSubflowOn, findSubflow } from './tables';

/** Least MTU that is believed: Linux' min_pmtu; and IPv6's, below which a message is ignored (RFC 8201 section 4). */
const LEAST_V4: u32 = 552;
const LEAST_V6: u32 = 1280;

/** The message in `icmp`. False: it is about no subflow. */
export function icmpArrives(): bool {
  const p = findSubflow(
    icmp.localHigh,
    icmp.localLow,
    icmp.localPort,
    icmp.remoteHigh,
    icmp.remoteLow,
    icmp.remotePort,
  );
  if (p == 0) return false;
  const sf = changetype<Subflow>(p);
  if (sf.conn == 0) return true; // in TIME-WAIT, as on Linux
  const c = changetype<Connection>(sf.conn);
  const opening = sf.state == TCP_SYN_SENT || sf.state == TCP_SYN_RCVD;
  // A SYN has one sequence number, and what Fast Open sends with it is part of that segment.
  if (opening ? icmp.seq != sf.iss : !seqGe(icmp.seq, sf.sndUna) || !seqLt(icmp.seq, sf.sndNxt)) {
    count(MIB_OutOfWindowIcmps);
  } else if (icmp.kind == ICMP_TOO_BIG) {
    tooBig(c, sf);
  } else if (!opening) {
    sf.softError = <u8>reasonOf(sf);
    if (c.is(C_OPENED)) emit(EVENT_UNREACHABLE, c.handle, sf.handle, sf.softError, 0, 0);
  } else if (sf.state == TCP_SYN_SENT || !sf.is(SF_PASSIVE)) {
    openFailed(c, sf, reasonOf(sf), NO_REASON, false);
  } else if (icmp.fatal) {
    subflowFailed(c, sf, reasonOf(sf), NO_REASON, false); // in silence: the SYN may have been forged
  }
  return true;
}

/** Linux' errno for the message. */
function reasonOf(sf: Subflow): i32 {
  const kind = icmp.kind;
  // That a peer refuses a join tells of a connection that it has forgotten, but only when the peer itself says so.
  if (kind == ICMP_PORT) return sf.is(SF_JOIN) ? CLOSE_UNREACHABLE : CLOSE_REFUSED;
  if (kind == ICMP_NET) return CLOSE_NET_UNREACHABLE;
  if (kind == ICMP_PROHIBITED) return CLOSE_PROHIBITED;
  if (kind == ICMP_PROTOCOL) return CLOSE_NO_PROTOCOL;
  return kind == ICMP_HEADER_PROBLEM ? CLOSE_BAD_HEADER : CLOSE_UNREACHABLE;
}

// ---- path MTU ---------------------------------------------------------------------------------------------

/** A link on the way takes less than was sent. */
function tooBig(c: Connection, sf: Subflow): void {
  if (sf.family != 4 && icmp.mtu < LEAST_V6) return;
  const mtu = max(icmp.mtu, LEAST_V4);
  // Small pieces may be out because larger ones vanished (mtu.ts): then it tells to what they may grow again.
  if (mtu >= (sf.wideMtu == 0 ? sf.mtu : sf.wideMtu)) return;
  count(MIB_PathMtuReduced);
  sf.mtuUntil = mtuLearnt(sf.path, sf.remoteHigh, sf.remoteLow, mtu);
  registerDeadline(sf);
  if (sf.wideMtu != 0) sf.wideMtu = mtu;
  if (mtu >= sf.mtu) return;
  sf.mtu = mtu;
  if (sf.state >= TCP_ESTABLISHED) shrink(c, sf);
}

/** What is out in larger segments is lost, without a sign of congestion (Linux' tcp_simple_retransmit). */
function shrink(c: Connection, sf: Subflow): void {
  const size = segmentSize(c, sf);
  sf.mss = size;
  let lost = false;
  for (let id = sf.recHead; id != sf.recTail; id++) {
    if (recAt(sf, id).size <= size || recAt(sf, id).is(REC_SACKED)) continue;
    if (!recShatter(sf, id)) return;
    const r = recAt(sf, id);
    if (r.length > size) {
      const more = segmentsOf(r.length, size) - r.segments;
      r.segments += more;
      sf.packetsOut += more;
      if (r.is(REC_LOST)) sf.lostOut += more;
      if (r.is(REC_RETRANS)) sf.retransOut += more;
    }
    r.size = size;
    recMarkLost(sf, id, r);
    lost = true;
  }
  if (!lost) return;
  if (sf.caState != CA_LOSS) {
    sf.caState = CA_LOSS;
    sf.highSeq = sf.sndNxt;
    sf.priorSsthresh = 0;
    sf.undoing = false;
    sf.frto = false;
  }
  sf.tlpOut = false;
  sf.rexmit = REXMIT_LOST;
  markDirty(c);
}

/** What routers told has expired: the path is taken for as wide as its interface again, until they tell anew. */
export function mtuForgotten(c: Connection, sf: Subflow): void {
  const small = sf.wideMtu == 0 ? 0 : sf.mtu;
  takePathMtu(sf);
  if (small != 0) {
    sf.wideMtu = sf.mtu;
    sf.mtu = min(small, sf.mtu);
  }
  sf.mss = segmentSize(c, sf);
}

/** The interface of a path takes larger or smaller packets from now on. 0, or E_INVAL: no such path, or size. */
export function setPathMtu(path: u32, mtu: u32): i32 {
  if (pathMtu(path) == 0 || mtu < 256 || mtu > 65535) return E_INVAL;
  setMtu(path, mtu);
  eachSubflowOn(path, interfaceChanged);
  return 0;
}

function interfaceChanged(c: Connection, sf: Subflow): void {
  const before = sf.mtu;
  mtuForgotten(c, sf);
  registerDeadline(sf);
  if (sf.mtu < before && sf.state >= TCP_ESTABLISHED) shrink(c, sf);
}
