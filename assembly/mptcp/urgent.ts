/**
 * Urgent data of plain TCP (RFC 9293 section 3.8.5) with Linux' meaning of the pointer: one octet of the stream counts
 * as urgent, and only the last one. Octets stay in the stream; programs that want it apart skip it (OPT_URGENT_APART).
 * Multipath TCP has no urgent data: neither Linux nor RFC 8684 carries the pointer over.
 */
import { EVENT_READABLE, URGENT_AHEAD, URGENT_HERE, URGENT_NONE } from '../abi';
import { get16, get8 } from '../bytes';
import { dsnDiff, dsnGt, dsnLt } from '../dsn';
import { emit } from '../events';
import { seqDiff } from '../seq';
import { tcpStdurg } from '../sysctl';
import { Subflow } from '../tcp/subflow';
import { seg, URG } from '../wire/segment';
import { TCP_URGENT_AT } from '../wire/tcp';
import { Connection, C_MPTCP, C_OPENED } from './connection';
import { consume } from './reassembly';

// ---- sending ----------------------------------------------------------------------------------------------

/** Urgent octets are not acknowledged yet: small segments do not wait, and each has a pointer of its own. */
@inline
export function urgentMode(c: Connection): bool {
  return dsnGt(c.urgentOut, c.dataUna) && !c.is(C_MPTCP);
}

/** Urgent pointer of a packet that begins at `dsn`; 0: it needs none. */
export function urgentPointer(c: Connection, dsn: u64): u32 {
  if (!urgentMode(c) || !dsnGt(c.urgentOut, dsn)) return 0;
  const distance = dsnDiff(c.urgentOut, dsn);
  if (distance < 0x10000) return <u32>distance;
  return dsnDiff(c.dataNxt, dsn) < 0xffff ? 0xffff : 0;
}

// ---- receiving --------------------------------------------------------------------------------------------

/** The segment in hand may have an urgent pointer, or the octet that an earlier one announced (Linux' tcp_urg). */
export function urgentArrives(c: Connection, sf: Subflow): void {
  if ((seg.flags & URG) != 0) takePointer(c, sf);
  if (c.urgentState != URGENT_AHEAD) return;
  const at = dsnDiff(c.urgentIn, positionOf(c, sf, seg.seq));
  if (at < 0 || at >= <i64>seg.length) return;
  c.urgentOctet = <u8>(get8(seg.payload + <usize>at));
  c.urgentState = <u8>URGENT_HERE;
  // Whoever waits for urgent data alone has to hear of it although other data is unread.
  if (c.is(C_OPENED)) emit(EVENT_READABLE, c.handle, 0, 0, 0, 0);
}

/** Place of a sequence number in the data sequence space, of which the subflow is all. */
@inline
function positionOf(c: Connection, sf: Subflow, seq: u32): u64 {
  return c.rcvNxt + <u64>(<i64>seqDiff(seq, sf.rcvNxt));
}

function takePointer(c: Connection, sf: Subflow): void {
  let pointer = get16(seg.tcp + TCP_URGENT_AT);
  // RFC 9293 has it point to the last urgent octet, BSD and Linux behind it.
  if (pointer != 0 && !tcpStdurg) pointer--;
  const at = positionOf(c, sf, seg.seq + pointer);
  if (dsnGt(c.readSeq, at) || dsnLt(at, c.rcvNxt)) return; // read, or here already
  if (c.urgentState != URGENT_NONE && !dsnGt(at, c.urgentIn)) return;
  // The program took the urgent octet before and has read up to it: it is no part of the stream.
  const passed = c.urgentState != URGENT_NONE && c.urgentIn == c.readSeq && c.unread != 0;
  if (passed && c.urgentApart) consume(c, 1);
  c.urgentState = <u8>URGENT_AHEAD;
  c.urgentIn = at;
}

/** The program has read up to here: what lies behind it is urgent no more. */
@inline
export function urgentRead(c: Connection): void {
  if (c.urgentState != URGENT_NONE && dsnGt(c.readSeq, c.urgentIn)) c.urgentState = <u8>URGENT_NONE;
}
