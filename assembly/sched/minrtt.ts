/**
 * The lowest round-trip time first (Linux' out-of-tree default). Backup subflows carry data only when no regular
 * one works; a subflow in timeout only when it is the only kind there is.
 */
import { Subflow } from '../tcp/subflow';
import { canCarry, hasRoom, isHealthy } from './available';

export function minRtt(first: usize, avoid: u32): usize {
  // Classes of subflows from best to worst; only the best class that exists is used.
  let best: usize = 0;
  let bestClass: u32 = 4;
  let bestRtt: f64 = Infinity;
  for (let p = first; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (!canCarry(sf) || sf.handle == avoid) continue;
    const kind: u32 = (isHealthy(sf) ? 0 : 2) + (sf.backup ? 1 : 0);
    if (kind < bestClass) {
      bestClass = kind;
      best = 0;
      bestRtt = Infinity;
    }
    if (kind == bestClass && sf.srtt < bestRtt && hasRoom(sf)) {
      best = p;
      bestRtt = sf.srtt;
    }
  }
  return best;
}
