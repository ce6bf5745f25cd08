/**
 * Data to send again on another subflow (RFC 8684 section 3.3.6): a list of data ranges, each with the subflow
 * that carried it first and should not carry it again.
 */
import { E_HANDLE, E_STATE } from '../abi';
import { MIB_MPTCPRetrans, MIB_ReinjectDrop, MIB_SubflowStale } from '../mib';
import { count } from '../counters';
import { dsnGt, dsnLe, dsnLt, dsnMax, dsnMin } from '../dsn';
import { handleGet, KIND_SUBFLOW } from '../handles';
import { setNow } from '../host';
import { maxReinjections } from '../limits';
import { REC_REINJECTED, recAt } from '../tcp/records';
import { CA_LOSS, SF_STALE, Subflow, TIMER_HANDSHAKE, TIMER_PERSIST, TIMER_RTO } from '../tcp/subflow';
import { startTimer } from '../tcp/timers';
import { Connection, C_MPTCP, C_NO_INFINITE, markDirty } from './connection';
import { freeNode, newNode } from './lifecycle';

@unmanaged
export class Reinjection {
  next: usize;
  /** Handle of the subflow to avoid, 0: none. */
  from: u32;
  start: u64;
  end: u64;
}

/** The first range with something still to send, or 0. Drops what was DATA_ACKed meanwhile. */
export function reinjectionFirst(c: Connection): usize {
  while (c.reinjectHead != 0) {
    const r = changetype<Reinjection>(c.reinjectHead);
    r.start = dsnMax(r.start, c.dataUna);
    if (dsnLt(r.start, r.end)) return c.reinjectHead;
    c.reinjectHead = r.next;
    c.reinjectCount--;
    freeNode(changetype<usize>(r));
  }
  return 0;
}

/** The first range that another subflow than the first one's has to avoid, or 0. */
export function reinjectionOther(c: Connection): usize {
  const first = changetype<Reinjection>(c.reinjectHead);
  for (let p = first.next; p != 0; p = changetype<Reinjection>(p).next) {
    const r = changetype<Reinjection>(p);
    if (r.from == first.from) continue;
    r.start = dsnMax(r.start, c.dataUna);
    if (dsnLt(r.start, r.end)) return p;
  }
  return 0;
}

/** Queues [start, end), clipped to what is not acknowledged. False: no room; the timers will ask again. */
function reinjectRange(c: Connection, start: u64, end: u64, from: u32): bool {
  const first = dsnMax(start, c.dataUna);
  const last = dsnMin(end, c.writeSeq);
  if (!dsnLt(first, last)) return true;
  if (c.reinjectHead != 0) {
    const tail = changetype<Reinjection>(c.reinjectTail);
    if (tail.from == from && tail.end == first) {
      tail.end = last;
      return true;
    }
  }
  const p = c.reinjectCount < maxReinjections ? newNode() : 0;
  if (p == 0) {
    count(MIB_ReinjectDrop);
    return false;
  }
  const r = changetype<Reinjection>(p);
  r.next = 0;
  r.from = from;
  r.start = first;
  r.end = last;
  if (c.reinjectHead != 0) changetype<Reinjection>(c.reinjectTail).next = p;
  else c.reinjectHead = p;
  c.reinjectTail = p;
  c.reinjectCount++;
  return true;
}

/** Everything that the subflow has in flight goes to others as well. */
export function reinjectSubflow(c: Connection, sf: Subflow, from: u32): void {
  if (!c.is(C_MPTCP)) return;
  let any = false;
  for (let id = sf.recHead; id != sf.recTail; id++) {
    const r = recAt(sf, id);
    if (r.length == 0 || r.is(REC_REINJECTED)) continue;
    if (dsnGt(r.dsn + r.length, c.dataUna)) {
      if (!reinjectRange(c, r.dsn, r.dsn + r.length, from)) break;
      any = true;
    }
    r.flags |= REC_REINJECTED;
  }
  if (any) markDirty(c);
}

/**
 * The interface under a subflow went down. The subflow lives, since packets may find another way, but is set aside for
 * others until an ACK comes, and they carry what it has in flight. 0, E_HANDLE or E_STATE.
 */
export function suspectSubflow(subflow: u32): i32 {
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  const sf = changetype<Subflow>(p);
  if (sf.conn == 0) return E_STATE;
  const c = changetype<Connection>(sf.conn);
  // One that waits for no ACK could not prove itself.
  if (sf.packetsOut == 0 || c.subflowCount == 1) return 0;
  if (!sf.is(SF_STALE)) count(MIB_SubflowStale);
  sf.set(SF_STALE);
  reinjectSubflow(c, sf, sf.handle);
  return 0;
}

/**
 * The interface under a subflow works again. Timeouts meanwhile said nothing about the network: what waits for the next
 * one goes at once, and the back-off begins anew. Nothing is still on its way, even if the peer has the oldest segment
 * already and tells of it twice (D-SACK): the reduction is final. 0, E_HANDLE or E_STATE.
 */
export function reviveSubflow(at: f64, subflow: u32): i32 {
  setNow(at);
  const p = handleGet(subflow, KIND_SUBFLOW);
  if (p == 0) return E_HANDLE;
  const sf = changetype<Subflow>(p);
  if (sf.conn == 0) return E_STATE;
  const kind = sf.timerKind;
  if (sf.backoff == 0 || (kind != TIMER_RTO && kind != TIMER_PERSIST && kind != TIMER_HANDSHAKE)) return 0;
  sf.backoff = 0;
  sf.undoing = false;
  startTimer(sf, kind, 0);
  return 0;
}

/** Books that `octets` were given to a second subflow. */
export function reinjected(c: Connection, octets: u32): void {
  count(MIB_MPTCPRetrans);
  c.set(C_NO_INFINITE);
  c.bytesReinjected += octets;
}

/**
 * The data-level timer: octets at dataUna are not acknowledged although no healthy subflow carries them (a proxy
 * acknowledged them, or the receiver dropped them). They are queued up to what a healthy subflow carries. True: no
 * subflow carries them at all.
 */
export function reinjectStalled(c: Connection): bool {
  let end = dsnMin(c.dataNxt, c.writeSeq);
  let from: u32 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    for (let id = sf.recHead; id != sf.recTail; id++) {
      const r = recAt(sf, id);
      if (r.length == 0 || !dsnGt(r.dsn + r.length, c.dataUna)) continue;
      if (sf.caState == CA_LOSS) {
        if (dsnLe(r.dsn, c.dataUna)) from = sf.handle;
        continue;
      }
      end = dsnMin(end, r.dsn);
    }
  }
  if (!isQueued(c, c.dataUna, end)) reinjectRange(c, c.dataUna, end, from);
  return from == 0 && dsnLt(c.dataUna, end);
}

function isQueued(c: Connection, start: u64, end: u64): bool {
  for (let p = c.reinjectHead; p != 0; p = changetype<Reinjection>(p).next) {
    const r = changetype<Reinjection>(p);
    if (dsnLe(r.start, start) && !dsnLt(r.end, end)) return true;
  }
  return false;
}
