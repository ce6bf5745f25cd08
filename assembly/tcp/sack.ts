/** The SACK scoreboard (RFC 2018, RFC 6675) and reports of duplicates (D-SACK, RFC 2883). */
import { MIB_TCPDSACKRecv } from '../mib';
import { get32 } from '../bytes';
import { count } from '../counters';
import { now } from '../host';
import { seqGe, seqGt, seqLe, seqLt, seqMax } from '../seq';
import { seg } from '../wire/segment';
import { rackDelivered, rackDsack } from './rack';
import { rateDelivered } from './rate';
import {
  REC_EVER_RETRANS,
  REC_LOST,
  REC_RETRANS,
  REC_SACKED,
  REC_TIMED,
  recAt,
  recFind,
  recSackedTo,
  recShatter,
  timeRemove,
} from './records';
import { noteReordering } from './reordering';
import { CA_LOSS, Subflow } from './subflow';

/** What one acknowledgement said about segments. */
@unmanaged
export class SackNews {
  /** Some segment is SACKed for the first time. */
  marked: bool;
  /** A duplicate arrived there; it was the tail loss probe. */
  duplicate: bool;
  duplicateProbe: bool;
  /** Something that was sent before the episode and never repeated has arrived (RFC 5682). */
  original: bool;
  /** The lowest sequence number that arrived later than higher ones, without having been repeated. */
  lowest: u32;
  /** Round trips of the first and the last newly SACKed segment that was never repeated, -1: none. */
  firstRtt: f64;
  lastRtt: f64;

  begin(sf: Subflow): void {
    this.marked = this.duplicate = this.duplicateProbe = this.original = false;
    this.lowest = sf.sndNxt;
    this.firstRtt = this.lastRtt = -1;
  }
}

export const sack: SackNews = changetype<SackNews>(memory.data(32, 8));

/** End of the highest segment that is SACKed. */
@inline
export function highestSacked(sf: Subflow): u32 {
  return sf.sackedOut == 0 ? sf.sndUna : sf.highSacked;
}

@inline
function startOf(block: u32): u32 {
  return get32(seg.sackPtr + (block << 3));
}
@inline
function endOf(block: u32): u32 {
  return get32(seg.sackPtr + (block << 3) + 4);
}

/** Takes the blocks of the segment in hand; `sndUna` is its acknowledgement number already. */
export function takeSack(sf: Subflow, priorUna: u32): void {
  const dsack = isDsack();
  if (dsack) takeDsack(sf, priorUna);
  // In the order of sequence numbers: what lies above another block of the same ACK did not overtake it.
  let done: u32 = 0;
  for (let n = seg.sackBlocks; n != 0; n--) {
    let lowest: u32 = 0;
    while ((done & (1 << lowest)) != 0) lowest++;
    for (let i = lowest + 1; i < seg.sackBlocks; i++) {
      if ((done & (1 << i)) == 0 && seqLt(startOf(i), startOf(lowest))) lowest = i;
    }
    done |= 1 << lowest;
    const start = startOf(lowest);
    const end = endOf(lowest);
    if (lowest == 0 && dsack) continue;
    if (seqGe(start, end) || seqGt(end, sf.sndNxt) || seqLe(start, sf.sndUna)) continue;
    markSacked(sf, start, end);
  }
  if (sf.caState != CA_LOSS || sf.undoing) noteReordering(sf, sack.lowest, highestSacked(sf));
}

/** The first block tells of a duplicate: below the acknowledgement number, or inside of the second. */
function isDsack(): bool {
  const start = startOf(0);
  if (seqLt(start, seg.ack)) return true;
  return seg.sackBlocks > 1 && seqLe(endOf(0), endOf(1)) && seqGe(start, startOf(1));
}

function takeDsack(sf: Subflow, priorUna: u32): void {
  const start = startOf(0);
  const end = endOf(0);
  count(MIB_TCPDSACKRecv);
  if (seqGe(start, end) || end - start > sf.maxWnd) return;
  const size = max<u32>(sf.mss, 1);
  const segments = end - start > size ? (end - start + size - 1) / size : 1;
  if (segments == 1 && sf.tlpOut && sf.tlpEnd == end) sack.duplicateProbe = true;
  sf.dsackDups += segments;
  if (sf.dsackDups > sf.retransmissions) return; // the network doubled it
  if (sf.reordSeen != 0 && !sack.duplicateProbe) rackDsack(sf);
  sack.duplicate = true;
  sf.delivered += segments;
  if (!sf.undoing || sf.undoRetrans <= 0 || !seqGt(end, sf.undoMarker)) return;
  if (seqLe(end, priorUna)) {
    sf.undoRetrans = max<i32>(0, sf.undoRetrans - <i32>segments);
    return;
  }
  for (let id = recFind(sf, start); id != sf.recTail; id++) {
    const r = recAt(sf, id);
    if (seqGt(r.end, end)) break;
    if (r.is(REC_EVER_RETRANS)) sf.undoRetrans = max<i32>(0, sf.undoRetrans - <i32>r.segments);
  }
}

function markSacked(sf: Subflow, start: u32, end: u32): void {
  for (let id = recFind(sf, start); id != sf.recTail; id++) {
    if (recAt(sf, id).is(REC_SACKED)) {
      id = recSackedTo(sf, id);
      if (id == sf.recTail) break;
    }
    let r = recAt(sf, id);
    if (seqGe(r.seq, end)) break;
    if (r.segments > 1 && (seqLt(r.seq, start) || seqGt(r.end, end)) && recShatter(sf, id)) r = recAt(sf, id);
    if (seqGt(r.end, end)) break;
    if (seqLt(r.seq, start)) continue;
    rackDelivered(sf, r, r.end);
    rateDelivered(sf, r, r.end);
    if (!r.is(REC_EVER_RETRANS)) {
      if (seqLt(r.seq, highestSacked(sf)) && seqLt(r.seq, sack.lowest)) sack.lowest = r.seq;
      if (seqLe(r.end, sf.highSeq)) sack.original = true;
      sack.lastRtt = now - r.xmit;
      if (sack.firstRtt < 0) sack.firstRtt = sack.lastRtt;
    }
    if (r.is(REC_RETRANS)) {
      r.flags &= ~REC_RETRANS;
      sf.retransOut -= r.segments;
    }
    if (r.is(REC_LOST)) {
      r.flags &= ~REC_LOST;
      sf.lostOut -= r.segments;
    }
    if (r.is(REC_TIMED)) timeRemove(sf, id, r);
    r.flags |= REC_SACKED;
    r.sackedTo = id + 1;
    sf.highSacked = seqMax(highestSacked(sf), r.end);
    sf.sackedOut += r.segments;
    sf.delivered += r.segments;
    sack.marked = true;
  }
}
