/** What every scheduler asks first: whether a subflow can carry data at all, and whether it can do so now. */
import { TCP_CLOSE_WAIT, TCP_ESTABLISHED } from '../abi';
import { pathBlocked } from '../paths';
import { seqLt } from '../seq';
import { paced } from '../tcp/pacing';
import {
  CA_LOSS,
  REXMIT_LOST,
  SF_FAST_OPEN,
  SF_FIN_QUEUED,
  SF_FIN_SENT,
  SF_PRE_ESTABLISHED,
  SF_STALE,
  Subflow,
} from '../tcp/subflow';

/** Established (or accepted with its SYN), verified, and not closing. */
@inline
export function canCarry(sf: Subflow): bool {
  return (
    (sf.state == TCP_ESTABLISHED || sf.state == TCP_CLOSE_WAIT || sf.is(SF_FAST_OPEN)) &&
    (sf.flags & (SF_PRE_ESTABLISHED | SF_FIN_QUEUED | SF_FIN_SENT)) == 0
  );
}

/** Not set aside, and no timeout is without an answer. */
@inline
export function isWorking(sf: Subflow): bool {
  return !sf.is(SF_STALE) && !(sf.caState == CA_LOSS && sf.retries != 0);
}

/** Room in the congestion window, in the peer's window of this subflow, and in the device; and its turn has come. */
@inline
export function hasRoom(sf: Subflow): bool {
  return (
    sf.inFlight < sf.cwnd &&
    (sf.lostOut <= sf.retransOut || sf.rexmit != REXMIT_LOST) &&
    seqLt(sf.sndNxt, sf.sndEdge) &&
    !paced(sf) &&
    !pathBlocked(sf.path)
  );
}
