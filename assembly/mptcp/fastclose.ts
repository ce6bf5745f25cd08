/**
 * MP_FASTCLOSE of ours (RFC 8684 section 3.5). By default it goes on a RST on every subflow (option R, as in Linux) and
 * nothing is left to wait for. Where repetitions are configured it goes on an ACK on one subflow (option A), which
 * lingers on its own until a RST answers: a lost packet does not leave the peer with half a connection.
 */
import { CLOSE_ABORTED, EVENT_SUBFLOW_DOWN, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_TIME_WAIT } from '../abi';
import { MIB_EstabResets, MIB_MPFastcloseTx, MIB_MPRstTx, MIB_OutRsts } from '../mib';
import { count } from '../counters';
import { emit } from '../events';
import { cfgFastcloseRetries } from '../host';
import { txRoom } from '../rings';
import { seqGe, seqLe } from '../seq';
import { currentRto, tsNow } from '../tcp/rtt';
import {
  SF_FASTCLOSE,
  SF_PRE_ESTABLISHED,
  SF_STALE,
  SF_TIMESTAMPS,
  Subflow,
  TIMER_END,
} from '../tcp/subflow';
import { startTimer } from '../tcp/timers';
import { writeFastclose, writeTcpRst } from '../wire/mptcp';
import { ACK, HAS_FASTCLOSE, RST, seg } from '../wire/segment';
import { writeTimestamps } from '../wire/tcp';
import { failConnection, NO_REASON, RST_UNSPECIFIED } from './close';
import { Connection, C_ESTABLISHED, C_MPTCP } from './connection';
import { enterTimeWaits, freeSubflow, timeWaitRoom, unlink } from './lifecycle';
import { begin, finishControl, offeredWindow, optionAdded, optionPointer } from './packet';

/** The application throws the connection away: MP_FASTCLOSE, or RST after a fallback. */
export function abort(c: Connection): void {
  const carrier = cfgFastcloseRetries != 0 && c.is(C_MPTCP) && c.is(C_ESTABLISHED) && timeWaitRoom() ? carrierOf(c) : 0;
  if (carrier != 0) detach(c, changetype<Subflow>(carrier));
  failConnection(c, CLOSE_ABORTED, NO_REASON, carrier == 0);
}

/** A subflow that works; 0: none does. */
function carrierOf(c: Connection): usize {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.state != TCP_ESTABLISHED && sf.state != TCP_CLOSE_WAIT) continue;
    if ((sf.flags & (SF_PRE_ESTABLISHED | SF_STALE)) == 0) return p;
  }
  return 0;
}

/** Leaves of a subflow what its last words need. It takes a place among those in TIME-WAIT. */
function detach(c: Connection, sf: Subflow): void {
  count(MIB_EstabResets);
  enterTimeWaits();
  sf.state = TCP_TIME_WAIT;
  sf.set(SF_FASTCLOSE);
  sf.peerKey = c.remoteKey;
  emit(EVENT_SUBFLOW_DOWN, c.handle, sf.handle, CLOSE_ABORTED, NO_REASON, 0);
  unlink(c, sf);
  sf.delackAt = sf.keepaliveAt = sf.waitAt = Infinity;
  sf.retries = sf.backoff = 0;
  send(sf, ACK);
  startTimer(sf, TIMER_END, currentRto(sf));
}

/** No RST has come: once more, and at last the RST that option R would have begun with. */
export function fastcloseDue(sf: Subflow): void {
  if (sf.retries++ >= cfgFastcloseRetries) {
    send(sf, RST | ACK);
    freeSubflow(sf);
    return;
  }
  send(sf, ACK);
  sf.backoff++;
  startTimer(sf, TIMER_END, currentRto(sf));
}

/** A segment for a subflow that has said MP_FASTCLOSE: the peer's RST, or its own MP_FASTCLOSE, which wants one. */
export function fastcloseAnswered(sf: Subflow): void {
  if (!seqGe(seg.seq, sf.rcvNxt) || !seqLe(seg.seq, sf.rcvEdge)) return;
  if ((seg.flags & RST) != 0) freeSubflow(sf);
  else if (seg.has(HAS_FASTCLOSE)) {
    send(sf, RST | ACK);
    freeSubflow(sf);
  }
}

function send(sf: Subflow, flags: u32): void {
  if (txRoom() == 0) return; // the timer, or the peer's next segment, brings another one
  begin(sf);
  if (sf.is(SF_TIMESTAMPS)) {
    writeTimestamps(optionPointer(), tsNow(sf), sf.tsRecent);
    optionAdded(12);
  }
  optionAdded(writeFastclose(optionPointer(), sf.peerKey));
  count(MIB_MPFastcloseTx);
  if ((flags & RST) != 0) {
    optionAdded(writeTcpRst(optionPointer(), false, RST_UNSPECIFIED));
    count(MIB_MPRstTx);
    count(MIB_OutRsts);
  }
  finishControl(sf, sf.sndNxt, sf.rcvNxt, flags, offeredWindow(sf));
}
