/**
 * The options of a segment one by one, in their order, with what is wrong about them. Every field comes from the
 * readers in wire/: an option that they take is as a stack sees it. One that they refuse is offered to them again as
 * part of other packets, so that a watcher sees what it says.
 */
import { get16, get8 } from '../bytes';
import { parseMptcp, readCapable, SUB_ADD_ADDR, SUB_CAPABLE, SUB_DSS } from '../wire/mptcp';
import { SUB_FAIL, SUB_FASTCLOSE, SUB_JOIN, SUB_PRIO, SUB_RM_ADDR, SUB_TCPRST } from '../wire/mptcp';
import { ACK, RST, Segment, SYN } from '../wire/segment';
import {
  FAST_OPEN_EXPERIMENT,
  OPT_END,
  OPT_EXPERIMENT,
  OPT_FAST_OPEN,
  OPT_MPTCP,
  OPT_MSS,
  OPT_NOP,
  OPT_SACK,
  OPT_SACK_OK,
  OPT_SCALE,
  OPT_TS,
  parseOption,
} from '../wire/tcp';
import {
  HEADER_WORDS,
  NO_SUBTYPE,
  O_KIND,
  O_LENGTH,
  O_OFFSET,
  O_STANDING,
  O_SUBTYPE,
  O_VALUES,
  OPTION_WORDS,
  STANDING_MALFORMED,
  STANDING_MISPLACED,
  STANDING_READ,
  STANDING_REFUSED,
  STANDING_REPEATED,
  STANDING_UNKNOWN,
  W_OPTIONS,
  W_OPTIONS_BROKEN,
} from './layout';
import { MAX_OPTIONS, setWord } from './words';

/** The packet; offsets count from it. */
let origin: usize = 0;
/** First word of the option in hand. */
let base: u32 = 0;
/** Subtypes read so far. */
let seen: u32 = 0;

/** Walks the options between two addresses of a packet whose header is in `s`. */
export function walkOptions(packet: usize, from: usize, end: usize, s: Segment): void {
  origin = packet;
  seen = 0;
  let count: u32 = 0;
  let at = from;
  while (at < end && count < MAX_OPTIONS) {
    base = HEADER_WORDS + count * OPTION_WORDS;
    const kind = get8(at);
    const single = kind == OPT_END || kind == OPT_NOP;
    const whole = single || (at + 2 <= end && get8(at + 1) >= 2 && at + get8(at + 1) <= end);
    const length: u32 = single ? 1 : whole ? get8(at + 1) : <u32>(end - at);
    setWord(base + O_KIND, kind);
    setWord(base + O_OFFSET, at - packet);
    setWord(base + O_LENGTH, length);
    setWord(base + O_SUBTYPE, kind == OPT_MPTCP && length > 2 ? get8(at + 2) >> 4 : NO_SUBTYPE);
    setWord(base + O_STANDING, single ? STANDING_READ : whole ? option(s, kind, at, length) : STANDING_MALFORMED);
    count++;
    if (!whole) setWord(W_OPTIONS_BROKEN, 1);
    if (kind == OPT_END || !whole) break;
    at += length;
  }
  setWord(W_OPTIONS, count);
}

/** Reads one option and puts its values down. Returns STANDING_*. */
function option(s: Segment, kind: u32, at: usize, length: u32): u32 {
  if (kind == OPT_MPTCP) return multipath(s, at, length);
  if (!isKnown(kind, at, length)) return STANDING_UNKNOWN;
  const flags = s.flags;
  let standing: u32 = STANDING_READ;
  s.options = 0;
  parseOption(s, kind, at, length);
  if (s.options == 0) {
    standing = STANDING_MISPLACED;
    s.flags = SYN;
    parseOption(s, kind, at, length);
    s.flags = flags;
    if (s.options == 0) return STANDING_MALFORMED;
  }
  switch (kind) {
    case OPT_MSS:
      value(0, s.mss);
      break;
    case OPT_SCALE:
      value(0, get8(at + 2)); // above 14 a stack takes 14
      break;
    case OPT_TS:
      value(0, s.tsVal);
      value(1, s.tsEcr);
      break;
    case OPT_SACK:
      sackBlocks(s);
      break;
    case OPT_FAST_OPEN:
    case OPT_EXPERIMENT:
      value(0, s.cookiePtr - origin);
      value(1, s.cookieLength);
      break;
  }
  return standing;
}

function isKnown(kind: u32, at: usize, length: u32): bool {
  if (kind == OPT_EXPERIMENT) return length >= 4 && get16(at + 2) == FAST_OPEN_EXPERIMENT;
  if (kind == OPT_FAST_OPEN) return true;
  return kind == OPT_MSS || kind == OPT_SCALE || kind == OPT_SACK_OK || kind == OPT_SACK || kind == OPT_TS;
}

function multipath(s: Segment, at: usize, length: u32): u32 {
  if (length < 3) return STANDING_MALFORMED;
  const subtype = get8(at + 2) >> 4;
  if (subtype > SUB_TCPRST) return STANDING_UNKNOWN;
  const bit: u32 = 1 << subtype;
  let standing: u32 = STANDING_READ;
  s.options = 0;
  parseMptcp(s, at, length);
  if (s.options == 0) standing = elsewhere(s, at, length);
  if (standing == STANDING_MALFORMED) return standing;
  multipathValues(s, subtype, at, length);
  if (standing != STANDING_READ) return standing;
  if ((seen & bit) != 0) return STANDING_REPEATED;
  seen |= bit;
  return standing;
}

/** Offers a refused option as part of every other kind of packet. */
function elsewhere(s: Segment, at: usize, length: u32): u32 {
  const flags = s.flags;
  const payload = s.length;
  for (let i = 0; i < 5 && s.options == 0; i++) {
    s.flags = i == 0 ? SYN : i == 1 ? SYN | ACK : i < 4 ? ACK : RST;
    s.length = i == 3 ? 1 : 0;
    parseMptcp(s, at, length);
  }
  s.flags = flags;
  s.length = payload;
  if (s.options != 0) return STANDING_MISPLACED;
  const subtype = get8(at + 2) >> 4;
  if (subtype == SUB_ADD_ADDR || subtype == SUB_PRIO)
    return ofVersion0(s, at, length) ? STANDING_REFUSED : STANDING_MALFORMED;
  if (subtype != SUB_CAPABLE) return STANDING_MALFORMED;
  if (length != 4 && length != 12 && length != 20 && length != 22 && length != 24) return STANDING_MALFORMED;
  readCapable(s, at, length);
  return STANDING_REFUSED;
}

/**
 * RFC 6824 sections 3.3.8 and 3.4.1: MP_PRIO may name an address; ADD_ADDR has the IP version where RFC 8684 has the E
 * bit, and no HMAC.
 */
function ofVersion0(s: Segment, at: usize, length: u32): bool {
  const low = get8(at + 2) & 15;
  if (get8(at + 2) >> 4 == SUB_PRIO) {
    if (length != 4) return false;
    s.prioBackup = (low & 1) != 0;
    return true;
  }
  const fits = low == 4 ? length == 8 || length == 10 : low == 6 && (length == 20 || length == 22);
  if (!fits) return false;
  s.addEcho = false;
  s.addId = get8(at + 3);
  s.addFamily = low;
  s.addPtr = at + 4;
  s.addPort = (length & 2) != 0 ? get16(at + length - 2) : 0;
  return true;
}

function multipathValues(s: Segment, subtype: u32, at: usize, length: u32): void {
  switch (subtype) {
    case SUB_CAPABLE:
      value(0, s.capVersion);
      value(1, s.capFlags);
      value(2, s.capSenderKey);
      value(3, s.capReceiverKey);
      value(4, s.capDataLength);
      value(5, s.capChecksum);
      break;
    case SUB_JOIN:
      value(0, s.joinBackup);
      value(1, s.joinId);
      value(2, s.joinToken);
      value(3, s.joinNonce);
      value(4, s.joinHmac - origin);
      break;
    case SUB_DSS:
      value(0, get8(at + 3)); // reserved bits too
      value(1, s.dssAck);
      value(2, s.dssDsn);
      value(3, s.dssSsn);
      value(4, s.dssLength);
      value(5, s.dssHasChecksum);
      value(6, s.dssChecksum);
      break;
    case SUB_ADD_ADDR:
      value(0, s.addEcho);
      value(1, s.addId);
      value(2, s.addFamily);
      value(3, s.addPtr - origin);
      value(4, (length & 2) != 0); // 10, 18, 22, 30 octets have a port; 8, 16, 20, 28 have none
      value(5, s.addPort);
      value(6, s.addHmac);
      break;
    case SUB_RM_ADDR:
      value(0, s.rmPtr - origin);
      value(1, s.rmCount);
      break;
    case SUB_PRIO:
      value(0, s.prioBackup);
      if (length == 4) value(1, get8(at + 3));
      break;
    case SUB_FAIL:
      value(0, s.failDsn);
      break;
    case SUB_FASTCLOSE:
      value(0, s.fastcloseKey);
      break;
    case SUB_TCPRST:
      value(0, s.rstFlags);
      value(1, s.rstReason);
      break;
  }
}

function sackBlocks(s: Segment): void {
  const blocks = min<u32>(s.sackBlocks, 4);
  value(0, blocks);
  for (let i: u32 = 0; i < blocks * 2; i++) value(1 + i, bswap<u32>(load<u32>(s.sackPtr + i * 4)));
}

function value(index: u32, number: u64): void {
  setWord(base + O_VALUES + index, number);
}
