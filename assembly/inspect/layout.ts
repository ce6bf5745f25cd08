/**
 * What `dissect` returns: 64-bit words at these places. Both compilers read this file. Offsets count octets from the
 * start of the IP packet.
 */

/** How far the packet could be read (PROBLEM_*). */
export const W_PROBLEM = 0;
// IP
export const W_FAMILY = 1; // 4, 6; 0: no IP
export const W_IP_HEADER = 2; // octets, extension headers included
export const W_IP_LENGTH = 3; // octets that IP claims, header included
export const W_TOS = 4; // DSCP and ECN
export const W_TTL = 5;
export const W_IP_ID = 6; // IPv4 identification, IPv6 flow label
export const W_IP_FLAGS = 7; // IPv4 flags and fragment offset
export const W_SOURCE = 8; // offset of 4 or 16 octets
export const W_DESTINATION = 9;
export const W_PROTOCOL = 10; // after extension headers
export const W_IP_CHECKSUM = 11; // CHECKSUM_*
// UDP around TCP
export const W_OUTER = 12; // 1: the segment travels in UDP
export const W_OUTER_SOURCE = 13;
export const W_OUTER_DESTINATION = 14;
// TCP
export const W_TCP = 15; // offset
export const W_TCP_HEADER = 16; // octets with options
export const W_SOURCE_PORT = 17;
export const W_DESTINATION_PORT = 18;
export const W_SEQ = 19;
export const W_ACK = 20;
export const W_FLAGS = 21; // 12 bits: reserved bits, AE, CWR, ECE, URG, ACK, PSH, RST, SYN, FIN
export const W_WINDOW = 22;
export const W_URGENT = 23;
export const W_TCP_CHECKSUM = 24; // the field
export const W_TCP_CHECKSUM_STATE = 25; // CHECKSUM_*
export const W_PAYLOAD = 26; // octets that the packet had
export const W_PAYLOAD_CAPTURED = 27; // octets that are here
export const W_OPTIONS = 28; // count
/** The options' area ended by a wrong length: 1. */
export const W_OPTIONS_BROKEN = 29;
export const HEADER_WORDS = 30;

// Each option, in the order of the packet
export const O_KIND = 0;
export const O_OFFSET = 1;
export const O_LENGTH = 2;
export const O_STANDING = 3; // STANDING_*
export const O_SUBTYPE = 4; // of kind 30, else NO_SUBTYPE
export const O_VALUES = 5; // as below
export const OPTION_WORDS = 14;
export const NO_SUBTYPE = 16;

/*
 * Values from O_VALUES on, by kind and subtype:
 *   MSS           the size
 *   window scale  the shift as it stands there
 *   timestamps    value, echo
 *   SACK          number of blocks, then both edges of each
 *   Fast Open     offset of the cookie, its length (also in its experimental form, kind 254)
 *   MP_CAPABLE    version, flags, sender's key, receiver's key, data length, checksum (by length, 4 to 24)
 *   MP_JOIN       backup, address ID, token, nonce, offset of the HMAC (by length, 12 to 24)
 *   DSS           flags, DATA_ACK, DSN, SSN, data length, whether there is a checksum, checksum
 *   ADD_ADDR      echo, address ID, family, offset of the address, whether there is a port, port, HMAC
 *   REMOVE_ADDR   offset of the IDs, their number
 *   MP_PRIO       backup
 *   MP_FAIL       DSN
 *   MP_FASTCLOSE  key
 *   MP_TCPRST     flags, reason
 */

export const PROBLEM_NONE = 0;
export const PROBLEM_NOT_IP = 1;
/** Too few octets were captured for the IP header. */
export const PROBLEM_IP_CUT = 2;
export const PROBLEM_IP_MALFORMED = 3;
/** A fragment that does not begin with the TCP header. */
export const PROBLEM_FRAGMENT = 4;
export const PROBLEM_NOT_TCP = 5;
/** Too few octets were captured for the TCP header with its options. */
export const PROBLEM_TCP_CUT = 6;
export const PROBLEM_TCP_MALFORMED = 7;

/** Nothing to check: cut off, a fragment, or not computed on purpose. */
export const CHECKSUM_UNVERIFIED = 0;
export const CHECKSUM_GOOD = 1;
export const CHECKSUM_BAD = 2;
/** The sum of the pseudo header alone: the network card was to do the rest. */
export const CHECKSUM_OFFLOADED = 3;

/** As a stack reads it. */
export const STANDING_READ = 0;
/** Well-formed, for another kind of packet: a stack ignores it. */
export const STANDING_MISPLACED = 1;
/** Well-formed, of a version or with bits that a stack does not accept. */
export const STANDING_REFUSED = 2;
/** A second one of its kind: a stack reads the first. */
export const STANDING_REPEATED = 3;
export const STANDING_MALFORMED = 4;
/** A kind or subtype that has no reader. */
export const STANDING_UNKNOWN = 5;
