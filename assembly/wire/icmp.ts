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
/** Somebody forbids it (IPv6); TCP is not spoken there; somebody does not understand the header. */
export const ICMP_PROHIBITED: u32 = 5;
export const ICMP_PROTOCOL: u32 = 6;
export const ICMP_HEADER_PROBLEM: u32 = 7;

/** What `parseIcmp` found: an error about a TCP segment; something else, or of no interest; a broken message. */
export const ICMP_OK = 0;
export const ICMP_IGNORE = -1;
export const ICMP_MALFORMED = -2;

const PROTOCOL_TCP: u32 = 6;
const PROTOCOL_ICMP: u32 = 1;
const PROTOCOL_ICMPV6: u32 = 58;
const ICMP_HEADER: u32 = 8;
/** Ports and sequence number of the segment: what RFC 792 has the message bring back at least. */
const QUOTED: u32 = 8;

@unmanaged
class Icmp {
  /** One of ICMP_*. */
  kind: u32;
  /** It ends a handshake that a peer has begun (Linux' tcp_req_err). */
  fatal: bool;
  mtu: u32;
  localHigh: u64;
  localLow: u64;
  remoteHigh: u64;
  remoteLow: u64;
  localPort: u32;
  remotePort: u32;
  /** Sequence number of the segment that the message brings back. */
  seq: u32;
}

/** The message in hand. */
export const icmp: Icmp = changetype<Icmp>(memory.data(64, 8));

/** Reads a packet whose IP header is sound (`parseIp`) into `icmp`. Returns one of ICMP_*. */
export function parseIcmp(packet: usize): i32 {
  return get8(packet) >> 4 == 4 ? parseV4(packet) : parseV6(packet);
}

function parseV4(packet: usize): i32 {
  if (get8(packet + 9) != PROTOCOL_ICMP || (get16(packet + 6) & 0x3fff) != 0) return ICMP_IGNORE;
  const header = (get8(packet) & 15) * 4;
  const total = get16(packet + 2);
  if (total < header + ICMP_HEADER) return ICMP_MALFORMED;
  const at = packet + header;
  const kind = kindOfV4(get8(at), get8(at + 1));
  if (kind == ICMP_NONE) return ICMP_IGNORE;
  if (total < header + ICMP_HEADER + IPV4_HEADER + QUOTED) return ICMP_MALFORMED;
  if (fold(sum16(at, total - header, 0)) != 0xffff) return ICMP_MALFORMED;
  const inner = at + ICMP_HEADER;
  const innerHeader = (get8(inner) & 15) * 4;
  if (get8(inner) >> 4 != 4 || innerHeader < IPV4_HEADER) return ICMP_MALFORMED;
  if (get8(inner + 9) != PROTOCOL_TCP) return ICMP_IGNORE;
  if (total < header + ICMP_HEADER + innerHeader + QUOTED) return ICMP_MALFORMED;
  icmp.kind = kind;
  icmp.fatal = isFatalV4(get8(at), get8(at + 1));
  icmp.mtu = get16(at + 6);
  icmp.localHigh = 0;
  icmp.localLow = mappedLow(get32(inner + 12));
  icmp.remoteHigh = 0;
  icmp.remoteLow = mappedLow(get32(inner + 16));
  readPorts(inner + innerHeader);
  return ICMP_OK;
}

function parseV6(packet: usize): i32 {
  if (get8(packet + 6) != PROTOCOL_ICMPV6) return ICMP_IGNORE;
  const payload = get16(packet + 4);
  if (payload < ICMP_HEADER) return ICMP_MALFORMED;
  const at = packet + IPV6_HEADER;
  const kind = kindOfV6(get8(at), get8(at + 1));
  if (kind == ICMP_NONE) return ICMP_IGNORE;
  if (payload < ICMP_HEADER + IPV6_HEADER + QUOTED) return ICMP_MALFORMED;
  if (fold(sum16(at, payload, sum16(packet + 8, 32, 0) + pseudo(payload))) != 0xffff) return ICMP_MALFORMED;
  const inner = at + ICMP_HEADER;
  if (get8(inner) >> 4 != 6) return ICMP_MALFORMED;
  if (get8(inner + 6) != PROTOCOL_TCP) return ICMP_IGNORE;
  icmp.kind = kind;
  icmp.fatal = kind == ICMP_PORT || kind == ICMP_PROHIBITED || kind == ICMP_HEADER_PROBLEM;
  icmp.mtu = get32(at + 4);
  icmp.localHigh = get64(inner + 8);
  icmp.localLow = get64(inner + 16);
  icmp.remoteHigh = get64(inner + 24);
  icmp.remoteLow = get64(inner + 32);
  readPorts(inner + IPV6_HEADER);
  return ICMP_OK;
}

/** Length and protocol in the pseudo header, as words of network order (sums are of little-endian words). */
@inline
function pseudo(length: u32): u64 {
  return <u64>bswap<u16>(<u16>length) + (PROTOCOL_ICMPV6 << 8);
}

function readPorts(tcp: usize): void {
  icmp.localPort = get16(tcp);
  icmp.remotePort = get16(tcp + 2);
  icmp.seq = get32(tcp + 4);
}

/**
 * Codes as Linux sorts them (icmp_err_convert). Of those that no router has sent for decades, source route failed, host
 * unknown and host isolated, it makes errors of their own; here they are about a host.
 */
function kindOfV4(type: u32, code: u32): u32 {
  if (type == 11) return ICMP_HOST; // time exceeded
  if (type == 12) return ICMP_HEADER_PROBLEM;
  if (type != 3 || code > 15) return ICMP_NONE;
  if (code == 0 || code == 6 || code == 9 || code == 11) return ICMP_NET;
  if (code == 4) return ICMP_TOO_BIG;
  if (code == 2) return ICMP_PROTOCOL;
  return code == 3 ? ICMP_PORT : ICMP_HOST;
}

function isFatalV4(type: u32, code: u32): bool {
  return type != 3 || code <= 1;
}

function kindOfV6(type: u32, code: u32): u32 {
  if (type == 2) return ICMP_TOO_BIG;
  if (type == 3) return ICMP_HOST; // time exceeded
  if (type == 4) return ICMP_HEADER_PROBLEM;
  if (type != 1) return ICMP_NONE;
  if (code == 0) return ICMP_NET;
  if (code == 1 || code == 5 || code == 6) return ICMP_PROHIBITED; // by policy, by a route that rejects
  if (code == 4) return ICMP_PORT;
  return code > 6 ? ICMP_HEADER_PROBLEM : ICMP_HOST;
}
