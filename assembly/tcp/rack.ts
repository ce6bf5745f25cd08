/**
 * RACK loss detection and the answer to a tail loss probe (RFC 8985).
 */
import { MIB_TCPLossProbeRecovery } from '../mib';
import { count } from '../counters';
import { now } from '../host';
import { seqGe, seqGt, seqLt } from '../seq';
import { seg } from '../wire/segment';
import { Rec, REC_EVER_RETRANS, recAt, recMarkLost } from './records';
import { endReduction, startReduction } from './reduction';
import { sack } from './sack';
import { CA_CWR, CA_RECOVERY, Subflow } from './subflow';
import { keepOpen } from './undo';

/** Recoveries without reordering after which the window shrinks back (section 6.2 step 4). */
const PERSIST: u32 = 16;

/** A record was delivered up to `end` (ACKed or SACKed for the first time): section 6.2 step 2. */
export function rackDelivered(sf: Subflow, r: Rec, end: u32): void {
  const rtt = now - r.xmit;
  if (rtt < sf.minRtt && r.is(REC_EVER_RETRANS)) return; // the original was meant
  sf.rackAdvanced = true;
  sf.rackRtt = rtt;
  if (r.xmit > sf.rackXmit || (r.xmit == sf.rackXmit && seqGt(end, sf.rackEnd))) {
    sf.rackXmit = r.xmit;
    sf.rackEnd = end;
  }
}

/** A D-SACK arrived: the reordering window was too small. At most one step per round trip. */
export function rackDsack(sf: Subflow): void {
  if (sf.rackDsackSeen) return;
  sf.rackDsackSeen = true;
  sf.rackDsackRound = sf.sndNxt;
  sf.rackMult = min<u32>(sf.rackMult + 1, 255);
  sf.rackPersist = PERSIST;
}

/** An acknowledgement was taken: a round of D-SACKs may have ended. */
export function rackRound(sf: Subflow): void {
  if (sf.rackDsackSeen && seqGe(sf.sndUna, sf.rackDsackRound)) sf.rackDsackSeen = false;
  if (sf.rackPersist == 0) sf.rackMult = 1;
}

/** A recovery ended, and nothing of it was undone. */
export function rackRecovered(sf: Subflow): void {
  if (sf.rackPersist > 0) sf.rackPersist--;
}

function reorderWindow(sf: Subflow): f64 {
  if (sf.reordSeen == 0 && (sf.caState >= CA_RECOVERY || sf.sackedOut >= sf.reordering)) return 0;
  return min((<f64>max<u32>(sf.rackMult, 1) * sf.minRtt) / 4, sf.srtt);
}

/**
 * Marks what was sent long enough before the newest delivered segment (section 6.2 step 5). Returns the time in
 * microseconds until the next record would be marked, 0 when none is in doubt.
 */
export function rackDetect(sf: Subflow): f64 {
  const window = sf.rackRtt + reorderWindow(sf);
  let wait: f64 = 0;
  let id = sf.timeHead;
  while (id != 0) {
    const r = recAt(sf, id);
    const next = r.timeNext;
    if (r.xmit > sf.rackXmit || (r.xmit == sf.rackXmit && seqGe(r.end, sf.rackEnd))) break;
    const remaining = r.xmit + window - now;
    if (remaining <= 0) recMarkLost(sf, id, r);
    else wait = max(wait, remaining);
    id = next;
  }
  return wait;
}

/** At a timeout: sent so lately that its acknowledgement may be under way. */
@inline
export function rackStillOut(sf: Subflow, r: Rec): bool {
  return r.xmit + sf.rackRtt - now > 0;
}

/**
 * An acknowledgement while a tail loss probe is out (section 7.4.2). `duplicate`: it says nothing new at all. Where the
 * probe repaired a loss, congestion control hears of it.
 */
export function probeAcked(sf: Subflow, duplicate: bool): void {
  if (seqLt(seg.ack, sf.tlpEnd)) return;
  if (!sf.tlpRetrans || sack.duplicateProbe) sf.tlpOut = false;
  else if (seqGt(seg.ack, sf.tlpEnd)) {
    startReduction(sf);
    sf.caState = CA_CWR;
    endReduction(sf);
    keepOpen(sf);
    count(MIB_TCPLossProbeRecovery);
  } else if (duplicate && !sack.marked) sf.tlpOut = false;
}
