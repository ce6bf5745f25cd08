/**
 * What routers say about segments of ours (RFC 1122 section 4.2.3.9, RFC 1191, RFC 8201). They are believed only about
 * octets that are under way (RFC 5927): while a connection opens, an error ends the attempt, as on Linux; later only a
 * link that takes less than the path did counts.
 */
import {
  CLOSE_NET_UNREACHABLE,
  CLOSE_REFUSED,
  CLOSE_UNREACHABLE,
  MIB_OutOfWindowIcmps,
  TCP_ESTABLISHED,
  TCP_SYN_SENT,
} from '../abi';
import { count } from '../counters';
import { seqGe, seqLt } from '../seq';
import { REC_LOST, REC_RETRANS, REC_SACKED, recAt, recMarkLost, recShatter, segmentsOf } from '../tcp/records';
import { CA_LOSS, REXMIT_LOST, Subflow } from '../tcp/subflow';
import { icmp, ICMP_NET, ICMP_PORT, ICMP_TOO_BIG } from '../wire/icmp';
import { NO_REASON } from './close';
import { Connection, markDirty } from './connection';
import { openFailed } from './handshake';
import { segmentSize } from './packet';
import { findSubflow } from './tables';

/** Least MTU that is believed: Linux' min_pmtu, and IPv6's (RFC 8200 section 5). */
const LEAST_V4: u32 = 552;
const LEAST_V6: u32 = 1280;

/** The message in `icmp`. */
export function icmpArrives(): void {
  const p = findSubflow(
    icmp.localHigh,
    icmp.localLow,
    icmp.localPort,
    icmp.remoteHigh,
    icmp.remoteLow,
    icmp.remotePort,
  );
  if (p == 0 || changetype<Subflow>(p).conn == 0) return;
  const sf = changetype<Subflow>(p);
  const c = changetype<Connection>(sf.conn);
  if (sf.state == TCP_SYN_SENT) {
    if (icmp.seq != sf.iss) count(MIB_OutOfWindowIcmps);
    else if (icmp.kind != ICMP_TOO_BIG) openFailed(c, sf, reasonOf(icmp.kind), NO_REASON, false);
    return;
  }
  if (!seqGe(icmp.seq, sf.sndUna) || !seqLt(icmp.seq, sf.sndNxt)) {
    count(MIB_OutOfWindowIcmps);
    return;
  }
  if (icmp.kind == ICMP_TOO_BIG && sf.state >= TCP_ESTABLISHED) shrink(c, sf);
}

function reasonOf(kind: u32): i32 {
  if (kind == ICMP_PORT) return CLOSE_REFUSED;
  return kind == ICMP_NET ? CLOSE_NET_UNREACHABLE : CLOSE_UNREACHABLE;
}

/** The path takes less: what is out in larger segments is lost, without a sign of congestion. */
function shrink(c: Connection, sf: Subflow): void {
  const mtu = max(icmp.mtu, sf.family == 4 ? LEAST_V4 : LEAST_V6);
  if (icmp.mtu == 0 || mtu >= sf.mtu) return;
  sf.mtu = mtu;
  const size = segmentSize(c, sf);
  sf.mss = size;
  let lost = false;
  for (let id = sf.recHead; id != sf.recTail; id++) {
    if (recAt(sf, id).size <= size || recAt(sf, id).is(REC_SACKED)) continue;
    if (!recShatter(sf, id)) return;
    const r = recAt(sf, id);
    if (r.length > size) {
      const more = segmentsOf(r.length, size) - r.segments;
      r.segments += more;
      sf.packetsOut += more;
      if (r.is(REC_LOST)) sf.lostOut += more;
      if (r.is(REC_RETRANS)) sf.retransOut += more;
    }
    r.size = size;
    recMarkLost(sf, id, r);
    lost = true;
  }
  if (!lost) return;
  if (sf.caState != CA_LOSS) {
    sf.caState = CA_LOSS;
    sf.highSeq = sf.sndNxt;
    sf.priorSsthresh = 0;
    sf.undoing = false;
    sf.frto = false;
  }
  sf.tlpOut = false;
  sf.rexmit = REXMIT_LOST;
  markDirty(c);
}
