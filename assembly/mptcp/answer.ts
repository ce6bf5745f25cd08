/**
 * SYNs from others: to a listener with MP_CAPABLE or without, or with MP_JOIN to the connection that its token names
 * (RFC 8684 sections 3.1 and 3.2).
 */
import {
  CONN_CLOSE_WAIT,
  CONN_OPENING,
  CONN_TIME_WAIT,
  EVENT_LOCAL_ID,
  FALLBACK_OFF,
  FALLBACK_SYN,
  TCP_SYN_RCVD,
} from '../abi';
import {
  MIB_ListenDrops,
  MIB_MPCapableEndpAttempt,
  MIB_MPCapableSYNRX,
  MIB_MPJoinNoTokenFound,
  MIB_MPJoinPortSynRx,
  MIB_MPJoinRejected,
  MIB_MPJoinSynBackupRx,
  MIB_MPJoinSynRx,
  MIB_MismatchPortSynRx,
  MIB_TCPReqQFullDrop,
} from '../mib';
import { count } from '../counters';
import { dsnLt } from '../dsn';
import { emit } from '../events';
import { handleGet, KIND_CONNECTION } from '../handles';
import {
  cfgChecksum,
  cfgMptcp,
  cfgPendingJoinsMax,
  cfgSynCookies,
  random64,
  randomLeft,
} from '../host';
import { pathAddressId, pathIsBackup, pathMtu, takeNextId } from '../paths';
import { Settings } from '../settings';
import { tcpMaxSynBacklog } from '../sysctl';
import { RTO_INITIAL } from '../tcp/rtt';
import {
  SF_BACKUP_LOCAL,
  SF_BACKUP_REMOTE,
  SF_JOIN,
  SF_PASSIVE,
  Subflow,
  TIMER_HANDSHAKE,
} from '../tcp/subflow';
import { startTimer } from '../tcp/timers';
import { CAPABLE_CHECKSUM, FIN, HAS_CAPABLE, HAS_JOIN, seg } from '../wire/segment';
import { NO_REASON, RST_MPTCP, RST_PROHIBITED, RST_RESOURCES } from './close';
import {
  Connection,
  C_CHECKSUM,
  C_CLIENT,
  C_ESTABLISHED,
  C_MPTCP,
  isOpen,
  roomForJoin,
  setFirst,
  spaceForJoin,
} from './connection';
import { acceptQueueFull, enterRequests, requestQueueFull, saveSyn } from './accept-queue';
import { acceptEarly, fastOpenAsked } from './fast-open';
import { drawKey, prepareSubflow, sendSyn, takeSynOptions } from './handshake';
import { enterHalfOpen, freeConnection, halfOpenRoom, newConnection, newSubflow } from './lifecycle';
import { tooFar } from './input';
import { refuse } from './refuse';
import { answerStateless, joinStateless } from './stateless';
import { isJoinPort } from './signal';
import { findListener, findToken, Listener } from './tables';

/** A SYN without ACK that belongs to no subflow. */
export function synArrives(path: u32): void {
  if (pathMtu(path) == 0) return;
  if (seg.has(HAS_JOIN) && !seg.has(HAS_CAPABLE)) {
    joinArrives(path);
    return;
  }
  const l = findListener(seg.dstHigh, seg.dstLow, seg.dstPort);
  if (l == 0) {
    refuse(path, NO_REASON);
    return;
  }
  if ((seg.flags & FIN) != 0) return; // as Linux does it: no such segment has a purpose
  if (changetype<Listener>(l).joinsOnly) {
    count(MIB_MPCapableEndpAttempt);
    refuse(path, RST_PROHIBITED);
    return;
  }
  // MP_CAPABLE together with MP_JOIN is neither (Linux answers so, too).
  const capable = seg.has(HAS_CAPABLE) && !seg.has(HAS_JOIN);
  const like = likeOf(l);
  if (like != 0 && changetype<Settings>(like).minTtl != 0 && tooFar(changetype<Settings>(like))) return;
  const stateless = cfgSynCookies == 2 || requestQueueFull(changetype<Listener>(l)) || !halfOpenRoom();
  if (!queuesTake(l, stateless)) return;
  if (capable && (like != 0 ? changetype<Settings>(like).multipath : cfgMptcp)) count(MIB_MPCapableSYNRX);
  if (stateless) answerStateless(path, like, capable);
  else if (!openFor(path, l, like, capable)) count(MIB_ListenDrops);
}

/** Whether a listener (0: there is none) answers a SYN; otherwise it is dropped (Linux' tcp_conn_request). */
function queuesTake(listener: usize, stateless: bool): bool {
  if (listener == 0) return true;
  const l = changetype<Listener>(listener);
  if (stateless && cfgSynCookies == 0) {
    count(MIB_TCPReqQFullDrop);
    count(MIB_ListenDrops);
    return false;
  }
  if (acceptQueueFull(l)) return false; // counted
  // The last quarter is for peers that are known, of which there are none.
  if (cfgSynCookies == 0 && l.requests > tcpMaxSynBacklog - (tcpMaxSynBacklog >> 2)) {
    count(MIB_ListenDrops);
    return false;
  }
  return true;
}

/** The connection whose settings those of a listener begin with, 0 for the stack's. */
export function likeOf(listener: usize): usize {
  return handleGet(changetype<Listener>(listener).like, KIND_CONNECTION);
}

/** A connection in SYN-RECEIVED for the SYN in hand. False: no memory, or no random octets. */
function openFor(path: u32, listener: usize, like: usize, capable: bool): bool {
  if (!randomLeft(64)) return false;
  const p = newConnection(like);
  if (p == 0) return false;
  const c = changetype<Connection>(p);
  const sfp = answer(c, path);
  if (sfp == 0) {
    freeConnection(c);
    return false;
  }
  setFirst(c, changetype<Subflow>(sfp));
  if (!capable || !c.multipath || !drawKey(c)) {
    c.clear(C_MPTCP);
    c.fallback = c.multipath ? FALLBACK_SYN : FALLBACK_OFF;
  } else if (cfgChecksum || (seg.capFlags & CAPABLE_CHECKSUM) != 0) {
    c.set(C_CHECKSUM);
  }
  const sf = changetype<Subflow>(sfp);
  const l = changetype<Listener>(listener);
  if (c.saveSyn) saveSyn(c);
  if (fastOpenAsked(c, sf, l)) acceptEarly(c, sf, l);
  else enterRequests(sf, l);
  sendAnswer(c, sf);
  return true;
}

/** MP_JOIN goes by its token; the port has to be the connection's or an announced one (RFC 8684 section 3.2). */
function joinArrives(path: u32): void {
  const listener = findListener(seg.dstHigh, seg.dstLow, seg.dstPort);
  const full = listener != 0 && requestQueueFull(changetype<Listener>(listener));
  if (!queuesTake(listener, full)) return;
  count(MIB_MPJoinSynRx);
  if (seg.joinBackup) count(MIB_MPJoinSynBackupRx);
  const p = findToken(seg.joinToken);
  // Before the third ACK nobody else can know the token (Linux enters it only then).
  if (p == 0 || isHalfOpen(changetype<Connection>(p))) {
    count(MIB_MPJoinNoTokenFound);
    refuse(path, RST_MPTCP);
    return;
  }
  const c = changetype<Connection>(p);
  if (seg.dstPort != c.localPort) {
    if (!isJoinPort(c, seg.dstPort) || joinListener() == 0) {
      count(MIB_MismatchPortSynRx);
      refuse(path, RST_PROHIBITED);
      return;
    }
    count(MIB_MPJoinPortSynRx);
  }
  const stateless = cfgSynCookies != 0 && (cfgSynCookies == 2 || full || !halfOpenRoom());
  // The limit of subflows counts when a join has proved itself, as on Linux.
  if (!takesJoins(c) || !spaceForJoin(c) || (stateless && !roomForJoin(c))) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_PROHIBITED);
    return;
  }
  if (pendingJoins(c) >= cfgPendingJoinsMax) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_RESOURCES);
    return;
  }
  if (stateless) {
    joinStateless(c, path);
    return;
  }
  const localId = halfOpenRoom() && randomLeft(64) ? localIdOn(c, path) : -1;
  const sfp: usize = localId < 0 ? 0 : answer(c, path);
  if (sfp == 0) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_RESOURCES);
    return;
  }
  const sf = changetype<Subflow>(sfp);
  sf.set(SF_JOIN | (seg.joinBackup ? SF_BACKUP_REMOTE : 0) | backupOn(path));
  sf.remoteId = <u8>seg.joinId;
  sf.remoteNonce = seg.joinNonce;
  do sf.localNonce = <u32>random64();
  while (sf.localNonce == 0 && randomLeft(8));
  sf.localId = <u8>localId;
  if (listener != 0) enterRequests(sf, changetype<Listener>(listener));
  sendAnswer(c, sf);
}

function isHalfOpen(c: Connection): bool {
  return c.state == CONN_OPENING && !c.is(C_CLIENT);
}

/**
 * Whether further subflows are welcome (RFC 8684 section 3.2: not before both sides have both keys). Where both streams
 * have ended, they are as long as octets of ours have not arrived: the only subflow may have broken.
 */
export function takesJoins(c: Connection): bool {
  if (!c.is(C_MPTCP) || !c.is(C_ESTABLISHED) || !isOpen(c)) return false;
  return c.state <= CONN_CLOSE_WAIT || (c.state != CONN_TIME_WAIT && dsnLt(c.dataUna, c.finDsn));
}

/** The listener for joins only that the segment in hand goes to, 0 for none. */
function joinListener(): usize {
  const l = findListener(seg.dstHigh, seg.dstLow, seg.dstPort);
  return l != 0 && changetype<Listener>(l).joinsOnly ? l : 0;
}

/** Address ID of this side for the join in hand; -1: none is left. */
export function localIdOn(c: Connection, path: u32): i32 {
  if (path == c.firstPath) return 0;
  const l = joinListener();
  if (l != 0) return changetype<Listener>(l).addressId;
  const known = pathAddressId(path);
  if (known != 0) return known;
  const id = takeNextId(path);
  if (id == 0) return -1;
  emit(EVENT_LOCAL_ID, c.handle, 0, id, path, 0);
  return id;
}

/** SF_BACKUP_LOCAL where this side wants the join in hand to be a backup. */
export function backupOn(path: u32): u32 {
  const l = joinListener();
  return (l != 0 ? changetype<Listener>(l).backup : pathIsBackup(path)) ? SF_BACKUP_LOCAL : 0;
}

/** Joins of others that have not proved anything yet. */
function pendingJoins(c: Connection): u32 {
  let n: u32 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    if (changetype<Subflow>(p).state == TCP_SYN_RCVD) n++;
  }
  return n;
}

/** A subflow in SYN-RECEIVED for the SYN in hand, 0 when memory is out. */
function answer(c: Connection, path: u32): usize {
  const p = newSubflowFor(c, path);
  if (p == 0) return 0;
  const sf = changetype<Subflow>(p);
  enterHalfOpen(sf);
  prepareSubflow(c, sf);
  takeSynOptions(sf);
  return p;
}

/** A subflow between the addresses of the segment in hand, 0 when memory is out. */
export function newSubflowFor(c: Connection, path: u32): usize {
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
  return p;
}

function sendAnswer(c: Connection, sf: Subflow): void {
  sendSyn(c, sf);
  startTimer(sf, TIMER_HANDSHAKE, RTO_INITIAL);
}
