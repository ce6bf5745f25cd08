/**
 * IPv4 (RFC 791) and IPv6 (RFC 8200) headers: checks once, then fills the segment's address fields.
 */
import { get8, get16, get32, get64, put8, put16, put32, put64 } from '../bytes';
import { sum16, fold } from '../checksum';
import { Segment } from './segment';

export const IPV4_HEADER: u32 = 20;
export const IPV6_HEADER: u32 = 40;
const PROTOCOL_TCP: u32 = 6;
/** High and low half of the ::ffff:0:0/96 prefix. */
const MAPPED_LOW: u64 = 0x0000ffff00000000;

export const IP_OK = 0;
export const IP_MALFORMED = -1;
/** Not TCP, or a fragment: not for us. */
export const IP_IGNORE = -2;

/** Low half of the 16-octet form of an IPv4 address given as a number. */
@inline
export function mappedLow(v4: u32): u64 {
  return MAPPED_LOW | v4;
}

/** True when a 16-octet address is an IPv4 one in its mapped form. */
@inline
export function isMapped(high: u64, low: u64): bool {
  return high == 0 && low >> 32 == 0xffff;
}

/** Reads the IP header of a packet of `length` octets and locates its TCP segment. */
export function parseIp(packet: usize, length: u32, s: Segment): i32 {
  if (length < IPV4_HEADER) return IP_MALFORMED;
  s.packet = packet;
  const version = get8(packet) >> 4;
  if (version == 4) return parseIpv4(packet, length, s);
  if (version == 6) return parseIpv6(packet, length, s);
  return IP_MALFORMED;
}

function parseIpv4(packet: usize, length: u32, s: Segment): i32 {
  const headerLength = (get8(packet) & 15) * 4;
  const total = get16(packet + 2);
  if (headerLength < IPV4_HEADER || total < headerLength || total > length) return IP_MALFORMED;
  // MF or a fragment offset: we send with DF and a peer's stack does not fragment TCP.
  if ((get16(packet + 6) & 0x3fff) != 0 || get8(packet + 9) != PROTOCOL_TCP) return IP_IGNORE;
  if (fold(sum16(packet, headerLength, 0)) != 0xffff) return IP_MALFORMED;
  s.family = 4;
  s.ecn = get8(packet + 1) & 3;
  s.srcPtr = packet + 12;
  s.dstPtr = packet + 16;
  s.srcHigh = 0;
  s.srcLow = mappedLow(get32(packet + 12));
  s.dstHigh = 0;
  s.dstLow = mappedLow(get32(packet + 16));
  s.tcp = packet + headerLength;
  s.tcpLength = total - headerLength;
  return IP_OK;
}

function parseIpv6(packet: usize, length: u32, s: Segment): i32 {
  if (length < IPV6_HEADER) return IP_MALFORMED;
  const payload = get16(packet + 4);
  if (payload + IPV6_HEADER > length) return IP_MALFORMED;
  // Extension headers do not occur before TCP in practice; such packets are left to others.
  if (get8(packet + 6) != PROTOCOL_TCP) return IP_IGNORE;
  s.family = 6;
  s.ecn = (get16(packet) >> 4) & 3;
  s.srcPtr = packet + 8;
  s.dstPtr = packet + 24;
  s.srcHigh = get64(packet + 8);
  s.srcLow = get64(packet + 16);
  s.dstHigh = get64(packet + 24);
  s.dstLow = get64(packet + 32);
  s.tcp = packet + IPV6_HEADER;
  s.tcpLength = payload;
  return IP_OK;
}

/** Writes an IP header without its length (see `finishIp`). Returns the header's length. */
export function writeIp(
  at: usize,
  family: u32,
  srcHigh: u64,
  srcLow: u64,
  dstHigh: u64,
  dstLow: u64,
  id: u32,
  tos: u32,
  ttl: u32,
): u32 {
  if (family == 4) {
    put32(at, 0x45000000 | (tos << 16));
    put16(at + 4, id);
    put16(at + 6, 0x4000); // DF: path MTU is the device's, never fragment
    put8(at + 8, ttl);
    put8(at + 9, PROTOCOL_TCP);
    put16(at + 10, 0);
    put32(at + 12, <u32>srcLow);
    put32(at + 16, <u32>dstLow);
    return IPV4_HEADER;
  }
  put32(at, 0x60000000 | (tos << 20));
  put16(at + 4, 0);
  put8(at + 6, PROTOCOL_TCP);
  put8(at + 7, ttl);
  put64(at + 8, srcHigh);
  put64(at + 16, srcLow);
  put64(at + 24, dstHigh);
  put64(at + 32, dstLow);
  return IPV6_HEADER;
}

/** Routers that the packet in hand may still have passed (time to live, hop limit). */
@inline
export function ttlOf(s: Segment): u32 {
  return get8(s.packet + (s.family == 4 ? 8 : 7));
}

/** Fills the length and, for IPv4, the header checksum. `tcpLength` is TCP header and payload. */
export function finishIp(at: usize, family: u32, tcpLength: u32): void {
  if (family == 4) {
    put16(at + 2, IPV4_HEADER + tcpLength);
    put16(at + 10, ~fold(sum16(at, IPV4_HEADER, 0)));
  } else {
    put16(at + 4, tcpLength);
  }
}
