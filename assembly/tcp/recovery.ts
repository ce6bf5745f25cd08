/**
 * Loss recovery as Linux does it: fast recovery (RFC 6675 with RACK, RFC 8985), NewReno without SACK (RFC 6582), the
 * retransmission timeout (RFC 6298, 5681) with F-RTO (RFC 5682). How reductions are undone is undo.ts.
 */
import { MIB_TCPRenoRecovery, MIB_TCPSackRecovery, MIB_TCPTimeouts } from '../mib';
import { ccOnRto, currentSsthresh } from '../cc/controller';
import { count } from '../counters';
import { now } from '../host';
import { seqGe, seqGt } from '../seq';
import { tcpFrto, tcpReordering } from '../sysctl';
import { ecnReduced } from './ecn';
import { rackDetect, rackStillOut } from './rack';
import { REC_LOST, REC_SACKED, Rec, recAt, recMarkLost, recShatter, timePrepend } from './records';
import { endReduction, reduce, reducing, startReduction } from './reduction';
import { renoDuplicates, renoReset } from './reordering';
import { sack } from './sack';
import {
  CA_CWR,
  CA_DISORDER,
  CA_LOSS,
  CA_OPEN,
  CA_RECOVERY,
  REXMIT_LOST,
  REXMIT_NEW,
  SF_SACK,
  Subflow,
} from './subflow';
import { renegedSoon, reorderTimer } from './timers';
import { openAgain, startUndo, undoDsack, undoLoss, undoPartial, undoRecovery } from './undo';

/** RACK has a timer running for what is in doubt; a repetition was found to be lost. */
let waits: bool = false;
let repetitionLost: bool = false;

/**
 * An acknowledgement that is a duplicate, brings news of SACK or ECN, or comes in the course of recovery: decides on
 * loss and moves the recovery state. `priorUna`: the acknowledgement number before it; `advanced`: it moved;
 * `duplicates`: 1 for RFC 5681's duplicate ACK; `marked`: the peer tells of a mark (ECE); `acked`: data was
 * acknowledged. True: RACK has set its timer.
 */
export function alert(
  sf: Subflow,
  priorUna: u32,
  advanced: bool,
  duplicates: u32,
  marked: bool,
  acked: bool,
): bool {
  waits = repetitionLost = false;
  step(sf, priorUna, advanced, duplicates, marked, acked);
  sf.inRecovery = reducing(sf);
  return waits;
}

function step(sf: Subflow, priorUna: u32, advanced: bool, duplicates: u32, marked: bool, acked: bool): void {
  if (sf.packetsOut == 0) sf.sackedOut = 0;
  if (marked) sf.priorSsthresh = 0;
  if (advanced && sf.packetsOut != 0 && recAt(sf, sf.recHead).is(REC_SACKED)) {
    renegedSoon(sf); // the peer has dropped what it had SACKed
    waits = true;
    return;
  }
  if (sf.caState == CA_OPEN) sf.retransAt = 0;
  else if (seqGe(sf.sndUna, sf.highSeq)) {
    if (sf.caState == CA_CWR) {
      // What tells the peer of a reduction is the first segment after it (CWR), so that one counts as well.
      if (sf.sndUna != sf.highSeq) {
        endReduction(sf);
        sf.caState = CA_OPEN;
      }
    } else if (sf.caState == CA_RECOVERY) {
      renoReset(sf);
      if (undoRecovery(sf)) return;
      endReduction(sf);
    }
  }

  if (sf.caState == CA_RECOVERY) {
    if (!advanced) {
      if (!sf.is(SF_SACK)) renoDuplicates(sf, duplicates);
    } else if (undoPartial(sf, priorUna)) return;
    if (undoDsack(sf)) openAgain(sf, marked);
    identifyLoss(sf, advanced);
    if (sf.caState != CA_RECOVERY) {
      if (sf.lostOut == 0) return;
      enter(sf, marked);
    }
    sf.rexmit = REXMIT_LOST;
    return;
  }
  if (sf.caState == CA_LOSS) {
    processLoss(sf, advanced, duplicates);
    if (sf.caState != CA_LOSS) endTimeouts(sf);
    identifyLoss(sf, advanced);
    if (sf.caState != CA_OPEN && !repetitionLost) return;
  }
  if (!sf.is(SF_SACK)) {
    if (acked) renoReset(sf);
    renoDuplicates(sf, duplicates);
  }
  if (sf.caState <= CA_DISORDER) undoDsack(sf);
  identifyLoss(sf, advanced);
  if (sf.lostOut == 0) {
    openAgain(sf, marked);
    return;
  }
  enter(sf, marked);
  sf.rexmit = REXMIT_LOST;
}

function identifyLoss(sf: Subflow, advanced: bool): void {
  if (sf.packetsOut == 0) return;
  if (!sf.is(SF_SACK)) {
    renoDetect(sf, advanced);
    return;
  }
  if (!sf.rackAdvanced) return;
  sf.rackAdvanced = false;
  const repeated = sf.retransOut;
  const wait = rackDetect(sf);
  if (wait > 0) {
    reorderTimer(sf, wait);
    waits = true;
  }
  if (sf.retransOut < repeated) repetitionLost = true;
}

/** Without SACK: the head is lost after enough duplicates, and after each partial acknowledgement. */
function renoDetect(sf: Subflow, advanced: bool): void {
  const begins = sf.caState < CA_RECOVERY && sf.sackedOut >= sf.reordering;
  if (!begins && !(sf.caState == CA_RECOVERY && advanced)) return;
  const id = sf.recHead;
  if (recAt(sf, id).is(REC_LOST)) return;
  recShatter(sf, id); // one segment was lost, as far as it is known
  recMarkLost(sf, id, recAt(sf, id));
}

function enter(sf: Subflow, marked: bool): void {
  count(sf.is(SF_SACK) ? MIB_TCPSackRecovery : MIB_TCPRenoRecovery);
  sf.priorSsthresh = 0;
  startUndo(sf);
  if (!reducing(sf)) {
    if (!marked) sf.priorSsthresh = currentSsthresh(sf);
    startReduction(sf);
  }
  sf.caState = CA_RECOVERY;
}

/** RACK's timer fired. */
export function reorderTimeout(sf: Subflow): void {
  const flight = sf.inFlight;
  const lost = sf.lostEver;
  const wait = rackDetect(sf);
  if (flight != sf.inFlight) {
    if (sf.caState != CA_RECOVERY) {
      enter(sf, false);
      reduce(sf, 1, sf.lostEver - lost, false);
      sf.inRecovery = true;
    }
    sf.rexmit = REXMIT_LOST;
  }
  if (wait > 0) reorderTimer(sf, wait);
}

// ---- retransmission timeout --------------------------------------------------------------------------------

/**
 * The retransmission timer ran out (RFC 6298 section 5.4 to 5.7): the oldest segment goes out again. `closed`: as a
 * probe of the peer's window, which does not count as a timeout.
 */
export function retransmissionTimeout(sf: Subflow, closed: bool): void {
  if (!closed) count(MIB_TCPTimeouts);
  const fresh = sf.caState < CA_RECOVERY;
  markLost(sf);
  // A second timeout of the same episode must not reduce twice (RFC 5681 section 3.1).
  if (
    sf.caState <= CA_DISORDER ||
    !seqGt(sf.highSeq, sf.sndUna) ||
    (sf.caState == CA_LOSS && sf.retries == 0)
  ) {
    sf.priorSsthresh = reducing(sf) ? sf.ssthresh : currentSsthresh(sf);
    sf.priorCwnd = sf.cwnd;
    ccOnRto(sf);
    startUndo(sf);
  }
  sf.cwnd = sf.inFlight + 1;
  sf.cwndCredit = 0;
  sf.cwndCount = 0;
  if (sf.caState <= CA_DISORDER && sf.sackedOut >= tcpReordering) sf.reordering = min(sf.reordering, tcpReordering);
  sf.caState = CA_LOSS;
  sf.inRecovery = false;
  sf.highSeq = sf.sndNxt;
  sf.tlpOut = false;
  ecnReduced(sf);
  sf.frto = tcpFrto && (fresh || sf.retries != 0);
  sf.rexmit = REXMIT_LOST;
  if (closed) return;
  noteTimeout(sf);
  sf.retries++;
}

/** Counts a timeout, of data or of the handshake; before `retries` does. */
export function noteTimeout(sf: Subflow): void {
  if (sf.retries == 0) {
    sf.timeoutEpisodes++;
    sf.timeoutAt = now;
  }
  sf.timeouts++;
}

/** The episode is over. */
export function endTimeouts(sf: Subflow): void {
  if (sf.timeoutAt != 0) sf.timeoutTime += now - sf.timeoutAt;
  sf.timeoutAt = 0;
}

/** All but what was sent so lately that its acknowledgement may be under way. */
function markLost(sf: Subflow): void {
  const reneged = recAt(sf, sf.recHead).is(REC_SACKED);
  if (reneged) sf.sackedOut = 0;
  else renoReset(sf);
  recShatter(sf, sf.recHead);
  for (let id = sf.recHead; id != sf.recTail; id++) {
    const r = recAt(sf, id);
    if (reneged) forgetSacked(sf, id, r);
    else if (id != sf.recHead && rackStillOut(sf, r)) continue;
    if (!r.is(REC_SACKED)) recMarkLost(sf, id, r);
  }
  sf.retransHint = sf.recHead;
}

function forgetSacked(sf: Subflow, id: u32, r: Rec): void {
  if (!r.is(REC_SACKED)) return;
  r.flags &= ~REC_SACKED;
  timePrepend(sf, id, r);
}

/** After a timeout (F-RTO, RFC 5682 section 3.1 with SACK): was it real? If it was, repeat what is lost. */
function processLoss(sf: Subflow, advanced: bool, duplicates: u32): void {
  const recovered = seqGe(sf.sndUna, sf.highSeq);
  if (advanced && undoLoss(sf, false)) return;
  if (sf.frto) {
    // Step 3.b: something arrived that was never repeated.
    if (sack.original && undoLoss(sf, true)) return;
    if (seqGt(sf.sndNxt, sf.highSeq)) {
      if (sack.marked || duplicates != 0) sf.frto = false; // step 3.a: the loss was real
    } else if (advanced && !recovered) {
      // Step 2.b: new data instead of repetitions, where there is some.
      sf.highSeq = sf.sndNxt;
      sf.rexmit = REXMIT_NEW;
      return;
    }
  }
  if (recovered) {
    undoRecovery(sf);
    return;
  }
  if (!sf.is(SF_SACK)) {
    if (seqGt(sf.sndNxt, sf.highSeq) && duplicates != 0) renoDuplicates(sf, duplicates);
    else if (advanced) renoReset(sf);
  }
  sf.rexmit = REXMIT_LOST;
}
