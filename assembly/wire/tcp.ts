/**
 * TCP header and the options of RFC 9293, 7323 and 2018. Multipath options are handed on to mptcp.ts.
 */
import { get8, get16, get32, put8, put16, put32 } from '../bytes';
import { fold, pseudo4, pseudo6, sum16 } from '../checksum';
import { Segment, SYN, HAS_FAST_OPEN, HAS_MD5, HAS_MSS, HAS_SCALE, HAS_SACK_OK, HAS_TS, HAS_SACK } from './segment';
import { parseMptcp } from './mptcp';

export const TCP_HEADER: u32 = 20;
export const TCP_CHECKSUM_AT: u32 = 16;
export const TCP_URGENT_AT: u32 = 18;
export const OPT_END: u32 = 0;
export const OPT_NOP: u32 = 1;
export const OPT_MSS: u32 = 2;
export const OPT_SCALE: u32 = 3;
export const OPT_SACK_OK: u32 = 4;
export const OPT_SACK: u32 = 5;
export const OPT_MD5: u32 = 19;
export const OPT_TS: u32 = 8;
export const OPT_MPTCP: u32 = 30;
export const OPT_FAST_OPEN: u32 = 34;
/** Experiments share a kind and tell themselves apart by two octets (RFC 6994). */
export const OPT_EXPERIMENT: u32 = 254;
export const FAST_OPEN_EXPERIMENT: u32 = 0xf989;
/** Octets of a Fast Open cookie (RFC 7413 section 4.1.1). */
const COOKIE_MIN: u32 = 4;
export const COOKIE_MAX: u32 = 16;

/** Reads the header at `s.tcp` (of `s.tcpLength` octets with payload) and its options. False: malformed. */
export function parseTcp(s: Segment): bool {
  const headerLength = parseTcpHeader(s);
  if (headerLength == 0) return false;
  s.options = 0;
  if (headerLength > TCP_HEADER) parseOptions(s, s.tcp + TCP_HEADER, s.payload);
  return true;
}

/**
 * Whether the checksum of the `length` octets at `tcp` is right between the addresses of `s`. `partial`: the sum of the
 * pseudo header alone is what a local sender with offload leaves in the field.
 */
export function tcpSumRight(s: Segment, tcp: usize, length: u32, partial: bool): bool {
  const pseudo = s.family == 4 ? pseudo4(s.srcPtr, s.dstPtr, length) : pseudo6(s.srcPtr, s.dstPtr, length);
  if (partial && get16(tcp + TCP_CHECKSUM_AT) == fold(pseudo)) return true;
  return fold(sum16(tcp, length, pseudo)) == 0xffff;
}

/** Octets of the header of the segment in hand, whose payload may lie elsewhere (PLACED). */
@inline
export function tcpHeaderLength(s: Segment): u32 {
  return (get8(s.tcp + 12) >> 4) * 4;
}

/** The header without its options. Returns its length with them, 0 when it is malformed. */
export function parseTcpHeader(s: Segment): u32 {
  const at = s.tcp;
  if (s.tcpLength < TCP_HEADER) return 0;
  const headerLength = tcpHeaderLength(s);
  if (headerLength < TCP_HEADER || headerLength > s.tcpLength) return 0;
  s.srcPort = get16(at);
  s.dstPort = get16(at + 2);
  s.seq = get32(at + 4);
  s.ack = get32(at + 8);
  s.flags = get8(at + 13);
  s.window = get16(at + 14);
  s.payload = at + headerLength;
  s.length = s.tcpLength - headerLength;
  return headerLength;
}

/** An option of wrong length counts as absent; one that overruns the header ends the walk. */
export function parseOptions(s: Segment, from: usize, end: usize): void {
  let at = from;
  // The common case on established connections: NOP, NOP, timestamps.
  if (at + 12 <= end && load<u32>(at) == 0x0a080101) {
    s.options |= HAS_TS;
    s.tsVal = get32(at + 4);
    s.tsEcr = get32(at + 8);
    at += 12;
  }
  while (at < end) {
    const kind = get8(at);
    if (kind == OPT_END) return;
    if (kind == OPT_NOP) {
      at++;
      continue;
    }
    if (at + 2 > end) return;
    const length = get8(at + 1);
    if (length < 2 || at + length > end) return;
    if (kind == OPT_MPTCP) parseMptcp(s, at, length);
    else parseOption(s, kind, at, length);
    at += length;
  }
}

/** Reads one option other than Multipath TCP's. */
export function parseOption(s: Segment, kind: u32, at: usize, length: u32): void {
  if (kind == OPT_TS && length == 10) {
    s.options |= HAS_TS;
    s.tsVal = get32(at + 2);
    s.tsEcr = get32(at + 6);
  } else if (kind == OPT_SACK && length >= 10 && (length - 2) % 8 == 0) {
    s.options |= HAS_SACK;
    s.sackPtr = at + 2;
    s.sackBlocks = (length - 2) / 8;
  } else if (kind == OPT_MD5 && length == 18) {
    s.options |= HAS_MD5;
  } else if ((s.flags & SYN) != 0) {
    if (kind == OPT_MSS && length == 4) {
      s.options |= HAS_MSS;
      s.mss = get16(at + 2);
    } else if (kind == OPT_SCALE && length == 3) {
      s.options |= HAS_SCALE;
      s.scale = min<u32>(get8(at + 2), 14); // RFC 7323 section 2.3
    } else if (kind == OPT_SACK_OK && length == 2) {
      s.options |= HAS_SACK_OK;
    } else if (kind == OPT_FAST_OPEN) {
      parseCookie(s, at + 2, length - 2, false);
    } else if (kind == OPT_EXPERIMENT && length >= 4 && get16(at + 2) == FAST_OPEN_EXPERIMENT) {
      parseCookie(s, at + 4, length - 4, true);
    }
  }
}

/** Nothing asks for a cookie; one of an odd or impossible length counts as absent. */
function parseCookie(s: Segment, at: usize, length: u32, experimental: bool): void {
  if ((length & 1) != 0 || (length != 0 && (length < COOKIE_MIN || length > COOKIE_MAX))) return;
  s.options |= HAS_FAST_OPEN;
  s.cookiePtr = at;
  s.cookieLength = length;
  s.cookieExperimental = experimental;
}

/** A Fast Open cookie of `length` octets, or (0) the wish for one, padded to a multiple of four. Returns the octets. */
export function writeFastOpen(at: usize, cookie: usize, length: u32, experimental: bool): u32 {
  let p = at + 2;
  if (experimental) {
    put16(p, FAST_OPEN_EXPERIMENT);
    p += 2;
  }
  memory.copy(p, cookie, length);
  p += length;
  put8(at, experimental ? OPT_EXPERIMENT : OPT_FAST_OPEN);
  put8(at + 1, <u32>(p - at));
  while (((p - at) & 3) != 0) put8(p++, OPT_NOP);
  return <u32>(p - at);
}

/** Writes the fixed header with a zero checksum. `optionLength` is a multiple of four. */
export function writeTcp(
  at: usize,
  srcPort: u32,
  dstPort: u32,
  seq: u32,
  ack: u32,
  flags: u32,
  window: u32,
  optionLength: u32,
): void {
  put16(at, srcPort);
  put16(at + 2, dstPort);
  put32(at + 4, seq);
  put32(at + 8, ack);
  put8(at + 12, ((TCP_HEADER + optionLength) / 4) << 4);
  put8(at + 13, flags);
  put16(at + 14, window);
  put32(at + 16, 0); // checksum and urgent pointer
}

/** NOP, NOP, timestamps: 12 octets. */
@inline
export function writeTimestamps(at: usize, value: u32, echo: u32): void {
  put32(at, 0x0101080a);
  put32(at + 4, value);
  put32(at + 8, echo);
}
