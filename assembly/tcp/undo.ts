/**
 * What becomes of a reduction that was not needed: nothing was lost, segments were late (Eifel, RFC 3522 and 4015), or
 * all that was repeated had arrived before (D-SACK, RFC 3708).
 */
import { MIB_TCPDSACKUndo, MIB_TCPFullUndo, MIB_TCPLossUndo, MIB_TCPPartialUndo, MIB_TCPSpuriousRTOs } from '../mib';
import { ccOnUndo } from '../cc/controller';
import { count } from '../counters';
import { now } from '../host';
import { seqGe, seqLt } from '../seq';
import { HAS_TS, seg } from '../wire/segment';
import { rackRecovered } from './rack';
import { REC_EVER_RETRANS, REC_LOST, REC_RETRANS, recAt, timePrepend } from './records';
import { congested } from './reduction';
import { noteReordering } from './reordering';
import { highestSacked } from './sack';
import { tsAt } from './rtt';
import { CA_CWR, CA_DISORDER, CA_LOSS, CA_OPEN, SF_SACK, Subflow } from './subflow';

/** An episode of recovery begins. */
export function startUndo(sf: Subflow): void {
  if (!repeated(sf)) sf.retransAt = 0;
  sf.undoing = true;
  sf.undoMarker = sf.sndUna;
  sf.undoRetrans = sf.retransOut;
  if (sf.tlpOut && sf.tlpRetrans) sf.undoRetrans++;
  if (sf.undoRetrans == 0) sf.undoRetrans = -1; // until something is repeated
}

/** Something that is out was repeated. */
export function repeated(sf: Subflow): bool {
  return sf.retransOut != 0 || (sf.recHead != sf.recTail && recAt(sf, sf.recHead).is(REC_EVER_RETRANS));
}

/** The acknowledgement in hand answers something sent before the first repetition, or nothing was repeated. */
function delayed(sf: Subflow): bool {
  if (sf.retransAt == 0) return true;
  if (!seg.has(HAS_TS) || seg.tsEcr == 0 || !seqLt(seg.tsEcr, tsAt(sf, sf.retransAt))) return false;
  // An echo of what was sent even before proves it once. Later it tells of a middlebox that takes our timestamps away:
  // the peer's knowledge stands still.
  if (seqGe(seg.tsEcr, sf.undoFrom)) return true;
  if (seg.tsEcr == sf.undoEcho) return false;
  sf.undoEcho = seg.tsEcr;
  return true;
}

function mayUndo(sf: Subflow): bool {
  return sf.undoing && (sf.undoRetrans == 0 || delayed(sf));
}

/** `unmark`: what was marked as lost is still on its way. */
function undo(sf: Subflow, unmark: bool): void {
  if (unmark) {
    // The oldest end up first in the order of transmission.
    for (let id = sf.recTail; id != sf.recHead; ) {
      const r = recAt(sf, --id);
      if (!r.is(REC_LOST)) continue;
      r.flags &= ~REC_LOST;
      sf.lostOut -= r.segments;
      if (!r.is(REC_RETRANS)) timePrepend(sf, id, r);
    }
  }
  if (sf.priorSsthresh != 0) {
    sf.cwnd = max(sf.cwnd, sf.priorCwnd);
    sf.ssthresh = max(sf.ssthresh, sf.priorSsthresh);
    ccOnUndo(sf);
  }
  sf.undoing = false;
  sf.rackAdvanced = true; // what is lost is looked at again
}

/** All that was out when recovery began is acknowledged. True: without SACK it goes on until something more is. */
export function undoRecovery(sf: Subflow): bool {
  if (mayUndo(sf)) {
    count(sf.caState == CA_LOSS ? MIB_TCPLossUndo : MIB_TCPFullUndo);
    undo(sf, false);
  } else rackRecovered(sf);
  if (holds(sf)) return true;
  sf.caState = CA_OPEN;
  return false;
}

/** Without SACK, duplicates of what was repeated in vain would begin another recovery (RFC 6582 section 3.2). */
function holds(sf: Subflow): bool {
  if (sf.is(SF_SACK) || sf.sndUna != sf.highSeq) return false;
  if (!repeated(sf)) sf.retransAt = 0;
  return true;
}

/** All repetitions are known to have been needless. */
export function undoDsack(sf: Subflow): bool {
  if (!sf.undoing || sf.undoRetrans != 0) return false;
  sf.rackPersist = min<u32>(16, sf.rackPersist + 1);
  undo(sf, false);
  count(MIB_TCPDSACKUndo);
  return true;
}

/** After a timeout. `spurious`: what arrived was never repeated (F-RTO). */
export function undoLoss(sf: Subflow, spurious: bool): bool {
  if (!spurious && !mayUndo(sf)) return false;
  undo(sf, true);
  count(MIB_TCPLossUndo);
  if (spurious) count(MIB_TCPSpuriousRTOs);
  sf.retries = 0;
  if (holds(sf)) return true;
  if (spurious || sf.is(SF_SACK)) sf.caState = CA_OPEN;
  return true;
}

/** In fast recovery the hole was filled by what was late. True: repetitions are out, nothing more is repeated. */
export function undoPartial(sf: Subflow, priorUna: u32): bool {
  if (!sf.undoing || !delayed(sf)) return false;
  noteReordering(sf, priorUna, highestSacked(sf));
  if (sf.retransOut != 0) return true;
  if (!repeated(sf)) sf.retransAt = 0;
  undo(sf, true);
  count(MIB_TCPPartialUndo);
  keepOpen(sf);
  return false;
}

/** No loss, perhaps a mark of the network (RFC 3168). */
export function openAgain(sf: Subflow, marked: bool): void {
  if (!repeated(sf)) sf.retransAt = 0;
  if (marked) congested(sf);
  if (sf.caState != CA_CWR) keepOpen(sf);
}

export function keepOpen(sf: Subflow): void {
  const state = sf.sackedOut != 0 || sf.lostOut != 0 || repeated(sf) ? CA_DISORDER : CA_OPEN;
  if (sf.caState == state) return;
  sf.caState = state;
  sf.highSeq = sf.sndNxt;
}

/** Segments that were sent at `before` are repeated. */
export function noteRetransmission(sf: Subflow, before: f64, segments: u32): void {
  if (sf.retransAt == 0) {
    sf.retransAt = now;
    sf.undoFrom = tsAt(sf, before);
  }
  sf.undoRetrans = max<i32>(sf.undoRetrans, 0) + <i32>segments;
}
