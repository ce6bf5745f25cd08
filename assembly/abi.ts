/**
 * The numbers that both sides of the WASM boundary share. AssemblyScript and TypeScript compile this same
 * file, so it holds plain constants only. All sizes and offsets are octets, all times f64 microseconds.
 */

// ---- results of exports: >= 0, or one of these -------------------------------------------------------
/** The handle is stale or never existed. */
export const E_HANDLE = -1;
/** A configured limit is reached. */
export const E_LIMIT = -2;
/** No memory left below the module's maximum. */
export const E_NOMEM = -3;
/** Not possible in the connection's present state. */
export const E_STATE = -4;
/** An argument is out of range. */
export const E_INVAL = -5;
/** The four-tuple or the listening port is taken. */
export const E_INUSE = -6;

// ---- events (records in the event ring) ---------------------------------------------------------------
export const EV_SIZE = 48;
export const EV_TYPE = 0;
export const EV_CONN = 4;
export const EV_SUBFLOW = 8;
export const EV_A = 12;
export const EV_B = 16;
export const EV_C = 20;
/** 16 octets; IPv4 addresses as ::ffff:a.b.c.d. */
export const EV_ADDR = 24;

/** A listener has a new connection. a: listener's local port. */
export const EVENT_ACCEPT = 1;
/** First handshake done. a: 1 while Multipath TCP, 0 when plain TCP. */
export const EVENT_CONNECTED = 2;
/** The peer proved that it has our key; joins are possible from now on. */
export const EVENT_ESTABLISHED = 3;
export const EVENT_READABLE = 4;
export const EVENT_WRITABLE = 5;
/** The peer's stream ended in order (DATA_FIN or FIN). */
export const EVENT_END = 6;
/** The connection is over; the handle is dead after this event. a: CLOSE_*. */
export const EVENT_CLOSED = 7;
/** The connection is plain TCP from now on. a: FALLBACK_*. */
export const EVENT_FALLBACK = 8;
/** A subflow (not the first) finished its handshake. a: local address ID, b: remote address ID. */
export const EVENT_SUBFLOW_UP = 9;
/** A subflow ended. a: CLOSE_*, b: MP_TCPRST reason or 255, c: 1 when the peer calls it transient. */
export const EVENT_SUBFLOW_DOWN = 10;
/** The peer announced an address. a: address ID, b: family 4 or 6, c: port or 0. */
export const EVENT_ADD_ADDR = 11;
/** The peer echoed our announcement. a: address ID, b: family, c: port or 0. */
export const EVENT_ADD_ADDR_ECHO = 12;
/** The peer withdrew an address; its subflows are closed already. a: address ID. */
export const EVENT_RM_ADDR = 13;
/** The peer changed the priority of a subflow. a: 1 backup, 0 regular. */
export const EVENT_PRIO = 14;
/** A join came in on a path without an address ID, and was given the next one. a: address ID, b: path. */
export const EVENT_LOCAL_ID = 40;
/** An ICMP error about octets of an established subflow, which ends nothing. a: CLOSE_*. */
export const EVENT_UNREACHABLE = 43;

// ---- why a subflow or connection ended ------------------------------------------------------------------
export const CLOSE_NORMAL = 0;
export const CLOSE_REFUSED = 1;
export const CLOSE_RESET = 2;
export const CLOSE_TIMEOUT = 3;
export const CLOSE_ABORTED = 4;
export const CLOSE_NOMEM = 5;
/** The peer sent MP_FASTCLOSE. */
export const CLOSE_FASTCLOSE = 6;
/** The peer broke the protocol; a reset went out. */
export const CLOSE_PROTOCOL = 7;
/** Closed by the path manager on this side. */
export const CLOSE_LOCAL = 8;
/** The peer withdrew the address (REMOVE_ADDR). */
export const CLOSE_REMOVED = 9;
/** A router says that the peer's host, or network, cannot be reached. */
export const CLOSE_UNREACHABLE = 10;
export const CLOSE_NET_UNREACHABLE = 11;
/** ICMP: administratively prohibited (IPv6), no such protocol there, a header that somebody does not understand. */
export const CLOSE_PROHIBITED = 12;
export const CLOSE_NO_PROTOCOL = 13;
export const CLOSE_BAD_HEADER = 14;

// ---- why a connection is plain TCP ----------------------------------------------------------------------
export const FALLBACK_NONE = 0;
/** Multipath TCP was not asked for. */
export const FALLBACK_OFF = 1;
/** SYN or SYN/ACK without a valid MP_CAPABLE. */
export const FALLBACK_SYN = 2;
/** The SYN was answered only after it went out without MP_CAPABLE. */
export const FALLBACK_SYN_TIMEOUT = 3;
/** The third packet of the handshake came without a valid MP_CAPABLE. */
export const FALLBACK_ACK = 4;
/** No DSS came back for the first data. */
export const FALLBACK_NO_DSS = 5;
/** Data came without mapping, or with one that does not fit. */
export const FALLBACK_MAPPING = 6;
/** The DSS checksum failed. */
export const FALLBACK_CHECKSUM = 7;
/** The peer sent an infinite mapping. */
export const FALLBACK_INFINITE = 8;
/** The peer sent MP_FAIL. */
export const FALLBACK_MP_FAIL = 9;
/** Both sides opened at once. */
export const FALLBACK_SIMULTANEOUS = 10;
/** SYNs with MP_CAPABLE were swallowed lately, so this one goes without (CFG_BLACKHOLE_TIMEOUT). */
export const FALLBACK_BLACKHOLE = 20;
/** The peer acknowledges without DSS, although its DSS got through before. */
export const FALLBACK_DSS_GONE = 30;
/** Data came without any mapping, although mappings got through before. */
export const FALLBACK_NO_MAPPING = 31;
/** A mapping has a DSS checksum that was not agreed on, or lacks the one that was. */
export const FALLBACK_CHECKSUM_FORM = 32;

// ---- TCP states (RFC 9293 section 3.3.2) ------------------------------------------------------------------
export const TCP_CLOSED = 0;
export const TCP_SYN_SENT = 1;
export const TCP_SYN_RCVD = 2;
export const TCP_ESTABLISHED = 3;
export const TCP_FIN_WAIT_1 = 4;
export const TCP_FIN_WAIT_2 = 5;
export const TCP_CLOSE_WAIT = 6;
export const TCP_CLOSING = 7;
export const TCP_LAST_ACK = 8;
export const TCP_TIME_WAIT = 9;

// ---- connection states (RFC 8684 section 3.3.3, Linux' names) ---------------------------------------------
export const CONN_OPENING = 0;
export const CONN_ESTABLISHED = 1;
export const CONN_FIN_WAIT_1 = 2;
export const CONN_FIN_WAIT_2 = 3;
export const CONN_CLOSE_WAIT = 4;
export const CONN_CLOSING = 5;
export const CONN_LAST_ACK = 6;
export const CONN_TIME_WAIT = 7;
export const CONN_CLOSED = 8;

// ---- traits of a path (setPath) -----------------------------------------------------------------------------
/** Packets that leave there need a TCP checksum. */
export const PATH_CHECKSUM = 1;
/** Packets that arrive there have lost the ECN bits of their IP header, so ECN is not agreed on. */
export const PATH_HIDES_ECN = 2;
/** The device takes payload from the application's memory (LOAN), and takes in at once what came meanwhile. */
export const PATH_LENDS = 4;

// ---- receive descriptors ----------------------------------------------------------------------------------
export const RX_SIZE = 24;
export const RX_PTR = 0;
export const RX_LEN = 4;
export const RX_PATH = 8;
/** Checksum of io/device.ts. */
export const RX_CHECKSUM = 12;
/** Payload octets of each segment that the device joined into this packet, 0: unknown, or only one. */
export const RX_SEGMENT = 16;
/** 0: the payload lies behind the header; else its address, of PLACED or more. */
export const RX_PLACED = 20;
/** An address of at least this is an octet outside the core's memory: number of the buffer, and 16 bits for its offset there. */
export const PLACED = 0x80000000;
export const PLACED_SHIFT = 16;
/** Buffers that may be in use at a time. */
export const PLACED_SLOTS = 256;
export const CHECKSUM_UNKNOWN = 0;
export const CHECKSUM_GOOD = 1;
export const CHECKSUM_PARTIAL = 2;

// ---- transmit descriptors: a packet is header, span 1, span 2 ---------------------------------------------
export const TX_SIZE = 192;
export const TX_PATH = 0;
export const TX_HEADER_LEN = 4;
export const TX_SPAN1 = 8;
export const TX_SPAN1_LEN = 12;
export const TX_SPAN2 = 16;
export const TX_SPAN2_LEN = 20;
/** A span whose address is at least this lies in what the application lends, at the rest of it (LOAN of io/out-batch.ts). */
export const LOAN = 0x80000000;
/** Record that owns the payload spans (connection: send ring, subflow: private copy), 0 when there are none. */
export const TX_OWNER = 24;
/**
 * Payload octets per segment into which the device has to cut this packet, 0: it leaves as it is. Each segment repeats
 * the header with its own length and sequence number; PSH and FIN stand on the last one (what TSO does).
 */
export const TX_SEGMENT = 28;
/** Octets from the IP to the TCP header when the checksum field holds the pseudo header's sum only, 0: it is complete. */
export const TX_PARTIAL = 32;
/** The device may write what stands before the IP header here: it ends at TX_HEADER. */
export const TX_FRONT = 36;
/** Header octets start here: at most 40 (IPv6) + 60 (TCP). */
export const TX_HEADER = 64;

// ---- packs (txPack, rxUnpack): packets one behind the other, each in a multiple of 16 octets ----------------
export const PACK_LENGTH = 0;
/** As TX_SEGMENT and TX_PARTIAL. */
export const PACK_SEGMENT = 4;
export const PACK_PARTIAL = 8;
/** The packet itself starts here. */
export const PACK_HEADER = 16;

// ---- layout block returned by init() ----------------------------------------------------------------------
export const LAYOUT_RX_DESC = 0;
export const LAYOUT_RX_DATA = 4;
export const LAYOUT_RX_SLOTS = 8;
export const LAYOUT_RX_BYTES = 12;
export const LAYOUT_TX_DESC = 16;
export const LAYOUT_TX_SLOTS = 20;
export const LAYOUT_EVENTS = 24;
export const LAYOUT_EVENT_SLOTS = 28;
export const LAYOUT_RANDOM = 32;
export const LAYOUT_RANDOM_BYTES = 36;
export const LAYOUT_SCRATCH = 40;
export const LAYOUT_COUNTERS = 44;
export const LAYOUT_SIZE = 48;
/** Octets of the scratch area for arguments and results. */
export const SCRATCH_SIZE = 512;

// ---- arguments of connect() and join(), in the scratch area -----------------------------------------------
export const ARG_LOCAL = 0;
export const ARG_REMOTE = 16;

// ---- options of connections (setOption) -------------------------------------------------------------------
export const OPT_NODELAY = 1;
export const OPT_KEEPALIVE = 2;
export const OPT_SNDBUF_MAX = 3;
export const OPT_RCVBUF_MAX = 4;
/**
 * TCP Fast Open (RFC 7413), before the connection opens. An opener: 1 to send what is written in the same turn in the
 * SYN. A listening side: accepted connections that may wait for their third packet, 0 none.
 */
export const OPT_FAST_OPEN = 20;
/** Fast Open without a cookie: it is neither asked for nor wanted. */
export const OPT_FAST_OPEN_NO_COOKIE = 21;
/** Type of service or traffic class of every packet; the two bits of ECN in it are not the caller's. */
export const OPT_TOS = 22;
/** Time to live (hop limit) of every packet, 1 to 255; the least one that packets of the peer have, 0: any. */
export const OPT_TTL = 23;
export const OPT_MIN_TTL = 24;
/** Offer and answer MP_CAPABLE; before the connection opens. */
export const OPT_MULTIPATH = 50;
/** Small segments wait until this is cleared (or 200 ms). */
export const OPT_CORK = 51;
/** 1: report EVENT_WRITABLE whenever octets were acknowledged or sent. 2: a writer waits for room. */
export const OPT_WATCH = 52;
/** SYNs that are sent again at most. */
export const OPT_SYN_RETRIES = 53;
/** Seconds that a closed connection waits for the peer's FIN; negative: not at all. */
export const OPT_FIN_TIMEOUT = 54;
/** Milliseconds of retransmissions after which data is given up; 0: after a number of them. */
export const OPT_USER_TIMEOUT = 55;
/** Keepalive: seconds of silence, seconds between probes, number of probes. */
export const OPT_KEEPALIVE_IDLE = 56;
export const OPT_KEEPALIVE_INTERVAL = 57;
export const OPT_KEEPALIVE_COUNT = 58;
/** Largest segment to announce and to send, octets; 0: what the path takes. Before the connection opens. */
export const OPT_MAX_SEGMENT = 59;
/** The program will not read any more: data that comes after our FIN is refused. */
export const OPT_READ_SHUT = 60;
/** Linux' TCP_QUICKACK: 0 delays acknowledgements, others send what waits; without bit 0 for this once. */
export const OPT_QUICKACK = 61;
/** Congestion control of a lone subflow, one of CC_* (assembly/cc/ids.ts). */
export const OPT_CONGESTION = 62;
/** Octets that queued segments may cost, for good; Linux' SO_RCVBUF as it is read back. */
export const OPT_RCVBUF = 64;
/** Linux' TCP_WINDOW_CLAMP. */
export const OPT_WINDOW_CLAMP = 63;
/** Of plain TCP. The octet written last is urgent; the program has read the peer's urgent octet by itself. */
export const OPT_URGENT = 120;
export const OPT_URGENT_TAKEN = 121;
/** 1: urgent octets are read by themselves and are no part of the stream (Linux without SO_OOBINLINE). */
export const OPT_URGENT_APART = 122;
/** 1: payload may stay in the buffer of its own in which it came (PLACED). */
export const OPT_BUFFERS = 130;
/**
 * Pacing, octets per second on each subflow at most: bursts leave at the rate of window and round trip up to this one.
 * 0: they leave as soon as the window lets them; -1: no limit but that rate (Linux' SO_MAX_PACING_RATE).
 */
export const OPT_MAX_PACING_RATE = 100;
/**
 * A listening side: handshakes that may be under way, and connections that may wait for the program; each one more, and at
 * most CFG_CORE_SOMAXCONN (Linux' argument of listen).
 */
export const OPT_BACKLOG = 110;
/** A listening side: SYN/ACKs that may time out before a connection without data is accepted (Linux' TCP_DEFER_ACCEPT). */
export const OPT_DEFER_ACCEPT = 111;
/** A listening side: 1 keeps the headers of SYNs for `savedSyn` (Linux' TCP_SAVE_SYN). */
export const OPT_SAVE_SYN = 112;

// ---- configuration of the stack (configure) ---------------------------------------------------------------
export const CFG_MPTCP = 1;
export const CFG_CHECKSUM = 2;
export const CFG_CC_SINGLE = 3;
export const CFG_CC_MULTI = 4;
export const CFG_SCHEDULER = 5;
export const CFG_SNDBUF_MAX = 6;
export const CFG_RCVBUF_MAX = 7;
/** Subflows of a connection: the first one and joins; those on their way out do not count. */
export const CFG_SUBFLOWS_MAX = 8;
export const CFG_TIMESTAMPS = 9;
export const CFG_SACK = 10;
export const CFG_WINDOW_SCALE = 11;
/** Microseconds that a connection without subflows waits for a new one. */
export const CFG_CLOSE_TIMEOUT = 12;
/** SYN retransmissions with MP_CAPABLE before one without. */
export const CFG_SYN_RETRANS_FALLBACK = 13;
/** Half-open handshakes that the stack holds at most. */
export const CFG_HALF_OPEN_MAX = 14;
/** 2 MSL in microseconds. */
export const CFG_TIME_WAIT = 15;
// Linux' net.ipv4.tcp_* (assembly/sysctl.ts)
export const CFG_TCP_MIN_TSO_SEGS = 50;
export const CFG_TCP_SLOW_START_AFTER_IDLE = 51;
export const CFG_TCP_SYN_RETRIES = 52;
export const CFG_TCP_SYNACK_RETRIES = 53;
export const CFG_TCP_SYN_LINEAR_TIMEOUTS = 54;
export const CFG_TCP_RETRIES2 = 55;
export const CFG_TCP_FIN_TIMEOUT = 56;
export const CFG_TCP_KEEPALIVE_TIME = 57;
export const CFG_TCP_KEEPALIVE_INTVL = 58;
export const CFG_TCP_KEEPALIVE_PROBES = 59;
export const CFG_TCP_EARLY_RETRANS = 60;
export const CFG_TCP_FRTO = 61;
export const CFG_TCP_REORDERING = 62;
export const CFG_TCP_MAX_REORDERING = 63;
/** The second and third number of tcp_rmem; 0: windows are what the ring takes, and twice CFG_RCVBUF_MAX. */
export const CFG_TCP_RMEM_DEFAULT = 80;
export const CFG_TCP_RMEM_MAX = 81;
export const CFG_TCP_MODERATE_RCVBUF = 82;
export const CFG_TCP_SHRINK_WINDOW = 83;
/** net.core.rmem_max: counts for the window's scale beside CFG_TCP_RMEM_MAX. */
export const CFG_CORE_RMEM_MAX = 84;
/** 1: urgent pointers point to the last urgent octet, as in RFC 9293, and not behind it. */
export const CFG_TCP_STDURG = 120;
/** The largest backlog (net.core.somaxconn), and that of listeners that say nothing else. */
export const CFG_CORE_SOMAXCONN = 110;
/** 1: a third packet that finds the accept queue full is refused, not dropped. */
export const CFG_TCP_ABORT_ON_OVERFLOW = 111;
/** Without SYN cookies: handshakes of one listener that may be under way; three quarters and one are used. */
export const CFG_TCP_MAX_SYN_BACKLOG = 112;
/** SYN cookies: 0 never, 1 while half-open handshakes are at their limit, 2 always (net.ipv4.tcp_syncookies). */
export const CFG_SYN_COOKIES = 20;
/** Joins of others that one connection lets wait for their third ACK. */
export const CFG_PENDING_JOINS_MAX = 21;
/** Resets per second for segments that belong to no subflow, about; 0: any number. */
export const CFG_RST_RATE = 22;
/** Least microseconds between two challenge ACKs of one subflow (net.ipv4.tcp_invalid_ratelimit). */
export const CFG_CHALLENGE_INTERVAL = 23;
/** ECN (RFC 3168), as net.ipv4.tcp_ecn: 0 never, 1 also ask for it, 2 when the opener asks. */
export const CFG_ECN = 24;
/**
 * TCP Fast Open, as net.ipv4.tcp_fastopen: 1 opener, 2 listening side, 4 opener without cookie, 0x200 listening side
 * without cookie, 0x400 on every listener.
 */
export const CFG_FAST_OPEN = 25;
/**
 * Microseconds in which openers do without MP_CAPABLE after a SYN was answered only without it, doubled each time;
 * 0: it is tried always (net.mptcp.blackhole_timeout).
 */
export const CFG_BLACKHOLE_TIMEOUT = 26;
/** 1: peers are told not to join at the first address and port (net.mptcp.allow_join_initial_addr_port=0). */
export const CFG_DENY_JOIN = 27;
/** Microseconds without Fast Open after it was found to be dropped, doubled each time; 0: it is tried always. */
export const CFG_FAST_OPEN_BLACKHOLE = 28;

/** How often MP_FASTCLOSE on ACK is repeated until RST answers (RFC 8684 section 3.5, option A); 0: it goes on RST. */
export const CFG_FASTCLOSE_RETRIES = 29;

// Limits: what meets one is refused and counted (assembly/limits.ts, docs/hostile-input.md)
/** Octets of memory that the core may take in all. */
export const CFG_MEMORY_MAX = 70;
/** Octets that hold unmapped or unverified data: of one connection, of the stack. */
export const CFG_HELD_MAX = 71;
export const CFG_HELD_STACK_MAX = 72;
/** Intervals beyond a hole: of one subflow, of one connection's data. */
export const CFG_RANGES_MAX = 73;
/** Mappings of one subflow whose octets have not all come. */
export const CFG_MAPPINGS_MAX = 74;
/** Address signals of one connection that wait for a packet. */
export const CFG_SIGNALS_MAX = 75;
/** Data ranges of one connection that wait for another subflow. */
export const CFG_REINJECTIONS_MAX = 76;
/** Segments of one subflow in flight. */
export const CFG_RECORDS_MAX = 77;
/** Octets of one connection's private copies of data in flight. */
export const CFG_PRIVATE_MAX = 78;
/** Subflows in TIME-WAIT. */
export const CFG_TIME_WAIT_MAX = 79;
/** OPT_MAX_PACING_RATE of connections that say nothing else. */
export const CFG_MAX_PACING_RATE = 100;

// ---- subflow information in the scratch area (subflowInfo) ------------------------------------------------
export const SI_STATE = 0;
export const SI_PATH = 4;
export const SI_LOCAL_PORT = 8;
export const SI_REMOTE_PORT = 12;
export const SI_LOCAL_ID = 16;
export const SI_REMOTE_ID = 20;
/** 1 backup, 2 stale, 4 joined, 8 FIN waits to be sent, 16 ECN agreed, 32 the path is capable of ECN. */
export const SI_FLAGS = 24;
export const SI_CWND = 28;
export const SI_SSTHRESH = 32;
export const SI_IN_FLIGHT = 36;
export const SI_RETRANS = 40;
export const SI_MSS = 44;
export const SI_SRTT = 48;
export const SI_MIN_RTT = 56;
export const SI_RTO = 64;
export const SI_BYTES_SENT = 72;
export const SI_BYTES_RECEIVED = 80;
export const SI_LOCAL = 88;
export const SI_REMOTE = 104;

/** Loss recovery state and scoreboard (Linux' names), and other figures of struct tcp_info. */
export const SI_CA_STATE = 128;
export const SI_UNACKED = 132;
export const SI_SACKED = 136;
export const SI_LOST = 140;
export const SI_RETRANS_OUT = 144;
export const SI_RETRIES = 148;
export const SI_BACKOFF = 152;
/** 1 timestamps, 2 SACK, 4 window scaling: bits as in tcpi_options. */
export const SI_OPTIONS = 156;
export const SI_SND_SCALE = 160;
export const SI_RCV_SCALE = 164;
export const SI_ADV_MSS = 168;
export const SI_RCV_MSS = 172;
export const SI_MTU = 176;
export const SI_PROBES = 180;
export const SI_RTTVAR = 184;
/** Microseconds since data was sent, or since the connection was established. */
export const SI_DATA_SENT_AGO = 192;
export const SI_RECEIVED_AGO = 200;
export const SI_SND_WND = 208;
export const SI_RCV_WND = 212;
export const SI_SEGMENTS_IN = 216;
export const SI_SEGMENTS_OUT = 220;
export const SI_DATA_SEGMENTS_IN = 224;
export const SI_DATA_SEGMENTS_OUT = 228;
/** How long data may wait for its acknowledgement, microseconds. */
export const SI_ATO = 232;
/** Degree of reordering, times it was seen, segments delivered, duplicates reported by D-SACK, timeouts. */
export const SI_REORDERING = 240;
export const SI_REORD_SEEN = 244;
export const SI_DELIVERED = 248;
export const SI_DSACK_DUPS = 252;
export const SI_TIMEOUTS = 256;
/** Microseconds since the latest ACK, and since the latest data. */
export const SI_ACKED_AGO = 264;
export const SI_DATA_RECEIVED_AGO = 272;
export const SI_BYTES_RETRANS = 280;
/** Microseconds in which there was data to send, and of these in which the peer's window was full. */
export const SI_BUSY_TIME = 288;
export const SI_RWND_LIMITED = 296;
/** Octets per second at which bursts may leave. */
export const SI_PACING_RATE = 304;
/** Of SI_BUSY_TIME: in which all was sent and the program waited for room to write more. */
export const SI_SNDBUF_LIMITED = 312;
/** Octets per second that the path delivered, 0: unknown; and whether the program limited them. */
export const SI_DELIVERY_RATE = 320;
export const SI_APP_LIMITED = 328;
/** Delivered segments whose acknowledgement told of a mark; segments that came beyond a hole. */
export const SI_DELIVERED_CE = 332;
export const SI_OOO_SEGMENTS = 336;
/** Round trip as the receiver measures it, microseconds; what the program reads in one; where the window may grow to. */
export const SI_RCV_SPACE = 340;
export const SI_RCV_RTT = 344;
export const SI_RCV_SSTHRESH = 352;
/** Episodes of timeouts in a row, and the microseconds that they lasted. */
export const SI_TIMEOUT_EPISODES = 356;
export const SI_TIMEOUT_TIME = 360;
/** Most octets per second, Infinity: no limit. */
export const SI_MAX_PACING_RATE = 368;
/** Sequence numbers, with those of SYN and FIN, that were acknowledged and that arrived in order. */
export const SI_SEQ_ACKED = 376;
export const SI_SEQ_RECEIVED = 384;
/** Timeouts that chose another flow hash on Linux. */
export const SI_REHASHES = 392;

// ---- connection information in the scratch area (connectionInfo) ------------------------------------------
export const CI_STATE = 0;
/**
 * 1 mptcp, 2 fully established, 4 checksum, 8 opened by this side, 16 peer forbids joins to its first address,
 * 32 data in the SYN was taken.
 */
export const CI_FLAGS = 4;
export const CI_FALLBACK = 8;
export const CI_LOCAL_TOKEN = 12;
export const CI_REMOTE_TOKEN = 16;
export const CI_SUBFLOWS = 20;
export const CI_BYTES_WRITTEN = 24;
export const CI_BYTES_READ = 32;
export const CI_BYTES_ACKED = 40;
export const CI_BYTES_REINJECTED = 48;
export const CI_RCVBUF = 56;
export const CI_SNDBUF = 60;
/** Octets to be read; written and not acknowledged; written and not sent. */
export const CI_UNREAD = 128;
export const CI_UNACKED = 132;
export const CI_UNSENT = 136;
/** The peer's urgent octet: URGENT_*, its value, and how many octets there are to read before it (i32). */
export const CI_URGENT_STATE = 140;
export const CI_URGENT_OCTET = 144;
export const CI_URGENT_AT = 148;
/** 64 bits each: the next octet to be written, the oldest not acknowledged, the next expected; DATA_FIN counts. */
export const CI_WRITE_SEQ = 152;
export const CI_DATA_UNA = 160;
export const CI_RCV_NXT = 168;
/** Microseconds since data was sent and since some came (on subflows that there are), and since the last DATA_ACK. */
export const CI_DATA_SENT_AGO = 176;
export const CI_DATA_RECEIVED_AGO = 184;
export const CI_DATA_ACKED_AGO = 192;
/** Data-level timeouts since the last acknowledgement. */
export const CI_RETRIES = 200;
/** There is none, it is announced, it has come, it was read by itself. */
export const URGENT_NONE = 0;
export const URGENT_AHEAD = 1;
export const URGENT_HERE = 2;
export const URGENT_TAKEN = 3;
export const CIF_MPTCP = 1;
export const CIF_ESTABLISHED = 2;
export const CIF_CHECKSUM = 4;
export const CIF_CLIENT = 8;
export const CIF_DENY_JOIN = 16;
export const CIF_SYN_DATA = 32;
