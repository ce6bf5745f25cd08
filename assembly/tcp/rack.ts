/**
 * RACK loss detection and the tail loss probe (RFC 8985).
 */
import { MIB_TCPLossProbeRecovery } from '../abi';
import { ccOnLoss } from '../cc/controller';
import { count } from '../counters';
import { now } from '../host';
import { seqGe, seqGt, seqLt } from '../seq';
import { seg, HAS_TS } from '../wire/segment';
import { CA_CWR, CA_OPEN, CA_RECOVERY, SF_SACK, Subflow } from './subflow';
import { Rec, REC_EVER_RETRANS, recAt, recMarkLost } from './records';
import { currentRto, RTO_INITIAL, RTO_MIN } from './rtt';

const DUP_THRESH: u32 = 3;
/** Recoveries without reordering after which the window shrinks back (section 6.2 step 4). */
const PERSIST: u32 = 16;

/** A record was delivered up to `end` (ACKed or SACKed for the first time): sections 6.2 steps 2 and 3. */
export function rackDelivered(sf: Subflow, r: Rec, end: u32): void {
  if (sf.rackFack == 0 || seqGt(end, sf.rackFack)) sf.rackFack = end;
  else if (seqLt(end, sf.rackFack) && !r.is(REC_EVER_RETRANS)) sf.rackReordered = true;

  const rtt = now - r.xmit;
  if (r.is(REC_EVER_RETRANS)) {
    // The echo or the time tells when the original was meant.
    if (seg.has(HAS_TS)) {
      const sentStamp = <u32>(<u64>(r.xmit / 1000)) + sf.tsOffset;
      if (seqLt(seg.tsEcr, sentStamp)) return;
    }
    if (rtt < sf.minRtt) return;
  }
  sf.rackRtt = rtt;
  if (r.xmit > sf.rackXmit || (r.xmit == sf.rackXmit && seqGt(end, sf.rackEnd))) {
    sf.rackXmit = r.xmit;
    sf.rackEnd = end;
  }
}

/** A D-SACK arrived: the reordering window was too small. At most one step per round trip. */
export function rackDsack(sf: Subflow): void {
  if (!sf.rackDsackSeen) {
    sf.rackDsackSeen = true;
    sf.rackDsackRound = sf.sndNxt;
    sf.rackMult++;
    sf.rackPersist = PERSIST;
  }
}

/** The acknowledgement number moved: a round of D-SACKs may have ended. */
export function rackRound(sf: Subflow): void {
  if (sf.rackDsackSeen && seqGe(sf.sndUna, sf.rackDsackRound)) sf.rackDsackSeen = false;
}

/** A recovery ended. */
export function rackRecovered(sf: Subflow): void {
  if (sf.rackPersist > 0 && --sf.rackPersist == 0) sf.rackMult = 1;
}

function reorderWindow(sf: Subflow): f64 {
  if (!sf.rackReordered) {
    if (sf.caState >= CA_RECOVERY || sf.sackedOut >= DUP_THRESH) return 0;
  }
  return min((<f64>max<u32>(sf.rackMult, 1) * sf.minRtt) / 4, sf.srtt);
}

/**
 * Marks what was sent long enough before the newest delivered segment (section 6.2 step 5). Returns the time in
 * microseconds until the next record would be marked, 0 when none is in doubt.
 */
export function rackDetect(sf: Subflow): f64 {
  if (sf.rackXmit == 0) return 0;
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

// ---- tail loss probe, section 7 ---------------------------------------------------------------------------

/** Microseconds from now until the probe, or Infinity when none is due. */
export function probeTimeout(sf: Subflow): f64 {
  if (!sf.is(SF_SACK) || sf.packetsOut == 0 || sf.sackedOut != 0 || sf.tlpOut) return Infinity;
  if (sf.caState != CA_OPEN && sf.caState != CA_CWR) return Infinity;
  let pto: f64 = RTO_INITIAL;
  if (sf.srtt > 0) {
    pto = 2 * sf.srtt;
    // The peer may delay the ACK of a lone segment.
    pto += sf.packetsOut == 1 ? RTO_MIN : 2000;
  }
  return min(pto, currentRto(sf));
}

/** An acknowledgement while a probe is out (section 7.4.2). `outstanding`: records before it. */
export function probeAcked(sf: Subflow, dsack: bool, outstanding: u32): void {
  if (!sf.tlpOut || seqLt(sf.sndUna, sf.tlpEnd)) return;
  sf.tlpOut = false;
  if (!sf.tlpRetrans) return;
  // Without a D-SACK the probe repaired a loss: congestion control must hear of it.
  if (!dsack) {
    count(MIB_TCPLossProbeRecovery);
    ccOnLoss(sf, outstanding, now);
    sf.cwnd = sf.ssthresh;
    sf.inRecovery = false;
  }
}
