/**
 * The whole boundary of the core: every export, on one page. Numbers only; see abi.ts for layouts and codes.
 *
 * Order of use: `init`, fill the random pool, `start`, `setPath` per path. Then, whenever something happens, the
 * host calls an input or a command, and drains: packets (`txPending`, `txFirst`, `txDone`), events (`eventsPending`,
 * `eventsClear`), and the deadline (`deadline`), until nothing is left. Time never runs backwards.
 */
import {
  ARG_LOCAL,
  ARG_REMOTE,
  CONN_CLOSING,
  CONN_OPENING,
  E_HANDLE,
  E_INUSE,
  E_INVAL,
  E_LIMIT,
  E_NOMEM,
  E_STATE,
  FALLBACK_BLACKHOLE,
  FALLBACK_OFF,
  LAYOUT_COUNTERS,
  LAYOUT_EVENTS,
  LAYOUT_EVENT_SLOTS,
  LAYOUT_RANDOM,
  LAYOUT_RANDOM_BYTES,
  LAYOUT_RX_BYTES,
  LAYOUT_RX_DATA,
  LAYOUT_RX_DESC,
  LAYOUT_RX_SLOTS,
  LAYOUT_SCRATCH,
  LAYOUT_TX_DESC,
  LAYOUT_TX_SLOTS,
  RX_PLACED,
  RX_SIZE,
} from './abi';
import { MIB_ActiveOpens, MIB_MPCapableSYNTX, MIB_MPCapableSYNTXDisabled } from './mib';
import { arenaUsed } from './arena';
import { holeOpen, multipathHole } from './blackhole';
import { get64 } from './bytes';
import { counters, count } from './counters';
import { deadlineDue, deadlineNext } from './deadlines';
import { packetArrives } from './demux';
import { clearEvents, eventRing, EVENT_SLOTS, eventsRoom, pendingEvents } from './events';
import { handleGet, KIND_CONNECTION, KIND_SUBFLOW } from './handles';
import * as host from './host';
import { connectionInfo as writeConnectionInfo, subflowInfo as writeSubflowInfo } from './info';
import { dropSavedSyn, leaveAcceptQueue } from './mptcp/accept-queue';
import { leave, release as letGo, shutdown as endStream } from './mptcp/close';
import { abort as abortAll } from './mptcp/fastclose';
import {
  Connection,
  C_CLIENT,
  C_ESTABLISHED,
  C_FIN_QUEUED,
  C_MPTCP,
  C_OPENED,
  C_READABLE,
  C_WANT_WRITE,
  dirtyCount,
  isOpen,
  joinDenied,
  markDirty,
  roomForJoin,
  spaceForJoin,
  setFirst,
  sizeRings,
  takeDirty,
} from './mptcp/connection';
import { fastOpenReady as cookieReady } from './mptcp/fast-open';
import { drawKey, sendFirstSyn } from './mptcp/handshake';
import { bury, connectionCount, newConnection, newSubflow } from './mptcp/lifecycle';
import { output } from './mptcp/output';
import { afterRead, setBehind } from './mptcp/receive-window';
import * as loans from './mptcp/loan';
import { placedHandled } from './mptcp/direct';
import { inputBegins, isMisplaced } from './mptcp/placed';
import { consume, nextArea, readContiguous, readPointer } from './mptcp/reassembly';
import { urgentRead } from './mptcp/urgent';
import { sendContiguous, sendPointer, sendPrepare, sendRoom } from './mptcp/send-ring';
import { announce as announceAddress, sendSignals, withdraw } from './mptcp/signal';
import { enterJoinListener, enterListener, findSubflow, removeListener, subflowCount } from './mptcp/tables';
import { connectionDue, subflowDue } from './mptcp/timers';
import { noteWrite } from './mptcp/transmit';
import { setConnectionOption } from './mptcp/options';
import {
  idsWait,
  MAX_PATHS,
  pathMtu,
  setPath as definePath,
  setPathEndpoint as definePathEndpoint,
} from './paths';
import { mtusForget } from './path-mtu';
import * as rings from './rings';
import { setSecrets } from './secrets';
import { setFastOpenKeys as cookieKeys } from './tcp/fastopen';
import { congested } from './tcp/reduction';
import {
  SF_BACKUP_LOCAL,
  SF_JOIN,
  Subflow,
} from './tcp/subflow';
import { isMapped } from './wire/ip';

const scratch = memory.data(512, 16);
const layout = memory.data(48, 8);

export { configure } from './config';
export { packAt, packOctets, packPackets, rxUnpack, txPack } from './pack';
export { txDone, txFirst, txPending } from './rings';

// ---- start ------------------------------------------------------------------------------------------------

/** Allocates the rings. Returns the address of the layout block (LAYOUT_*), or E_NOMEM. */
export function init(): i32 {
  if (!rings.initRings()) return E_NOMEM;
  store<u32>(layout + LAYOUT_RX_DESC, <u32>rings.rxDescriptors);
  store<u32>(layout + LAYOUT_RX_DATA, <u32>rings.rxData);
  store<u32>(layout + LAYOUT_RX_SLOTS, rings.RX_SLOTS);
  store<u32>(layout + LAYOUT_RX_BYTES, rings.RX_BYTES);
  store<u32>(layout + LAYOUT_TX_DESC, <u32>rings.txDescriptors);
  store<u32>(layout + LAYOUT_TX_SLOTS, rings.TX_SLOTS);
  store<u32>(layout + LAYOUT_EVENTS, <u32>eventRing);
  store<u32>(layout + LAYOUT_EVENT_SLOTS, EVENT_SLOTS);
  store<u32>(layout + LAYOUT_RANDOM, <u32>host.randomPool);
  store<u32>(layout + LAYOUT_RANDOM_BYTES, host.RANDOM_BYTES);
  store<u32>(layout + LAYOUT_SCRATCH, <u32>scratch);
  store<u32>(layout + LAYOUT_COUNTERS, <u32>counters);
  return <i32>layout;
}

/** The random pool is full for the first time; the stack's secrets come from it. */
export function start(): void {
  host.randomRefilled();
  setSecrets();
}

/** The host has filled the random pool again. */
export function randomRefilled(): void {
  host.randomRefilled();
}

/** Octets of the random pool that are used up. */
export function randomUsed(): u32 {
  return host.randomUsed();
}

/** Describes a path by PATH_*; mtu 0 removes it. `addressId` is used in joins. 0, or E_INVAL. */
export function setPath(path: u32, mtu: u32, overhead: u32, traits: u32, addressId: u32): i32 {
  if (path >= MAX_PATHS || (mtu != 0 && (mtu < 256 || mtu > 65535))) return E_INVAL;
  definePath(path, mtu, overhead, traits, addressId);
  mtusForget(path);
  return 0;
}

/**
 * What SYN/ACKs of joins on a path say. Address ID 0: none so far; the first join gets that of `setNextId`, and
 * EVENT_LOCAL_ID tells so. 0, or E_INVAL.
 */
export function setPathEndpoint(path: u32, addressId: u32, backup: u32): i32 {
  if (path >= MAX_PATHS || addressId > 255) return E_INVAL;
  definePathEndpoint(path, addressId, backup != 0);
  return 0;
}

/** Offload; and the address ID for the next path that needs one, 0: joins on such paths are refused. */
export { setNextId, setPathOffload } from './paths';
export { reviveSubflow, suspectSubflow } from './mptcp/reinject';
export { setPathBlocked } from './mptcp/tables';
export { setPathMtu } from './mptcp/unreachable';

/** A packet from ARG_LOCAL to ARG_REMOTE found the queue of its interface full: a sign of congestion, as on Linux. */
export function queueFull(localPort: u32, remotePort: u32): void {
  const p = subflowAt(localPort, remotePort);
  if (p != 0 && changetype<Subflow>(p).packetsOut != 0) congested(changetype<Subflow>(p));
}

// ---- packets, time ----------------------------------------------------------------------------------------

export { placedUses } from './mptcp/direct';
export { isMisplaced } from './mptcp/placed';

/**
 * Handles receive descriptors `from` to `n` - 1 at time `now`. Returns the index of the first one not handled: less
 * than `n` when events have to be read first, or `isMisplaced`.
 */
export function input(now: f64, from: u32, n: u32): u32 {
  host.setNow(now);
  inputBegins();
  let i = from;
  for (; i < n && eventsRoom() && !idsWait; i++) {
    const at = rings.rxDescriptors + i * RX_SIZE;
    i += packetArrives(at, n - i - 1);
    const placed = load<u32>(at + RX_PLACED);
    if (placed == 0) continue;
    if (isMisplaced() != 0) return i;
    placedHandled(placed);
  }
  flush();
  return i;
}

/** The packets received in an area (0 or 1) are handled. Returns the area for the next ones. */
export function inputDone(area: u32): u32 {
  return nextArea(area);
}

/** Whether more packets wait in front of this host than it takes at once. */
export function receiverBehind(on: u32): void {
  setBehind(on != 0);
}

/** Handles deadlines up to `now` and sends what the rings held back. Returns 1 while more is due. */
export function poll(now: f64): u32 {
  host.setNow(now);
  let due: u32 = 0;
  while (eventsRoom()) {
    const owner = deadlineDue(now);
    if (owner == 0) break;
    if ((owner & 1) != 0) connectionDue(changetype<Connection>(owner & ~1));
    else subflowDue(changetype<Subflow>(owner));
    due++;
    // A bounded turn: what remains is due at once.
    if (due == 4096) break;
  }
  flush();
  return deadlineNext() <= now ? 1 : 0;
}

/** Every connection that has something to send gets one turn. */
function flush(): void {
  for (let n = dirtyCount; n != 0; n--) {
    const p = takeDirty();
    if (p == 0) return;
    output(changetype<Connection>(p));
  }
}

/** Time at which `poll` has to be called at the latest; Infinity for never. Earlier is harmless. */
export function deadline(): f64 {
  return deadlineNext();
}

/** 1 when the transmit ring held something back: call `poll` once packets were taken. */
export function blocked(): u32 {
  return dirtyCount != 0 ? 1 : 0;
}

/** Address of the event records: it moves when a command causes more events than the ring held so far. */
export function eventsFirst(): usize {
  return eventRing;
}
export function eventsPending(): u32 {
  return pendingEvents();
}
export function eventsClear(): void {
  clearEvents();
}
/** All events up to here are handled: handles of ended subflows die now. */
export function eventsHandled(): void {
  bury();
}

// ---- connections ------------------------------------------------------------------------------------------

/** A connection that is not open yet, for options and `connect` or as the model of `listen`. A handle, or E_NOMEM. */
export function create(): i32 {
  const p = newConnection(0);
  if (p == 0) return E_NOMEM;
  const c = changetype<Connection>(p);
  c.set(C_OPENED);
  return <i32>c.handle;
}

/**
 * Opens it from the scratch area's ARG_LOCAL to ARG_REMOTE (16 octets each). 0, or E_HANDLE, E_STATE, E_INVAL,
 * E_INUSE, E_NOMEM, E_LIMIT.
 */
export function connect(now: f64, conn: u32, path: u32, localPort: u32, remotePort: u32): i32 {
  host.setNow(now);
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (c.state != CONN_OPENING || c.subflows != 0) return E_STATE;
  if (pathMtu(path) == 0) return E_INVAL;
  if (!host.randomLeft(64)) return E_LIMIT;
  if (subflowAt(localPort, remotePort) != 0) return E_INUSE;
  const sf = open(c, path, localPort, remotePort);
  if (sf == 0) return E_NOMEM;
  sizeRings(c);
  c.set(C_CLIENT);
  setFirst(c, changetype<Subflow>(sf));
  if (c.multipath && holeOpen(multipathHole, host.cfgBlackholeTimeout)) {
    c.clear(C_MPTCP);
    c.fallback = FALLBACK_BLACKHOLE;
    count(MIB_MPCapableSYNTXDisabled);
  } else if (!c.multipath || !drawKey(c)) {
    c.clear(C_MPTCP);
    c.fallback = FALLBACK_OFF;
  } else {
    count(MIB_MPCapableSYNTX);
  }
  count(MIB_ActiveOpens);
  sendFirstSyn(c, changetype<Subflow>(sf));
  return 0;
}

/** Whether a SYN from ARG_LOCAL to ARG_REMOTE could carry data now (RFC 7413): a cookie is known, or none is wanted. */
export function fastOpenReady(): u32 {
  const l = scratch + ARG_LOCAL;
  const r = scratch + ARG_REMOTE;
  return cookieReady(get64(l), get64(l + 8), get64(r), get64(r + 8)) ? 1 : 0;
}

/** The key of Fast Open cookies, 16 octets at ARG_LOCAL, and with `backup` the one before it at ARG_REMOTE. */
export function setFastOpenKeys(backup: u32): void {
  cookieKeys(scratch + ARG_LOCAL, backup != 0 ? scratch + ARG_REMOTE : 0);
}

/**
 * Joins a subflow (RFC 8684 section 3.2) from ARG_LOCAL to ARG_REMOTE with these address IDs. Returns the
 * subflow's handle, or E_HANDLE, E_STATE, E_INVAL, E_INUSE, E_LIMIT, E_NOMEM.
 */
export function join(
  now: f64,
  conn: u32,
  path: u32,
  localPort: u32,
  remotePort: u32,
  localId: u32,
  remoteId: u32,
  backup: u32,
): i32 {
  host.setNow(now);
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (!c.is(C_MPTCP) || !c.is(C_ESTABLISHED) || !isOpen(c)) return E_STATE;
  // Both directions are ending: a new subflow would only be in the way, unless it is the last hope.
  if (c.state >= CONN_CLOSING && c.subflows != 0) return E_STATE;
  if (joinDenied(c, get64(scratch + ARG_REMOTE), get64(scratch + ARG_REMOTE + 8), remotePort)) return E_STATE;
  if (pathMtu(path) == 0) return E_INVAL;
  if (!roomForJoin(c) || !spaceForJoin(c) || !host.randomLeft(64)) return E_LIMIT;
  if (subflowAt(localPort, remotePort) != 0) return E_INUSE;
  const p = open(c, path, localPort, remotePort);
  if (p == 0) return E_NOMEM;
  const sf = changetype<Subflow>(p);
  sf.set(SF_JOIN | (backup != 0 ? SF_BACKUP_LOCAL : 0));
  sf.localId = <u8>localId;
  sf.remoteId = <u8>remoteId;
  do sf.localNonce = <u32>host.random64();
  while (sf.localNonce == 0 && host.randomLeft(8));
  sendSignals(c); // what was announced before goes before, as on Linux
  sendFirstSyn(c, sf);
  return <i32>sf.handle;
}

function connectionOf(handle: u32): Connection | null {
  const p = handleGet(handle, KIND_CONNECTION);
  return p == 0 ? null : changetype<Connection>(p);
}

/** The subflow from ARG_LOCAL to ARG_REMOTE, 0: there is none. */
function subflowAt(localPort: u32, remotePort: u32): usize {
  const l = scratch + ARG_LOCAL;
  const r = scratch + ARG_REMOTE;
  return findSubflow(get64(l), get64(l + 8), localPort, get64(r), get64(r + 8), remotePort);
}

function open(c: Connection, path: u32, localPort: u32, remotePort: u32): usize {
  const l = scratch + ARG_LOCAL;
  const r = scratch + ARG_REMOTE;
  const family: u32 = isMapped(get64(l), get64(l + 8)) ? 4 : 6;
  return newSubflow(c, path, family, get64(l), get64(l + 8), localPort, get64(r), get64(r + 8), remotePort);
}

/**
 * Accepts connections at ARG_LOCAL (all zero: any address) and a port, with the settings of the connection `like`
 * as it is then (0: the stack's). 0, E_INUSE or E_NOMEM.
 */
export function listen(port: u32, like: u32): i32 {
  const result = enterListener(get64(scratch + ARG_LOCAL), get64(scratch + ARG_LOCAL + 8), port, like);
  return result == 1 ? 0 : result == 0 ? E_INUSE : E_NOMEM;
}

/** Accepts joins at ARG_LOCAL and a port, with this address ID and backup flag. 0, E_INUSE, E_INVAL or E_NOMEM. */
export function listenForJoins(port: u32, addressId: u32, backup: u32): i32 {
  if (addressId == 0 || addressId > 255) return E_INVAL;
  const l = scratch + ARG_LOCAL;
  const result = enterJoinListener(get64(l), get64(l + 8), port, addressId, backup != 0);
  return result == 1 ? 0 : result == 0 ? E_INUSE : E_NOMEM;
}

/** 0, or E_INVAL when there is no such listener. */
export function unlisten(port: u32): i32 {
  return removeListener(get64(scratch + ARG_LOCAL), get64(scratch + ARG_LOCAL + 8), port) ? 0 : E_INVAL;
}

// ---- data: the application's octets are copied once, by the host, between its buffer and these places -----

/** Room for `writePointer`: octets that can be written in one piece now. 0 asks for EVENT_WRITABLE. */
export function writeSpace(conn: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (c.is(C_FIN_QUEUED) || c.state >= 8) return E_STATE;
  // Data sequence numbers begin with EVENT_CONNECTED, but for Fast Open with the SYN.
  if (c.state == CONN_OPENING && (c.fastOpen == 0 || !c.is(C_CLIENT))) return 0;
  if (!sendPrepare(c)) return E_NOMEM;
  if (sendRoom(c) == 0) {
    c.set(C_WANT_WRITE);
    return 0;
  }
  return <i32>sendContiguous(c);
}

export function writePointer(conn: u32): usize {
  const c = connectionOf(conn);
  return c ? sendPointer(c) : 0;
}

/** `n` octets were written there. `more`: others follow soon, so a small segment may wait for them (MSG_MORE). */
export function writeCommit(conn: u32, n: u32, more: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (n > sendContiguous(c)) return E_INVAL;
  noteWrite(c);
  c.writeSeq += n;
  c.more = more != 0;
  markDirty(c);
  return 0;
}

/** The application lends up to `octets` until `loanEnd`; no other command between. 0: they have to be written. */
export function lend(conn: u32, octets: u32): u32 {
  const c = connectionOf(conn);
  return c ? loans.lend(c, octets) : 0;
}
export { loanEnd, repayAt, repayFrom, repayNext } from './mptcp/loan';

/**
 * Octets that can be read in one piece from `readAt` with the same `skip`, which is how many to pass over (a look
 * ahead); 0: none, and EVENT_READABLE will tell.
 */
export function readSpace(conn: u32, skip: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  const ready = c.unread;
  if (ready == 0) c.clear(C_READABLE);
  return skip > ready ? 0 : <i32>readContiguous(c, skip, ready - skip);
}

export function readAt(conn: u32, skip: u32): usize {
  const c = connectionOf(conn);
  return c ? readPointer(c, skip) : 0;
}

/** `n` octets were taken. The window is announced again when that is worth a packet. */
export function readCommit(conn: u32, n: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (n > c.unread) return E_INVAL;
  consume(c, n);
  urgentRead(c);
  afterRead(c);
  return 0;
}

/** Ends our direction after what was written. */
export function shutdown(conn: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  endStream(c);
  return 0;
}

/**
 * The application leaves: the stream ends in order, or with a reset when octets were not read. The handle stays until
 * `release`, which is due after EVENT_CLOSED.
 */
export function close(now: f64, conn: u32): i32 {
  host.setNow(now);
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  leave(c);
  return 0;
}

/** MP_FASTCLOSE, or RST on a plain connection. The handle stays until `release`. */
export function abort(now: f64, conn: u32): i32 {
  host.setNow(now);
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  abortAll(c);
  return 0;
}

/** The application lets go of the handle; what is not over is aborted. */
export function release(now: f64, conn: u32): i32 {
  host.setNow(now);
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  letGo(c);
  return 0;
}

/** The program takes a connection out of the accept queue of its listener. 0, or E_HANDLE. */
export function accepted(conn: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  leaveAcceptQueue(c);
  return 0;
}

/**
 * IP and TCP header of an accepted connection's SYN, which OPT_SAVE_SYN keeps: copied to the scratch area, and
 * forgotten if they are `most` octets or less. Their octets, 0 for none, or E_HANDLE.
 */
export function savedSyn(conn: u32, most: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  const n = c.savedSynLength;
  if (n != 0 && n <= most) {
    memory.copy(scratch, c.savedSyn, n);
    dropSavedSyn(c);
  }
  return <i32>n;
}

/** OPT_* of one connection. */
export function setOption(now: f64, conn: u32, option: i32, value: i32): i32 {
  host.setNow(now);
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  return setConnectionOption(c, option, value);
}

// ---- path management --------------------------------------------------------------------------------------

/** Queues ADD_ADDR for ARG_LOCAL (RFC 8684 section 3.4.1). Port 0: that of the connection. */
export function announce(conn: u32, id: u32, port: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (!c.is(C_MPTCP) || !c.is(C_ESTABLISHED) || !isOpen(c)) return E_STATE;
  const high = get64(scratch + ARG_LOCAL);
  const low = get64(scratch + ARG_LOCAL + 8);
  return announceAddress(c, id, isMapped(high, low) ? 4 : 6, high, low, port) ? 0 : E_LIMIT;
}

/** Queues REMOVE_ADDR for an address ID of ours (RFC 8684 section 3.4.2). */
export function removeAddress(conn: u32, id: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  if (!c.is(C_MPTCP) || !c.is(C_ESTABLISHED)) return E_STATE;
  return withdraw(c, id) ? 0 : E_LIMIT;
}

export { closeSubflow, finishSubflow, setBackup, takeSoftError } from './mptcp/subflow-commands';

// ---- information ------------------------------------------------------------------------------------------

/** Fills the scratch area with CI_*. */
export function connectionInfo(conn: u32): i32 {
  const c = connectionOf(conn);
  if (!c) return E_HANDLE;
  writeConnectionInfo(c, scratch);
  return 0;
}

/** Handle of the first subflow of a connection, or of the one after `subflow`; 0 at the end. */
export function nextSubflow(conn: u32, subflow: u32): u32 {
  const c = connectionOf(conn);
  if (!c) return 0;
  let p = c.subflows;
  if (subflow != 0) {
    const q = handleGet(subflow, KIND_SUBFLOW);
    if (q == 0 || changetype<Subflow>(q).conn != changetype<usize>(c)) return 0;
    p = changetype<Subflow>(q).nextOfConn;
  }
  return p == 0 ? 0 : changetype<Subflow>(p).handle;
}

/** Fills the scratch area with SI_*. */
export function subflowInfo(subflow: u32): i32 {
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  writeSubflowInfo(changetype<Subflow>(p), scratch);
  return 0;
}

/** Octets that records, rings and tables take. */
export function memoryUsed(): f64 {
  return arenaUsed();
}
export function connections(): u32 {
  return connectionCount;
}
/** TIME-WAITs included. */
export function subflows(): u32 {
  return subflowCount;
}
