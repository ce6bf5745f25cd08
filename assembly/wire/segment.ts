/**
 * The meaning of one received TCP segment: what the parsers in this folder fill and everything above reads.
 * There is one static record; it is valid until the next packet is parsed.
 */

// TCP flags (RFC 9293 section 3.1)
export const FIN: u32 = 0x01;
export const SYN: u32 = 0x02;
export const RST: u32 = 0x04;
export const PSH: u32 = 0x08;
export const ACK: u32 = 0x10;
export const URG: u32 = 0x20;
export const ECE: u32 = 0x40;
export const CWR: u32 = 0x80;

// Which options a segment carries (Segment.options)
export const HAS_MSS: u32 = 1 << 0;
export const HAS_SCALE: u32 = 1 << 1;
export const HAS_SACK_OK: u32 = 1 << 2;
export const HAS_TS: u32 = 1 << 3;
export const HAS_SACK: u32 = 1 << 4;
export const HAS_CAPABLE: u32 = 1 << 5;
export const HAS_JOIN: u32 = 1 << 6;
export const HAS_DSS: u32 = 1 << 7;
export const HAS_ADD_ADDR: u32 = 1 << 8;
export const HAS_RM_ADDR: u32 = 1 << 9;
export const HAS_PRIO: u32 = 1 << 10;
export const HAS_FAIL: u32 = 1 << 11;
export const HAS_FASTCLOSE: u32 = 1 << 12;
export const HAS_TCPRST: u32 = 1 << 13;
/** TCP Fast Open: a cookie, or (length 0) the wish for one. */
export const HAS_FAST_OPEN: u32 = 1 << 14;
/** A signature (RFC 2385). */
export const HAS_MD5: u32 = 1 << 15;
/** Any option of Multipath TCP. */
export const HAS_MPTCP: u32 =
  HAS_CAPABLE | HAS_JOIN | HAS_DSS | HAS_ADD_ADDR | HAS_RM_ADDR | HAS_PRIO | HAS_FAIL | HAS_FASTCLOSE | HAS_TCPRST;

// DSS flags as on the wire (RFC 8684 section 3.3, figure 9)
export const DSS_ACK: u32 = 0x01;
export const DSS_ACK8: u32 = 0x02;
export const DSS_MAP: u32 = 0x04;
export const DSS_DSN8: u32 = 0x08;
export const DSS_FIN: u32 = 0x10;

// MP_CAPABLE flags (RFC 8684 section 3.1)
export const CAPABLE_CHECKSUM: u32 = 0x80;
export const CAPABLE_EXTEND: u32 = 0x40;
export const CAPABLE_DENY_JOIN: u32 = 0x20;
export const CAPABLE_SHA256: u32 = 0x01;

@unmanaged
export class Segment {
  // IP
  packet: usize; // pointer to the IP header
  family: u32; // 4 or 6
  /** Source and destination address, 16 octets each; IPv4 as ::ffff:a.b.c.d. */
  srcHigh: u64;
  srcLow: u64;
  dstHigh: u64;
  dstLow: u64;
  /** Pointers to the address octets inside the packet, for the pseudo header. */
  srcPtr: usize;
  dstPtr: usize;
  ecn: u32;
  // TCP
  tcp: usize; // pointer to the TCP header
  tcpLength: u32; // header and payload
  srcPort: u32;
  dstPort: u32;
  seq: u32;
  ack: u32;
  flags: u32;
  window: u32; // as on the wire, unscaled
  payload: usize; // not behind the header if it came apart (PLACED)
  length: u32; // payload octets
  /** Payload octets of each segment that a device joined into this one, 0: unknown, or only one. */
  joined: u32;
  // options
  options: u32; // HAS_*
  mss: u32;
  scale: u32;
  tsVal: u32;
  tsEcr: u32;
  sackPtr: usize; // pairs of 32-bit edges in network order
  sackBlocks: u32;
  // Fast Open: the cookie, and whether the option had its experimental form
  cookiePtr: usize;
  cookieLength: u32;
  cookieExperimental: bool;
  // MP_CAPABLE
  capLength: u32; // of the option: 4, 12, 20, 22, 24
  capVersion: u32;
  capFlags: u32;
  capSenderKey: u64;
  capReceiverKey: u64;
  capDataLength: u32;
  capChecksum: u32;
  // MP_JOIN
  joinLength: u32; // 12 SYN, 16 SYN/ACK, 24 ACK
  joinBackup: bool;
  joinId: u32;
  joinToken: u32;
  joinNonce: u32;
  joinHmac: usize; // pointer: 8 octets on SYN/ACK, 20 on ACK
  // DSS
  dssFlags: u32;
  dssAck: u64; // 32-bit form unless DSS_ACK8
  dssDsn: u64; // 32-bit form unless DSS_DSN8
  dssSsn: u32;
  dssLength: u32;
  dssHasChecksum: bool;
  dssChecksum: u32;
  // ADD_ADDR
  addEcho: bool;
  addId: u32;
  addFamily: u32;
  addPtr: usize; // 4 or 16 octets
  addPort: u32; // 0: none
  addHmac: u64;
  // REMOVE_ADDR
  rmPtr: usize;
  rmCount: u32;
  // MP_PRIO, MP_FAIL, MP_FASTCLOSE, MP_TCPRST
  prioBackup: bool;
  failDsn: u64;
  fastcloseKey: u64;
  rstFlags: u32;
  rstReason: u32;

  @inline
  has(option: u32): bool {
    return (this.options & option) != 0;
  }

  /** Sequence number after the segment: SYN and FIN count one each. */
  @inline
  get end(): u32 {
    return this.seq + this.length + ((this.flags >> 1) & 1) + (this.flags & 1);
  }
}

/** The segment in hand. */
export const seg: Segment = changetype<Segment>(memory.data(384, 8));
