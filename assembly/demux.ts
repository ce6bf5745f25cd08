/**
 * Where a packet goes: to a subflow by its four-tuple, a SYN to a listener or, with MP_JOIN, to a connection; an ACK
 * may complete a handshake that was answered without state; everything else gets a RST (RFC 9293 section 3.10.7.1).
 */
import { CHECKSUM_GOOD, CHECKSUM_PARTIAL, MIB_InCEPkts, MIB_InCsumErrors, MIB_InErrs, MIB_InSegs } from './abi';
import { get16 } from './bytes';
import { fold, pseudo4, pseudo6, sum16 } from './checksum';
import { count } from './counters';
import { synArrives } from './mptcp/answer';
import { NO_REASON } from './mptcp/close';
import { AGAIN, REFUSE, segmentArrives } from './mptcp/input';
import { refuse } from './mptcp/refuse';
import { proofArrives } from './mptcp/stateless';
import { findSubflow } from './mptcp/tables';
import { Subflow } from './tcp/subflow';
import { IP_IGNORE, IP_OK, parseIp } from './wire/ip';
import { ACK, RST, seg, SYN } from './wire/segment';
import { parseTcp, TCP_CHECKSUM_AT } from './wire/tcp';

/** One packet of `length` octets that arrived on a path. Malformed ones are counted. */
export function packetArrives(packet: usize, length: u32, path: u32, checksum: u32): void {
  count(MIB_InSegs);
  const ip = parseIp(packet, length, seg);
  if (ip != IP_OK) {
    if (ip != IP_IGNORE) count(MIB_InErrs);
    return;
  }
  if (!parseTcp(seg)) {
    count(MIB_InErrs);
    return;
  }
  if (checksum != CHECKSUM_GOOD && !checksumRight(checksum == CHECKSUM_PARTIAL)) {
    count(MIB_InCsumErrors);
    return;
  }
  if (seg.ecn == 3) count(MIB_InCEPkts);
  const p = findSubflow(seg.dstHigh, seg.dstLow, seg.dstPort, seg.srcHigh, seg.srcLow, seg.srcPort);
  if (p != 0) {
    const result = segmentArrives(changetype<Subflow>(p));
    if (result == REFUSE) refuse(path, NO_REASON);
    if (result != AGAIN) return;
  }
  const flags = seg.flags & (SYN | ACK | RST);
  if (flags == SYN) synArrives(path);
  else if (flags != ACK || !proofArrives(path)) refuse(path, NO_REASON);
}

/** `partial`: the sum of the pseudo header alone is what a local sender with offload leaves in the field. */
function checksumRight(partial: bool): bool {
  const pseudo =
    seg.family == 4
      ? pseudo4(seg.srcPtr, seg.dstPtr, seg.tcpLength)
      : pseudo6(seg.srcPtr, seg.dstPtr, seg.tcpLength);
  if (partial && get16(seg.tcp + TCP_CHECKSUM_AT) == fold(pseudo)) return true;
  return fold(sum16(seg.tcp, seg.tcpLength, pseudo)) == 0xffff;
}
