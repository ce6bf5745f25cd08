/**
 * Configuration of the stack: what CFG_* of abi.ts set, with their defaults. A change holds for connections made
 * from then on.
 */
import {
  CFG_BLACKHOLE_TIMEOUT,
  CFG_CC_MULTI,
  CFG_CC_SINGLE,
  CFG_CHALLENGE_INTERVAL,
  CFG_CHECKSUM,
  CFG_CLOSE_TIMEOUT,
  CFG_DENY_JOIN,
  CFG_FASTCLOSE_RETRIES,
  CFG_ECN,
  CFG_FAST_OPEN,
  CFG_FAST_OPEN_BLACKHOLE,
  CFG_HALF_OPEN_MAX,
  CFG_MAX_PACING_RATE,
  CFG_MPTCP,
  CFG_PENDING_JOINS_MAX,
  CFG_RCVBUF_MAX,
  CFG_RST_RATE,
  CFG_SACK,
  CFG_SCHEDULER,
  CFG_SNDBUF_MAX,
  CFG_SUBFLOWS_MAX,
  CFG_SYN_COOKIES,
  CFG_SYN_RETRANS_FALLBACK,
  CFG_TIMESTAMPS,
  CFG_TIME_WAIT,
  CFG_WINDOW_SCALE,
  E_INVAL,
} from './abi';
import { setLimit } from './limits';
import { setSysctl } from './sysctl';

/** Ask for and answer MP_CAPABLE. */
export let cfgMptcp: bool = true;
/** Require DSS checksums. */
export let cfgChecksum: bool = false;
export let cfgCcSingle: u8 = 1;
export let cfgCcMulti: u8 = 2;
export let cfgSndBufMax: u32 = 16 << 20;
export let cfgRcvBufMax: u32 = 16 << 20;
/** Octets per second of a subflow; 0: no pacing. */
export let cfgMaxPacing: f64 = 0;
export let cfgSubflowsMax: u32 = 8;
export let cfgTimestamps: bool = true;
export let cfgSack: bool = true;
export let cfgWindowScale: bool = true;
export let cfgCloseTimeout: f64 = 60e6;
export let cfgSynRetransFallback: u32 = 2;
export let cfgHalfOpenMax: u32 = 1024;
export let cfgTimeWait: f64 = 60e6;
export let cfgSynCookies: i32 = 1;
export let cfgPendingJoinsMax: u32 = 8;
export let cfgRstRate: u32 = 1000;
export let cfgChallengeInterval: f64 = 500e3;
export let cfgEcn: i32 = 2;
export let cfgBlackholeTimeout: f64 = 3600e6;
export let cfgDenyJoin: bool = false;
export let cfgFastcloseRetries: u32 = 0;
export let cfgFastOpen: u32 = 1;
export let cfgFastOpenBlackhole: f64 = 0;

/** Sets CFG_* for connections made from now on. 0, or E_INVAL. */
export function configure(key: i32, value: f64): i32 {
  const v = <i32>value;
  switch (key) {
    case CFG_MPTCP:
      cfgMptcp = v != 0;
      return 0;
    case CFG_CHECKSUM:
      cfgChecksum = v != 0;
      return 0;
    case CFG_CC_SINGLE:
      cfgCcSingle = <u8>v;
      return 0;
    case CFG_CC_MULTI:
      cfgCcMulti = <u8>v;
      return 0;
    case CFG_SCHEDULER:
      return v == 0 ? 0 : E_INVAL; // minRTT is the only one
    case CFG_SNDBUF_MAX:
      if (!isRingSize(v)) return E_INVAL;
      cfgSndBufMax = v;
      return 0;
    case CFG_RCVBUF_MAX:
      if (!isRingSize(v)) return E_INVAL;
      cfgRcvBufMax = v;
      return 0;
    case CFG_MAX_PACING_RATE:
      cfgMaxPacing = max(value, 0);
      return 0;
    case CFG_SUBFLOWS_MAX:
      cfgSubflowsMax = max(v, 1);
      return 0;
    case CFG_HALF_OPEN_MAX:
      cfgHalfOpenMax = max(v, 0);
      return 0;
    case CFG_TIMESTAMPS:
      cfgTimestamps = v != 0;
      return 0;
    case CFG_SACK:
      cfgSack = v != 0;
      return 0;
    case CFG_WINDOW_SCALE:
      cfgWindowScale = v != 0;
      return 0;
    case CFG_CLOSE_TIMEOUT:
      cfgCloseTimeout = max(value, 0);
      return 0;
    case CFG_TIME_WAIT:
      cfgTimeWait = max(value, 0);
      return 0;
    case CFG_SYN_RETRANS_FALLBACK:
      cfgSynRetransFallback = v;
      return 0;
    case CFG_SYN_COOKIES:
      cfgSynCookies = v;
      return 0;
    case CFG_PENDING_JOINS_MAX:
      cfgPendingJoinsMax = max(v, 0);
      return 0;
    case CFG_RST_RATE:
      cfgRstRate = max(v, 0);
      return 0;
    case CFG_BLACKHOLE_TIMEOUT:
      cfgBlackholeTimeout = max(value, 0);
      return 0;
    case CFG_DENY_JOIN:
      cfgDenyJoin = v != 0;
      return 0;
    case CFG_FASTCLOSE_RETRIES:
      cfgFastcloseRetries = max(v, 0);
      return 0;
    case CFG_ECN:
      cfgEcn = v;
      return 0;
    case CFG_FAST_OPEN:
      cfgFastOpen = v;
      return 0;
    case CFG_FAST_OPEN_BLACKHOLE:
      cfgFastOpenBlackhole = max(value, 0);
      return 0;
    case CFG_CHALLENGE_INTERVAL:
      cfgChallengeInterval = max(value, 0);
      return 0;
  }
  return setLimit(key, value) ? 0 : setSysctl(key, value);
}

/** Rings are masked by their size. */
export function isRingSize(v: i32): bool {
  return v >= 4096 && v <= 1 << 28 && (v & (v - 1)) == 0;
}
