/**
 * IP as a watcher sees it. wire/ip.ts takes what a stack takes; here are also packets that were cut off when they were
 * captured, extension headers, fragments, wrong checksums, and TCP inside UDP. Fills the words of IP and the segment's
 * place of TCP.
 */
import { get8, get16, get32 } from '../bytes';
import { fold, sum16 } from '../checksum';
import { IPV4_HEADER, IPV6_HEADER } from '../wire/ip';
import { Segment } from '../wire/segment';
import { TCP_HEADER } from '../wire/tcp';
import {
  CHECKSUM_BAD,
  CHECKSUM_GOOD,
  CHECKSUM_UNVERIFIED,
  PROBLEM_FRAGMENT,
  PROBLEM_IP_CUT,
  PROBLEM_IP_MALFORMED,
  PROBLEM_NONE,
  PROBLEM_NOT_IP,
  PROBLEM_NOT_TCP,
  W_DESTINATION,
  W_FAMILY,
  W_IP_CHECKSUM,
  W_IP_FLAGS,
  W_IP_HEADER,
  W_IP_ID,
  W_IP_LENGTH,
  W_OUTER,
  W_OUTER_DESTINATION,
  W_OUTER_SOURCE,
  W_PROTOCOL,
  W_SOURCE,
  W_TCP,
  W_TOS,
  W_TTL,
} from './layout';
import { setWord } from './words';

const PROTOCOL_TCP: u32 = 6;
const PROTOCOL_UDP: u32 = 17;
const UDP_HEADER: u32 = 8;
// IPv6 extension headers (RFC 8200 section 4)
const HOP_BY_HOP: u32 = 0;
const ROUTING: u32 = 43;
const FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;
const DESTINATION_OPTIONS: u32 = 60;
const MOBILITY: u32 = 135;

/** Checksums of the segment cannot be judged: part of it is elsewhere, or its last destination is. */
export let partial: bool = false;

/** Finds the TCP header in `captured` octets of a packet that had `length`. Returns PROBLEM_*. */
export function locateTcp(packet: usize, captured: u32, length: u32, s: Segment): u32 {
  partial = captured < length;
  if (captured < 1) return PROBLEM_IP_CUT;
  const version = get8(packet) >> 4;
  if (version == 4) return ipv4(packet, captured, length, s);
  if (version == 6) return ipv6(packet, captured, length, s);
  return PROBLEM_NOT_IP;
}

function ipv4(packet: usize, captured: u32, length: u32, s: Segment): u32 {
  if (captured < IPV4_HEADER) return PROBLEM_IP_CUT;
  const header = (get8(packet) & 15) * 4;
  // 0: the network card was to cut a large packet into pieces and fill in their lengths.
  const claimed = get16(packet + 2);
  const total = claimed == 0 ? length : claimed;
  const fragment = get16(packet + 6);
  setWord(W_FAMILY, 4);
  setWord(W_IP_HEADER, header);
  setWord(W_IP_LENGTH, total);
  setWord(W_TOS, get8(packet + 1));
  setWord(W_IP_ID, get16(packet + 4));
  setWord(W_IP_FLAGS, fragment);
  setWord(W_TTL, get8(packet + 8));
  setWord(W_PROTOCOL, get8(packet + 9));
  setWord(W_SOURCE, 12);
  setWord(W_DESTINATION, 16);
  s.family = 4;
  s.srcPtr = packet + 12;
  s.dstPtr = packet + 16;
  if (header < IPV4_HEADER || total < header) return PROBLEM_IP_MALFORMED;
  if (captured < header) return PROBLEM_IP_CUT;
  const good = fold(sum16(packet, header, 0)) == 0xffff;
  const absent = get16(packet + 10) == 0;
  setWord(W_IP_CHECKSUM, good ? CHECKSUM_GOOD : absent ? CHECKSUM_UNVERIFIED : CHECKSUM_BAD);
  if ((fragment & 0x1fff) != 0) return PROBLEM_FRAGMENT;
  if ((fragment & 0x2000) != 0) partial = true;
  if (total > length) partial = true;
  return transport(packet, captured, header, min<u32>(total, length), get8(packet + 9), s);
}

function ipv6(packet: usize, captured: u32, length: u32, s: Segment): u32 {
  if (captured < IPV6_HEADER) return PROBLEM_IP_CUT;
  // 0: a jumbogram, or a large packet that the network card was to cut into pieces.
  const claimed = get16(packet + 4);
  const total = claimed == 0 ? length : IPV6_HEADER + claimed;
  const first = get32(packet);
  setWord(W_FAMILY, 6);
  setWord(W_IP_LENGTH, total);
  setWord(W_TOS, (first >> 20) & 0xff);
  setWord(W_IP_ID, first & 0xfffff);
  setWord(W_TTL, get8(packet + 7));
  setWord(W_SOURCE, 8);
  setWord(W_DESTINATION, 24);
  s.family = 6;
  s.srcPtr = packet + 8;
  s.dstPtr = packet + 24;
  if (total > length) partial = true;
  const end = min<u32>(total, length);
  let at: u32 = IPV6_HEADER;
  let next = get8(packet + 6);
  let place = PROBLEM_NONE;
  while (isExtension(next)) {
    if (at + 8 > end) {
      place = PROBLEM_IP_MALFORMED;
      break;
    }
    if (at + 8 > captured) {
      place = PROBLEM_IP_CUT;
      break;
    }
    const units = get8(packet + at + 1);
    if (next == FRAGMENT) {
      const fragment = get16(packet + at + 2);
      setWord(W_IP_FLAGS, fragment);
      if (fragment & 0xfff8) place = PROBLEM_FRAGMENT;
      if (fragment & 1) partial = true;
    }
    // RFC 8200 section 8.1: the checksum counts the last destination, which is in the routing header.
    if (next == ROUTING && get8(packet + at + 3) != 0) partial = true;
    const octets = next == FRAGMENT ? 8 : next == AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
    next = get8(packet + at);
    at += octets;
    if (place != PROBLEM_NONE) break;
  }
  setWord(W_PROTOCOL, next);
  setWord(W_IP_HEADER, at);
  if (place != PROBLEM_NONE) return place;
  if (at > end) return PROBLEM_IP_MALFORMED;
  return transport(packet, captured, at, end, next, s);
}

function isExtension(next: u32): bool {
  return (
    next == HOP_BY_HOP ||
    next == ROUTING ||
    next == FRAGMENT ||
    next == AUTHENTICATION ||
    next == DESTINATION_OPTIONS ||
    next == MOBILITY
  );
}

function transport(packet: usize, captured: u32, start: u32, end: u32, protocol: u32, s: Segment): u32 {
  let at = start;
  if (protocol == PROTOCOL_UDP) {
    if (!holdsTcp(packet + at, min<u32>(captured, end) - at)) return PROBLEM_NOT_TCP;
    setWord(W_OUTER, 1);
    setWord(W_OUTER_SOURCE, get16(packet + at));
    setWord(W_OUTER_DESTINATION, get16(packet + at + 2));
    at += UDP_HEADER;
  } else if (protocol != PROTOCOL_TCP) {
    return PROBLEM_NOT_TCP;
  }
  setWord(W_TCP, at);
  s.tcp = packet + at;
  s.tcpLength = end - at;
  return PROBLEM_NONE;
}

/**
 * Whether a datagram of `octets` holds a TCP segment, as device `udp` sends it: the inner ports repeat the outer ones,
 * of which a NAT may have changed those of one side.
 */
function holdsTcp(udp: usize, octets: u32): bool {
  if (<i32>octets < <i32>(UDP_HEADER + TCP_HEADER)) return false;
  const tcp = udp + UDP_HEADER;
  const header = (get8(tcp + 12) >> 4) * 4;
  if (header < TCP_HEADER || header > get16(udp + 4) - UDP_HEADER) return false;
  return get16(udp) == get16(tcp) || get16(udp + 2) == get16(tcp + 2);
}
