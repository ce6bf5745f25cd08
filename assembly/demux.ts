/**
 * Where a packet goes: to a subflow by its four-tuple, a SYN to a listener or, with MP_JOIN, to a connection; an ACK
 * may complete a handshake that was answered without state; everything else gets a RST (RFC 9293 section 3.10.7.1).
 * ICMP errors go to the subflow that they are about.
 */
import { CHECKSUM_GOOD, CHECKSUM_PARTIAL, RX_CHECKSUM, RX_LEN, RX_PATH, RX_PLACED, RX_PTR, RX_SEGMENT } from './abi';
import {
  MIB_IcmpInErrors,
  MIB_IcmpInMsgs,
  MIB_InCEPkts,
  MIB_InCsumErrors,
  MIB_InErrs,
  MIB_InSegs,
  MIB_TCPMD5Unexpected,
} from './mib';
import { count, uncount } from './counters';
import { synArrives } from './mptcp/answer';
import { NO_REASON } from './mptcp/close';
import { placedFits } from './mptcp/placed';
import { AGAIN, REFUSE, segmentArrives } from './mptcp/input';
import { refuse } from './mptcp/refuse';
import { proofArrives } from './mptcp/stateless';
import { findListener, findSubflow } from './mptcp/tables';
import { icmpArrives } from './mptcp/unreachable';
import { coalesce } from './tcp/coalesce';
import { Subflow } from './tcp/subflow';
import { ICMP_IGNORE, ICMP_MALFORMED, parseIcmp } from './wire/icmp';
import { IP_IGNORE, IP_OK, parseIp } from './wire/ip';
import { ACK, HAS_MD5, RST, seg, SYN } from './wire/segment';
import { parseTcp, tcpSumRight } from './wire/tcp';

/**
 * The packet of a receive descriptor, and as many of the `following` ones as belong to it; returns how many those are.
 * Malformed ones are counted.
 */
export function packetArrives(at: usize, following: u32): u32 {
  const path = load<u32>(at + RX_PATH);
  const checksum = load<u32>(at + RX_CHECKSUM);
  seg.joined = load<u32>(at + RX_SEGMENT);
  count(MIB_InSegs);
  const ip = parseIp(load<u32>(at + RX_PTR), load<u32>(at + RX_LEN), seg);
  if (ip != IP_OK) {
    if (ip != IP_IGNORE) count(MIB_InErrs);
    else errorArrives(load<u32>(at + RX_PTR));
    return 0;
  }
  if (!parseTcp(seg)) {
    count(MIB_InErrs);
    return 0;
  }
  if (checksum != CHECKSUM_GOOD && !tcpSumRight(seg, seg.tcp, seg.tcpLength, checksum == CHECKSUM_PARTIAL)) {
    count(MIB_InCsumErrors);
    return 0;
  }
  if (seg.has(HAS_MD5)) {
    count(MIB_TCPMD5Unexpected); // nobody here has a key
    return 0;
  }
  const p = findSubflow(seg.dstHigh, seg.dstLow, seg.dstPort, seg.srcHigh, seg.srcLow, seg.srcPort);
  const placed = load<u32>(at + RX_PLACED);
  if (placed != 0 && !placedFits(p, placed)) {
    uncount(MIB_InSegs);
    return 0;
  }
  if (seg.ecn == 3) count(MIB_InCEPkts);
  if (p != 0) {
    const joined = following == 0 ? 0 : coalesce(changetype<Subflow>(p), at, following);
    const result = segmentArrives(changetype<Subflow>(p));
    if (result == REFUSE) refuse(path, NO_REASON);
    if (result != AGAIN) return joined;
  }
  const flags = seg.flags & (SYN | ACK | RST);
  if (flags == SYN) synArrives(path);
  else if ((flags & ACK) == 0 && findListener(seg.dstHigh, seg.dstLow, seg.dstPort) != 0) return 0; // nothing to refuse
  else if (flags != ACK || !proofArrives(path)) refuse(path, NO_REASON);
  return 0;
}

/** A packet with a sound IP header that is not TCP. */
function errorArrives(packet: usize): void {
  const found = parseIcmp(packet);
  if (found == ICMP_IGNORE) return;
  count(MIB_IcmpInMsgs);
  if (found == ICMP_MALFORMED || !icmpArrives()) count(MIB_IcmpInErrors);
}
