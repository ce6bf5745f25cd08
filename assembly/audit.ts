/**
 * The core with a way to look at all of it at once: every count against what it counts, every list against its order,
 * every octet of memory against its owner. And with a say in where sequence numbers begin, so that they wrap soon. For
 * fuzzing and tests; compiled to a module of its own.
 */
import { arenaUsed, blockSize, freeListsRight } from './arena';
import { deadlineRight, deadlinesBytes } from './deadlines';
import { dsnGe, dsnLe, dsnLt } from './dsn';
import { eventsBytes } from './events';
import { handleAt, handlesBytes, handlesEnd, KIND_CONNECTION, KIND_SUBFLOW } from './handles';
import { endOf, Intervals, intervalsBytes, narrow, startOf, wide } from './intervals';
import { maxHeldOfStack, maxMappings, maxRanges, maxReinjections, maxSignals, maxTimeWait } from './limits';
import { Connection, C_DIRTY, C_FIN_SENT, dirtyCount } from './mptcp/connection';
import { placedRight } from './mptcp/direct';
import { heldMeets, heldOf, heldPagesBytes, heldTotal, PAGE, PAGE_SHIFT, pageOf } from './mptcp/held';
import { connectionCount, graveyardCount, halfOpen, NODE_SIZE, timeWaits } from './mptcp/lifecycle';
import { pinIdsn } from './mptcp/keys';
import { mappingAt, mappingsBytes } from './mptcp/mappings';
import { receiveEdge } from './mptcp/reassembly';
import { notesBytes } from './mptcp/stateless';
import { subflowCount, tablesBytes } from './mptcp/tables';
import { packBytes } from './pack';
import { ringsBytes } from './rings';
import { pinSequence } from './secrets';
import { seqGe, seqLe, seqLt } from './seq';
import { REC_FIN, REC_LOST, REC_RETRANS, REC_SACKED, REC_SIZE, REC_TIMED } from './tcp/records';
import { recAt, sackedSteps, segmentsOf } from './tcp/records';
import { SF_FIN_RECEIVED, SF_HALF_OPEN, SF_SACK, Subflow } from './tcp/subflow';

export * from './index';

/** Octets that must be there for what the audit found so far. */
let bytes: u64 = 0;
let held: u32 = 0;
let dirty: u32 = 0;
let open: u32 = 0;
let waiting: u32 = 0;
/** The record in which something is wrong. */
let culprit: usize = 0;

function block(size: u32): void {
  if (size != 0) bytes += blockSize(size);
}

/** Records looked at for SACK blocks that report what is known. */
export function sackedWork(): u32 {
  return sackedSteps;
}

/** 0, or a number that names what is wrong (search for it below). */
export function audit(): u32 {
  bytes = held = dirty = open = waiting = 0;
  let connections: u32 = 0;
  let subflows: u32 = 0;
  for (let i: u32 = 1; i < handlesEnd(); i++) {
    const c = handleAt(i, KIND_CONNECTION);
    const s = handleAt(i, KIND_SUBFLOW);
    culprit = c != 0 ? c : s;
    const wrong = c != 0 ? ofConnection(changetype<Connection>(c)) : s != 0 ? ofSubflow(changetype<Subflow>(s)) : 0;
    if (wrong != 0) return wrong;
    if (c != 0) connections++;
    if (s != 0) subflows++;
  }
  culprit = 0;
  if (connections != connectionCount) return 1;
  if (subflows != subflowCount + graveyardCount()) return 2;
  if (dirty != dirtyCount) return 3;
  if (open != halfOpen) return 4;
  if (held != heldTotal || held > maxHeldOfStack) return 5;
  if (waiting != timeWaits || waiting > maxTimeWait) return 6;
  // The build leaves a page free at address 0: somebody wrote through a null pointer.
  for (let at: usize = 0; at < 4096; at += 8) if (load<u64>(at) != 0) return 7;
  bytes += ringsBytes() + packBytes() + eventsBytes() + tablesBytes() + notesBytes();
  block(handlesBytes());
  block(deadlinesBytes());
  if (<f64>bytes != arenaUsed()) return 8;
  if (!placedRight()) return 10;
  return freeListsRight() ? 0 : 9;
}

/** Octets that the audit could name an owner for. */
export function auditedBytes(): f64 {
  return <f64>bytes;
}
/** Handle of the record in which the audit found something wrong; 0: none of them. */
export function auditCulprit(): u32 {
  return culprit == 0 ? 0 : load<u32>(culprit);
}

/** Where both sequence spaces begin from now on: those of subflows, and those of data in two halves. */
export function pinNumbers(sequence: u32, dataHigh: u32, dataLow: u32): void {
  pinSequence(sequence);
  pinIdsn((<u64>dataHigh << 32) | dataLow);
}

// ---- connections ------------------------------------------------------------------------------------------

function ofConnection(c: Connection): u32 {
  block(offsetof<Connection>());
  if (c.is(C_DIRTY)) dirty++;
  if (!deadlineRight(changetype<usize>(c) | 1, c.heapField)) return 100;
  const fin: u64 = c.is(C_FIN_SENT) ? 1 : 0;
  if (!dsnLe(c.bufSeq, c.dataUna) || !dsnLe(c.dataUna, c.dataNxt) || !dsnLe(c.dataNxt, c.writeSeq + fin)) return 101;
  if (c.writeSeq - c.bufSeq > c.sndCap && c.writeSeq - c.bufSeq + 1 != 0) return 102;
  if (c.rcvNxt - c.readSeq > c.rcvCap + 1) return 103;
  if (c.savedSyn != 0) block(c.savedSynLength);
  if (c.snd != 0) block(c.sndCap);
  if (c.rcv != 0) block(c.rcvCap);
  if (nodes(c.signalHead, maxSignals) == 0 || nodes(c.portHead, maxSignals) == 0) return 104;
  if (nodes(c.reinjectHead, maxReinjections) == 0) return 105;
  const v = changetype<Intervals>(changetype<usize>(c) + offsetof<Connection>('oooAt'));
  if (!sorted(v, c.rcvNxt)) return 106;
  if (v.count > maxRanges) return 107;
  if (v.count != 0 && dsnLt(receiveEdge(c), endOf(v, v.count - 1))) return 108;
  return subflowsOf(c);
}

/** A list of nodes whose first field links them: 0 when it is longer than allowed, else something else. */
function nodes(head: usize, most: u32): u32 {
  let n: u32 = 0;
  for (let p = head; p != 0; p = load<usize>(p)) {
    if (n++ == most) return 0;
    block(NODE_SIZE);
  }
  return n + 1;
}

function sorted(v: Intervals, after: u64): bool {
  block(intervalsBytes(v));
  let last = after;
  for (let i: u32 = 0; i < v.count; i++) {
    if (i == 0 ? dsnLt(startOf(v, i), last) : dsnLe(startOf(v, i), last)) return false;
    if (!dsnLt(startOf(v, i), endOf(v, i))) return false;
    last = endOf(v, i);
  }
  return true;
}

function subflowsOf(c: Connection): u32 {
  let n: u32 = 0;
  let pages: u32 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.conn != changetype<usize>(c)) return 120;
    pages += sf.pageCount * PAGE;
    // The circle of congestion control has the same members.
    let ring = sf.next;
    for (let i: u32 = 1; i < c.subflowCount; i++) ring = ring.next;
    if (changetype<usize>(ring) != p) return 121;
    if (n++ > c.subflowCount) return 122;
  }
  if (n != c.subflowCount) return 123;
  if (pages != c.heldBytes) return 124;
  held += pages;
  return 0;
}

// ---- subflows ---------------------------------------------------------------------------------------------

function ofSubflow(sf: Subflow): u32 {
  block(offsetof<Subflow>());
  if (sf.state == 0) return sf.conn == 0 ? 0 : 200; // in the graveyard
  if (!deadlineRight(changetype<usize>(sf), sf.heapField)) return 201;
  if (sf.is(SF_HALF_OPEN)) open++;
  if (sf.state == 9) {
    waiting++;
    return sf.conn == 0 && sf.recs == 0 && sf.maps == 0 && sf.pageCount == 0 && sf.oooCount == 0 ? 0 : 202;
  }
  if (sf.conn == 0) return 203;
  const records = ofRecords(sf);
  if (records != 0) return records;
  const v = changetype<Intervals>(changetype<usize>(sf) + offsetof<Subflow>('oooAt'));
  if (!sorted(v, wide(sf.rcvNxt))) return 204;
  if (v.count > maxRanges) return 205;
  // A peer may have sent octets behind its FIN.
  if (v.count != 0 && startOf(v, 0) == wide(sf.rcvNxt) && !sf.is(SF_FIN_RECEIVED)) return 206;
  return ofMappings(sf);
}

function ofRecords(sf: Subflow): u32 {
  if (sf.recs != 0) block(sf.recCap * REC_SIZE);
  let sacked: u32 = 0;
  let lost: u32 = 0;
  let again: u32 = 0;
  let timed: u32 = 0;
  let segments: u32 = 0;
  for (let id = sf.recHead; id != sf.recTail; id++) {
    const r = recAt(sf, id);
    block(r.dataSize);
    segments += r.segments;
    if (r.segments != segmentsOf(r.length, r.size)) return 232;
    if (id != sf.recHead && r.seq != recAt(sf, id - 1).end) return 220;
    if (id == sf.recHead && !seqGe(r.seq, sf.sndUna)) return 221;
    if (r.is(REC_SACKED)) sacked += r.segments;
    if (r.is(REC_LOST)) lost += r.segments;
    if (r.is(REC_RETRANS)) again += r.segments;
    if (r.is(REC_TIMED)) timed++;
    if (r.length == 0 && !r.is(REC_FIN)) return 222;
  }
  const n = sf.recTail - sf.recHead;
  if (n != 0 && recAt(sf, sf.recTail - 1).end != sf.sndNxt) return 223;
  if (segments != sf.packetsOut) return 224;
  if (sf.is(SF_SACK) && sacked != sf.sackedOut) return 225;
  if (lost != sf.lostOut) return 226;
  if (again != sf.retransOut) return 227;
  // What is in flight is never less than nothing.
  if (sf.sackedOut + sf.lostOut > sf.packetsOut + sf.retransOut) return 228;
  let before: u32 = 0;
  let listed: u32 = 0;
  for (let id = sf.timeHead; id != 0; id = recAt(sf, id).timeNext) {
    if (listed++ > n) return 229;
    const r = recAt(sf, id);
    if (!r.is(REC_TIMED) || r.timePrev != before) return 230;
    before = id;
  }
  if (before != sf.timeTail || listed != timed) return 231;
  return 0;
}

function ofMappings(sf: Subflow): u32 {
  block(mappingsBytes(sf));
  block(heldPagesBytes(sf));
  bytes += sf.pageCount * PAGE;
  if (sf.mapCount > maxMappings) return 240;
  for (let i: u32 = 0; i < sf.mapCount; i++) {
    const m = mappingAt(sf, i);
    if (m.length == 0) return 241;
    if (i != 0 && seqLt(m.seq, mappingAt(sf, i - 1).end)) return 242;
  }
  const v = heldOf(sf);
  block(intervalsBytes(v));
  let last = v.count != 0 ? startOf(v, 0) : 0;
  for (let i: u32 = 0; i < v.count; i++) {
    if (i == 0 ? dsnLt(startOf(v, i), last) : dsnLe(startOf(v, i), last)) return 243;
    if (dsnGe(startOf(v, i), endOf(v, i))) return 244;
    last = endOf(v, i);
  }
  for (let i: u32 = 0; i < sf.pageCount; i++) {
    const first = load<u32>(sf.pages + i * 8) << PAGE_SHIFT;
    if (i != 0 && seqLe(first, load<u32>(sf.pages + (i - 1) * 8) << PAGE_SHIFT)) return 245;
    // A page without a waiting octet would have been given back.
    if (!heldMeets(sf, first, first + PAGE)) return 246;
  }
  // Every waiting octet has a page.
  for (let i: u32 = 0; i < v.count; i++) {
    const end = narrow(endOf(v, i));
    for (let at = narrow(startOf(v, i)); seqLt(at, end); at = ((at >> PAGE_SHIFT) + 1) << PAGE_SHIFT) {
      if (pageOf(sf, at) == 0) return 247;
    }
  }
  return 0;
}
