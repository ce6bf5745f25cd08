/**
 * The window that is advertised. As a rule it is what the ring can take. Where a buffer is asked for (OPT_RCVBUF,
 * CFG_TCP_RMEM_DEFAULT) Linux' account is kept beside the ring (tcp_select_window, tcp_grow_window,
 * tcp_rcv_space_adjust): the buffer counts what a queued segment costs there, the window begins small, grows with the
 * segments that come, and with what the program reads in a round trip. Either way an edge that was advertised stays
 * (RFC 9293 section 3.8.6.2).
 */
import { MIB_RcvWndShared } from '../mib';
import { count } from '../counters';
import { dsnDiff, dsnGt, dsnMax } from '../dsn';
import { now } from '../host';
import { seqDiff, seqMax } from '../seq';
import { coreRmemMax, tcpModerateRcvbuf, tcpRmemMax, tcpShrinkWindow } from '../sysctl';
import { SF_ACK_NOW, SF_PASSIVE, SF_SACK, SF_TIMESTAMPS, Subflow } from '../tcp/subflow';
import { FIN, PSH, RST, seg, SYN, URG } from '../wire/segment';
import { tcpHeaderLength } from '../wire/tcp';
import { Connection, C_MPTCP, C_OPENED, C_PEER_DONE, markDirty } from './connection';
import { dueAfterRead } from '../tcp/delack';
import { advertisedMss, synWindow } from './handshake';
import { oooSpan, receiveEdge, ringFor } from './reassembly';

/** Share of the buffer that is payload, of 256, until segments have shown it. */
const FIRST_RATIO: u32 = 128;
/** Initial congestion window, segments. */
const FIRST_SEGMENTS: u32 = 10;
/** Linux' SOCK_MIN_RCVBUF. */
export const LEAST_BUFFER: u32 = 2304;

/** Octets of payload that fit into `space` octets of the buffer. */
@inline
export function windowOf(sf: Subflow, space: i64): i64 {
  return (space * <i64>sf.rcvRatio) >> 8;
}

/** The buffer that a SYN offers a window of (the share of payload is not known yet). */
export function firstSpace(c: Connection): u32 {
  const space = c.rcvBuf == 0 ? min<u32>(c.rcvCap, 65535) : c.rcvBuf / (256 / FIRST_RATIO);
  return c.windowClamp == 0 ? space : min(space, c.windowClamp);
}

/** The handshake is over: what the SYN offered is where the window begins. */
export function startWindow(c: Connection, sf: Subflow): void {
  sf.rcvRatio = FIRST_RATIO;
  const segment = advertisedMss(c, sf);
  const most = firstSpace(c);
  let clamp = min<u32>(65535 << sf.rcvScale, most);
  if (clamp > 2 * segment && clamp + segment > most) clamp = max(2 * segment, most - segment);
  // Our SYN knew no number of the peer's to count from.
  if (!sf.is(SF_PASSIVE)) sf.rcvEdge = sf.rcvNxt + synWindow(c, sf);
  const offered = openWindow(sf);
  sf.windowClamp = clamp;
  sf.rcvWnd = offered;
  sf.rcvSsthresh = min(offered, clamp);
  if (c.rcvqSpace == 0) c.rcvqSpace = min(min(sf.rcvSsthresh, offered), FIRST_SEGMENTS * segment);
}

/** Linux' tcp_set_window_clamp. */
export function setClamp(sf: Subflow, value: u32): void {
  value = max(value, LEAST_BUFFER / 2);
  if (value < sf.windowClamp) sf.rcvSsthresh = min(sf.rcvSsthresh, value);
  else if (value > sf.windowClamp) sf.rcvSsthresh = max(sf.rcvSsthresh, min(sf.rcvWnd, value));
  sf.windowClamp = value;
}

// ---- what queued segments cost ----------------------------------------------------------------------------

/**
 * Octets of the buffer that one packet takes where Linux gets it from a TUN device: one piece of kmalloc for headroom,
 * packet and its shared information, and the sk_buff.
 */
function segmentCost(length: u32): u32 {
  const need: u32 = ((64 + length + 63) & ~63) + SHARED_INFO;
  if (need <= SMALL_HEAD) return SMALL_HEAD + SK_BUFF;
  if (need > 2 * PAGE) return ((need + PAGE - 1) & ~(PAGE - 1)) + SK_BUFF;
  return (<u32>1 << (32 - clz<u32>(need - 1))) + SK_BUFF;
}
const PAGE: u32 = 4096;
const SHARED_INFO: u32 = 320;
const SK_BUFF: u32 = 256;
const SMALL_HEAD: u32 = 640;

/** Octets of the headers in front of the payload. */
@inline
function headerInHand(): u32 {
  return tcpHeaderLength(seg) + (seg.family == 4 ? 20 : 40);
}

/** The same for the segment in hand, which may be several that were joined. */
function costInHand(): u32 {
  const header = headerInHand();
  if (seg.joined == 0 || seg.joined >= seg.length) return segmentCost(header + seg.length);
  return ((seg.length + seg.joined - 1) / seg.joined) * segmentCost(header + seg.joined);
}

/** Octets that the program has not read, with those beyond holes. */
@inline
function held(c: Connection): u32 {
  return <u32>(c.rcvNxt - c.readSeq) + <u32>oooSpan(c) + c.heldBytes;
}

/** The segment in hand was queued. */
function charge(c: Connection, inOrder: bool): void {
  const cost = costInHand();
  if (inOrder && seg.length <= c.rcvTail && c.rcvCharged != 0) c.rcvTail -= seg.length;
  else {
    c.rcvCost += cost;
    if (cost > c.rcvReserve) c.rcvReserve += (cost - c.rcvReserve + PAGE - 1) & ~(PAGE - 1);
    c.rcvReserve -= cost;
    if (inOrder) {
      const used: u32 = 64 + headerInHand() + seg.length + SHARED_INFO + SK_BUFF;
      c.rcvTail = cost > used ? cost - used : 0;
    }
  }
  c.rcvCharged += seg.length;
  const most = held(c);
  if (c.rcvCharged > most) rescale(c, most);
}

/** Octets that came twice are queued once. */
function rescale(c: Connection, octets: u32): void {
  c.rcvCost = octets == 0 ? 0 : <u32>((<u64>c.rcvCost * octets) / c.rcvCharged);
  c.rcvCharged = octets;
}

/** The program has taken `n` octets. */
function release(c: Connection, n: u32): void {
  const before = c.rcvCost;
  if (c.rcvCharged <= n) c.rcvCost = c.rcvCharged = 0;
  else rescale(c, c.rcvCharged - n);
  if (held(c) == 0) c.rcvCost = c.rcvCharged = 0;
  c.rcvReserve = (c.rcvReserve + before - c.rcvCost) & (PAGE - 1);
}

/**
 * Whether the segment in hand may be queued. A buffer that is too full grows as far as tuning may, and the window goes
 * down to two segments (Linux' tcp_prune_queue).
 */
export function bufferTakes(c: Connection, sf: Subflow): bool {
  // Memory is reserved in pages: what fits into the last one is not looked at (Linux' fast path).
  if (c.rcvBuf == 0 || c.rcvCost <= c.rcvBuf || (sf.oooCount == 0 && costInHand() <= c.rcvReserve)) return true;
  sf.quickAcks = 0;
  const most = largestBuffer(c);
  if (c.rcvBuf < most && !c.rcvBufLocked) c.rcvBuf = min(c.rcvCost, most);
  if (c.rcvCost <= c.rcvBuf) return true;
  sf.rcvSsthresh = min(sf.windowClamp, 2 * advertisedMss(c, sf));
  // Small segments are packed into pages.
  const packed = ((c.rcvCharged + PAGE_ROOM - 1) / PAGE_ROOM) * PAGE_COST;
  if (windowOf(sf, c.rcvCost) > <i64>c.rcvCharged) c.rcvCost = min(c.rcvCost, packed);
  return c.rcvCost <= c.rcvBuf || c.unread == 0;
}
const PAGE_COST: u32 = 4352;
const PAGE_ROOM: u32 = 3776;

/** Octets of cost up to which tuning goes. */
function largestBuffer(c: Connection): u32 {
  return tcpRmemMax != 0 ? tcpRmemMax : 2 * c.rcvMax;
}

/** The scale serves the largest buffer that tuning may reach (RFC 7323 section 2.2; Linux' choice). */
export function windowScale(c: Connection): u32 {
  let space = tcpRmemMax != 0 ? max(firstSpace(c), max(tcpRmemMax, coreRmemMax)) : c.rcvMax - 1;
  if (c.rcvBufLocked) space = min(space, firstSpace(c));
  if (c.windowClamp != 0) space = min(space, c.windowClamp);
  return <u32>min<i32>(14, max<i32>(0, 31 - clz<u32>(space | 1) - 15));
}

// ---- growth -----------------------------------------------------------------------------------------------

/** The segment in hand was taken: the account, the segment size of the peer, the growth of the window. */
@inline
export function windowTakes(c: Connection, sf: Subflow, inOrder: bool): void {
  if (c.rcvBuf != 0 || seg.length != sf.rcvMss || (seg.flags & PSH) != 0) takesOther(c, sf, inOrder);
  else sf.lastSegment = 0;
}

/** No full segment like the one before, or there is an account to keep. */
function takesOther(c: Connection, sf: Subflow, inOrder: bool): void {
  if (c.rcvBuf == 0) {
    measureSegment(c, sf);
    return;
  }
  if (inOrder) {
    charge(c, true);
    measureSegment(c, sf);
    measureRtt(sf);
    if (seg.length >= 128) growWindow(c, sf);
  } else {
    measureSegment(c, sf);
    if (sf.is(SF_SACK)) growWindow(c, sf);
    charge(c, false);
  }
  // What waits behind a hole needs room beside what the program reads.
  if ((c.is(C_MPTCP) ? c.oooCount != 0 : !inOrder) && c.is(C_OPENED)) growBuffer(c, c.rcvqSpace);
}

/** Linux' tcp_measure_rcv_mss: full segments show what share of the buffer is payload. */
function measureSegment(c: Connection, sf: Subflow): void {
  const last = sf.lastSegment;
  sf.lastSegment = 0;
  let length = seg.joined != 0 ? min(seg.joined, seg.length) : seg.length;
  const pushes = (seg.flags & PSH) != 0;
  if (length >= sf.rcvMss) {
    if (length != sf.rcvMss && c.rcvBuf != 0) {
      const ratio = max<u32>(1, min<u32>(255, <u32>((<u64>seg.length << 8) / costInHand())));
      if (ratio != sf.rcvRatio) {
        sf.rcvRatio = ratio;
        setClamp(sf, <u32>windowOf(sf, c.rcvBuf));
        if (sf.windowClamp < c.rcvqSpace) c.rcvqSpace = sf.windowClamp;
      }
    }
    sf.rcvMss = min(length, advertisedMss(c, sf));
    if (pushes && sf.pushed == 0) sf.pushed = 1;
    return;
  }
  length += tcpHeaderLength(seg);
  if (length >= 536 + 20 || (length >= 88 + 20 && (seg.flags & (SYN | URG | RST | PSH | FIN)) == 0)) {
    length -= sf.is(SF_TIMESTAMPS) ? 32 : 20;
    sf.lastSegment = length;
    if (length == last) {
      sf.rcvMss = length;
      return;
    }
  }
  if (sf.pushed < 2) sf.pushed++;
}

/** A receiver without timestamps measures how long a whole window takes. */
function measureRtt(sf: Subflow): void {
  if (sf.rcvRttAt != 0) {
    if (seqDiff(sf.rcvNxt, sf.rcvRttSeq) < 0) return;
    const sample = max(now - sf.rcvRttAt, 1);
    if (sf.rcvRtt == 0 || sample < sf.rcvRtt) sf.rcvRtt = sample;
  }
  sf.rcvRttSeq = sf.rcvNxt + sf.rcvWnd;
  sf.rcvRttAt = now;
}

/** Linux' tcp_grow_window: twice what came, where such segments fit into the buffer. */
function growWindow(c: Connection, sf: Subflow): void {
  const free = windowOf(sf, <i64>c.rcvBuf - c.rcvCost);
  const room = min<i64>(sf.windowClamp, free) - sf.rcvSsthresh;
  if (room <= 0) return;
  const cost = costInHand();
  let more: u32 = 0;
  if (windowOf(sf, cost) <= <i64>seg.length) more = 2 * advertisedMss(c, sf);
  else {
    let share = <u32>windowOf(sf, cost) >> 1;
    let window = <u32>windowOf(sf, largestBuffer(c)) >> 1;
    while (sf.rcvSsthresh <= window) {
      if (share <= seg.length) {
        more = 2 * sf.rcvMss;
        break;
      }
      share >>= 1;
      window >>= 1;
    }
  }
  if (more == 0) return;
  sf.rcvSsthresh += <u32>min<i64>(room, max(more, 2 * seg.length));
  sf.quickAcks |= 1;
}

/**
 * The program has read `n` octets: once in a round trip the buffer becomes twice as large as what was read in the last
 * one, and more while that grows (Linux' dynamic right-sizing).
 */
export function windowReads(c: Connection, n: u32): void {
  if (c.rcvBuf == 0) {
    tuneRing(c);
    return;
  }
  release(c, n);
  const rtt = slowestRtt(c);
  if (rtt == 0 || now - c.tuneAt < rtt) return;
  const copied = dsnDiff(c.readSeq, c.tuneSeq) - <i64>(c.rcvNxt - c.readSeq);
  if (copied > <i64>c.rcvqSpace) growBuffer(c, <u32>min<i64>(copied, 1 << 30));
  c.tuneSeq = c.readSeq;
  c.tuneAt = now;
}

function slowestRtt(c: Connection): f64 {
  let rtt: f64 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    rtt = max(rtt, sf.rcvRtt != 0 || c.rcvBuf != 0 ? sf.rcvRtt : sf.srtt);
  }
  return rtt;
}

/** A window up to this may always grow, octets. */
const ENOUGH: u32 = 4 << 20;
/** Until when packets waited in front of this host: a larger window makes that queue longer, and nothing faster. */
let behindUntil: f64 = 0;

/** Packets wait there, or no longer. */
export function setBehind(on: bool): void {
  behindUntil = on ? Infinity : now;
}

/**
 * Grows the ring as soon as half of it was read within one round trip of the slowest subflow: reassembly over unequal
 * paths needs twice the product of total rate and largest delay. To wait for the end of that round trip would hold up
 * the slow start of a faster path, and then let a burst go that its queue cannot take.
 */
function tuneRing(c: Connection): void {
  if (c.rcvCap >= c.rcvMax) return;
  const rtt = slowestRtt(c);
  if (rtt == 0) return;
  const most = <u64>max<i64>(dsnDiff(c.readSeq, c.tuneSeq), oooSpan(c));
  const grows = most * 2 > c.rcvCap;
  if (!grows && now - c.tuneAt < rtt) return;
  if (grows && (behindUntil < c.tuneAt || c.rcvCap < ENOUGH)) ringFor(c, c.rcvCap * 2);
  c.tuneAt = now;
  c.tuneSeq = c.readSeq;
}

/** Linux' tcp_rcvbuf_grow. */
export function growBuffer(c: Connection, copied: u32): void {
  const before = c.rcvqSpace;
  c.rcvqSpace = copied;
  if (!tcpModerateRcvbuf || c.rcvBufLocked || before == 0 || c.subflows == 0) return;
  let window = <u64>copied * 2;
  window += (window * (copied - before)) / before * 2;
  window += oooSpan(c);
  let ratio: u32 = 255;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    ratio = min(ratio, changetype<Subflow>(p).rcvRatio);
  }
  const buffer = <u32>min<u64>((window << 8) / max<u32>(ratio, 1), largestBuffer(c));
  if (buffer <= c.rcvBuf) return;
  c.rcvBuf = buffer;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    sf.windowClamp = <u32>windowOf(sf, buffer);
  }
  ringFor(c, <u32>((<u64>buffer * ratio) >> 8));
}

// ---- the window field -------------------------------------------------------------------------------------

/** Octets that the peer may still send on this subflow by what was advertised. */
@inline
export function openWindow(sf: Subflow): u32 {
  const open = seqDiff(sf.rcvEdge, sf.rcvNxt);
  return open < 0 ? 0 : <u32>open;
}

/** Linux' __tcp_select_window: the window that the buffer has room for. */
export function selectWindow(c: Connection, sf: Subflow): u32 {
  const unit: u32 = (<u32>1 << sf.rcvScale) - 1;
  const allowed = <u32>windowOf(sf, c.rcvBuf);
  let free = <u32>max<i64>(0, windowOf(sf, <i64>c.rcvBuf - c.rcvCost));
  const full = min(sf.windowClamp, allowed);
  const segment = min(sf.rcvMss, full);
  if (segment == 0) return 0;
  const shrinks = tcpShrinkWindow && sf.rcvScale != 0;
  if (shrinks) free &= ~unit;
  if (free < full >> 1) {
    sf.quickAcks = 0;
    free &= ~unit;
    if (free < allowed >> 4 || free < segment || (shrinks && free == 0)) return 0;
  }
  free = min(free, sf.rcvSsthresh);
  if (sf.rcvScale != 0) return (free + unit) & ~unit;
  const window = sf.rcvWnd;
  if (<i64>window <= <i64>free - segment || window > free) return free - (free % segment);
  if (segment == full && free > window + (full >> 1)) return free;
  return window;
}

/**
 * The window field of the packet that leaves now. The window is that of the connection: an edge that was advertised on
 * one subflow holds on all of them (RFC 8684 section 3.3.4, Linux' mptcp_set_rwin).
 */
@inline
export function windowField(c: Connection, sf: Subflow): u32 {
  return c.rcvBuf == 0 ? ringField(c, sf) : bufferField(c, sf);
}

/** The window field by the buffer's account. */
function bufferField(c: Connection, sf: Subflow): u32 {
  if (sf.noRoom) {
    sf.noRoom = false;
    sf.rcvWnd = 0;
    sf.rcvEdge = sf.rcvNxt;
    return 0;
  }
  const open = openWindow(sf);
  const unit: u32 = (<u32>1 << sf.rcvScale) - 1;
  let window = selectWindow(c, sf);
  if (window < open && !(tcpShrinkWindow && sf.rcvScale != 0)) window = (open + unit) & ~unit;
  const ring = receiveEdge(c);
  const room: u32 = dsnGt(ring, c.rcvNxt) ? <u32>(ring - c.rcvNxt) : 0;
  if (window > room) window = max(room, open) & ~unit;
  const edge = c.rcvNxt + window;
  if (!c.is(C_MPTCP) || dsnGt(edge, c.advEdge)) c.advEdge = edge;
  else if (edge != c.advEdge) {
    window = <u32>min<i64>(max<i64>(dsnDiff(c.advEdge, c.rcvNxt), 0), 0x3fffffff);
    count(MIB_RcvWndShared);
  }
  const field = min<u32>(window, 65535 << sf.rcvScale) >> sf.rcvScale;
  sf.rcvWnd = window;
  sf.rcvEdge = sf.rcvNxt + window;
  return field;
}

/** The window field of what the ring can take: the edge moves by a worthwhile step or not at all. */
function ringField(c: Connection, sf: Subflow): u32 {
  let edge = receiveEdge(c);
  if (!dsnGt(edge, c.advEdge) || <u64>(edge - c.advEdge) < <u64>min<u32>(c.rcvCap / 2, sf.mss)) {
    edge = c.advEdge;
    const other = c.advOwner != 0 && c.advOwner != changetype<usize>(sf);
    if (other && edge - c.rcvNxt > <u64>openWindow(sf)) count(MIB_RcvWndShared);
  }
  c.advOwner = changetype<usize>(sf);
  const free: u64 = dsnGt(edge, c.rcvNxt) ? edge - c.rcvNxt : 0;
  const field = <u32>min<u64>(free >> sf.rcvScale, 65535);
  sf.rcvWnd = field << sf.rcvScale;
  c.advEdge = dsnMax(c.advEdge, c.rcvNxt + sf.rcvWnd);
  sf.rcvEdge = seqMax(sf.rcvEdge, sf.rcvNxt + sf.rcvWnd);
  return field;
}

/** The program has read: what waits for that is acknowledged, and a window that grew enough is told of. */
export function afterRead(c: Connection): void {
  const drained = c.unread == 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (!sf.synchronized) continue;
    if ((sf.delackAt == Infinity || !dueAfterRead(sf, drained)) && !opens(c, sf)) continue;
    sf.set(SF_ACK_NOW);
    markDirty(c);
  }
}

/** Whether the window is at least twice what the peer knows of. */
function opens(c: Connection, sf: Subflow): bool {
  if (c.rcvBuf == 0) return ringOpens(c, sf);
  if (c.is(C_PEER_DONE)) return false;
  const open: u32 = c.is(C_MPTCP) ? <u32>max<i64>(dsnDiff(c.advEdge, c.rcvNxt), 0) : openWindow(sf);
  if (<u64>open * 2 > <u64>sf.windowClamp) return false;
  const window = selectWindow(c, sf);
  return window != 0 && window >= 2 * open;
}

/** The same of the ring's: whichever arrives first opens the window for all subflows. */
function ringOpens(c: Connection, sf: Subflow): bool {
  const edge = receiveEdge(c);
  const gain: u64 = dsnGt(edge, c.advEdge) ? edge - c.advEdge : 0;
  const open = <i64>(c.advEdge - c.rcvNxt);
  if (gain < <u64>(c.rcvCap / 4) && (gain < 2920 || open >= 2920)) return false;
  return open < 2920 || c.lastSubflow == 0 || c.lastSubflow == changetype<usize>(sf);
}
