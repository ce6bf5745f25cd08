/**
 * Building packets: which options a packet carries, the window it advertises, the checksum. Every function
 * returns false when the transmit ring is full; the caller keeps its reason to send and tries again.
 */
import { MIB_InfiniteMapTx, MIB_MPFailTx, MIB_MPPrioTx, MIB_OutSegs, MIB_RcvWndShared } from '../mib';
import { put16, put32, put8 } from '../bytes';
import { checksum, dssChecksum, fold, pseudo4, pseudo6, sum16, swap16 } from '../checksum';
import { count, countBy } from '../counters';
import { dsnDiff, dsnGt, dsnMax } from '../dsn';
import { now } from '../host';
import { pathNeedsChecksum, pathOffload, pathSumsPayload } from '../paths';
import { copyHeader, txCut, txHeader, txPartial, txPayload, txPush, txRoom, txSlot } from '../rings';
import { seqDiff, seqMax } from '../seq';
import { dueAfterRead, noteAck, noteAnswer } from '../tcp/delack';
import { DEMAND_CWR, ecnCodepoint, ecnCwr, ecnOwesCwr } from '../tcp/ecn';
import { blockEnd, blockStart } from '../tcp/ranges';
import { Rec, REC_CAPABLE, REC_DATA_FIN, REC_FIN, REC_INFINITE, REC_PSH, segmentsOf } from '../tcp/records';
import { tsNow } from '../tcp/rtt';
import {
  SF_ACK_NOW,
  SF_SACK,
  SF_SEND_FAIL,
  SF_SEND_PRIO,
  SF_BACKUP_LOCAL,
  SF_PRE_ESTABLISHED,
  SF_TIMESTAMPS,
  Subflow,
} from '../tcp/subflow';
import { finishIp, writeIp } from '../wire/ip';
import {
  dssLength,
  writeCapableAck,
  writeCapableData,
  writeDss,
  writeFail,
  writeJoinAck,
  writePrio,
} from '../wire/mptcp';
import { ACK, DSS_ACK, DSS_ACK8, DSS_DSN8, DSS_FIN, DSS_MAP, ECE, FIN, PSH, URG } from '../wire/segment';
import { TCP_CHECKSUM_AT, TCP_HEADER, TCP_URGENT_AT, writeTcp, writeTimestamps } from '../wire/tcp';
import {
  capableFlags,
  Connection,
  C_CHECKSUM,
  C_CLIENT,
  C_DACK8,
  C_ESTABLISHED,
  C_FIN_ACKED,
  C_FIN_SENT,
  C_MPTCP,
  C_SEND_INFINITE,
  C_TOLD,
  markDirty,
} from './connection';
import { joinHmac } from './keys';
import { openWindow, windowField } from './receive-window';
import { placeOf, sendAttach } from './send-ring';
import { urgentMode, urgentPointer } from './urgent';

const MAX_OPTIONS: u32 = 40;
/** IPv6 and TCP header with all options. */
const MAX_HEADERS: u32 = 100;
/** Payload of one packet, so that the 16 bits of a mapping's length field are enough. */
export const MAX_SEGMENT: u32 = 65000;
const hmacOut = memory.data(32, 8);

// ---- the frame of every packet ----------------------------------------------------------------------------

let slot: usize = 0;
let ipAt: usize = 0;
let tcpAt: usize = 0;
/** Where the next option goes. */
let optAt: usize = 0;
/** Urgent pointer of the packet, 0: none. */
let urgent: u32 = 0;

/** Starts a packet in the next free descriptor. */
@inline
export function begin(sf: Subflow): usize {
  return beginMarked(sf, 0);
}

/** The same with an ECN codepoint in its IP header. */
function beginMarked(sf: Subflow, ecn: u32): usize {
  slot = txSlot(sf.path);
  ipAt = txHeader(slot);
  const tos = sf.tos | ecn;
  const n = writeIp(ipAt, sf.family, sf.localHigh, sf.localLow, sf.remoteHigh, sf.remoteLow, sf.ipId++, tos, sf.ttl);
  tcpAt = ipAt + n;
  optAt = tcpAt + TCP_HEADER;
  return optAt;
}

/** Moves the option pointer after something was written there. */
@inline
function added(octets: u32): void {
  optAt += octets;
}

@inline
function roomForOptions(): u32 {
  return MAX_OPTIONS - <u32>(optAt - tcpAt - TCP_HEADER);
}

/**
 * Ends the packet: TCP header, lengths, checksum. `payloadSum` is the partial sum of the `length` payload octets
 * (only needed where the path wants a checksum).
 */
export function finish(
  sf: Subflow,
  end: usize,
  seq: u32,
  ack: u32,
  flags: u32,
  window: u32,
  length: u32,
  payloadSum: u64,
): void {
  const optionLength = <u32>(end - tcpAt - TCP_HEADER);
  if ((sf.ecn & DEMAND_CWR) != 0) flags |= ECE; // until the peer says that it reduced its window
  if (urgent != 0) flags |= URG;
  writeTcp(tcpAt, sf.localPort, sf.remotePort, seq, ack, flags, window, optionLength);
  if (urgent != 0) {
    put16(tcpAt + TCP_URGENT_AT, urgent);
    urgent = 0;
  }
  seal(sf, TCP_HEADER + optionLength, length, payloadSum);
}

/** Lengths and checksums of a packet whose header is complete otherwise; it goes to the device. */
function seal(sf: Subflow, headerLength: u32, length: u32, payloadSum: u64): void {
  const total = headerLength + length;
  finishIp(ipAt, sf.family, total);
  if (pathNeedsChecksum(sf.path)) {
    const pseudo =
      sf.family == 4 ? pseudo4(ipAt + 12, ipAt + 16, total) : pseudo6(ipAt + 8, ipAt + 24, total);
    if (pathOffload(sf.path) == 0) {
      put16(tcpAt + TCP_CHECKSUM_AT, checksum(sum16(tcpAt, headerLength, pseudo + payloadSum)));
    } else {
      put16(tcpAt + TCP_CHECKSUM_AT, fold(pseudo));
      txPartial(slot, <u32>(tcpAt - ipAt));
    }
  }
  txPush(slot, <u32>(tcpAt - ipAt) + headerLength);
  count(MIB_OutSegs);
  sf.lastSent = now;
  sf.segmentsOut++;
  if (length != 0) sf.dataSegmentsOut++;
}

// ---- options ----------------------------------------------------------------------------------------------

function addTimestamps(sf: Subflow): void {
  if (!sf.is(SF_TIMESTAMPS)) return;
  writeTimestamps(optAt, tsNow(sf), sf.tsRecent);
  added(12);
}

/**
 * As many SACK blocks as the other options and `payload` octets leave room for, a D-SACK first (RFC 2018, 2883). They
 * stand before the Multipath options, as Linux writes them.
 */
function addSack(sf: Subflow, payload: u32): void {
  if (!sf.is(SF_SACK) || (sf.sackCount == 0 && !sf.hasDsack)) return;
  const packet = <u32>(optAt - ipAt) + sf.overhead + payload;
  const room = min(roomForOptions(), sf.mtu - min(sf.mtu, packet));
  if (room < 12) return;
  const blocks = min((room - 4) / 8, sf.sackCount + (sf.hasDsack ? 1 : 0));
  const start = tcpAt + TCP_HEADER + (sf.is(SF_TIMESTAMPS) ? 12 : 0);
  let at = start + 4 + 8 * blocks;
  memory.copy(at, start, optAt - start);
  added(4 + 8 * blocks);
  put32(start, 0x01010500 | (2 + 8 * blocks));
  at = start + 4;
  let n: u32 = 0;
  if (sf.hasDsack) {
    put32(at, sf.dsackStart);
    put32(at + 4, sf.dsackEnd);
    sf.hasDsack = false;
    n++;
  }
  for (let i: u32 = 0; n < blocks; i++, n++) {
    put32(at + 8 * n, blockStart(sf, i));
    put32(at + 8 * n + 4, blockEnd(sf, i));
  }
}

/** Without the peer's key (Fast Open) nothing of it can be acknowledged. */
@inline
function ackFlagsOf(c: Connection): u32 {
  if (c.remoteKey == 0) return 0;
  return c.is(C_DACK8) ? DSS_ACK | DSS_ACK8 : DSS_ACK;
}

/** Octets that a data segment's options take at most now: what the segment size has to leave free. */
export function dataOptionLength(c: Connection, sf: Subflow): u32 {
  let n: u32 = sf.is(SF_TIMESTAMPS) ? 12 : 0;
  if (c.is(C_MPTCP)) {
    const dss = dssLength(ackFlagsOf(c) | DSS_MAP | DSS_DSN8) + 2;
    // The first data of the opener carries MP_CAPABLE, 24 octets.
    n += c.is(C_ESTABLISHED) ? dss : max<u32>(dss, 24);
  } else if (c.is(C_SEND_INFINITE)) {
    n += dssLength(ackFlagsOf(c) | DSS_MAP | DSS_DSN8) + 2;
  }
  return n;
}

/** Largest payload of a segment, octets. */
export function segmentSize(c: Connection, sf: Subflow): u32 {
  const header: u32 = (sf.family == 4 ? 40 : 60) + sf.overhead;
  const most = min<u32>(sf.peerMss, sf.mtu - header);
  return (c.maxSegment == 0 ? most : min(most, c.maxSegment)) - dataOptionLength(c, sf);
}

/** Payload octets of one record: as many segments of `size` as one mapping can have. */
@inline
export function recordPayload(size: u32): u32 {
  return MAX_SEGMENT - (MAX_SEGMENT % size);
}

/**
 * Payload octets of one packet on the path: a segment of `size`, or as many as the device cuts. CWR belongs to one
 * segment alone.
 */
export function packetPayload(sf: Subflow, size: u32): u32 {
  const offload = pathOffload(sf.path);
  if (offload == 0 || ecnOwesCwr(sf)) return size;
  const room = min(offload - min(offload, MAX_HEADERS), MAX_SEGMENT);
  return max(room - (room % size), size);
}

// ---- data -------------------------------------------------------------------------------------------------

/** Partial sum of a record's payload part [offset, offset + length), as attached to the open packet. */
function payloadSumOf(c: Connection, r: Rec, offset: u32, length: u32): u64 {
  if (r.data != 0) return sum16(r.data + r.dataOffset + offset, length, 0);
  return ringSum(c, r.dsn + offset, length);
}

/** Partial sum of [dsn, dsn + length) of the send ring. */
export function ringSum(c: Connection, dsn: u64, length: u32): u64 {
  const from = placeOf(c, dsn);
  const first = min<u32>(length, c.sndCap - from);
  const sum = sum16(c.snd + from, first, 0);
  if (first == length) return sum;
  const rest = sum16(c.snd, length - first, 0);
  return sum + ((first & 1) != 0 ? swap16(rest) : rest);
}

/** Sends a record, for the first time or again, in as few packets as the path takes. */
export function sendRecord(c: Connection, sf: Subflow, r: Rec): bool {
  const size = segmentSize(c, sf);
  const alone = urgentMode(c); // each segment has an urgent pointer of its own
  const most = r.length <= size || alone ? size : packetPayload(sf, size);
  if (txRoom() < segmentsOf(r.length, most)) return false;
  const alike = sf.sackCount == 0 && !sf.hasDsack && !alone;
  let offset: u32 = 0;
  do {
    const n = min<u32>(most, r.length - offset);
    if (offset != 0 && alike) repeatPiece(c, sf, r, offset, n, size);
    else sendPiece(c, sf, r, offset, n, size);
    offset += n;
  } while (offset < r.length);
  return true;
}

/** The next packet of a record: it has the header of the one before, but for what tells the octets apart. */
function repeatPiece(c: Connection, sf: Subflow, r: Rec, offset: u32, length: u32, size: u32): void {
  const before = ipAt;
  slot = txSlot(sf.path);
  ipAt = txHeader(slot);
  tcpAt += ipAt - before;
  optAt += ipAt - before;
  copyHeader(ipAt, before);
  if (sf.family == 4) {
    put16(ipAt + 4, sf.ipId++);
    put16(ipAt + 10, 0);
  }
  attach(c, sf, r, offset, length, size);
  put32(tcpAt + 4, r.seq + offset);
  put8(tcpAt + 13, pieceFlags(r, offset + length, false) | ((sf.ecn & DEMAND_CWR) != 0 ? ECE : 0));
  put32(tcpAt + TCP_CHECKSUM_AT, 0);
  const sum = pathSumsPayload(sf.path) ? payloadSumOf(c, r, offset, length) : 0;
  seal(sf, <u32>(optAt - tcpAt), length, sum);
  ackSent(sf);
}

/** Points a packet at `length` octets of a record, which the device cuts into segments of `size`. */
@inline
function attach(c: Connection, sf: Subflow, r: Rec, offset: u32, length: u32, size: u32): void {
  if (r.data != 0) txPayload(slot, changetype<usize>(sf), r.data + r.dataOffset + offset, length, 0, 0);
  else if (length != 0) sendAttach(c, slot, r.dsn + offset, length);
  if (length <= size) return;
  txCut(slot, size);
  const more = segmentsOf(length, size) - 1;
  sf.ipId += more;
  countBy(MIB_OutSegs, more);
  sf.segmentsOut += more;
  sf.dataSegmentsOut += more;
}

/** Flags of a packet that ends at `end` of its record; `alone`: its segments are no burst. */
@inline
function pieceFlags(r: Rec, end: u32, alone: bool): u32 {
  if (end != r.length) return ACK;
  return ACK | (r.is(REC_PSH) || (r.segments > 1 && !alone) ? PSH : 0) | (r.is(REC_FIN) ? FIN : 0);
}

/** One packet with `length` octets of a record, which the device cuts into segments of `size`. */
function sendPiece(c: Connection, sf: Subflow, r: Rec, offset: u32, length: u32, size: u32): void {
  const ecn = length == 0 ? 0 : ecnCodepoint(sf, r.seq);
  beginMarked(sf, ecn);
  attach(c, sf, r, offset, length, size);
  addTimestamps(sf);
  let sum: u64 = 0;
  if (length != 0 && (pathSumsPayload(sf.path) || (c.is(C_CHECKSUM) && c.is(C_MPTCP)))) {
    sum = payloadSumOf(c, r, offset, length);
  }
  if (c.is(C_MPTCP)) {
    addMapping(c, sf, r, sum);
  } else {
    if (r.is(REC_INFINITE)) addInfiniteMapping(c, sf, r);
    else if (c.is(C_TOLD) && r.length == 0) addWatchedDss(c, true);
  }
  addSack(sf, min(length, size));
  let flags = pieceFlags(r, offset + length, urgentMode(c));
  if (ecn != 0) flags |= ecnCwr(sf);
  urgent = urgentPointer(c, r.dsn + offset);
  finish(sf, optAt, r.seq + offset, sf.rcvNxt, flags, windowField(c, sf), length, sum);
  if (length != 0) noteAnswer(sf);
  ackSent(sf);
}

/** The mapping of a record: MP_CAPABLE with the first data, DSS otherwise, DSS without mapping for a bare FIN. */
function addMapping(c: Connection, sf: Subflow, r: Rec, payloadSum: u64): void {
  if (r.mapLength == 0) {
    added(writeDss(optAt, ackFlagsOf(c), c.rcvNxt, 0, 0, 0, -1));
    return;
  }
  const ssn = sf.ssnOut(r.seq - r.mapOffset);
  const dsn = r.dsn - r.mapOffset;
  const dataLength = r.mapLength + (r.is(REC_DATA_FIN) ? 1 : 0);
  if (c.is(C_CHECKSUM) && r.checksum < 0) {
    r.checksum = dssChecksum(dsn, ssn, <u16>dataLength, payloadSum);
  }
  const sum = c.is(C_CHECKSUM) ? r.checksum : -1;
  if (r.is(REC_CAPABLE) && !c.is(C_ESTABLISHED)) {
    added(writeCapableData(optAt, capableFlags(c), c.localKey, c.remoteKey, r.mapLength, sum));
    return;
  }
  const flags = ackFlagsOf(c) | DSS_MAP | DSS_DSN8 | (r.is(REC_DATA_FIN) ? DSS_FIN : 0);
  added(writeDss(optAt, flags, c.rcvNxt, dsn, ssn, dataLength, sum));
}

/** The stream goes on without mappings from the first octet that the peer may not have (RFC 8684 section 3.7). */
function addInfiniteMapping(c: Connection, sf: Subflow, r: Rec): void {
  const ssn = sf.ssnOut(r.seq) - <u32>(r.dsn - c.infiniteDsn);
  const flags = ackFlagsOf(c) | DSS_MAP | DSS_DSN8;
  added(writeDss(optAt, flags, c.rcvNxt, c.infiniteDsn, ssn, 0, c.is(C_CHECKSUM) ? 0 : -1));
  count(MIB_InfiniteMapTx);
}

// ---- pure acknowledgements --------------------------------------------------------------------------------

/** Books that an acknowledgement left. */
function ackSent(sf: Subflow): void {
  noteAck(sf, sf.is(SF_ACK_NOW) || sf.delackAt != Infinity);
  sf.clear(SF_ACK_NOW);
  sf.delackAt = Infinity;
  sf.lastAck = sf.rcvNxt;
}

/** The opener has sent no data, and has no proof yet that its keys arrived (RFC 8684 section 3.1). */
export function owesKeys(c: Connection, sf: Subflow): bool {
  return c.is(C_CLIENT) && !c.is(C_ESTABLISHED) && sf.sndNxt == sf.firstOut;
}

/** The third packet of the handshake again, although a DATA_FIN waits: that one needs DSS, and DSS needs the keys. */
export function sendKeys(c: Connection, sf: Subflow): void {
  const fin = c.flags & C_FIN_SENT;
  c.clear(fin);
  sendAck(c, sf);
  c.set(fin);
}

/** An ACK with everything that this moment calls for: handshake proof, DSS, DATA_FIN, MP_FAIL, MP_PRIO, SACK. */
export function sendAck(c: Connection, sf: Subflow): bool {
  if (txRoom() == 0) return false;
  begin(sf);
  addTimestamps(sf);
  if (c.is(C_MPTCP)) {
    if (sf.is(SF_PRE_ESTABLISHED)) {
      joinHmac(c.localKey, c.remoteKey, sf.localNonce, sf.remoteNonce, hmacOut);
      added(writeJoinAck(optAt, hmacOut));
    } else if (owesKeys(c, sf) && !c.is(C_FIN_SENT)) {
      added(writeCapableAck(optAt, capableFlags(c), c.localKey, c.remoteKey));
    } else {
      addAckDss(c, sf);
    }
  } else {
    if (c.is(C_TOLD)) addWatchedDss(c, false);
    if (sf.is(SF_SEND_FAIL)) addFail(sf);
  }
  addSack(sf, 0);
  urgent = urgentPointer(c, c.dataNxt);
  finish(sf, optAt, sf.sndNxt, sf.rcvNxt, ACK, windowField(c, sf), 0, 0);
  ackSent(sf);
  return true;
}

/** For a peer that does not know yet that the connection is plain: DATA_ACK, and DATA_FIN beside our FIN. */
function addWatchedDss(c: Connection, fin: bool): void {
  const flags = ackFlagsOf(c);
  if (fin) {
    const sum = c.is(C_CHECKSUM) ? <i32>dssChecksum(c.finDsn, 0, 1, 0) : -1;
    added(writeDss(optAt, flags | DSS_MAP | DSS_DSN8 | DSS_FIN, c.mapAck, c.finDsn, 0, 1, sum));
  } else {
    added(writeDss(optAt, flags, c.mapAck, 0, 0, 0, -1));
  }
}

function addFail(sf: Subflow): void {
  added(writeFail(optAt, sf.failDsn));
  sf.clear(SF_SEND_FAIL);
  count(MIB_MPFailTx);
}

function addAckDss(c: Connection, sf: Subflow): void {
  // MP_FAIL has no room beside a mapping and timestamps, and DATA_FIN is repeated anyway.
  if (c.is(C_FIN_SENT) && !c.is(C_FIN_ACKED) && !sf.is(SF_SEND_FAIL)) {
    // A DATA_FIN of its own has no subflow sequence number (RFC 8684 section 3.3.3).
    const sum = c.is(C_CHECKSUM) ? <i32>dssChecksum(c.finDsn, 0, 1, 0) : -1;
    added(writeDss(optAt, ackFlagsOf(c) | DSS_MAP | DSS_DSN8 | DSS_FIN, c.rcvNxt, c.finDsn, 0, 1, sum));
  } else {
    added(writeDss(optAt, ackFlagsOf(c), c.rcvNxt, 0, 0, 0, -1));
  }
  if (sf.is(SF_SEND_FAIL) && roomForOptions() >= 12) addFail(sf);
  if (sf.is(SF_SEND_PRIO) && roomForOptions() >= 4) {
    added(writePrio(optAt, sf.is(SF_BACKUP_LOCAL)));
    sf.clear(SF_SEND_PRIO);
    count(MIB_MPPrioTx);
  }
}

/** An ACK whose only Multipath option is the `length` octets at `option` (ADD_ADDR, REMOVE_ADDR). */
export function sendSignalAck(c: Connection, sf: Subflow, option: usize, length: u32, withDss: bool): bool {
  if (txRoom() == 0) return false;
  begin(sf);
  // ADD_ADDR of IPv6 with port fills the header: it goes without timestamps then (RFC 7323 section 3.2 lets a
  // receiver drop such a segment, so it is the exception).
  if (length <= MAX_OPTIONS - 12) addTimestamps(sf);
  if (withDss) added(writeDss(optAt, ackFlagsOf(c), c.rcvNxt, 0, 0, 0, -1));
  memory.copy(optAt, option, length);
  added(length);
  finish(sf, optAt, sf.sndNxt, sf.rcvNxt, ACK, windowField(c, sf), 0, 0);
  ackSent(sf);
  return true;
}

/**
 * Zero-window probe and keepalive: an old sequence number makes the peer answer (as Linux does). Urgent data that waits
 * is announced before.
 */
export function sendProbe(c: Connection, sf: Subflow): bool {
  const waiting = dsnDiff(c.urgentOut, c.dataUna);
  if (waiting > 0 && waiting < 0xffff && !c.is(C_MPTCP)) probe(c, sf, 0);
  return probe(c, sf, 1);
}

/** An acknowledgement whose sequence number lies `before` SND.UNA. */
function probe(c: Connection, sf: Subflow, before: u32): bool {
  if (txRoom() == 0) return false;
  begin(sf);
  addTimestamps(sf);
  if (c.is(C_MPTCP)) added(writeDss(optAt, ackFlagsOf(c), c.rcvNxt, 0, 0, 0, -1));
  urgent = urgentPointer(c, c.dataUna - before);
  finish(sf, optAt, sf.sndUna - before, sf.rcvNxt, ACK, windowField(c, sf), 0, 0);
  return true;
}

/** An ACK of a subflow that has no connection yet, or none any more (TIME-WAIT). */
export function sendBareAck(sf: Subflow): bool {
  if (txRoom() == 0) return false;
  begin(sf);
  addTimestamps(sf);
  addSack(sf, 0);
  finish(sf, optAt, sf.sndNxt, sf.rcvNxt, ACK, offeredWindow(sf), 0, 0);
  return true;
}

/** What was offered last, as a window field. */
export function offeredWindow(sf: Subflow): u32 {
  return min<u32>(openWindow(sf) >> sf.rcvScale, 65535);
}

// ---- for packets built elsewhere: handshake and resets ----------------------------------------------------

/** Where the next option of the open packet goes. */
export function optionPointer(): usize {
  return optAt;
}

/** `octets` of option were written there. */
export function optionAdded(octets: u32): void {
  added(octets);
}

/** Ends the open packet, a SYN with `length` octets at `dsn` of the send ring. */
export function finishSyn(c: Connection, sf: Subflow, flags: u32, window: u32, dsn: u64, length: u32): void {
  sendAttach(c, slot, dsn, length);
  finish(sf, optAt, sf.iss, 0, flags, window, length, pathSumsPayload(sf.path) ? ringSum(c, dsn, length) : 0);
}

/** Ends the open packet, which has no payload. */
export function finishControl(sf: Subflow, seq: u32, ack: u32, flags: u32, window: u32): void {
  finish(sf, optAt, seq, ack, flags, window, 0, 0);
}
