/**
 * The Multipath TCP option, kind 30 (RFC 8684 section 3): every subtype read and written.
 *
 * Readers follow one rule: a form that is not exactly right makes the option absent; nothing else suffers.
 * A repeated subtype is ignored, the first one wins. Writers return the octets written, NOPs included: every
 * form is padded to a multiple of four.
 */
import { get8, get16, get32, get64, put8, put16, put32, put64 } from '../bytes';
import {
  Segment,
  SYN,
  ACK,
  RST,
  HAS_CAPABLE,
  HAS_JOIN,
  HAS_DSS,
  HAS_ADD_ADDR,
  HAS_RM_ADDR,
  HAS_PRIO,
  HAS_FAIL,
  HAS_FASTCLOSE,
  HAS_TCPRST,
  DSS_ACK,
  DSS_ACK8,
  DSS_MAP,
  DSS_DSN8,
  DSS_FIN,
  CAPABLE_EXTEND,
} from './segment';

export const SUB_CAPABLE: u32 = 0;
export const SUB_JOIN: u32 = 1;
export const SUB_DSS: u32 = 2;
export const SUB_ADD_ADDR: u32 = 3;
export const SUB_RM_ADDR: u32 = 4;
export const SUB_PRIO: u32 = 5;
export const SUB_FAIL: u32 = 6;
export const SUB_FASTCLOSE: u32 = 7;
export const SUB_TCPRST: u32 = 8;

/** Protocol version that we speak (RFC 8684). */
export const MPTCP_VERSION: u32 = 1;
const KIND: u32 = 30;
const NOP: u32 = 1;
/** Crypto algorithm bits C to H without C. */
const ALGORITHMS: u32 = 0x1f;
const SHA256: u32 = 0x01;

/** Reads one option of kind 30 and `length` octets. */
export function parseMptcp(s: Segment, at: usize, length: u32): void {
  if (length < 3) return;
  switch (get8(at + 2) >> 4) {
    case SUB_DSS:
      parseDss(s, at, length);
      return;
    case SUB_CAPABLE:
      parseCapable(s, at, length);
      return;
    case SUB_JOIN:
      parseJoin(s, at, length);
      return;
    case SUB_ADD_ADDR:
      parseAddAddr(s, at, length);
      return;
    case SUB_RM_ADDR:
      if (s.has(HAS_RM_ADDR) || length < 4) return;
      s.options |= HAS_RM_ADDR;
      s.rmPtr = at + 3;
      s.rmCount = length - 3;
      return;
    case SUB_PRIO:
      if (s.has(HAS_PRIO) || length != 3) return;
      s.options |= HAS_PRIO;
      s.prioBackup = (get8(at + 2) & 1) != 0;
      return;
    case SUB_FAIL:
      if (s.has(HAS_FAIL) || length != 12) return;
      s.options |= HAS_FAIL;
      s.failDsn = get64(at + 4);
      return;
    case SUB_FASTCLOSE:
      if (s.has(HAS_FASTCLOSE) || length != 12) return;
      s.options |= HAS_FASTCLOSE;
      s.fastcloseKey = get64(at + 4);
      return;
    case SUB_TCPRST:
      // RFC 8684 section 3.6: meaningful on RST only.
      if (s.has(HAS_TCPRST) || length != 4 || (s.flags & RST) == 0) return;
      s.options |= HAS_TCPRST;
      s.rstFlags = get8(at + 2) & 15;
      s.rstReason = get8(at + 3);
      return;
  }
}

/** RFC 8684 section 3.1. Which length is right depends on the packet that carries it. */
function parseCapable(s: Segment, at: usize, length: u32): void {
  if (s.has(HAS_CAPABLE)) return;
  const version = get8(at + 2) & 15;
  const flags = get8(at + 3);
  if ((flags & CAPABLE_EXTEND) != 0 || (flags & ALGORITHMS) != SHA256) return;
  const syn = s.flags & (SYN | ACK);
  if (syn == SYN) {
    // The SYN names the highest version wanted; the answer may be lower.
    if (length != 4 || version < MPTCP_VERSION) return;
  } else {
    if (version != MPTCP_VERSION) return;
    if (syn == (SYN | ACK)) {
      if (length != 12) return;
    } else if (s.length == 0) {
      if (length != 20) return;
    } else {
      if (length != 22 && length != 24) return;
    }
  }
  s.options |= HAS_CAPABLE;
  readCapable(s, at, length);
}

/** The fields of an MP_CAPABLE of this length, whether or not it is acceptable. */
export function readCapable(s: Segment, at: usize, length: u32): void {
  s.capLength = length;
  s.capVersion = get8(at + 2) & 15;
  s.capFlags = get8(at + 3);
  if (length >= 12) s.capSenderKey = get64(at + 4);
  if (length >= 20) s.capReceiverKey = get64(at + 12);
  if (length >= 22) s.capDataLength = get16(at + 20);
  if (length == 24) s.capChecksum = get16(at + 22);
}

/** RFC 8684 section 3.2. */
function parseJoin(s: Segment, at: usize, length: u32): void {
  if (s.has(HAS_JOIN)) return;
  const syn = s.flags & (SYN | ACK);
  s.joinBackup = (get8(at + 2) & 1) != 0;
  s.joinId = get8(at + 3);
  if (syn == SYN && length == 12) {
    s.joinToken = get32(at + 4);
    s.joinNonce = get32(at + 8);
  } else if (syn == (SYN | ACK) && length == 16) {
    s.joinHmac = at + 4;
    s.joinNonce = get32(at + 12);
  } else if (syn == ACK && length == 24) {
    s.joinHmac = at + 4;
  } else {
    return;
  }
  s.options |= HAS_JOIN;
  s.joinLength = length;
}

/** Octets of a DSS without checksum (RFC 8684 section 3.3). */
export function dssLength(flags: u32): u32 {
  let length: u32 = 4;
  if ((flags & DSS_ACK) != 0) length += (flags & DSS_ACK8) != 0 ? 8 : 4;
  if ((flags & DSS_MAP) != 0) length += (flags & DSS_DSN8) != 0 ? 14 : 10;
  return length;
}

function parseDss(s: Segment, at: usize, length: u32): void {
  if (s.has(HAS_DSS)) return;
  const flags = get8(at + 3) & 0x1f;
  const plain = dssLength(flags);
  const map = (flags & DSS_MAP) != 0;
  const checksum = map && length == plain + 2;
  if (length != plain && !checksum) return;
  let p = at + 4;
  if ((flags & DSS_ACK) != 0) {
    if ((flags & DSS_ACK8) != 0) {
      s.dssAck = get64(p);
      p += 8;
    } else {
      s.dssAck = get32(p);
      p += 4;
    }
  }
  if (map) {
    if ((flags & DSS_DSN8) != 0) {
      s.dssDsn = get64(p);
      p += 8;
    } else {
      s.dssDsn = get32(p);
      p += 4;
    }
    s.dssSsn = get32(p);
    s.dssLength = get16(p + 4);
    s.dssHasChecksum = checksum;
    s.dssChecksum = checksum ? get16(p + 6) : 0;
  }
  s.options |= HAS_DSS;
  s.dssFlags = flags;
}

/** RFC 8684 section 3.4.1: family, port and echo follow from the length and the E bit. */
function parseAddAddr(s: Segment, at: usize, length: u32): void {
  if (s.has(HAS_ADD_ADDR)) return;
  const echo = (get8(at + 2) & 1) != 0;
  const rest = echo ? length : length - 8; // without HMAC
  let family: u32 = 0;
  let port = false;
  if (length < 8) return;
  if (rest == 8 || rest == 10) family = 4;
  else if (rest == 20 || rest == 22) family = 6;
  else return;
  port = rest == 10 || rest == 22;
  s.options |= HAS_ADD_ADDR;
  s.addEcho = echo;
  s.addId = get8(at + 3);
  s.addFamily = family;
  s.addPtr = at + 4;
  const after = at + 4 + (family == 4 ? 4 : 16);
  s.addPort = port ? get16(after) : 0;
  s.addHmac = echo ? 0 : get64(after + (port ? 2 : 0));
}

@inline
function head(at: usize, length: u32, subtype: u32, low: u32, next: u32): void {
  put32(at, (KIND << 24) | (length << 16) | (subtype << 12) | (low << 8) | next);
}

/** MP_CAPABLE on SYN: 4 octets. */
export function writeCapableSyn(at: usize, flags: u32): u32 {
  head(at, 4, SUB_CAPABLE, MPTCP_VERSION, flags);
  return 4;
}

/** MP_CAPABLE on SYN/ACK: 12 octets. */
export function writeCapableSynAck(at: usize, flags: u32, key: u64): u32 {
  head(at, 12, SUB_CAPABLE, MPTCP_VERSION, flags);
  put64(at + 4, key);
  return 12;
}

/** MP_CAPABLE on the third packet without data: 20 octets. */
export function writeCapableAck(at: usize, flags: u32, senderKey: u64, receiverKey: u64): u32 {
  head(at, 20, SUB_CAPABLE, MPTCP_VERSION, flags);
  put64(at + 4, senderKey);
  put64(at + 12, receiverKey);
  return 20;
}

/** MP_CAPABLE with the first data: 22 octets and two NOPs, or 24 with checksum (-1: none). */
export function writeCapableData(
  at: usize,
  flags: u32,
  senderKey: u64,
  receiverKey: u64,
  dataLength: u32,
  checksum: i32,
): u32 {
  head(at, checksum < 0 ? 22 : 24, SUB_CAPABLE, MPTCP_VERSION, flags);
  put64(at + 4, senderKey);
  put64(at + 12, receiverKey);
  put16(at + 20, dataLength);
  put16(at + 22, checksum < 0 ? (NOP << 8) | NOP : <u32>checksum);
  return 24;
}

/** MP_JOIN on SYN: 12 octets. */
export function writeJoinSyn(at: usize, backup: bool, id: u32, token: u32, nonce: u32): u32 {
  head(at, 12, SUB_JOIN, backup ? 1 : 0, id);
  put32(at + 4, token);
  put32(at + 8, nonce);
  return 12;
}

/** MP_JOIN on SYN/ACK: 16 octets; `hmac` points at 8 octets. */
export function writeJoinSynAck(at: usize, backup: bool, id: u32, hmac: usize, nonce: u32): u32 {
  head(at, 16, SUB_JOIN, backup ? 1 : 0, id);
  memory.copy(at + 4, hmac, 8);
  put32(at + 12, nonce);
  return 16;
}

/** MP_JOIN on ACK: 24 octets; `hmac` points at 20 octets. */
export function writeJoinAck(at: usize, hmac: usize): u32 {
  head(at, 24, SUB_JOIN, 0, 0);
  memory.copy(at + 4, hmac, 20);
  return 24;
}

/**
 * DSS. `flags` choose the parts as on the wire; `checksum` is -1 for none. 32-bit forms take the low halves.
 */
export function writeDss(
  at: usize,
  flags: u32,
  dataAck: u64,
  dsn: u64,
  ssn: u32,
  length: u32,
  checksum: i32,
): u32 {
  const octets = dssLength(flags) + (checksum < 0 ? 0 : 2);
  head(at, octets, SUB_DSS, 0, flags);
  let p = at + 4;
  if ((flags & DSS_ACK) != 0) {
    if ((flags & DSS_ACK8) != 0) {
      put64(p, dataAck);
      p += 8;
    } else {
      put32(p, <u32>dataAck);
      p += 4;
    }
  }
  if ((flags & DSS_MAP) != 0) {
    if ((flags & DSS_DSN8) != 0) {
      put64(p, dsn);
      p += 8;
    } else {
      put32(p, <u32>dsn);
      p += 4;
    }
    put32(p, ssn);
    put16(p + 4, length);
    put16(p + 6, checksum < 0 ? (NOP << 8) | NOP : <u32>checksum);
    return <u32>(p + 8 - at);
  }
  return octets;
}

/**
 * ADD_ADDR, or its echo. `address` points at 16 octets, IPv4 in the last four. Port 0: none. 8 to 32 octets.
 */
export function writeAddAddr(
  at: usize,
  echo: bool,
  id: u32,
  family: u32,
  address: usize,
  port: u32,
  hmac: u64,
): u32 {
  const addressLength: u32 = family == 4 ? 4 : 16;
  const octets = 4 + addressLength + (port != 0 ? 2 : 0) + (echo ? 0 : 8);
  head(at, octets, SUB_ADD_ADDR, echo ? 1 : 0, id);
  let p = at + 4;
  memory.copy(p, address + 16 - addressLength, addressLength);
  p += addressLength;
  if (port != 0) {
    put16(p, port);
    p += 2;
  }
  if (!echo) {
    put64(p, hmac);
    p += 8;
  }
  return pad(at, p);
}

/** REMOVE_ADDR for `count` address IDs at `ids`. */
export function writeRmAddr(at: usize, ids: usize, count: u32): u32 {
  put8(at, KIND);
  put8(at + 1, 3 + count);
  put8(at + 2, SUB_RM_ADDR << 4);
  memory.copy(at + 3, ids, count);
  return pad(at, at + 3 + count);
}

/** MP_PRIO: 3 octets and a NOP. */
export function writePrio(at: usize, backup: bool): u32 {
  head(at, 3, SUB_PRIO, backup ? 1 : 0, NOP);
  return 4;
}

/** MP_FAIL: 12 octets. */
export function writeFail(at: usize, dsn: u64): u32 {
  head(at, 12, SUB_FAIL, 0, 0);
  put64(at + 4, dsn);
  return 12;
}

/** MP_FASTCLOSE: 12 octets; the key is the receiver's. */
export function writeFastclose(at: usize, key: u64): u32 {
  head(at, 12, SUB_FASTCLOSE, 0, 0);
  put64(at + 4, key);
  return 12;
}

/** MP_TCPRST: 4 octets. */
export function writeTcpRst(at: usize, transient: bool, reason: u32): u32 {
  head(at, 4, SUB_TCPRST, transient ? 1 : 0, reason);
  return 4;
}

function pad(at: usize, end: usize): u32 {
  let p = end;
  while (((p - at) & 3) != 0) put8(p++, NOP);
  return <u32>(p - at);
}
