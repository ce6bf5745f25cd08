/**
 * What an application may ask of a connection. A connection begins with the stack's own settings, an accepted one
 * with those of the listening side, as sockets are cloned elsewhere.
 */
import { cfgCcSingle, cfgMaxPacing, cfgMptcp, cfgRcvBufMax, cfgSndBufMax } from './host';
import {
  coreSomaxconn,
  tcpFinTimeout,
  tcpKeepaliveIntvl,
  tcpKeepaliveProbes,
  tcpKeepaliveTime,
  tcpRmemDefault,
} from './sysctl';

@unmanaged
export class Settings {
  /** Offer and answer MP_CAPABLE. */
  multipath: bool;
  /** Small segments do not wait for acknowledgements (RFC 9293 section 3.7.4). */
  nodelay: bool;
  /** Small segments wait until the cork is drawn (Linux' TCP_CORK). */
  cork: bool;
  keepalive: bool;
  /** The program reads urgent octets by themselves (urgent.ts). */
  urgentApart: bool;
  fastOpenNoCookie: bool;
  /** Congestion control of a lone subflow (assembly/cc/ids.ts). */
  congestion: u8;
  /** Type of service or traffic class, without the bits of ECN. */
  tos: u8;
  /** Time to live of what is sent, and the least one of what is taken (RFC 5082), 0: any. */
  ttl: u8;
  minTtl: u8;
  /** A listening side: OPT_SAVE_SYN. */
  saveSyn: bool;
  /** `rcvBuf` stays what it is. */
  rcvBufLocked: bool;
  /** An opener: data in the SYN. A listening side: how many connections may be accepted before their third packet. */
  fastOpen: u32;
  /** SYNs, or SYN/ACKs, that are sent again; 0: as many as the stack's own number says (Linux' TCP_SYNCNT). */
  synRetries: u32;
  /** A listening side: OPT_BACKLOG, OPT_DEFER_ACCEPT. */
  backlog: u32;
  deferAccept: u32;
  /** Octets; 0: what the path takes. */
  maxSegment: u32;
  /** Largest window, octets; 0: what the buffer allows (Linux' TCP_WINDOW_CLAMP). */
  windowClamp: u32;
  keepaliveCount: u32;
  /** Microseconds, seven digits of them: records are to be short. */
  keepaliveIdle: f32;
  keepaliveInterval: f32;
  /** Of retransmissions in vain; 0: a number of them decides (Linux' TCP_USER_TIMEOUT). */
  userTimeout: f32;
  /** In FIN-WAIT-2 without an application; negative: none (Linux' TCP_LINGER2). */
  finTimeout: f32;
  /** Octets per second of a subflow; 0: no pacing. */
  maxPacing: f64;
  /** Largest send and receive rings, octets; powers of two. */
  sndMax: u32;
  rcvMax: u32;
  /** Octets that queued segments may cost (Linux' SO_RCVBUF, doubled), 0: no account. */
  rcvBuf: u32;
}

/** RFC 1700, and what Linux does. */
export const DEFAULT_TTL: u8 = 64;

const SETTINGS_SIZE: u32 = offsetof<Settings>();

export function defaultSettings(s: Settings): void {
  s.multipath = cfgMptcp;
  s.ttl = DEFAULT_TTL;
  s.congestion = cfgCcSingle;
  s.sndMax = cfgSndBufMax;
  s.rcvMax = cfgRcvBufMax;
  s.rcvBuf = tcpRmemDefault;
  s.backlog = coreSomaxconn;
  s.keepaliveCount = tcpKeepaliveProbes;
  s.keepaliveIdle = <f32>tcpKeepaliveTime;
  s.keepaliveInterval = <f32>tcpKeepaliveIntvl;
  s.finTimeout = <f32>tcpFinTimeout;
  s.maxPacing = cfgMaxPacing;
}

/** `from` and `to` are records that begin with Settings. */
export function copySettings(to: Settings, from: Settings): void {
  memory.copy(changetype<usize>(to), changetype<usize>(from), SETTINGS_SIZE);
}
