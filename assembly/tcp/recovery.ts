/**
 * Loss recovery: fast recovery with proportional rate reduction (RFC 6937), NewReno without SACK (RFC 6582),
 * retransmission timeout (RFC 6298, 5681), and the undo of a spurious one (Eifel, RFC 3522/4015; D-SACK).
 */
import {
  MIB_TCPFullUndo,
  MIB_TCPRenoRecovery,
  MIB_TCPSackRecovery,
  MIB_TCPTimeouts,
} from '../abi';
import { ccOnLoss, ccOnRecoveryExit, ccOnRto, ccOnUndo } from '../cc/controller';
import { count } from '../counters';
import { now } from '../host';
import { seqGe, seqGt, seqLt } from '../seq';
import { seg, HAS_TS } from '../wire/segment';
import { ecnReduced } from './ecn';
import {
  CA_CWR,
  CA_DISORDER,
  CA_LOSS,
  CA_OPEN,
  CA_RECOVERY,
  SF_SACK,
  Subflow,
} from './subflow';
import { REC_LOST, REC_RETRANS, REC_SACKED, recAt, recMarkLost, recShatter, timePrepend } from './records';
import { rackDetect, rackRecovered } from './rack';
import { tsAt, tsNow } from './rtt';

const DUP_THRESH: u32 = 3;

/**
 * After an acknowledgement was taken: decides on loss and moves the recovery state.
 * `advanced`: the acknowledgement number moved; `duplicate`: RFC 5681's duplicate ACK; `marked`: the peer tells of a
 * mark (ECE); `delivered`: records newly ACKed or SACKed; `before`: records outstanding before it.
 * Returns microseconds until RACK wants to look again, 0 for never.
 */
export function recover(
  sf: Subflow,
  advanced: bool,
  duplicate: bool,
  marked: bool,
  delivered: u32,
  before: u32,
): f64 {
  const sack = sf.is(SF_SACK);
  const lostBefore = sf.lostOut;
  let wait: f64 = 0;

  if (!sack) renoCount(sf, advanced, duplicate);
  if (advanced && undoPossible(sf)) undo(sf);
  // What tells the peer of a reduction is the first segment after it (CWR), so that one counts as well.
  if (sf.caState >= CA_RECOVERY ? seqGe(sf.sndUna, sf.highSeq) : sf.caState == CA_CWR && seqGt(sf.sndUna, sf.highSeq)) {
    leave(sf);
  }

  if (sf.packetsOut != 0) {
    if (sack) {
      if (sf.sackedOut != 0 || sf.caState >= CA_DISORDER) wait = rackDetect(sf);
    } else {
      renoDetect(sf, advanced);
    }
  }
  const newlyLost = sf.lostOut - min(sf.lostOut, lostBefore);

  if (sf.caState < CA_RECOVERY) {
    if (sf.lostOut != 0) enter(sf, before);
    else if (sf.caState != CA_CWR) {
      if (marked) enterReduced(sf, before);
      else sf.caState = sf.sackedOut != 0 ? CA_DISORDER : CA_OPEN;
    }
  }
  if (sf.caState == CA_RECOVERY || sf.caState == CA_CWR) reduce(sf, delivered, advanced && newlyLost == 0);
  return wait;
}

/** RACK's timer fired. */
export function reorderTimeout(sf: Subflow): f64 {
  const wait = rackDetect(sf);
  if (sf.lostOut != 0 && sf.caState < CA_RECOVERY) enter(sf, sf.packetsOut);
  if (sf.caState == CA_RECOVERY) reduce(sf, 0, false);
  return wait;
}

function rememberForUndo(sf: Subflow): void {
  sf.undoCwnd = sf.cwnd;
  sf.undoSsthresh = sf.ssthresh;
  sf.undoRetrans = 0;
  sf.undoStamp = 0;
}

/** The first retransmission of an episode leaves its timestamp for Eifel detection, and that of what it repeats. */
export function noteRetransmission(sf: Subflow, before: f64): void {
  if (sf.caState < CA_RECOVERY) return;
  sf.undoRetrans++;
  if (sf.undoStamp != 0) return;
  sf.undoStamp = max<u32>(tsNow(sf), 1);
  sf.undoFrom = tsAt(sf, before);
}

/** A D-SACK says that one retransmission was not needed. */
export function noteSpurious(sf: Subflow): void {
  if (sf.caState >= CA_RECOVERY && sf.undoRetrans > 0 && --sf.undoRetrans == 0) undo(sf);
}

function undoPossible(sf: Subflow): bool {
  return (
    sf.caState >= CA_RECOVERY &&
    sf.undoStamp != 0 &&
    seg.has(HAS_TS) &&
    seg.tsEcr != 0 &&
    seqLt(seg.tsEcr, sf.undoStamp) &&
    // An older echo tells of a middlebox that takes our timestamps away: the peer's knowledge stands still.
    seqGe(seg.tsEcr, sf.undoFrom)
  );
}

function undo(sf: Subflow): void {
  count(MIB_TCPFullUndo);
  sf.cwnd = max(sf.cwnd, sf.undoCwnd);
  sf.ssthresh = max(sf.ssthresh, sf.undoSsthresh);
  sf.undoStamp = 0;
  sf.undoRetrans = 0;
  ccOnUndo(sf);
  // What was marked is still on its way; the oldest end up first in the order of transmission.
  for (let id = sf.recTail; id != sf.recHead; ) {
    const r = recAt(sf, --id);
    if ((r.flags & (REC_LOST | REC_RETRANS)) != REC_LOST) continue;
    r.flags &= ~REC_LOST;
    sf.lostOut -= r.segments;
    timePrepend(sf, id, r);
  }
  sf.backoff = 0;
  sf.caState = sf.sackedOut != 0 ? CA_DISORDER : CA_OPEN;
}

function enter(sf: Subflow, before: u32): void {
  count(sf.is(SF_SACK) ? MIB_TCPSackRecovery : MIB_TCPRenoRecovery);
  if (sf.caState == CA_CWR) {
    forgetUndo(sf); // the window shrinks already, and for a reason that no proof of a spurious loss takes away
  } else {
    rememberForUndo(sf);
    startReduction(sf, before);
  }
  sf.caState = CA_RECOVERY;
  sf.tlpOut = false;
}

/** The network marked packets: the window shrinks as after a loss, once in a round trip (RFC 3168 section 6.1.2). */
function enterReduced(sf: Subflow, before: u32): void {
  forgetUndo(sf);
  startReduction(sf, before);
  sf.caState = CA_CWR;
}

function startReduction(sf: Subflow, before: u32): void {
  ccOnLoss(sf, before, now);
  ecnReduced(sf);
  sf.inRecovery = true;
  sf.highSeq = sf.sndNxt;
  sf.priorCwnd = max<u32>(before, 1);
  sf.prrDelivered = 0;
  sf.prrOut = 0;
}

function forgetUndo(sf: Subflow): void {
  sf.undoCwnd = sf.undoSsthresh = sf.undoStamp = 0;
  sf.undoRetrans = 0;
}

function leave(sf: Subflow): void {
  if (sf.caState == CA_RECOVERY || sf.caState == CA_CWR) {
    sf.cwnd = max<u32>(sf.ssthresh, 2);
    ccOnRecoveryExit(sf);
    if (sf.caState == CA_RECOVERY) rackRecovered(sf);
  }
  sf.inRecovery = false;
  sf.caState = sf.sackedOut != 0 ? CA_DISORDER : CA_OPEN;
  sf.dupAcks = 0;
  sf.undoStamp = 0;
}

/** RFC 6937 with the slow start reduction bound. */
function reduce(sf: Subflow, delivered: u32, safe: bool): void {
  sf.prrDelivered += delivered;
  const flight = sf.inFlight;
  let send: i32;
  if (flight > sf.ssthresh) {
    const share = (<u64>sf.ssthresh * sf.prrDelivered + sf.priorCwnd - 1) / sf.priorCwnd;
    send = <i32>share - <i32>sf.prrOut;
  } else {
    send = max<i32>(<i32>sf.prrDelivered - <i32>sf.prrOut, <i32>delivered);
    if (safe) send++;
    send = min<i32>(send, <i32>(sf.ssthresh - flight));
  }
  // The first retransmission goes out whatever the arithmetic says.
  send = max<i32>(send, sf.prrOut == 0 ? 1 : 0);
  sf.cwnd = max<u32>(flight + send, 1);
}

/** The retransmission timer ran out (RFC 6298 section 5.4 to 5.7). */
export function retransmissionTimeout(sf: Subflow): void {
  count(MIB_TCPTimeouts);
  // A second timeout of the same episode must not reduce twice (RFC 5681 section 3.1),
  // and fast recovery has reduced already.
  if (sf.caState < CA_CWR) {
    rememberForUndo(sf);
    ccOnRto(sf, sf.packetsOut, now);
    ecnReduced(sf);
  } else if (sf.caState == CA_CWR) {
    forgetUndo(sf);
  }
  sf.inRecovery = false;
  const reno = !sf.is(SF_SACK);
  if (reno) sf.sackedOut = 0;
  for (let id = sf.recHead; id != sf.recTail; id++) {
    const r = recAt(sf, id);
    if (reno) r.flags &= ~REC_SACKED;
    if (!r.is(REC_SACKED)) recMarkLost(sf, id, r);
  }
  sf.retransHint = sf.recHead;
  sf.cwnd = 1;
  sf.cwndCredit = 0;
  sf.caState = CA_LOSS;
  sf.highSeq = sf.sndNxt;
  sf.dupAcks = 0;
  sf.tlpOut = false;
  sf.backoff++;
  sf.retries++;
}

// ---- without SACK -----------------------------------------------------------------------------------------

/** Each duplicate ACK says that one segment left the network; `sackedOut` counts them. */
function renoCount(sf: Subflow, advanced: bool, duplicate: bool): void {
  if (advanced) {
    sf.dupAcks = 0;
    // The hole was followed by what the duplicates stood for; all but the new head is open again.
    sf.sackedOut = sf.caState == CA_OPEN ? 0 : min<u32>(sf.sackedOut, sf.packetsOut > 0 ? sf.packetsOut - 1 : 0);
  } else if (duplicate && sf.packetsOut != 0) {
    sf.dupAcks++;
    if (sf.sackedOut + sf.lostOut < sf.packetsOut) sf.sackedOut++;
  }
}

function renoDetect(sf: Subflow, advanced: bool): void {
  const id = sf.recHead;
  let head = recAt(sf, id);
  const third = sf.caState < CA_RECOVERY && sf.dupAcks >= DUP_THRESH && seqGt(sf.sndUna + 1, sf.highSeq);
  const partial = sf.caState == CA_RECOVERY && advanced;
  if ((third || partial) && !head.is(REC_LOST)) {
    if (recShatter(sf, id)) head = recAt(sf, id); // one segment was lost, as far as it is known
    recMarkLost(sf, id, head);
    if (sf.sackedOut + sf.lostOut > sf.packetsOut) sf.sackedOut--;
  }
}
