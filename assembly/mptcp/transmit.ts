/** Records for what a subflow sends for the first time. */
import { MIB_RecordsFull, MIB_SndWndShared } from '../mib';
import { count } from '../counters';
import { dsnDiff } from '../dsn';
import { now } from '../host';
import { maxRecords } from '../limits';
import { seqDiff } from '../seq';
import { pace } from '../tcp/pacing';
import { rateLimited, rateSent } from '../tcp/rate';
import { recAt, recPush, recReserve, segmentsOf, timeAppend } from '../tcp/records';
import { reducing } from '../tcp/reduction';
import { Subflow } from '../tcp/subflow';
import { dataLeft } from '../tcp/timers';
import { Connection } from './connection';
import { sendRecord } from './packet';

/**
 * A record for [dsn, dsn + length) at the end of the subflow's sequence space, a mapping of its own, in segments of
 * `size` octets. 0: no memory.
 */
export function newRecord(sf: Subflow, dsn: u64, length: u32, size: u32): u32 {
  if (sf.packetsOut >= maxRecords && length != 0) {
    count(MIB_RecordsFull);
    return 0;
  }
  if (!recReserve(sf)) return 0;
  const id = recPush(sf);
  const r = recAt(sf, id);
  r.seq = sf.sndNxt;
  r.dsn = dsn;
  r.length = length;
  r.segments = segmentsOf(length, size);
  r.size = size;
  r.mapLength = length;
  r.checksum = -1;
  r.xmit = now;
  return id;
}

/** Sends a new record. */
export function launch(c: Connection, sf: Subflow, id: u32): void {
  const r = recAt(sf, id);
  sendRecord(c, sf, r);
  rateSent(sf, r);
  const outstanding = sf.packetsOut;
  sf.sndNxt = r.end;
  sf.packetsOut += r.segments;
  sf.bytesSent += r.length;
  sf.lastDataSent = now;
  if (c.maxPacing != 0) pace(sf, r.length, r.size, c.maxPacing);
  timeAppend(sf, id, r);
  if (reducing(sf)) sf.prrOut += r.segments;
  dataLeft(sf, outstanding);
}

/**
 * The peer's window is the connection's (RFC 8684 section 3.3.1): a subflow that has heard of a smaller one last sends
 * as far as the largest of all reaches, as on Linux. `dsn` goes out next.
 */
export function shareWindow(c: Connection, dsn: u64): void {
  if (c.subflowCount < 2) return;
  const window = <u32>max<i64>(0, min<i64>(dsnDiff(c.wndEdge, dsn), 0x3fffffff));
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (!sf.synchronized || roomOn(sf) >= window) continue;
    sf.sndEdge = sf.sndNxt + window;
    count(MIB_SndWndShared);
  }
}

/** Octets that the peer's window of this subflow still takes. */
@inline
export function roomOn(sf: Subflow): u32 {
  return <u32>max<i32>(0, seqDiff(sf.sndEdge, sf.sndNxt));
}

/** The program is about to write more: subflows that had little left to send were limited by it. */
export function noteWrite(c: Connection): void {
  const unsent = unsentOf(c);
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (unsent < sf.mss) rateLimited(sf);
  }
}

/** Octets that wait to be sent for the first time. */
@inline
export function unsentOf(c: Connection): u32 {
  return <u32>max<i64>(0, min<i64>(dsnDiff(c.writeSeq, c.dataNxt), 0x7fffffff));
}
