/** Options of one connection (OPT_*), by number. */
import {
  E_INVAL,
  OPT_BACKLOG,
  OPT_BUFFERS,
  OPT_DEFER_ACCEPT,
  OPT_FIN_TIMEOUT,
  OPT_KEEPALIVE_COUNT,
  OPT_KEEPALIVE_IDLE,
  OPT_KEEPALIVE_INTERVAL,
  OPT_MAX_PACING_RATE,
  OPT_MAX_SEGMENT,
  OPT_SYN_RETRIES,
  OPT_USER_TIMEOUT,
  OPT_CONGESTION,
  OPT_CORK,
  OPT_FAST_OPEN,
  OPT_FAST_OPEN_NO_COOKIE,
  OPT_KEEPALIVE,
  OPT_MULTIPATH,
  OPT_NODELAY,
  OPT_RCVBUF_MAX,
  OPT_SAVE_SYN,
  OPT_SNDBUF_MAX,
  OPT_MIN_TTL,
  OPT_TOS,
  OPT_TTL,
  OPT_QUICKACK,
  OPT_RCVBUF,
  OPT_READ_SHUT,
  OPT_URGENT,
  OPT_URGENT_APART,
  OPT_URGENT_TAKEN,
  OPT_WATCH,
  OPT_WINDOW_CLAMP,
  URGENT_HERE,
  URGENT_TAKEN,
} from '../abi';
import { CC_RENO, CC_WVEGAS } from '../cc/ids';
import { isRingSize } from '../config';
import { coreSomaxconn } from '../sysctl';
import { Connection, C_DEAF, C_MPTCP, C_WANT_WRITE, markDirty, sizeRings } from './connection';
import { chooseCongestionControl } from './lifecycle';
import { ringFor } from './reassembly';
import { LEAST_BUFFER, setClamp } from './receive-window';
import { armKeepalive } from './timers';
import { wantQuickAck } from '../tcp/delack';
import { Subflow } from '../tcp/subflow';

/** Seconds, and probes, at most (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT of Linux' net/tcp.h). */
const MAX_KEEPALIVE: i32 = 32767;
const MAX_PROBES: i32 = 127;

function armAll(c: Connection): i32 {
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) armKeepalive(c, changetype<Subflow>(p));
  return 0;
}

/** 0, or E_INVAL. */
export function setConnectionOption(c: Connection, option: i32, value: i32): i32 {
  switch (option) {
    case OPT_MULTIPATH:
      if (c.subflows != 0) return E_INVAL;
      c.multipath = value != 0;
      return 0;
    case OPT_FAST_OPEN:
      if (c.subflows != 0 || value < 0) return E_INVAL;
      c.fastOpen = min<u32>(value, coreSomaxconn);
      return 0;
    case OPT_BACKLOG:
      c.backlog = min<u32>(value, coreSomaxconn); // a negative one is as large as can be
      return 0;
    case OPT_DEFER_ACCEPT:
      if (value < 0) return E_INVAL;
      c.deferAccept = value;
      return 0;
    case OPT_SAVE_SYN:
      c.saveSyn = value != 0;
      return 0;
    case OPT_TOS:
      if (value < 0 || value > 255) return E_INVAL;
      c.tos = <u8>(value & ~3);
      for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) changetype<Subflow>(p).tos = c.tos;
      return 0;
    case OPT_TTL:
      if (value < 1 || value > 255) return E_INVAL;
      c.ttl = <u8>value;
      for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) changetype<Subflow>(p).ttl = c.ttl;
      return 0;
    case OPT_MIN_TTL:
      if (value < 0 || value > 255) return E_INVAL;
      c.minTtl = <u8>value;
      return 0;
    case OPT_FAST_OPEN_NO_COOKIE:
      c.fastOpenNoCookie = value != 0;
      return 0;
    case OPT_NODELAY:
      c.nodelay = value != 0;
      if (c.subflows != 0) markDirty(c);
      return 0;
    case OPT_CORK:
      c.cork = value != 0;
      if (c.subflows != 0) markDirty(c);
      return 0;
    case OPT_SYN_RETRIES:
      c.synRetries = value;
      return 0;
    case OPT_FIN_TIMEOUT:
      c.finTimeout = <f32>(<f64>value * 1e6);
      return 0;
    case OPT_USER_TIMEOUT:
      c.userTimeout = <f32>(<f64>value * 1e3);
      return 0;
    case OPT_KEEPALIVE_IDLE:
      if (value < 1 || value > MAX_KEEPALIVE) return E_INVAL;
      c.keepaliveIdle = <f32>(<f64>value * 1e6);
      return armAll(c);
    case OPT_KEEPALIVE_INTERVAL:
      if (value < 1 || value > MAX_KEEPALIVE) return E_INVAL;
      c.keepaliveInterval = <f32>(<f64>value * 1e6);
      return armAll(c);
    case OPT_KEEPALIVE_COUNT:
      if (value < 1 || value > MAX_PROBES) return E_INVAL;
      c.keepaliveCount = value;
      return 0;
    case OPT_CONGESTION:
      if (value < CC_RENO || value > CC_WVEGAS) return E_INVAL;
      c.congestion = <u8>value;
      if (c.subflowCount == 1 && c.firstSubflow.synchronized) chooseCongestionControl(c);
      return 0;
    case OPT_MAX_SEGMENT:
      if (value != 0 && value < 88) return E_INVAL;
      c.maxSegment = value;
      return 0;
    case OPT_MAX_PACING_RATE:
      c.maxPacing = value == -1 ? Infinity : <f64>(<u32>value);
      return 0;
    case OPT_RCVBUF:
      if (value < 0) return E_INVAL;
      c.rcvBuf = max<u32>(value, LEAST_BUFFER);
      c.rcvBufLocked = true;
      ringFor(c, c.rcvBuf);
      return 0;
    case OPT_WINDOW_CLAMP:
      if (value < 0) return E_INVAL;
      c.windowClamp = value == 0 ? 0 : max<u32>(value, LEAST_BUFFER / 2);
      for (let p = c.subflows; p != 0 && value != 0; p = changetype<Subflow>(p).nextOfConn) {
        setClamp(changetype<Subflow>(p), value);
      }
      return 0;
    case OPT_URGENT:
      if (!c.is(C_MPTCP)) c.urgentOut = c.writeSeq;
      return 0;
    case OPT_URGENT_TAKEN:
      if (c.urgentState == URGENT_HERE) c.urgentState = <u8>URGENT_TAKEN;
      return 0;
    case OPT_URGENT_APART:
      c.urgentApart = value != 0;
      return 0;
    case OPT_READ_SHUT:
      c.set(C_DEAF);
      return 0;
    case OPT_QUICKACK:
      for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
        if (wantQuickAck(changetype<Subflow>(p), value, c.unread == 0)) markDirty(c);
      }
      return 0;
    case OPT_BUFFERS:
      c.takesBuffers = value != 0;
      return 0;
    case OPT_WATCH:
      c.watch = value != 0;
      if ((value & 2) != 0) c.set(C_WANT_WRITE);
      else c.clear(C_WANT_WRITE);
      return 0;
    case OPT_KEEPALIVE:
      c.keepalive = value != 0;
      return armAll(c);
    case OPT_SNDBUF_MAX:
      if (!isRingSize(value) || (hasBegun(c) && <u32>value < c.sndCap)) return E_INVAL;
      c.sndMax = value;
      if (!hasBegun(c)) sizeRings(c);
      return 0;
    case OPT_RCVBUF_MAX:
      if (!isRingSize(value) || (hasBegun(c) && <u32>value < c.rcvCap)) return E_INVAL;
      c.rcvMax = value;
      if (!hasBegun(c)) sizeRings(c);
      return 0;
  }
  return E_INVAL;
}

/** Its rings are in use, or their sizes were told to the peer. */
function hasBegun(c: Connection): bool {
  return c.subflows != 0 || c.snd != 0 || c.rcv != 0;
}
