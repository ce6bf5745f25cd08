/**
 * Birth and death of connection and subflow records: memory, tables, lists, handles. Why something ends is
 * close.ts' business.
 */
import { alloc, allocZero, free, memoryShort } from '../arena';
import { KIND_CONNECTION, KIND_SUBFLOW, handleFree, handleNew } from '../handles';
import { ccInit } from '../cc/controller';
import { CcState } from '../cc/state';
import { cfgCcMulti, cfgHalfOpenMax } from '../host';
import { deadlineDisarm, deadlinesReserve } from '../deadlines';
import { count, uncount } from '../counters';
import { maxTimeWait } from '../limits';
import { TCP_CLOSED, TCP_TIME_WAIT } from '../abi';
import { MIB_MPCurrEstab, MIB_MemoryDrop, MIB_TCPTimeWaitOverflow } from '../mib';
import { pathOverhead } from '../paths';
import { txPurge } from '../rings';
import { tcpReordering } from '../sysctl';
import { takePathMtu } from '../tcp/mtu';
import { rangesFree } from '../tcp/ranges';
import { recFreeAll } from '../tcp/records';
import { RTO_INITIAL } from '../tcp/rtt';
import { SF_HALF_OPEN, Subflow } from '../tcp/subflow';
import { copySettings, defaultSettings, Settings } from '../settings';
import { Connection, dropDirty, initConnection, sizeRings } from './connection';
import { dropSavedSyn, leaveAcceptQueue, leaveRequests } from './accept-queue';
import { leaveQueue } from './fast-open';
import { mappingsFree } from './mapping';
import { receiveFree } from './reassembly';
import { sendFree } from './send-ring';
import { enterSubflow, removeSubflow, removeToken, subflowCount } from './tables';

const CONNECTION_SIZE: u32 = offsetof<Connection>();
const SUBFLOW_SIZE: u32 = offsetof<Subflow>();
/** ACKs sent at once before delayed ACKs begin (Linux' TCP_MAX_QUICKACKS). */

/** Subflows in TIME-WAIT. */
export let timeWaits: u32 = 0;
export let connectionCount: u32 = 0;
/** Subflows that still have a connection or a closing handshake to finish. */
export let halfOpen: u32 = 0;

export function halfOpenRoom(): bool {
  return halfOpen < cfgHalfOpenMax;
}

/** Room for one more subflow in TIME-WAIT. */
export function timeWaitRoom(): bool {
  if (timeWaits < maxTimeWait) return true;
  count(MIB_TCPTimeWaitOverflow);
  return false;
}
/** A subflow has entered TIME-WAIT. */
export function enterTimeWaits(): void {
  timeWaits++;
}

/**
 * A new connection without subflows that is set like another (0: like the stack); 0 when memory or handles are out. The
 * last eighth of the memory is for connections that exist.
 */
export function newConnection(like: usize): usize {
  if (memoryShort()) {
    count(MIB_MemoryDrop);
    return 0;
  }
  if (!deadlinesReserve(connectionCount + 1 + subflowCount)) return 0;
  const p = allocZero(CONNECTION_SIZE);
  if (p == 0) return 0;
  const c = changetype<Connection>(p);
  c.handle = handleNew(p, KIND_CONNECTION);
  if (c.handle == 0) {
    free(p, CONNECTION_SIZE);
    return 0;
  }
  initConnection(c);
  setUp(c, like);
  connectionCount++;
  return p;
}

/** Settings of another connection, or (0) the stack's, and the ring sizes that follow from them. */
export function setUp(c: Connection, like: usize): void {
  if (like != 0) copySettings(c, changetype<Settings>(like));
  else defaultSettings(c);
  sizeRings(c);
}

export function freeConnection(c: Connection): void {
  dropDirty(c);
  leaveAcceptQueue(c);
  dropSavedSyn(c);
  removeToken(c);
  deadlineDisarm(c.heapField);
  txPurge(changetype<usize>(c));
  sendFree(c);
  receiveFree(c);
  freeNodes(c.reinjectHead);
  freeNodes(c.signalHead);
  freeNodes(c.portHead);
  if (c.counted) uncount(MIB_MPCurrEstab);
  handleFree(c.handle);
  free(changetype<usize>(c), CONNECTION_SIZE);
  connectionCount--;
}

/** Lists of small nodes whose first field links them. */
export const NODE_SIZE: u32 = 64;
export function newNode(): usize {
  return alloc(NODE_SIZE);
}
export function freeNode(p: usize): void {
  free(p, NODE_SIZE);
}
function freeNodes(head: usize): void {
  for (let p = head; p != 0; ) {
    const next = load<usize>(p);
    freeNode(p);
    p = next;
  }
}

/** A new subflow of `c` on a path with the four-tuple given; 0 when memory is out. */
export function newSubflow(
  c: Connection,
  path: u32,
  family: u32,
  lHigh: u64,
  lLow: u64,
  lPort: u32,
  rHigh: u64,
  rLow: u64,
  rPort: u32,
): usize {
  if (!deadlinesReserve(connectionCount + subflowCount + 1)) return 0;
  const p = allocZero(SUBFLOW_SIZE);
  if (p == 0) return 0;
  const sf = changetype<Subflow>(p);
  sf.handle = handleNew(p, KIND_SUBFLOW);
  sf.path = path;
  sf.family = family;
  sf.localHigh = lHigh;
  sf.localLow = lLow;
  sf.localPort = lPort;
  sf.remoteHigh = rHigh;
  sf.remoteLow = rLow;
  sf.remotePort = rPort;
  if (sf.handle == 0 || !enterSubflow(sf)) {
    if (sf.handle != 0) handleFree(sf.handle);
    free(p, SUBFLOW_SIZE);
    return 0;
  }
  sf.conn = changetype<usize>(c);
  sf.tos = c.tos;
  sf.ttl = c.ttl;
  takePathMtu(sf);
  sf.overhead = pathOverhead(path);
  sf.peerMss = family == 4 ? 536 : 1220; // RFC 9293 section 3.7.1, until the SYN tells
  sf.mss = sf.peerMss;
  sf.rto = RTO_INITIAL;
  sf.resetReason = 255;
  sf.challengeAt = -Infinity;
  sf.timerAt = sf.delackAt = sf.keepaliveAt = sf.waitAt = Infinity;
  sf.rackMult = 1;
  sf.appLimited = 0xffffffff; // nothing is known
  sf.rateAppLimited = true;
  sf.lastSent = -1;
  sf.reordering = tcpReordering;
  link(c, sf);
  return p;
}

function link(c: Connection, sf: Subflow): void {
  sf.nextOfConn = 0;
  let tail = c.subflows;
  if (tail == 0) {
    c.subflows = changetype<usize>(sf);
    sf.next = sf;
  } else {
    while (changetype<Subflow>(tail).nextOfConn != 0) tail = changetype<Subflow>(tail).nextOfConn;
    changetype<Subflow>(tail).nextOfConn = changetype<usize>(sf);
    sf.next = changetype<Subflow>(tail).next;
    changetype<Subflow>(tail).next = changetype<CcState>(changetype<usize>(sf));
  }
  c.subflowCount++;
}

/** Takes a subflow out of its connection, which forgets it. */
export function unlink(c: Connection, sf: Subflow): void {
  let before: usize = 0;
  let p = c.subflows;
  while (p != changetype<usize>(sf)) {
    if (p == 0) return;
    before = p;
    p = changetype<Subflow>(p).nextOfConn;
  }
  if (before != 0) changetype<Subflow>(before).nextOfConn = sf.nextOfConn;
  else c.subflows = sf.nextOfConn;
  let ring = sf.next;
  while (changetype<usize>(ring.next) != changetype<usize>(sf)) ring = ring.next;
  ring.next = sf.next;
  sf.next = sf;
  sf.usable = false;
  if (c.lastSubflow == changetype<usize>(sf)) c.lastSubflow = 0;
  if (c.mapOwner == changetype<usize>(sf)) c.mapOwner = 0;
  if (c.advOwner == changetype<usize>(sf)) c.advOwner = 0;
  c.subflowCount--;
  txPurge(changetype<usize>(sf)); // packets with its private copies
  recFreeAll(sf);
  rangesFree(sf);
  mappingsFree(c, sf);
  sf.conn = 0;
}

let graveyard: usize = 0;
let buried: u32 = 0;

/** Subflows that ended and whose events are not handled yet. */
export function graveyardCount(): u32 {
  return buried;
}

/** Ends a subflow that is unlinked. Its figures can be read until the event that told of it was handled. */
export function freeSubflow(sf: Subflow): void {
  leaveHalfOpen(sf);
  leaveQueue(sf, false);
  if (sf.state == TCP_TIME_WAIT) timeWaits--;
  sf.state = TCP_CLOSED;
  removeSubflow(sf);
  deadlineDisarm(sf.heapField);
  buried++;
  sf.hashNext = graveyard;
  graveyard = changetype<usize>(sf);
}

/** The host has handled every event: frees the subflows that ended. */
export function bury(): void {
  while (graveyard != 0) {
    const sf = changetype<Subflow>(graveyard);
    graveyard = sf.hashNext;
    buried--;
    handleFree(sf.handle);
    free(changetype<usize>(sf), SUBFLOW_SIZE);
  }
}

export function enterHalfOpen(sf: Subflow): void {
  sf.set(SF_HALF_OPEN);
  halfOpen++;
}
export function leaveHalfOpen(sf: Subflow): void {
  leaveRequests(sf);
  if (!sf.is(SF_HALF_OPEN)) return;
  sf.clear(SF_HALF_OPEN);
  halfOpen--;
}

/** Chooses the congestion control: coupled as soon as a connection has a second subflow. */
export function chooseCongestionControl(c: Connection): void {
  const algorithm = c.subflowCount > 1 ? cfgCcMulti : c.congestion;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.algorithm == algorithm && sf.cwnd != 0) continue;
    const cwnd = sf.cwnd;
    const ssthresh = sf.ssthresh;
    sf.algorithm = algorithm;
    ccInit(sf);
    // An algorithm that takes over in the middle keeps the window that the path has earned.
    if (cwnd != 0) {
      sf.cwnd = cwnd;
      sf.ssthresh = ssthresh;
    }
  }
}
