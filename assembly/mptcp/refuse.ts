/**
 * Answers to segments that belong to no subflow: what they are sent from, RST, and how many of those per second
 * (RFC 9293 section 3.10.7.1).
 */
import { MIB_OutRsts, MIB_OutRstsSkipped } from '../mib';
import { count } from '../counters';
import { cfgRstRate, now } from '../host';
import { pathMtu, pathOverhead } from '../paths';
import { txRoom } from '../rings';
import { hashTuple, SECRET_JITTER } from '../secrets';
import { DEFAULT_TTL } from '../settings';
import { Subflow } from '../tcp/subflow';
import { writeTcpRst } from '../wire/mptcp';
import { ACK, RST, seg } from '../wire/segment';
import { NO_REASON, RST_RESOURCES } from './close';
import { begin, finishControl, optionAdded, optionPointer } from './packet';

/** Slots of the transmit ring that answers without state leave to connections. */
const RESERVE: u32 = 32;

/** Stands in for a subflow. */
const nobody = changetype<Subflow>(memory.data(offsetof<Subflow>(), 16));

/** The stand-in, blank but for path and addresses: whom the segment in hand was sent to, and who sent it. */
export function nobodyOn(path: u32): Subflow {
  memory.fill(changetype<usize>(nobody), 0, offsetof<Subflow>());
  nobody.ttl = DEFAULT_TTL;
  nobody.path = path;
  nobody.family = seg.family;
  nobody.localHigh = seg.dstHigh;
  nobody.localLow = seg.dstLow;
  nobody.localPort = seg.dstPort;
  nobody.remoteHigh = seg.srcHigh;
  nobody.remoteLow = seg.srcLow;
  nobody.remotePort = seg.srcPort;
  nobody.mtu = pathMtu(path);
  nobody.overhead = pathOverhead(path);
  return nobody;
}

/** Room to answer a stranger. */
@inline
export function strangerRoom(): bool {
  return txRoom() > RESERVE;
}

/** RST for the segment in hand, from an address that has nothing for it. `reason` goes into MP_TCPRST. */
export function refuse(path: u32, reason: u32): void {
  if ((seg.flags & RST) != 0 || !strangerRoom() || !resetAllowed()) return;
  count(MIB_OutRsts);
  const n = nobodyOn(path);
  begin(n);
  // MPRstTx is of subflows only, as in the kernel.
  // What is short now may be there later (RFC 8684 section 3.6).
  if (reason != NO_REASON) optionAdded(writeTcpRst(optionPointer(), reason == RST_RESOURCES, reason));
  if ((seg.flags & ACK) != 0) finishControl(n, seg.ack, 0, RST, 0);
  else finishControl(n, 0, seg.end, RST | ACK, 0);
}

let second: f64 = -1;
let left: u32 = 0;

/**
 * Resets are rationed per second. The ration changes at random between half and one and a half of what is
 * configured: a fixed one would let others count what else was answered (RFC 5961 section 7 has the like in mind).
 */
function resetAllowed(): bool {
  if (cfgRstRate == 0) return true;
  const present = Math.floor(now / 1e6);
  if (present != second) {
    second = present;
    const jitter = <u32>hashTuple(SECRET_JITTER, 0, 0, 0, 0, 0, 0, <u64>present);
    left = max<u32>((cfgRstRate + 1) / 2 + jitter % cfgRstRate, 1);
  }
  if (left == 0) {
    count(MIB_OutRstsSkipped);
    return false;
  }
  left--;
  return true;
}
