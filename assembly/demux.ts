/**
 * Where a packet goes: to a subflow by its four-tuple, a SYN with MP_JOIN to a connection by its token, any other
 * SYN to a listener, and everything else gets a RST (RFC 9293 section 3.10.7.1).
 */
import {
  CHECKSUM_GOOD,
  CHECKSUM_PARTIAL,
  CONN_ESTABLISHED,
  CONN_FIN_WAIT_2,
  FALLBACK_OFF,
  FALLBACK_SYN,
  MIB_InCsumErrors,
  MIB_InErrs,
  MIB_InSegs,
  MIB_ListenDrops,
  MIB_MPCapableSYNRX,
  MIB_MPJoinNoTokenFound,
  MIB_MPJoinRejected,
  MIB_MPJoinSynBackupRx,
  MIB_MPJoinSynRx,
  MIB_MPRstTx,
  MIB_OutRsts,
  MIB_PassiveOpens,
  TCP_SYN_RCVD,
} from './abi';
import { get16 } from './bytes';
import { fold, pseudo4, pseudo6, sum16 } from './checksum';
import { count } from './counters';
import { handleGet, KIND_CONNECTION } from './handles';
import { cfgChecksum, cfgSubflowsMax, random64, randomLeft } from './host';
import { pathAddressId, pathMtu } from './paths';
import { txRoom } from './rings';
import { Connection, C_CHECKSUM, C_ESTABLISHED, C_MPTCP } from './mptcp/connection';
import { NO_REASON, RST_MPTCP, RST_PROHIBITED, RST_RESOURCES } from './mptcp/close';
import { drawKey, prepareSubflow, sendSyn, takeSynOptions } from './mptcp/handshake';
import { AGAIN, REFUSE, segmentArrives } from './mptcp/input';
import { enterHalfOpen, freeConnection, halfOpenRoom, newConnection, newSubflow } from './mptcp/lifecycle';
import { begin, finishControl, optionAdded, optionPointer } from './mptcp/packet';
import { findListener, findSubflow, findToken, Listener } from './mptcp/tables';
import { RTO_INITIAL } from './tcp/rtt';
import { SF_BACKUP_REMOTE, SF_JOIN, SF_PASSIVE, Subflow, TIMER_HANDSHAKE } from './tcp/subflow';
import { startTimer } from './tcp/timers';
import { writeTcpRst } from './wire/mptcp';
import { IP_IGNORE, IP_OK, parseIp } from './wire/ip';
import { ACK, CAPABLE_CHECKSUM, HAS_CAPABLE, HAS_JOIN, RST, seg, SYN } from './wire/segment';
import { parseTcp, TCP_CHECKSUM_AT } from './wire/tcp';

/** Stands in for a subflow when a packet without one is answered. */
const nobody = changetype<Subflow>(memory.data(offsetof<Subflow>(), 16));

/** One packet of `length` octets that arrived on a path. Malformed ones are counted. */
export function packetArrives(packet: usize, length: u32, path: u32, checksum: u32): void {
  count(MIB_InSegs);
  const ip = parseIp(packet, length, seg);
  if (ip != IP_OK) {
    if (ip != IP_IGNORE) count(MIB_InErrs);
    return;
  }
  if (!parseTcp(seg)) {
    count(MIB_InErrs);
    return;
  }
  if (checksum != CHECKSUM_GOOD && !checksumRight(checksum == CHECKSUM_PARTIAL)) {
    count(MIB_InCsumErrors);
    return;
  }
  const p = findSubflow(seg.dstHigh, seg.dstLow, seg.dstPort, seg.srcHigh, seg.srcLow, seg.srcPort);
  if (p != 0) {
    const result = segmentArrives(changetype<Subflow>(p));
    if (result == REFUSE) refuse(path, NO_REASON);
    if (result != AGAIN) return;
  }
  if ((seg.flags & (SYN | ACK | RST)) == SYN) synArrives(path);
  else refuse(path, NO_REASON);
}

/** `partial`: the sum of the pseudo header alone is what a local sender with offload leaves in the field. */
function checksumRight(partial: bool): bool {
  const pseudo =
    seg.family == 4
      ? pseudo4(seg.srcPtr, seg.dstPtr, seg.tcpLength)
      : pseudo6(seg.srcPtr, seg.dstPtr, seg.tcpLength);
  if (partial && get16(seg.tcp + TCP_CHECKSUM_AT) == fold(pseudo)) return true;
  return fold(sum16(seg.tcp, seg.tcpLength, pseudo)) == 0xffff;
}

/** RST for the segment in hand, from an address that has nothing for it. */
function refuse(path: u32, reason: u32): void {
  if ((seg.flags & RST) != 0 || txRoom() == 0) return;
  count(MIB_OutRsts);
  const n = nobody;
  n.path = path;
  n.family = seg.family;
  n.localHigh = seg.dstHigh;
  n.localLow = seg.dstLow;
  n.localPort = seg.dstPort;
  n.remoteHigh = seg.srcHigh;
  n.remoteLow = seg.srcLow;
  n.remotePort = seg.srcPort;
  begin(n);
  if (reason != NO_REASON) {
    count(MIB_MPRstTx);
    optionAdded(writeTcpRst(optionPointer(), false, reason));
  }
  if ((seg.flags & ACK) != 0) finishControl(n, seg.ack, 0, RST, 0);
  else finishControl(n, 0, seg.end, RST | ACK, 0);
}

function synArrives(path: u32): void {
  if (pathMtu(path) == 0) return;
  if (seg.has(HAS_JOIN) && !seg.has(HAS_CAPABLE)) {
    joinArrives(path);
    return;
  }
  const l = findListener(seg.dstHigh, seg.dstLow, seg.dstPort);
  if (l == 0 || changetype<Listener>(l).joinsOnly) {
    refuse(path, NO_REASON);
    return;
  }
  if (!halfOpenRoom() || !randomLeft(64)) {
    count(MIB_ListenDrops);
    return;
  }
  const p = newConnection(handleGet(changetype<Listener>(l).like, KIND_CONNECTION));
  if (p == 0) {
    count(MIB_ListenDrops);
    return;
  }
  const c = changetype<Connection>(p);
  const sfp = answer(c, path);
  if (sfp == 0) {
    freeConnection(c);
    count(MIB_ListenDrops);
    return;
  }
  count(MIB_PassiveOpens);
  c.localPort = seg.dstPort;
  c.firstPath = path;
  // MP_CAPABLE together with MP_JOIN is neither (Linux answers so, too).
  const capable = seg.has(HAS_CAPABLE) && !seg.has(HAS_JOIN);
  if (capable) count(MIB_MPCapableSYNRX);
  if (!capable || !c.multipath || !drawKey(c)) {
    c.clear(C_MPTCP);
    c.fallback = c.multipath ? FALLBACK_SYN : FALLBACK_OFF;
  } else if (cfgChecksum || (seg.capFlags & CAPABLE_CHECKSUM) != 0) {
    c.set(C_CHECKSUM);
  }
  sendAnswer(c, changetype<Subflow>(sfp));
}

/** MP_JOIN goes by its token; the port has to be the connection's or an announced one (RFC 8684 section 3.2). */
function joinArrives(path: u32): void {
  count(MIB_MPJoinSynRx);
  const p = findToken(seg.joinToken);
  if (p == 0) {
    count(MIB_MPJoinNoTokenFound);
    refuse(path, RST_MPTCP);
    return;
  }
  const c = changetype<Connection>(p);
  const l = findListener(seg.dstHigh, seg.dstLow, seg.dstPort);
  const rightPort = seg.dstPort == c.localPort || (l != 0 && changetype<Listener>(l).joinsOnly);
  const open = c.is(C_MPTCP) && c.is(C_ESTABLISHED) && c.state >= CONN_ESTABLISHED && c.state <= CONN_FIN_WAIT_2 + 1;
  if (!rightPort || !open) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_PROHIBITED);
    return;
  }
  if (c.subflowCount >= cfgSubflowsMax || !halfOpenRoom() || !randomLeft(64)) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_RESOURCES);
    return;
  }
  const sfp = answer(c, path);
  if (sfp == 0) {
    refuse(path, RST_RESOURCES);
    return;
  }
  const sf = changetype<Subflow>(sfp);
  sf.set(SF_JOIN);
  sf.remoteId = <u8>seg.joinId;
  sf.remoteNonce = seg.joinNonce;
  do sf.localNonce = <u32>random64();
  while (sf.localNonce == 0 && randomLeft(8));
  sf.localId = path == c.firstPath ? 0 : <u8>pathAddressId(path);
  if (seg.joinBackup) {
    count(MIB_MPJoinSynBackupRx);
    sf.set(SF_BACKUP_REMOTE);
  }
  sendAnswer(c, sf);
}

/** A subflow in SYN-RECEIVED for the SYN in hand, 0 when memory is out. */
function answer(c: Connection, path: u32): usize {
  const p = newSubflow(
    c,
    path,
    seg.family,
    seg.dstHigh,
    seg.dstLow,
    seg.dstPort,
    seg.srcHigh,
    seg.srcLow,
    seg.srcPort,
  );
  if (p == 0) return 0;
  const sf = changetype<Subflow>(p);
  sf.set(SF_PASSIVE);
  sf.state = TCP_SYN_RCVD;
  enterHalfOpen(sf);
  prepareSubflow(c, sf);
  takeSynOptions(sf);
  return p;
}

function sendAnswer(c: Connection, sf: Subflow): void {
  sendSyn(c, sf);
  startTimer(sf, TIMER_HANDSHAKE, RTO_INITIAL);
}
