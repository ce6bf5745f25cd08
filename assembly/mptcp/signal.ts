/**
 * Address signals (RFC 8684 section 3.4): ADD_ADDR and its echo, REMOVE_ADDR, MP_PRIO; MP_FASTCLOSE and MP_FAIL
 * received. Which addresses to announce or to believe is decided by the host; the core checks, echoes, and sends.
 */
import {
  CLOSE_FASTCLOSE,
  CLOSE_REMOVED,
  EVENT_ADD_ADDR,
  EVENT_ADD_ADDR_ECHO,
  EVENT_PRIO,
  EVENT_RM_ADDR,
} from '../abi';
import {
  MIB_AddAddr,
  MIB_AddAddrDrop,
  MIB_AddAddrTx,
  MIB_AddAddrTxDrop,
  MIB_EchoAdd,
  MIB_EchoAddTx,
  MIB_EchoAddTxDrop,
  MIB_MPFailRx,
  MIB_MPFastcloseRx,
  MIB_MPPrioRx,
  MIB_PortAdd,
  MIB_RmAddr,
  MIB_RmAddrTx,
  MIB_RmAddrTxDrop,
} from '../mib';
import { get32, get64, put64 } from '../bytes';
import { count, countBy } from '../counters';
import { emit, emitAddress } from '../events';
import { now } from '../host';
import { maxSignals } from '../limits';
import {
  SF_ACK_NOW,
  SF_BACKUP_REMOTE,
  SF_FAILING,
  SF_FIN_QUEUED,
  SF_FIN_SENT,
  SF_FIN_QUEUED,
  SF_FIN_SENT,
  SF_PRE_ESTABLISHED,
  SF_SEND_FAIL,
  SF_STALE,
  Subflow,
} from '../tcp/subflow';
import { mappedLow } from '../wire/ip';
import { HAS_ADD_ADDR, HAS_FAIL, HAS_FASTCLOSE, HAS_PRIO, HAS_RM_ADDR, seg } from '../wire/segment';
import { writeAddAddr, writeRmAddr } from '../wire/mptcp';
import { dropSubflow, failConnection, NO_REASON, RST_UNSPECIFIED, afterLastSubflow, sendReset } from './close';
import { Connection, C_MPTCP, C_SEND_INFINITE, markDirty } from './connection';
import { canFallBack, endAfterFail, failAnswered } from './fallback';
import { fullyEstablished } from './handshake';
import { addAddrHmac } from './keys';
import { freeNode, newNode } from './lifecycle';
import { sendAck, sendSignalAck } from './packet';
import { reinjectSubflow } from './reinject';

const SIGNAL_ADD: u32 = 1;
const SIGNAL_ECHO: u32 = 2;
const SIGNAL_REMOVE: u32 = 3;
/** Address IDs in one REMOVE_ADDR (Linux' number). */
const REMOVALS_MAX: u32 = 8;

/** Also a port where joins to the announced address come in: of those only `id` and `port` count. */
@unmanaged
class Signal {
  next: usize;
  kind: u32;
  id: u32;
  family: u32;
  port: u32;
  /** 16 octets in network order. */
  high: u64;
  low: u64;
}

const option = memory.data(32, 8);
const address = memory.data(16, 8);

// ---- sending ----------------------------------------------------------------------------------------------

function queue(c: Connection, kind: u32, id: u32, family: u32, high: u64, low: u64, port: u32): bool {
  let tail: usize = 0;
  let n: u32 = 0;
  for (let p = c.signalHead; p != 0; p = changetype<Signal>(p).next) {
    tail = p;
    n++;
  }
  const p = n < maxSignals ? newNode() : 0;
  if (p == 0) {
    count(kind == SIGNAL_ADD ? MIB_AddAddrTxDrop : kind == SIGNAL_ECHO ? MIB_EchoAddTxDrop : MIB_RmAddrTxDrop);
    return false;
  }
  const s = changetype<Signal>(p);
  s.next = 0;
  s.kind = kind;
  s.id = id;
  s.family = family;
  s.high = high;
  s.low = low;
  s.port = port;
  if (tail != 0) changetype<Signal>(tail).next = p;
  else c.signalHead = p;
  markDirty(c);
  return true;
}

/** ADD_ADDR for one of our addresses; the host repeats it until the echo comes. */
export function announce(c: Connection, id: u32, family: u32, high: u64, low: u64, port: u32): bool {
  forgetPort(c, id);
  if (port != 0 && !notePort(c, id, port)) return false;
  return queue(c, SIGNAL_ADD, id, family, high, low, port);
}

/** REMOVE_ADDR for one of our address IDs. */
export function withdraw(c: Connection, id: u32): bool {
  forgetPort(c, id);
  return queue(c, SIGNAL_REMOVE, id, 0, 0, 0, 0);
}

/** Whether joins of the connection may come in on `port`: its own, or one that was announced (RFC 8684 section 3.2). */
export function isJoinPort(c: Connection, port: u32): bool {
  if (port == c.localPort) return true;
  for (let p = c.portHead; p != 0; p = changetype<Signal>(p).next) if (changetype<Signal>(p).port == port) return true;
  return false;
}

function notePort(c: Connection, id: u32, port: u32): bool {
  let n: u32 = 0;
  for (let p = c.portHead; p != 0; p = changetype<Signal>(p).next) n++;
  const p = n < maxSignals ? newNode() : 0;
  if (p == 0) {
    count(MIB_AddAddrTxDrop);
    return false;
  }
  const s = changetype<Signal>(p);
  s.next = c.portHead;
  s.id = id;
  s.port = port;
  c.portHead = p;
  return true;
}

function forgetPort(c: Connection, id: u32): void {
  let before: usize = 0;
  for (let p = c.portHead; p != 0; p = changetype<Signal>(p).next) {
    if (changetype<Signal>(p).id != id) {
      before = p;
      continue;
    }
    if (before != 0) changetype<Signal>(before).next = changetype<Signal>(p).next;
    else c.portHead = changetype<Signal>(p).next;
    freeNode(p);
    return;
  }
}

/** Sends what waits, one pure ACK each; the transmit ring may fill up in between. */
export function sendSignals(c: Connection): void {
  while (c.signalHead != 0) {
    const s = changetype<Signal>(c.signalHead);
    let n: u32 = s.kind == SIGNAL_REMOVE ? gatherRemovals(c) : 0;
    const carrier = carrierFor(c, n);
    if (carrier == 0) return;
    const sf = changetype<Subflow>(carrier);
    if (n == 0) {
      if (!sendAddress(c, sf, s)) return;
      n = 1;
    } else {
      if (!sendSignalAck(c, sf, option, writeRmAddr(option, address, n), true)) return;
      countBy(MIB_RmAddrTx, n);
    }
    for (; n != 0; n--) {
      const first = c.signalHead;
      c.signalHead = changetype<Signal>(first).next;
      freeNode(first);
    }
  }
}

/** Puts the address IDs of the removals at the head of the queue into `address`; they share an option. */
function gatherRemovals(c: Connection): u32 {
  let n: u32 = 0;
  for (let p = c.signalHead; p != 0 && n < REMOVALS_MAX; p = changetype<Signal>(p).next) {
    if (changetype<Signal>(p).kind != SIGNAL_REMOVE) break;
    store<u8>(address + n++, <u8>changetype<Signal>(p).id);
  }
  return n;
}

/** Any verified subflow; rather not one that ends, or whose address is among the `removed` in `address`. */
function carrierFor(c: Connection, removed: u32): usize {
  let any: usize = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (!sf.synchronized || sf.is(SF_PRE_ESTABLISHED)) continue;
    let stays = (sf.flags & (SF_FIN_QUEUED | SF_FIN_SENT | SF_STALE)) == 0;
    for (let i: u32 = 0; i < removed; i++) if (load<u8>(address + i) == sf.localId) stays = false;
    if (stays) return p;
    any = p;
  }
  return any;
}

function sendAddress(c: Connection, sf: Subflow, s: Signal): bool {
  put64(address, s.high);
  put64(address + 8, s.low);
  const echo = s.kind == SIGNAL_ECHO;
  const octets: u32 = s.family == 4 ? 4 : 16;
  const hmac = echo
    ? <u64>0
    : addAddrHmac(c.localKey, c.remoteKey, <u8>s.id, address + 16 - octets, octets, <u16>s.port);
  const length = writeAddAddr(option, echo, s.id, s.family, address, s.port, hmac);
  if (!sendSignalAck(c, sf, option, length, false)) return false;
  count(echo ? MIB_EchoAddTx : MIB_AddAddrTx);
  return true;
}

// ---- receiving --------------------------------------------------------------------------------------------

/** Takes the signals of the segment in hand. False: the connection or this subflow is gone. */
export function takeSignals(c: Connection, sf: Subflow): bool {
  if (seg.has(HAS_FASTCLOSE) && seg.fastcloseKey == c.localKey) {
    fastclosed(c);
    return false;
  }
  if (seg.has(HAS_ADD_ADDR)) takeAddAddr(c);
  if (seg.has(HAS_PRIO)) {
    count(MIB_MPPrioRx);
    if (seg.prioBackup) sf.set(SF_BACKUP_REMOTE);
    else sf.clear(SF_BACKUP_REMOTE);
    emit(EVENT_PRIO, c.handle, sf.handle, seg.prioBackup ? 1 : 0, 0, 0);
    markDirty(c);
  }
  if (seg.has(HAS_FAIL)) {
    count(MIB_MPFailRx);
    // RFC 8684 section 3.7: the peer found a checksum wrong. It waits for MP_FAIL in return, and for an infinite
    // mapping with the next data; until then DSS goes on, as on Linux, for a peer that has nothing more to get.
    if (sf.is(SF_FAILING)) {
      failAnswered(c, sf);
    } else if (canFallBack(c)) {
      c.set(C_SEND_INFINITE);
      if (c.dataUna == c.finDsn) endAfterFail(c, sf);
      sf.failDsn = sf.mapDsn;
      sf.set(SF_SEND_FAIL | SF_ACK_NOW);
      markDirty(c);
    }
  }
  if (seg.has(HAS_RM_ADDR)) return takeRmAddr(c, sf);
  return true;
}

/** MP_FASTCLOSE with our key: the whole connection ends (RFC 8684 section 3.5). */
export function fastclosed(c: Connection): void {
  count(MIB_MPFastcloseRx);
  failConnection(c, CLOSE_FASTCLOSE, RST_UNSPECIFIED, false);
}

/** A peer that announces without end could have us join to everybody: so many at once, microseconds each later on. */
const ANNOUNCE_BURST: f64 = 32;
const ANNOUNCE_EVERY: f64 = 1e6;

function mayAnnounce(c: Connection): bool {
  const next = max(c.announcedTo, now) + ANNOUNCE_EVERY;
  if (next > now + ANNOUNCE_BURST * ANNOUNCE_EVERY) return false;
  c.announcedTo = next;
  return true;
}

function takeAddAddr(c: Connection): void {
  const octets: u32 = seg.addFamily == 4 ? 4 : 16;
  const high: u64 = octets == 4 ? 0 : get64(seg.addPtr);
  const low: u64 = octets == 4 ? mappedLow(get32(seg.addPtr)) : get64(seg.addPtr + 8);
  if (seg.addEcho) {
    count(MIB_EchoAdd);
    if (seg.addPort != 0) count(MIB_PortAdd); // as the kernel does
    emitAddress(EVENT_ADD_ADDR_ECHO, c.handle, seg.addId, seg.addFamily, seg.addPort, high, low);
    return;
  }
  const hmac = addAddrHmac(c.remoteKey, c.localKey, <u8>seg.addId, seg.addPtr, octets, <u16>seg.addPort);
  if ((hmac ^ seg.addHmac) != 0) {
    count(MIB_AddAddrDrop); // silently, no echo
    return;
  }
  if (!mayAnnounce(c)) {
    count(MIB_AddAddrDrop); // the peer repeats it later
    return;
  }
  count(MIB_AddAddr);
  if (seg.addPort != 0) count(MIB_PortAdd);
  fullyEstablished(c); // only a holder of our key can have made the HMAC
  queue(c, SIGNAL_ECHO, seg.addId, seg.addFamily, high, low, seg.addPort);
  emitAddress(EVENT_ADD_ADDR, c.handle, seg.addId, seg.addFamily, seg.addPort, high, low);
}

/**
 * The subflows of a withdrawn address end as on Linux: an ACK, then FIN, and their data goes to others. One that is not
 * verified yet is reset. False: the subflow in hand is gone.
 */
function takeRmAddr(c: Connection, current: Subflow): bool {
  let alive = true;
  for (let i: u32 = 0; i < seg.rmCount; i++) {
    const id = load<u8>(seg.rmPtr + i);
    count(MIB_RmAddr);
    let p = c.subflows;
    while (p != 0) {
      const sf = changetype<Subflow>(p);
      p = sf.nextOfConn;
      if (sf.remoteId != id || !sf.synchronized || (sf.flags & (SF_FIN_QUEUED | SF_FIN_SENT)) != 0) continue;
      if (sf.is(SF_PRE_ESTABLISHED)) {
        if (changetype<usize>(sf) == changetype<usize>(current)) alive = false;
        sendReset(c, sf, RST_UNSPECIFIED, false, false);
        dropSubflow(c, sf, CLOSE_REMOVED, NO_REASON, false);
        continue;
      }
      sendAck(c, sf);
      sf.set(SF_FIN_QUEUED);
      reinjectSubflow(c, sf, sf.handle);
    }
    emit(EVENT_RM_ADDR, c.handle, 0, id, 0, 0);
  }
  if (c.subflows == 0) {
    afterLastSubflow(c, CLOSE_REMOVED, true);
    return false;
  }
  markDirty(c);
  return alive;
}
