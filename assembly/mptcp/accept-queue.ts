/**
 * What waits at a listener, as in Linux: handshakes that are under way (its request queue), and connections that the
 * program has not accepted yet (its accept queue). The backlog bounds both; each holds one more than that. Fast Open
 * has a limit of its own beside it (fast-open.ts).
 */
import { MIB_ListenDrops, MIB_ListenOverflows } from '../mib';
import { alloc, free } from '../arena';
import { count } from '../counters';
import { handleGet, KIND_CONNECTION } from '../handles';
import { Settings } from '../settings';
import { coreSomaxconn, tcpSynackRetries } from '../sysctl';
import { SF_ACKED, SF_FAST_OPEN, SF_JOIN, SF_PASSIVE, Subflow } from '../tcp/subflow';
import { seg } from '../wire/segment';
import { Connection } from './connection';
import { findListener, Listener, listenerOf } from './tables';

/** Where the request queue is crowded, old handshakes give up earlier, but not before so many SYN/ACKs. */
const LEAST_RETRIES: u32 = 2;
const CROWD: u32 = 8;

/** Settings of a listener, null: the stack's. */
function settingsOf(l: Listener): Settings | null {
  const p = handleGet(l.like, KIND_CONNECTION);
  return p == 0 ? null : changetype<Settings>(p);
}

export function backlogOf(l: Listener): u32 {
  const s = settingsOf(l);
  return s ? s.backlog : coreSomaxconn;
}

/** SYN/ACK timeouts in which a bare third packet is not taken (TCP_DEFER_ACCEPT). */
export function deferOf(l: Listener): u32 {
  const s = settingsOf(l);
  return s ? s.deferAccept : 0;
}

/** SYNs or SYN/ACKs that a connection repeats; `usual`: where it says nothing. */
export function synRetriesOf(s: Settings, usual: u32): u32 {
  return s.synRetries != 0 ? s.synRetries : usual;
}

// ---- connections that wait for the program ----------------------------------------------------------------

/** Whether one more would be too much; then the segment in hand counts as dropped. */
export function acceptQueueFull(l: Listener): bool {
  if (l.queued <= backlogOf(l)) return false;
  count(MIB_ListenOverflows);
  count(MIB_ListenDrops);
  return true;
}

/** A connection has been opened by its peer. */
export function enterAcceptQueue(c: Connection, sf: Subflow): void {
  const p = findListener(sf.localHigh, sf.localLow, sf.localPort);
  if (p == 0) return;
  const l = changetype<Listener>(p);
  l.queued++;
  c.listener = l.number;
}

/** The program takes it, or lets it go. */
export function leaveAcceptQueue(c: Connection): void {
  if (c.listener == 0) return;
  const p = listenerOf(c.listener);
  if (p != 0) changetype<Listener>(p).queued--;
  c.listener = 0;
}

// ---- handshakes -------------------------------------------------------------------------------------------

export function requestQueueFull(l: Listener): bool {
  return l.requests > backlogOf(l);
}

export function enterRequests(sf: Subflow, l: Listener): void {
  sf.listener = l.number;
  l.requests++;
  l.young++;
}

export function leaveRequests(sf: Subflow): void {
  if (sf.listener == 0) return;
  const p = listenerOf(sf.listener);
  if (p != 0) {
    changetype<Listener>(p).requests--;
    if (sf.retries == 0) changetype<Listener>(p).young--;
  }
  sf.listener = 0;
}

/** A SYN/ACK had no answer in time: whether the handshake ends (Linux' reqsk_timer_handler). */
export function requestExpired(c: Connection, sf: Subflow): bool {
  let most = synRetriesOf(c, tcpSynackRetries);
  if (sf.is(SF_FAST_OPEN)) return sf.retries >= (c.synRetries != 0 ? most : most + 1);
  if (!sf.is(SF_PASSIVE) || sf.listener == 0) return sf.retries >= most;
  const p = listenerOf(sf.listener);
  if (p == 0) return !sf.is(SF_JOIN) || sf.retries >= most;
  const l = changetype<Listener>(p);
  if (l.requests << 1 > max(CROWD, backlogOf(l))) {
    for (let young = l.young << 1; most > LEAST_RETRIES && l.requests >= young; young <<= 1) most--;
  }
  return sf.retries >= most && !(sf.is(SF_ACKED) && sf.retries < deferOf(l));
}

/** A SYN/ACK is due, but not sent: a peer that merely has no data yet gets one as its last chance (syn_ack_recalc). */
export function defersSynAck(sf: Subflow): bool {
  const p = listenerOf(sf.listener);
  return p != 0 && sf.retries + 1 < deferOf(changetype<Listener>(p));
}

/** The first SYN/ACK of a handshake was in vain. */
export function growOld(sf: Subflow): void {
  if (sf.retries != 0) return;
  const p = listenerOf(sf.listener);
  if (p != 0) changetype<Listener>(p).young--;
}

// ---- TCP_SAVE_SYN -----------------------------------------------------------------------------------------

/** Keeps IP and TCP header of the SYN in hand. Without memory there will be none. */
export function saveSyn(c: Connection): void {
  const n = <u32>(seg.payload - seg.packet);
  c.savedSyn = alloc(n);
  if (c.savedSyn == 0) return;
  c.savedSynLength = n;
  memory.copy(c.savedSyn, seg.packet, n);
}

export function dropSavedSyn(c: Connection): void {
  if (c.savedSyn != 0) free(c.savedSyn, c.savedSynLength);
  c.savedSyn = 0;
  c.savedSynLength = 0;
}
