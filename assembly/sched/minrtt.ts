/**
 * The lowest round-trip time first (Linux' out-of-tree default). Backup subflows carry data only while every regular
 * one is in a timeout or set aside; those in turn only while there is nothing else.
 */
import { SF_ACK_NOW, Subflow } from '../tcp/subflow';
import { canCarry, hasRoom, isWorking } from './available';

/** `avoid` is the handle of a subflow that is passed over; as long as it works, no backup takes its place. */
export function minRtt(first: usize, avoid: u32): usize {
  // Classes of subflows from best to worst; only the best class that exists is used.
  let best: usize = 0;
  let bestClass: u32 = CLASSES;
  let bestRtt: f64 = Infinity;
  let regular = false;
  for (let p = first; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (!canCarry(sf)) continue;
    const kind = classOf(sf);
    if (kind < BACKUP) regular = true;
    if (sf.handle == avoid) continue;
    if (kind < bestClass) {
      bestClass = kind;
      best = 0;
      bestRtt = Infinity;
    }
    if (kind != bestClass) continue;
    const rtt = expectedRtt(sf);
    if (rtt < bestRtt && hasRoom(sf)) {
      best = p;
      bestRtt = rtt;
    }
  }
  return regular && bestClass >= BACKUP ? 0 : best;
}

/**
 * The round trip of the next segment. Where an acknowledgement waits and nothing is in flight, no queue of ours delays
 * it: the least that was measured counts, for an answer on another subflow than the question's costs a packet more. As
 * long as no data was sent, the handshake says little: the peer's choice says more, once.
 */
@inline
function expectedRtt(sf: Subflow): f64 {
  const owes = sf.delackAt != Infinity || sf.is(SF_ACK_NOW);
  if (!owes || sf.inFlight != 0) return sf.srtt;
  return sf.dataSegmentsOut == 0 ? 0 : min(sf.minRtt, sf.srtt);
}

/**
 * One that is silent since its probe comes after its like, but still before all backups. What is acknowledged after the
 * probe shows that the path works, even if the probe itself was lost: then its answer never comes.
 */
@inline
function classOf(sf: Subflow): u32 {
  const works = isWorking(sf);
  const doubtful: u32 = works && sf.tlpOut && sf.tlpSilent ? 1 : 0;
  if (!sf.backup) return works ? doubtful : FAILING;
  return works ? BACKUP + doubtful : FAILING + 1;
}

const BACKUP: u32 = 2;
const FAILING: u32 = 4;
const CLASSES: u32 = 6;
