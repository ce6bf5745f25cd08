/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) errors about a TCP segment of ours: the message's own checks, and from the
 * header that it brings back, whose segment it was.
 */
import { get8, get16, get32, get64 } from '../bytes';
import { fold, sum16 } from '../checksum';
import { IPV4_HEADER, IPV6_HEADER, mappedLow } from './ip';

export const ICMP_NONE: u32 = 0;
/** The host, or the network, or the port cannot be reached. */
export const ICMP_HOST: u32 = 1;
export const ICMP_NET: u32 = 2;
export const ICMP_PORT: u32 = 3;
/** The packet was too large for a link; `mtu` is what that takes. */
export const ICMP_TOO_BIG: u32 = 4;

const PROTOCOL_TCP: u32 = 6;
const PROTOCOL_ICMP: u32 = 1;
const PROTOCOL_ICMPV6: u32 = 58;
const ICMP_HEADER: u32 = 8;
/** Ports and sequence number of the segment: what RFC 792 has the message bring back at least. */
const QUOTED: u32 = 8;

class Icmp {
  kind: u32 = 0;
  mtu: u32 = 0;
  localHigh: u64 = 0;
  localLow: u64 = 0;
  remoteHigh: u64 = 0;
  remoteLow: u64 = 0;
  localPort: u32 = 0;
  remotePort: u32 = 0;
  seq: u32 = 0;
}

export const icmp: Icmp = new Icmp();

/** Reads the packet into `icmp`. False: no error about TCP. */
export function parseIcmp(packet: usize, length: u32): bool {
  if (length < IPV4_HEADER) return false;
  icmp.kind = ICMP_NONE;
  const version = get8(packet) >> 4;
  if (version == 4) return parseV4(packet, length);
  return version == 6 && parseV6(packet, length);
}

function parseV4(packet: usize, length: u32): bool {
  const header = (get8(packet) & 15) * 4;
  const total = get16(packet + 2);
  if (header < IPV4_HEADER || total > length || get8(packet + 9) != PROTOCOL_ICMP) return false;
  if ((get16(packet + 6) & 0x3fff) != 0 || total < header + ICMP_HEADER + IPV4_HEADER + QUOTED) return false;
  const at = packet + header;
  if (fold(sum16(at, total - header, 0)) != 0xffff) return false;
  const inner = at + ICMP_HEADER;
  const innerHeader = (get8(inner) & 15) * 4;
  if (get8(inner) >> 4 != 4 || innerHeader < IPV4_HEADER || get8(inner + 9) != PROTOCOL_TCP) return false;
  if (total < header + ICMP_HEADER + innerHeader + QUOTED) return false;
  icmp.kind = kindOfV4(get8(at), get8(at + 1));
  icmp.mtu = get16(at + 6);
  icmp.localHigh = 0;
  icmp.localLow = mappedLow(get32(inner + 12));
  icmp.remoteHigh = 0;
  icmp.remoteLow = mappedLow(get32(inner + 16));
  return quoted(inner + innerHeader);
}

function parseV6(packet: usize, length: u32): bool {
  const payload = get16(packet + 4);
  if (payload + IPV6_HEADER > length || get8(packet + 6) != PROTOCOL_ICMPV6) return false;
  if (payload < ICMP_HEADER + IPV6_HEADER + QUOTED) return false;
  const at = packet + IPV6_HEADER;
  if (fold(sum16(at, payload, sum16(packet + 8, 32, 0) + pseudo(payload))) != 0xffff) return false;
  const inner = at + ICMP_HEADER;
  if (get8(inner) >> 4 != 6 || get8(inner + 6) != PROTOCOL_TCP) return false;
  icmp.kind = kindOfV6(get8(at), get8(at + 1));
  icmp.mtu = get32(at + 4);
  icmp.localHigh = get64(inner + 8);
  icmp.localLow = get64(inner + 16);
  icmp.remoteHigh = get64(inner + 24);
  icmp.remoteLow = get64(inner + 32);
  return quoted(inner + IPV6_HEADER);
}

/** Length and protocol in the pseudo header, as words of network order (sums are of little-endian words). */
@inline
function pseudo(length: u32): u64 {
  return <u64>bswap<u16>(<u16>length) + (PROTOCOL_ICMPV6 << 8);
}

function quoted(tcp: usize): bool {
  icmp.localPort = get16(tcp);
  icmp.remotePort = get16(tcp + 2);
  icmp.seq = get32(tcp + 4);
  return icmp.kind != ICMP_NONE;
}

/** Codes as Linux sorts them: those of a network, of a port or protocol, and of a host. */
function kindOfV4(type: u32, code: u32): u32 {
  if (type == 11) return ICMP_HOST; // time exceeded
  if (type != 3 || code > 15) return ICMP_NONE;
  if (code == 0 || code == 6 || code == 9 || code == 11) return ICMP_NET;
  if (code == 4) return ICMP_TOO_BIG;
  return code == 3 ? ICMP_PORT : ICMP_HOST;
}

function kindOfV6(type: u32, code: u32): u32 {
  if (type == 2) return ICMP_TOO_BIG;
  if (type == 3) return ICMP_HOST;
  if (type != 1) return ICMP_NONE;
  if (code == 0) return ICMP_NET;
  return code == 4 ? ICMP_PORT : ICMP_HOST;
}
