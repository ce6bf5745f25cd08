/**
 * The window in the course of a reduction: proportional rate reduction (RFC 6937) with the slow start reduction bound.
 */
import { ccOnLoss, ccOnRecoveryExit } from '../cc/controller';
import { SSTHRESH_INFINITE } from '../cc/state';
import { ecnReduced } from './ecn';
import { CA_CWR, CA_RECOVERY, Subflow } from './subflow';

@inline
export function reducing(sf: Subflow): bool {
  return sf.caState == CA_RECOVERY || sf.caState == CA_CWR;
}

/** The window goes down to a new ssthresh, until all that is out is acknowledged. */
export function startReduction(sf: Subflow): void {
  sf.highSeq = sf.sndNxt;
  sf.tlpOut = false;
  sf.priorCwnd = max<u32>(sf.cwnd, 1);
  sf.prrDelivered = 0;
  sf.prrOut = 0;
  ccOnLoss(sf);
  ecnReduced(sf);
}

/** A sign of congestion without a loss: the window shrinks as after one, once in a round trip (RFC 3168 6.1.2). */
export function congested(sf: Subflow): void {
  sf.priorSsthresh = 0;
  if (sf.caState >= CA_CWR) return;
  sf.undoing = false;
  startReduction(sf);
  sf.caState = CA_CWR;
}

/** `delivered` segments were newly delivered, `lost` newly marked; `advanced`: the acknowledgement number moved. */
export function reduce(sf: Subflow, delivered: u32, lost: u32, advanced: bool): void {
  if (delivered == 0) return;
  sf.prrDelivered += delivered;
  const flight = sf.inFlight;
  let send: i32;
  if (flight > sf.ssthresh) {
    const share = (<u64>sf.ssthresh * sf.prrDelivered + sf.priorCwnd - 1) / sf.priorCwnd;
    send = <i32>share - <i32>sf.prrOut;
  } else {
    send = max<i32>(<i32>sf.prrDelivered - <i32>sf.prrOut, <i32>delivered);
    if (advanced && lost == 0) send++;
    send = min<i32>(send, <i32>(sf.ssthresh - flight));
  }
  // The first retransmission goes out whatever the arithmetic says.
  send = max<i32>(send, sf.prrOut == 0 ? 1 : 0);
  sf.cwnd = max<i32>(<i32>flight + send, 1);
}

/** The window is what it was reduced to, unless that was undone. */
export function endReduction(sf: Subflow): void {
  if (sf.ssthresh < SSTHRESH_INFINITE && (sf.caState == CA_CWR || sf.undoing)) sf.cwnd = max<u32>(sf.ssthresh, 1);
  ccOnRecoveryExit(sf);
}
