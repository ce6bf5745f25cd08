/**
 * The unit tests' way in: the parts below the stack, exported as they are or behind a wrapper that takes numbers
 * and pointers only. Compiled to a module of its own; the product never loads it.
 */
import './trap';
import { baliaAlpha, baliaIncrease } from './cc/balia';
import { ccInit, ccOnAck, ccOnIdle, ccOnLoss, ccOnRecoveryExit, ccOnRto, ccOnUndo } from './cc/controller';
import { CC_BALIA, CC_LIA, CC_OLIA } from './cc/ids';
import { liaAlpha, liaIncrease, liaLinked } from './cc/lia';
import { oliaAlpha, oliaIncrease } from './cc/olia';
import { renoIncrease } from './cc/reno';
import { CcState } from './cc/state';
import { sum16 } from './checksum';
import { exactWindow } from './cc/window';
import { wvegasRound } from './cc/wvegas';
import { parseTcp } from './wire/tcp';
import { seg } from './wire/segment';

export { baliaDecrease } from './cc/balia';
export { cubicK } from './cc/cubic';
export { wvegasQueued } from './cc/wvegas';
export { checksum, dssChecksum, fold, pseudo4, pseudo6, sum16, swap16 } from './checksum';
export { dsnExpand } from './dsn';
export { equal, hmac } from './hmac';
export {
  endOf,
  intervalsAdd,
  intervalsBytes,
  intervalsCover,
  intervalsFree,
  intervalsReach,
  startOf,
} from './intervals';
export { addAddrHmac, idsnOf, joinHmac, tokenOf } from './mptcp/keys';
export { sha256 } from './sha256';
export { siphash } from './siphash';
export {
  writeAddAddr,
  writeCapableAck,
  writeCapableData,
  writeCapableSyn,
  writeCapableSynAck,
  writeDss,
  writeFail,
  writeFastclose,
  writeJoinAck,
  writeJoinSyn,
  writeJoinSynAck,
  writePrio,
  writeRmAddr,
  writeTcpRst,
} from './wire/mptcp';

/** The one vector of intervals that the tests use. */
export function intervals(): usize {
  return intervalsRecord;
}
const intervalsRecord = memory.data(16, 8);

/** Memory for the tests' inputs and outputs: everything above the static data. */
export function scratch(): usize {
  return (__heap_base + 63) & ~63;
}

// ---- the physical limit of moving octets, for benchmarks ----------------------------------------------------

/** Copies `segments` times `size` octets from `area` to behind them and from there on, and sums them on the way. */
export function copyAndSum(area: usize, size: u32, segments: u32): u64 {
  const slot = (size + 127) & ~15; // headers and spacing as in a packet ring
  const slots = area + size * segments;
  const end = slots + slot * segments;
  let sum: u64 = 0;
  for (let i: u32 = 0; i < segments; i++) memory.copy(slots + i * slot, area + i * size, size);
  for (let i: u32 = 0; i < segments; i++) {
    sum += sum16(slots + i * slot, size, 0);
    memory.copy(end + i * size, slots + i * slot, size);
  }
  return sum;
}

// ---- one parsed segment -----------------------------------------------------------------------------------

/** Parses a TCP segment of `length` octets; the getters below show its meaning. */
export function parse(tcp: usize, length: u32): bool {
  seg.tcp = tcp;
  seg.tcpLength = length;
  return parseTcp(seg);
}

export function options(): u32 {
  return seg.options;
}
export function payloadLength(): u32 {
  return seg.length;
}
export function capLength(): u32 {
  return seg.capLength;
}
export function capVersion(): u32 {
  return seg.capVersion;
}
export function capFlags(): u32 {
  return seg.capFlags;
}
export function capSenderKey(): u64 {
  return seg.capSenderKey;
}
export function capReceiverKey(): u64 {
  return seg.capReceiverKey;
}
export function capDataLength(): u32 {
  return seg.capDataLength;
}
export function capChecksum(): u32 {
  return seg.capChecksum;
}
export function joinLength(): u32 {
  return seg.joinLength;
}
export function joinBackup(): bool {
  return seg.joinBackup;
}
export function joinId(): u32 {
  return seg.joinId;
}
export function joinToken(): u32 {
  return seg.joinToken;
}
export function joinNonce(): u32 {
  return seg.joinNonce;
}
export function joinHmacAt(): usize {
  return seg.joinHmac;
}
export function dssFlags(): u32 {
  return seg.dssFlags;
}
export function dssAck(): u64 {
  return seg.dssAck;
}
export function dssDsn(): u64 {
  return seg.dssDsn;
}
export function dssSsn(): u32 {
  return seg.dssSsn;
}
export function dssDataLength(): u32 {
  return seg.dssLength;
}
export function dssHasChecksum(): bool {
  return seg.dssHasChecksum;
}
export function dssChecksumField(): u32 {
  return seg.dssChecksum;
}
export function addEcho(): bool {
  return seg.addEcho;
}
export function addId(): u32 {
  return seg.addId;
}
export function addFamily(): u32 {
  return seg.addFamily;
}
export function addAt(): usize {
  return seg.addPtr;
}
export function addPort(): u32 {
  return seg.addPort;
}
export function addHmac(): u64 {
  return seg.addHmac;
}
export function rmAt(): usize {
  return seg.rmPtr;
}
export function rmCount(): u32 {
  return seg.rmCount;
}
export function prioBackup(): bool {
  return seg.prioBackup;
}
export function failDsn(): u64 {
  return seg.failDsn;
}
export function fastcloseKey(): u64 {
  return seg.fastcloseKey;
}
export function rstFlags(): u32 {
  return seg.rstFlags;
}
export function rstReason(): u32 {
  return seg.rstReason;
}

// ---- congestion control: up to eight paths of one connection, by index ------------------------------------

const MAX_PATHS: u32 = 8;
/** Room for one record, checked below. */
const PATH_LENGTH: usize = 512;
const PATHS = memory.data(4096, 8);

function path(i: u32): CcState {
  assert(i < MAX_PATHS);
  return changetype<CcState>(PATHS + <usize>i * PATH_LENGTH);
}

/** Begins `count` paths anew, linked in a circle and usable, each with the given algorithm. */
export function ccPaths(count: u32, algorithm: u32, mss: u32): void {
  assert(offsetof<CcState>() <= PATH_LENGTH);
  memory.fill(PATHS, 0, PATH_LENGTH * MAX_PATHS);
  for (let i: u32 = 0; i < count; i++) {
    const c = path(i);
    c.next = path((i + 1) % count);
    c.algorithm = <u8>algorithm;
    c.mss = mss;
    c.usable = true;
    c.cwndLimited = true;
    ccInit(c);
  }
}

/** Puts a path into congestion avoidance at this window, with this smoothed round trip in microseconds. */
export function ccPlace(i: u32, cwnd: u32, srtt: f64): void {
  const c = path(i);
  c.cwnd = cwnd;
  c.cwndCredit = 0;
  c.cwndCount = 0;
  c.ssthresh = cwnd;
  c.srtt = srtt;
}

export function ccCwnd(i: u32): u32 {
  return path(i).cwnd;
}
export function ccWindow(i: u32): f64 {
  return exactWindow(path(i));
}
export function ccSsthresh(i: u32): u32 {
  return path(i).ssthresh;
}
export function ccInRecovery(i: u32): bool {
  return path(i).inRecovery;
}
export function ccSetCwnd(i: u32, cwnd: u32): void {
  path(i).cwnd = cwnd;
}
export function ccSetSsthresh(i: u32, ssthresh: u32): void {
  path(i).ssthresh = ssthresh;
}
export function ccSetSrtt(i: u32, srtt: f64): void {
  path(i).srtt = srtt;
}
export function ccSetMss(i: u32, mss: u32): void {
  path(i).mss = mss;
}
export function ccSetUsable(i: u32, usable: bool): void {
  path(i).usable = usable;
}
export function ccSetLimited(i: u32, limited: bool): void {
  path(i).cwndLimited = limited;
}

export function ccAck(i: u32, segments: u32, octets: u32, rtt: f64, inFlight: u32, now: f64): void {
  ccOnAck(path(i), segments, octets, rtt, inFlight, now);
}
export function ccLoss(i: u32): void {
  ccOnLoss(path(i));
}
export function ccRto(i: u32): void {
  ccOnRto(path(i));
}
export function ccRecoveryExit(i: u32): void {
  ccOnRecoveryExit(path(i));
}
export function ccUndo(i: u32): void {
  ccOnUndo(path(i));
}
export function ccIdle(i: u32, idle: f64): void {
  const p = path(i);
  ccOnIdle(p, idle, p.srtt + 4 * p.rttvar);
}

/** Change of the window in segments per acknowledged segment, in congestion avoidance. */
export function ccIncrease(i: u32): f64 {
  const c = path(i);
  switch (<i32>c.algorithm) {
    case CC_LIA:
      return liaIncrease(c);
    case CC_OLIA:
      return oliaIncrease(c);
    case CC_BALIA:
      return baliaIncrease(c);
    default:
      return renoIncrease(<f64>c.cwnd);
  }
}

/** The algorithm's alpha for the path. */
export function ccAlpha(i: u32): f64 {
  const c = path(i);
  switch (<i32>c.algorithm) {
    case CC_LIA:
      return liaAlpha(c);
    case CC_OLIA:
      return oliaAlpha(c);
    default:
      return baliaAlpha(c);
  }
}

/** LIA's linked increase, before the cap at Reno's. */
export function ccLinked(i: u32): f64 {
  return liaLinked(path(i));
}

/** wVegas: base round trip, target, and least queueing delay before a round. */
export function vegasPlace(i: u32, baseRtt: f64, alpha: u32, queueDelay: f64): void {
  const c = path(i);
  c.vegasBaseRtt = baseRtt;
  c.vegasAlpha = alpha;
  c.vegasQueueDelay = queueDelay;
}
export function vegasSetRate(i: u32, rate: f64): void {
  path(i).vegasRate = rate;
}
export function vegasRound(i: u32, rtt: f64): void {
  wvegasRound(path(i), rtt);
}
export function vegasAlpha(i: u32): u32 {
  return path(i).vegasAlpha;
}
export function vegasRate(i: u32): f64 {
  return path(i).vegasRate;
}
export function vegasQueueDelay(i: u32): f64 {
  return path(i).vegasQueueDelay;
}
