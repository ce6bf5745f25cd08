/** TCP's settings of the whole stack, named and preset as Linux' net.ipv4.tcp_*; times in microseconds. */
import {
  CFG_TCP_EARLY_RETRANS,
  CFG_TCP_FRTO,
  CFG_TCP_MAX_REORDERING,
  CFG_CORE_RMEM_MAX,
  CFG_CORE_SOMAXCONN,
  CFG_TCP_ABORT_ON_OVERFLOW,
  CFG_TCP_MIN_TSO_SEGS,
  CFG_TCP_REORDERING,
  CFG_TCP_SLOW_START_AFTER_IDLE,
  CFG_TCP_FIN_TIMEOUT,
  CFG_TCP_KEEPALIVE_INTVL,
  CFG_TCP_KEEPALIVE_PROBES,
  CFG_TCP_KEEPALIVE_TIME,
  CFG_TCP_MAX_SYN_BACKLOG,
  CFG_TCP_MODERATE_RCVBUF,
  CFG_TCP_RETRIES2,
  CFG_TCP_RMEM_DEFAULT,
  CFG_TCP_RMEM_MAX,
  CFG_TCP_SHRINK_WINDOW,
  CFG_TCP_STDURG,
  CFG_TCP_SYNACK_RETRIES,
  CFG_TCP_SYN_LINEAR_TIMEOUTS,
  CFG_TCP_SYN_RETRIES,
  E_INVAL,
} from './abi';

/** Least segments of a burst. */
export let tcpMinTsoSegs: u32 = 2;
/** The congestion window decays while nothing is sent. */
export let tcpSlowStartAfterIdle: bool = true;
export let tcpSynRetries: u32 = 6;
export let tcpSynackRetries: u32 = 5;
/** The first SYNs are repeated every second, before back-off begins. */
export let tcpSynLinearTimeouts: u32 = 4;
/** Retransmissions of data in vain. */
export let tcpRetries2: u32 = 15;
export let tcpFinTimeout: f64 = 60e6;
export let tcpKeepaliveTime: f64 = 7200e6;
export let tcpKeepaliveIntvl: f64 = 75e6;
export let tcpKeepaliveProbes: u32 = 9;
/** Tail loss probes are sent. */
export let tcpEarlyRetrans: bool = true;
/** After a timeout it is found out whether it was spurious (RFC 5682). */
export let tcpFrto: bool = true;
/** Segments that may overtake each other before any did, and the most that it may become. */
export let tcpReordering: u32 = 3;
export let tcpMaxReordering: u32 = 300;

/** First size of a receive buffer, 0: the ring alone counts; largest that tuning gives, 0: twice the ring. Octets. */
export let tcpRmemDefault: u32 = 0;
export let tcpRmemMax: u32 = 0;
/** The largest buffer that a program may ask for: it counts for the scale of windows. */
export let coreRmemMax: u32 = 0;
/** Receive buffers follow what the program reads. */
export let tcpModerateRcvbuf: bool = true;
/** An edge that was advertised may move back. */
export let tcpShrinkWindow: bool = false;
/** Urgent pointers point to the last urgent octet, and not behind it. */
export let tcpStdurg: bool = false;
/** Largest backlog of listeners. */
export let coreSomaxconn: u32 = 4096;
/** A full accept queue is told by RST. */
export let tcpAbortOnOverflow: bool = false;
/** Handshakes under way on one listener, where there are no SYN cookies. */
export let tcpMaxSynBacklog: u32 = 1024;

/** 0, or E_INVAL. */
export function setSysctl(key: i32, value: f64): i32 {
  switch (key) {
    case CFG_TCP_MIN_TSO_SEGS:
      tcpMinTsoSegs = <u32>max(1, value);
      return 0;
    case CFG_TCP_SLOW_START_AFTER_IDLE:
      tcpSlowStartAfterIdle = value != 0;
      return 0;
    case CFG_TCP_SYN_RETRIES:
      tcpSynRetries = <u32>value;
      return 0;
    case CFG_TCP_SYNACK_RETRIES:
      tcpSynackRetries = <u32>value;
      return 0;
    case CFG_TCP_SYN_LINEAR_TIMEOUTS:
      tcpSynLinearTimeouts = <u32>value;
      return 0;
    case CFG_TCP_RETRIES2:
      tcpRetries2 = <u32>value;
      return 0;
    case CFG_TCP_FIN_TIMEOUT:
      tcpFinTimeout = value;
      return 0;
    case CFG_TCP_KEEPALIVE_TIME:
      tcpKeepaliveTime = value;
      return 0;
    case CFG_TCP_KEEPALIVE_INTVL:
      tcpKeepaliveIntvl = value;
      return 0;
    case CFG_TCP_KEEPALIVE_PROBES:
      tcpKeepaliveProbes = <u32>value;
      return 0;
    case CFG_TCP_EARLY_RETRANS:
      tcpEarlyRetrans = value == 3 || value == 4;
      return 0;
    case CFG_TCP_FRTO:
      tcpFrto = value != 0;
      return 0;
    case CFG_TCP_REORDERING:
      tcpReordering = <u32>max(1, value);
      return 0;
    case CFG_TCP_MAX_REORDERING:
      tcpMaxReordering = <u32>max(1, value);
      return 0;
    case CFG_TCP_RMEM_DEFAULT:
      if (value < 0 || value > 0x3fffffff) return E_INVAL;
      tcpRmemDefault = <u32>value;
      return 0;
    case CFG_TCP_RMEM_MAX:
      if (value < 0 || value > 0x3fffffff) return E_INVAL;
      tcpRmemMax = <u32>value;
      return 0;
    case CFG_CORE_RMEM_MAX:
      if (value < 0 || value > 0x3fffffff) return E_INVAL;
      coreRmemMax = <u32>value;
      return 0;
    case CFG_TCP_MODERATE_RCVBUF:
      tcpModerateRcvbuf = value != 0;
      return 0;
    case CFG_TCP_SHRINK_WINDOW:
      tcpShrinkWindow = value != 0;
      return 0;
    case CFG_TCP_STDURG:
      tcpStdurg = value != 0;
      return 0;
    case CFG_CORE_SOMAXCONN:
      if (value < 0 || value > 0x7fffffff) return E_INVAL;
      coreSomaxconn = <u32>value;
      return 0;
    case CFG_TCP_ABORT_ON_OVERFLOW:
      tcpAbortOnOverflow = value != 0;
      return 0;
    case CFG_TCP_MAX_SYN_BACKLOG:
      if (value < 0 || value > 0x7fffffff) return E_INVAL;
      tcpMaxSynBacklog = <u32>value;
      return 0;
  }
  return E_INVAL;
}
