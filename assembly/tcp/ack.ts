/**
 * Incoming acknowledgements: send window, retransmission queue, SACK scoreboard, round trips, and the hand-over
 * to loss recovery and congestion control.
 */
import { MIB_TCPDSACKRecv } from '../abi';
import { ccOnAck } from '../cc/controller';
import { count } from '../counters';
import { now } from '../host';
import { seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax } from '../seq';
import { FIN, HAS_SACK, HAS_TS, seg, SYN } from '../wire/segment';
import { get32 } from '../bytes';
import { SF_FIN_SENT, SF_SACK, SF_STALE, Subflow } from './subflow';
import {
  Rec,
  REC_EVER_RETRANS,
  REC_LOST,
  REC_RETRANS,
  REC_SACKED,
  REC_TIMED,
  recAt,
  recFind,
  recPop,
  recSackedTo,
  recShatter,
  segmentsOf,
  timeRemove,
} from './records';
import { ecnEcho } from './ecn';
import { probeAcked, rackDelivered, rackDsack, rackRound } from './rack';
import { noteSpurious, recover } from './recovery';
import { minRttSample, rttSample, tsNow } from './rtt';

/** What the last acknowledgement did; valid until the next one. */
export let ackAdvanced: bool = false;
export let ackFin: bool = false;
/** Microseconds until RACK wants to look again, 0 for never. */
export let ackReorderWait: f64 = 0;

let delivered: u32 = 0;
let deliveredBytes: u32 = 0;
let firstRtt: f64 = -1;
let lastRtt: f64 = -1;
let sawDsack: bool = false;

/** Whether the acknowledgement number is one that this side may get (RFC 9293 3.10.7.4, RFC 5961 section 5.2). */
export function ackAcceptable(sf: Subflow): bool {
  const before = min(sf.maxWnd, sf.sndUna - sf.iss - 1);
  return seqLe(seg.ack, sf.sndNxt) && seqGe(seg.ack, sf.sndUna - before);
}

/**
 * Takes the acknowledgement of the segment in hand. `signal`: the segment carries a multipath signal, so it is
 * no duplicate ACK even if it looks like one.
 */
export function takeAck(sf: Subflow, signal: bool): void {
  const before = sf.inFlight;
  const priorUna = sf.sndUna;
  const outstanding = sf.packetsOut;
  delivered = 0;
  deliveredBytes = 0;
  firstRtt = -1;
  lastRtt = -1;
  sawDsack = false;
  ackFin = false;
  ackReorderWait = 0;
  ackAdvanced = seqGt(seg.ack, sf.sndUna);

  const windowMoved = updateWindow(sf);
  if (ackAdvanced) {
    sf.sndUna = seg.ack;
    dropAcked(sf);
    sf.retries = 0;
    if (sf.is(SF_FIN_SENT) && seg.ack == sf.sndNxt) ackFin = true;
  }
  if (outstanding == 0) return;
  if (seg.has(HAS_SACK) && sf.is(SF_SACK)) takeSack(sf, priorUna);
  sampleRtt(sf);
  if (ackAdvanced) {
    rackRound(sf);
    if (sf.backoff != 0 && firstRtt < 0) sf.backoff = 0; // progress, even without a sample
  }
  probeAcked(sf, sawDsack, outstanding);

  const duplicate =
    !ackAdvanced &&
    seg.ack == priorUna &&
    seg.length == 0 &&
    (seg.flags & (SYN | FIN)) == 0 &&
    !windowMoved &&
    !signal;
  ackReorderWait = recover(sf, ackAdvanced, duplicate, ecnEcho(sf), delivered, outstanding);
  // In fast recovery this only keeps the books (CcState.inRecovery).
  if (delivered != 0) ccOnAck(sf, delivered, deliveredBytes, lastRtt, before, now);
}

/** RFC 9293 section 3.10.7.4: the window moves with newer segments only. True when its value changed. */
function updateWindow(sf: Subflow): bool {
  const wnd = (seg.flags & SYN) != 0 ? seg.window : seg.window << sf.sndScale;
  if (
    seqLt(sf.sndWl1, seg.seq) ||
    (sf.sndWl1 == seg.seq && seqLe(sf.sndWl2, seg.ack)) ||
    (ackAdvanced && seqGe(seg.seq, sf.sndWl1))
  ) {
    const moved = wnd != sf.sndWnd;
    sf.sndWl1 = seg.seq;
    sf.sndWl2 = seg.ack;
    sf.sndWnd = wnd;
    sf.sndEdge = seg.ack + wnd;
    if (wnd > sf.maxWnd) sf.maxWnd = wnd;
    return moved;
  }
  return false;
}

function sampleOf(r: Rec): void {
  if (r.is(REC_EVER_RETRANS)) return;
  const rtt = now - r.xmit;
  if (firstRtt < 0) firstRtt = rtt;
  lastRtt = rtt;
}

function dropAcked(sf: Subflow): void {
  while (sf.recHead != sf.recTail) {
    const r = recAt(sf, sf.recHead);
    if (seqGt(r.end, sf.sndUna)) {
      // Part of a segment: a middlebox resegmented, or the path MTU fell.
      const n = seqDiff(sf.sndUna, r.seq);
      if (n > 0) cutFront(sf, r, min<u32>(n, r.length));
      break;
    }
    segmentsAcked(sf, r, r.segments, r.length, r.end);
    recPop(sf);
  }
  if (sf.is(SF_STALE)) sf.clear(SF_STALE);
}

/** The first octets of a record are acknowledged: some of its segments, or a part of one. */
function cutFront(sf: Subflow, r: Rec, octets: u32): void {
  const left = segmentsOf(r.length - octets, r.size);
  if (left != r.segments) segmentsAcked(sf, r, r.segments - left, octets, sf.sndUna);
  r.seq += octets;
  r.dsn += octets;
  r.length -= octets;
  r.segments = left;
  r.mapOffset += octets;
  if (r.data != 0) r.dataOffset += octets;
}

/** The acknowledgement number covers `segments` of a record, which end with `end`. */
function segmentsAcked(sf: Subflow, r: Rec, segments: u32, octets: u32, end: u32): void {
  if (!r.is(REC_SACKED)) {
    delivered += segments;
    deliveredBytes += octets;
    sampleOf(r);
    rackDelivered(sf, r, end);
  } else if (sf.is(SF_SACK)) {
    sf.sackedOut -= segments;
  }
  if (r.is(REC_LOST)) sf.lostOut -= segments;
  if (r.is(REC_RETRANS)) sf.retransOut -= segments;
  sf.packetsOut -= segments;
}

/** Marks what the blocks report (RFC 2018, RFC 6675); a first block of old octets is a D-SACK (RFC 2883). */
function takeSack(sf: Subflow, priorUna: u32): void {
  for (let i: u32 = 0; i < seg.sackBlocks; i++) {
    const start = get32(seg.sackPtr + (i << 3));
    const end = get32(seg.sackPtr + (i << 3) + 4);
    if (seqGe(start, end)) continue;
    if (i == 0 && isDsack(start, end)) {
      count(MIB_TCPDSACKRecv);
      sawDsack = true;
      if (seqGt(end, priorUna - sf.maxWnd)) {
        rackDsack(sf);
        noteSpurious(sf);
      }
      continue;
    }
    if (seqLe(end, sf.sndUna) || seqGt(end, sf.sndNxt) || seqLt(start, sf.sndUna)) continue;
    markSacked(sf, start, end);
  }
}

function isDsack(start: u32, end: u32): bool {
  if (seqLe(end, seg.ack)) return true;
  if (seg.sackBlocks < 2) return false;
  const outerStart = get32(seg.sackPtr + 8);
  const outerEnd = get32(seg.sackPtr + 12);
  return seqGe(start, outerStart) && seqLe(end, outerEnd);
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
    sampleOf(r);
    rackDelivered(sf, r, r.end);
    r.flags |= REC_SACKED;
    r.sackedTo = id + 1;
    if (r.is(REC_LOST)) {
      r.flags &= ~REC_LOST;
      sf.lostOut -= r.segments;
    }
    if (r.is(REC_RETRANS)) {
      r.flags &= ~REC_RETRANS;
      sf.retransOut -= r.segments;
    }
    if (r.is(REC_TIMED)) timeRemove(sf, id, r);
    sf.sackedOut += r.segments;
    delivered += r.segments;
    deliveredBytes += r.length;
    sf.highSacked = seqMax(sf.highSacked, r.end);
  }
}

/** Records of unretransmitted segments first; the timestamp echo where there are none (Karn, RFC 7323). */
function sampleRtt(sf: Subflow): void {
  takeSample(sf);
  if (ackAdvanced && seg.has(HAS_TS)) sf.lastEcho = seg.tsEcr;
}

function takeSample(sf: Subflow): void {
  if (firstRtt >= 0) {
    rttSample(sf, firstRtt);
    minRttSample(sf, lastRtt);
  } else if (ackAdvanced && seg.has(HAS_TS) && seg.tsEcr != 0 && seg.tsEcr != sf.lastEcho) {
    const elapsed = seqDiff(tsNow(sf), seg.tsEcr);
    if (elapsed >= 0 && elapsed < 1 << 20) rttSample(sf, <f64>elapsed * 1000 + 500);
  }
}
