/**
 * Incoming acknowledgements: send window, retransmission queue, SACK scoreboard, round trips, and the hand-over
 * to loss recovery and congestion control. What counts as what, and in which order, is Linux' tcp_ack.
 */
import { CLOSE_NORMAL } from '../abi';
import { ccOnAck } from '../cc/controller';
import { now } from '../host';
import { seqDiff, seqGe, seqGt, seqLe, seqLt } from '../seq';
import { FIN, HAS_SACK, HAS_TS, seg, SYN } from '../wire/segment';
import { ecnEcho } from './ecn';
import { mtuProved } from './mtu';
import { pacingWindow } from './pacing';
import { probeAcked, rackDelivered, rackRound } from './rack';
import { rateBegin, rateDelivered, rateTake } from './rate';
import { Rec, REC_EVER_RETRANS, REC_LOST, REC_RETRANS, REC_SACKED, recAt, recPop, segmentsOf } from './records';
import { alert } from './recovery';
import { reduce, reducing } from './reduction';
import { noteReordering, renoAcked } from './reordering';
import { minRttSample, rttSample, tsAt, tsNow } from './rtt';
import { tcpReordering } from '../sysctl';
import { highestSacked, sack, takeSack } from './sack';
import { CA_OPEN, SF_FIN_SENT, SF_SACK, SF_STALE, Subflow } from './subflow';
import { restartTimer } from './timers';

/** What the last acknowledgement did; valid until the next one. */
export let ackAdvanced: bool = false;
export let ackFin: bool = false;

/** Octets that were delivered, in segments that were not repeated the first and the last one's round trip, or -1. */
let deliveredBytes: u32 = 0;
let firstRtt: f64 = -1;
let lastRtt: f64 = -1;
/**
 * Some data was acknowledged, some of it repeated; segments that were; the lowest that was neither repeated nor SACKed.
 */
let dataAcked: bool = false;
let repeatedAcked: bool = false;
let ackedSegments: u32 = 0;

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
  const delivered = sf.delivered;
  const lost = sf.lostEver;
  deliveredBytes = ackedSegments = 0;
  firstRtt = lastRtt = -1;
  dataAcked = repeatedAcked = ackFin = false;
  sack.begin(sf);
  rateBegin();
  ackAdvanced = seqGt(seg.ack, sf.sndUna);
  const blocks = seg.has(HAS_SACK) && sf.is(SF_SACK);
  if (seqLt(seg.ack, sf.sndUna)) {
    if (!blocks) return;
    takeSack(sf, priorUna);
    alert(sf, priorUna, false, 0, ecnEcho(sf), false);
    return;
  }

  const fack = sf.is(SF_SACK) ? highestSacked(sf) : sf.sndUna;
  const windowMoved = updateWindow(sf);
  if (ackAdvanced) {
    sf.sndUna = seg.ack;
    sf.retries = 0;
  }
  const marked = ecnEcho(sf);
  if (blocks) takeSack(sf, priorUna);
  if (ackAdvanced) {
    dropAcked(sf);
    if (sf.is(SF_FIN_SENT) && seg.ack == sf.sndNxt) ackFin = true;
    if (!sf.is(SF_SACK)) {
      renoAcked(sf, ackedSegments);
      if (repeatedAcked) sack.original = false; // without SACK nobody knows which copy it was
    } else if (seqLt(sack.lowest, fack)) noteReordering(sf, sack.lowest, highestSacked(sf));
  }
  const notDuplicate = seg.length != 0 || (seg.flags & (SYN | FIN)) != 0 || windowMoved || dataAcked || signal;
  sf.probesOut = 0;
  sf.softError = <u8>CLOSE_NORMAL;
  if (outstanding == 0) {
    if (sack.duplicate) alert(sf, priorUna, false, 0, marked, false);
    if (sf.tlpOut) probeAcked(sf, !notDuplicate);
    return;
  }
  const restart = sampleRtt(sf) || dataAcked;
  rackRound(sf);
  if (sf.tlpOut) probeAcked(sf, !notDuplicate && !ackAdvanced);
  let waits = false;
  if (!notDuplicate || marked || sack.marked || sack.duplicate || sf.caState != CA_OPEN) {
    const duplicates: u32 = ackAdvanced || notDuplicate || sack.duplicate ? 0 : 1;
    waits = alert(sf, priorUna, ackAdvanced, duplicates, marked, dataAcked);
  }
  if (restart && !waits) restartTimer(sf);

  const newly = sf.delivered - delivered;
  rateTake(sf, newly);
  if (newly != 0 && marked) sf.deliveredMarked += newly;
  if (reducing(sf)) reduce(sf, newly, sf.lostEver - lost, ackAdvanced);
  const raises = sf.reordering > tcpReordering ? dataAcked || sack.marked : dataAcked;
  // In fast recovery this only keeps the books (CcState.inRecovery).
  if (newly != 0) {
    sf.tlpSilent = false;
    ccOnAck(sf, raises ? newly : 0, deliveredBytes, lastRtt, before, now);
  }
  pacingWindow(sf);
}

/** Linux' tcp_may_update_window: it never shrinks by an ACK that says nothing else new. True when it may have moved. */
function updateWindow(sf: Subflow): bool {
  const wnd = (seg.flags & SYN) != 0 ? seg.window : seg.window << sf.sndScale;
  const takes =
    ackAdvanced || seqLt(sf.sndWl1, seg.seq) || (sf.sndWl1 == seg.seq && (wnd > sf.sndWnd || wnd == 0));
  if (!takes) return false;
  sf.sndWl1 = seg.seq;
  sf.sndWl2 = seg.ack;
  sf.sndWnd = wnd;
  sf.sndEdge = seg.ack + wnd;
  if (wnd > sf.maxWnd) sf.maxWnd = wnd;
  return true;
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
  dataAcked = true;
  ackedSegments += segments;
  mtuProved(sf, r);
  if (r.is(REC_EVER_RETRANS)) repeatedAcked = true;
  else if (!r.is(REC_SACKED)) {
    lastRtt = now - r.xmit;
    if (firstRtt < 0) firstRtt = lastRtt;
    if (seqLt(r.seq, sack.lowest)) sack.lowest = r.seq;
    if (seqLe(end, sf.highSeq)) sack.original = true;
  }
  if (!r.is(REC_SACKED)) {
    rateDelivered(sf, r, end);
    deliveredBytes += octets;
    if (sf.is(SF_SACK)) {
      sf.delivered += segments;
      if (!spurious(sf, r)) rackDelivered(sf, r, end);
    }
  } else sf.sackedOut -= segments;
  if (r.is(REC_LOST)) sf.lostOut -= segments;
  if (r.is(REC_RETRANS)) sf.retransOut -= segments;
  sf.packetsOut -= segments;
}

/** The echoed timestamp is older than the repetition: the original was meant. */
function spurious(sf: Subflow, r: Rec): bool {
  if (!r.is(REC_EVER_RETRANS) || !seg.has(HAS_TS) || seg.tsEcr == 0) return false;
  return seqLt(seg.tsEcr, tsAt(sf, r.xmit));
}

/**
 * Segments that were never repeated first; then those newly SACKed; the timestamp echo where there are none (Karn,
 * RFC 7323). True: the retransmission timeout starts anew, as what was sent after the oldest segment has arrived.
 */
function sampleRtt(sf: Subflow): bool {
  let rtt: f64 = -1;
  let latest: f64 = -1;
  let restart = false;
  if (firstRtt >= 0 && !repeatedAcked) {
    rtt = firstRtt;
    latest = lastRtt;
  }
  if (sack.firstRtt >= 0) {
    if (rtt < 0) rtt = sack.firstRtt;
    latest = sack.lastRtt;
    restart = sf.packetsOut != 0 && sack.firstRtt > now - recAt(sf, sf.recHead).xmit;
  }
  // An echo that was here before tells of a middlebox that takes our timestamps away.
  if (rtt < 0 && dataAcked && seg.has(HAS_TS) && seg.tsEcr != 0 && seg.tsEcr != sf.lastEcho) {
    const elapsed = seqDiff(tsNow(sf), seg.tsEcr);
    if (elapsed >= 0 && elapsed < 1 << 20) rtt = latest = max(<f64>elapsed, 1) * 1000;
  }
  if (ackAdvanced && seg.has(HAS_TS)) sf.lastEcho = seg.tsEcr;
  lastRtt = latest;
  if (rtt < 0) return false;
  minRttSample(sf, latest);
  rttSample(sf, rtt);
  return restart;
}
