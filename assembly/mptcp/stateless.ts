/**
 * Handshakes answered without state, while half-open ones are at their limit: a SYN cookie instead of a record, and
 * keys and nonces that can be derived again. Everything else that a connection needs comes back with the third ACK:
 * MP_CAPABLE has both keys (RFC 8684 section 3.1). MP_JOIN has a proof only, so what its SYN said is kept in a small
 * table where newcomers take the places of others.
 */
import { FALLBACK_OFF, FALLBACK_SYN, TCP_SYN_RCVD } from '../abi';
import {
  MIB_ListenDrops,
  MIB_MPFallbackTokenInit,
  MIB_MPJoinAckHMacFailure,
  MIB_MPJoinNoTokenFound,
  MIB_MPJoinRejected,
  MIB_SyncookiesFailed,
  MIB_SyncookiesRecv,
  MIB_SyncookiesSent,
  MIB_TCPReqQFullDoCookies,
} from '../mib';
import { alloc, blockSize } from '../arena';
import { count } from '../counters';
import { equal } from '../hmac';
import { cfgChecksum, cfgEcn, now } from '../host';
import { pathMtu } from '../paths';
import { hashTuple, SECRET_KEY, SECRET_NONCE } from '../secrets';
import { ECN_OK } from '../tcp/ecn';
import {
  SF_BACKUP_REMOTE,
  SF_JOIN,
  SF_SACK,
  SF_SCALE,
  SF_TIMESTAMPS,
  Subflow,
} from '../tcp/subflow';
import {
  cookieFor,
  cookieMinute,
  cookieMss,
  cookiesOut,
  cookieStamp,
  cookieTaken,
  stampEcn,
  stampOptions,
  stampScale,
} from '../tcp/syncookies';
import { CAPABLE_CHECKSUM, HAS_CAPABLE, HAS_JOIN, HAS_SACK_OK, HAS_SCALE, HAS_TS, seg } from '../wire/segment';
import { acceptQueueFull } from './accept-queue';
import { backupOn, likeOf, localIdOn, newSubflowFor, takesJoins } from './answer';
import { RST_MPTCP, RST_PROHIBITED, RST_RESOURCES } from './close';
import { Connection, C_CHECKSUM, C_MPTCP, initConnection, roomForJoin, setFirst, spaceForJoin } from './connection';
import { adoptLocalKey, prepareSubflow, sendSyn, synWindow, takeSynOptions } from './handshake';
import { segmentArrives } from './input';
import { joinHmac } from './keys';
import { freeConnection, newConnection, setUp } from './lifecycle';
import { nobodyOn, refuse, strangerRoom } from './refuse';
import { findListener, findToken, Listener } from './tables';

// ---- SYN: the answer --------------------------------------------------------------------------------------

/** Stands in for a connection while its SYN/ACK is built. */
const unborn = changetype<Connection>(memory.data(offsetof<Connection>(), 16));
const hmacOut = memory.data(32, 8);

/** SYN/ACK with a cookie for the SYN in hand. */
export function answerStateless(path: u32, like: usize, capable: bool): void {
  count(MIB_TCPReqQFullDoCookies);
  if (!strangerRoom()) {
    count(MIB_ListenDrops);
    return;
  }
  const c = unborn;
  memory.fill(changetype<usize>(c), 0, offsetof<Connection>());
  initConnection(c);
  setUp(c, like);
  const sf = cookieSubflow(c, path);
  if (capable && c.multipath) c.localKey = derivedKey(cookieMinute, seg.seq);
  else c.clear(C_MPTCP);
  count(MIB_SyncookiesSent);
  sendSyn(c, sf);
}

/** SYN/ACK with a cookie for a join, whose particulars are noted. */
export function joinStateless(c: Connection, path: u32): void {
  count(MIB_TCPReqQFullDoCookies);
  if (!strangerRoom() || !notesReady()) {
    count(MIB_MPJoinRejected);
    return;
  }
  const localId = localIdOn(c, path);
  if (localId < 0) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_RESOURCES);
    return;
  }
  const sf = cookieSubflow(c, path);
  sf.set(SF_JOIN | backupOn(path));
  sf.localId = <u8>localId;
  sf.remoteNonce = seg.joinNonce;
  const id = joinHash(seg.seq);
  // Another hash of the same, so that the nonce does not tell where the note lies.
  sf.localNonce = max<u32>(<u32>hashed(SECRET_NONCE, cookieMinute + 1, (<u64>seg.joinNonce << 32) | seg.seq), 1);
  const n = noteOf(id);
  n.hash = id;
  n.token = seg.joinToken;
  n.localNonce = sf.localNonce;
  n.remoteNonce = seg.joinNonce;
  n.localId = sf.localId;
  n.remoteId = <u8>seg.joinId;
  n.backup = seg.joinBackup;
  count(MIB_SyncookiesSent);
  sendSyn(c, sf);
}

/** The stand-in for a subflow in SYN-RECEIVED with a cookie as its initial sequence number. */
function cookieSubflow(c: Connection, path: u32): Subflow {
  const sf = nobodyOn(path);
  sf.state = TCP_SYN_RCVD;
  sf.peerMss = sf.family == 4 ? 536 : 1220;
  prepareSubflow(c, sf);
  takeSynOptions(sf);
  if (!sf.is(SF_TIMESTAMPS)) {
    // Only timestamps bring the other options back.
    sf.clear(SF_SACK | SF_SCALE);
    sf.rcvScale = 0;
  }
  if (!sf.is(SF_TIMESTAMPS)) sf.ecn = 0;
  sf.iss = cookieFor(sf.peerMss);
  // The clock of this one packet shows the options.
  sf.tsOffset += cookieStamp(sf.ecn != 0) - <u32>(<u64>(now / 1000));
  return sf;
}

@inline
function hashed(secret: u32, a: u32, b: u64): u64 {
  const ports = (seg.dstPort << 16) | seg.srcPort;
  return hashTuple(secret, seg.dstHigh, seg.dstLow, seg.srcHigh, seg.srcLow, ports, a, b);
}

/** Our key of the handshake with the peer's initial sequence number `irs`, in the minute of its cookie. */
function derivedKey(minute: u32, irs: u32): u64 {
  return max<u64>(hashed(SECRET_KEY, minute, irs), 1);
}

// ---- ACK: the proof ---------------------------------------------------------------------------------------

/** An ACK that belongs to no subflow. True: it was the third of a handshake, or is dealt with. */
export function proofArrives(path: u32): bool {
  if (!cookiesOut() || pathMtu(path) == 0) return false;
  const l = findListener(seg.dstHigh, seg.dstLow, seg.dstPort);
  const note = findNote(joinHash(seg.seq - 1));
  if (l == 0 && note == 0) return false;
  if (!cookieTaken()) {
    count(MIB_SyncookiesFailed);
    return false;
  }
  count(MIB_SyncookiesRecv);
  if (note != 0) joinProved(path, changetype<JoinNote>(note));
  else if (seg.has(HAS_JOIN) || changetype<Listener>(l).joinsOnly) refuse(path, RST_MPTCP);
  else if (!acceptQueueFull(changetype<Listener>(l)) && !openProved(path, likeOf(l))) count(MIB_ListenDrops);
  return true;
}

/** The connection that the ACK in hand completes. False: no memory. */
function openProved(path: u32, like: usize): bool {
  const p = newConnection(like);
  if (p == 0) return false;
  const c = changetype<Connection>(p);
  const sfp = provedSubflow(c, path);
  if (sfp == 0) {
    freeConnection(c);
    return false;
  }
  setFirst(c, changetype<Subflow>(sfp));
  if (!c.multipath || !seg.has(HAS_CAPABLE)) {
    c.clear(C_MPTCP);
    c.fallback = c.multipath ? FALLBACK_SYN : FALLBACK_OFF;
  } else if (!adoptLocalKey(c, derivedKey(cookieMinute, seg.seq - 1))) {
    c.clear(C_MPTCP);
    c.fallback = FALLBACK_SYN;
    count(MIB_MPFallbackTokenInit);
  } else if (cfgChecksum || (seg.capFlags & CAPABLE_CHECKSUM) != 0) {
    c.set(C_CHECKSUM);
  }
  segmentArrives(changetype<Subflow>(sfp));
  return true;
}

/** A subflow in SYN-RECEIVED as it would be, had its SYN been remembered; 0 when memory is out. */
function provedSubflow(c: Connection, path: u32): usize {
  const p = newSubflowFor(c, path);
  if (p == 0) return 0;
  const sf = changetype<Subflow>(p);
  prepareSubflow(c, sf);
  const stamp = seg.tsEcr - sf.tsOffset;
  const options = stampOptions(stamp);
  if ((options & HAS_TS) == 0) sf.clear(SF_TIMESTAMPS);
  if ((options & HAS_SACK_OK) == 0) sf.clear(SF_SACK);
  if ((options & HAS_SCALE) != 0 && sf.is(SF_SCALE)) {
    sf.sndScale = stampScale(stamp);
  } else {
    sf.clear(SF_SCALE);
    sf.rcvScale = 0;
  }
  if (stampEcn(stamp) && cfgEcn != 0) sf.ecn = ECN_OK;
  sf.peerMss = cookieMss;
  sf.iss = sf.sndUna = sf.highSeq = seg.ack - 1;
  sf.sndNxt = seg.ack;
  sf.irs = seg.seq - 1;
  sf.rcvNxt = sf.lastAck = seg.seq;
  sf.rcvEdge = seg.seq + synWindow(c, sf);
  sf.tsRecent = seg.tsVal;
  sf.tsRecentAt = now;
  return p;
}

// ---- joins ------------------------------------------------------------------------------------------------

/** What the SYN of a join said that its third ACK does not repeat. */
@unmanaged
class JoinNote {
  /** Of four-tuple and initial sequence number; 0: free. */
  hash: u64;
  token: u32;
  localNonce: u32;
  remoteNonce: u32;
  localId: u8;
  remoteId: u8;
  backup: bool;
}

/** As many as Linux keeps. */
const NOTES: u32 = 1024;
const NOTE_SIZE: u32 = offsetof<JoinNote>();
let notes: usize = 0;

/** The table exists after this. False: no memory. */
/** Octets that the notes take from the arena. */
export function notesBytes(): u32 {
  return notes == 0 ? 0 : blockSize(NOTES * NOTE_SIZE);
}

function notesReady(): bool {
  if (notes != 0) return true;
  notes = alloc(NOTES * NOTE_SIZE);
  if (notes != 0) memory.fill(notes, 0, NOTES * NOTE_SIZE);
  return notes != 0;
}

function joinHash(irs: u32): u64 {
  return max<u64>(hashed(SECRET_NONCE, 0, irs), 1);
}

@inline
function noteOf(hash: u64): JoinNote {
  return changetype<JoinNote>(notes + <usize>(<u32>hash & (NOTES - 1)) * NOTE_SIZE);
}

function findNote(hash: u64): usize {
  if (notes == 0) return 0;
  const n = noteOf(hash);
  return n.hash == hash ? changetype<usize>(n) : 0;
}

/** The third ACK of a join: nothing is made before its HMAC was right. */
function joinProved(path: u32, n: JoinNote): void {
  n.hash = 0;
  const p = findToken(n.token);
  if (p == 0) {
    count(MIB_MPJoinNoTokenFound);
    refuse(path, RST_MPTCP);
    return;
  }
  const c = changetype<Connection>(p);
  if (!seg.has(HAS_JOIN)) {
    refuse(path, RST_MPTCP);
    return;
  }
  joinHmac(c.remoteKey, c.localKey, n.remoteNonce, n.localNonce, hmacOut);
  if (!equal(hmacOut, seg.joinHmac, 20)) {
    count(MIB_MPJoinAckHMacFailure);
    refuse(path, RST_MPTCP);
    return;
  }
  if (!takesJoins(c) || !roomForJoin(c) || !spaceForJoin(c)) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_PROHIBITED);
    return;
  }
  const sfp = provedSubflow(c, path);
  if (sfp == 0) {
    count(MIB_MPJoinRejected);
    refuse(path, RST_RESOURCES);
    return;
  }
  const sf = changetype<Subflow>(sfp);
  sf.set(SF_JOIN | (n.backup ? SF_BACKUP_REMOTE : 0) | backupOn(path));
  sf.localId = n.localId;
  sf.remoteId = n.remoteId;
  sf.localNonce = n.localNonce;
  sf.remoteNonce = n.remoteNonce;
  segmentArrives(sf);
}
