/**
 * SYN cookies (RFC 4987 section 3.6) in Linux' form: the initial sequence number of a SYN/ACK proves to this side,
 * when it comes back acknowledged, that there was a SYN, and of which segment size. The other options that a SYN
 * offers come back in the low bits of the echoed timestamp.
 *
 *   ISN = hash(four-tuple) + peer's ISN + (minute << 24) + ((hash(four-tuple, minute) + size) & 0xffffff)
 */
import { now } from '../host';
import { hashTuple, SECRET_COOKIE } from '../secrets';
import { HAS_SACK_OK, HAS_SCALE, HAS_TS, seg } from '../wire/segment';

const DATA_BITS: u32 = 24;
const DATA_MASK: u32 = (1 << DATA_BITS) - 1;
/** Minutes that a cookie is good for, the one that it was made in included. */
const MAX_AGE: u32 = 2;
/** Segment sizes that a cookie can tell: the usual ones, and what every host takes. */
const SIZES: u32 = 4;
const sizes4 = memory.data<u16>([536, 1300, 1440, 1460]);
const sizes6 = memory.data<u16>([1220, 1420, 1440, 8940]);

const STAMP_MASK: u32 = 63;
const STAMP_SCALE: u32 = 15;
const STAMP_NO_SCALE: u32 = 15;
const STAMP_SACK: u32 = 16;
const STAMP_ECN: u32 = 32;

/** Time of the latest cookie: without a recent one no segment can bring one back. */
let sentAt: f64 = -Infinity;
/** What `cookieTaken` found. */
export let cookieMinute: u32 = 0;
export let cookieMss: u32 = 0;

@inline
function hash(minute: u32, salt: u32): u32 {
  const ports = (seg.dstPort << 16) | seg.srcPort;
  return <u32>hashTuple(SECRET_COOKIE, seg.dstHigh, seg.dstLow, seg.srcHigh, seg.srcLow, ports, minute, salt);
}

@inline
function minuteNow(): u32 {
  return <u32>(<u64>(now / 60e6));
}

/** The cookie for the SYN in hand, whose sender takes segments of `mss` octets. Valid after it: `cookieMinute`. */
export function cookieFor(mss: u32): u32 {
  const sizes = seg.family == 4 ? sizes4 : sizes6;
  let index = SIZES - 1;
  while (index != 0 && mss < load<u16>(sizes + (index << 1))) index--;
  sentAt = now;
  cookieMinute = minuteNow();
  const data = (hash(cookieMinute, 1) + index) & DATA_MASK;
  return hash(0, 0) + seg.seq + (cookieMinute << DATA_BITS) + data;
}

/** Whether cookies were handed out lately. */
export function cookiesOut(): bool {
  return now - sentAt < <f64>MAX_AGE * 60e6;
}

/** Whether the ACK in hand acknowledges a cookie. Then `cookieMinute` and `cookieMss` are what was in it. */
export function cookieTaken(): bool {
  const cookie = seg.ack - 1 - hash(0, 0) - (seg.seq - 1);
  const minute = minuteNow();
  const age = (minute - (cookie >> DATA_BITS)) & 0xff;
  if (age >= MAX_AGE) return false;
  cookieMinute = minute - age;
  const index = (cookie - hash(cookieMinute, 1)) & DATA_MASK;
  if (index >= SIZES) return false;
  cookieMss = load<u16>((seg.family == 4 ? sizes4 : sizes6) + (index << 1));
  return true;
}

/**
 * The timestamp clock (milliseconds, without offset) with the options of the SYN in hand in its low bits. It lies up
 * to 127 ms in the past, never in the future: later segments carry greater values.
 */
export function cookieStamp(ecn: bool): u32 {
  const clock = <u32>(<u64>(now / 1000));
  const scale = seg.has(HAS_SCALE) ? seg.scale : STAMP_NO_SCALE;
  const stamp = (clock & ~STAMP_MASK) | scale | (seg.has(HAS_SACK_OK) ? STAMP_SACK : 0) | (ecn ? STAMP_ECN : 0);
  return stamp > clock ? stamp - (STAMP_MASK + 1) : stamp;
}

/** Options that came back in a timestamp (without offset): HAS_*, as the SYN had them. */
export function stampOptions(stamp: u32): u32 {
  if (!seg.has(HAS_TS)) return 0;
  const scale = (stamp & STAMP_SCALE) != STAMP_NO_SCALE ? HAS_SCALE : 0;
  return HAS_TS | scale | ((stamp & STAMP_SACK) != 0 ? HAS_SACK_OK : 0);
}

export function stampScale(stamp: u32): u32 {
  return stamp & STAMP_SCALE;
}

export function stampEcn(stamp: u32): bool {
  return seg.has(HAS_TS) && (stamp & STAMP_ECN) != 0;
}
