/**
 * Explicit Congestion Notification (RFC 3168) of one subflow: who has agreed to it, what the network marked, and how
 * either side hears of it. As in Linux, a SYN asks without its own packet being capable, and a repeated SYN no more.
 */
import { cfgEcn } from '../host';
import { pathHidesEcn } from '../paths';
import { seqGe } from '../seq';
import { ACK, CWR, ECE, seg, SYN } from '../wire/segment';
import { TCP_SYN_SENT } from '../abi';
import { enterQuickAcks } from './delack';
import { SF_SYN_RETRANSMITTED, Subflow } from './subflow';

// Subflow.ecn
/** Both sides agreed, or our SYN asks. */
export const ECN_OK: u8 = 1;
/** The window was reduced: the next new data says so. */
const QUEUE_CWR: u8 = 2;
/** A mark was seen, and the peer has not said yet that it reduced its window. */
export const DEMAND_CWR: u8 = 4;
/** Some segment came from a path that is capable. */
export const ECN_SEEN: u8 = 8;

// codepoints of the IP header
const NOT_ECT: u32 = 0;
const ECT0: u32 = 2;
const CE: u32 = 3;

const BOTH: u32 = ECE | CWR;
/** Segments that are acknowledged at once after a mark: the sender's window may be small. */
const QUICK_ACKS: u32 = 2;

/** Before the first SYN: whether it asks. */
export function ecnAsk(sf: Subflow): void {
  if (cfgEcn == 1 && !pathHidesEcn(sf.path)) sf.ecn = ECN_OK;
}

/** Flags that a SYN or (`answer`) SYN/ACK carries. */
export function ecnSynFlags(sf: Subflow, answer: bool): u32 {
  if ((sf.ecn & ECN_OK) == 0) return 0;
  if (answer) return ECE;
  return sf.is(SF_SYN_RETRANSMITTED) ? 0 : BOTH; // a middlebox may drop what it does not know (section 6.1.1.1)
}

/** The SYN or SYN/ACK in hand decides (section 6.1.1). A SYN/ACK that echoes both bits comes from a broken host. */
export function ecnTakeSyn(sf: Subflow): void {
  const flags = seg.flags & BOTH;
  if ((seg.flags & ACK) != 0) {
    if (flags != ECE) sf.ecn = 0;
  } else if (sf.state == TCP_SYN_SENT) {
    if (flags != BOTH) sf.ecn = 0;
  } else {
    const wanted = flags == BOTH && cfgEcn != 0 && seg.ecn == NOT_ECT;
    sf.ecn = wanted && !pathHidesEcn(sf.path) ? ECN_OK : 0;
  }
}

// ---- receiving --------------------------------------------------------------------------------------------

/** The segment in hand has data: whether its sender has reduced its window. True: acknowledge at once. */
@inline
export function ecnTakeCwr(sf: Subflow): bool {
  if (sf.ecn == 0 || (seg.flags & CWR) == 0) return false;
  sf.ecn &= ~DEMAND_CWR;
  return true;
}

/** The data in hand was taken: whether the network has marked it (section 6.1.3). */
@inline
export function ecnTakeMark(sf: Subflow): void {
  if (sf.ecn != 0) takeMark(sf);
}

function takeMark(sf: Subflow): void {
  if (seg.ecn == NOT_ECT) {
    // Not capable though others were: a retransmission, which the sender waits for.
    if ((sf.ecn & ECN_SEEN) != 0) enterQuickAcks(sf, QUICK_ACKS);
    return;
  }
  if (seg.ecn == CE && (sf.ecn & DEMAND_CWR) == 0) {
    enterQuickAcks(sf, QUICK_ACKS);
    sf.ecn |= DEMAND_CWR;
  }
  sf.ecn |= ECN_SEEN;
}

/** Whether the ACK in hand tells of a mark. */
@inline
export function ecnEcho(sf: Subflow): bool {
  return (seg.flags & (ECE | SYN)) == ECE && (sf.ecn & ECN_OK) != 0;
}

// ---- sending ----------------------------------------------------------------------------------------------

/** The window was reduced: the peer is told with the next new data (section 6.1.2). */
export function ecnReduced(sf: Subflow): void {
  if ((sf.ecn & ECN_OK) != 0) sf.ecn |= QUEUE_CWR;
}

/** Codepoint of a segment with data from `seq` on: new data is capable, what is sent again is not (section 6.1.5). */
@inline
export function ecnCodepoint(sf: Subflow, seq: u32): u32 {
  return (sf.ecn & ECN_OK) != 0 && seqGe(seq, sf.sndNxt) ? ECT0 : NOT_ECT;
}

/** The next new data says that the window was reduced. */
@inline
export function ecnOwesCwr(sf: Subflow): bool {
  return (sf.ecn & QUEUE_CWR) != 0;
}

/** CWR for a segment that is capable, once. */
@inline
export function ecnCwr(sf: Subflow): u32 {
  if ((sf.ecn & QUEUE_CWR) == 0) return 0;
  sf.ecn &= ~QUEUE_CWR;
  return CWR;
}
