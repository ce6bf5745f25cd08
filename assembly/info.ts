/** Snapshots for `--stats`, progress and tests, in the layouts of abi.ts. */
import {
  CI_BYTES_ACKED,
  CI_BYTES_READ,
  CI_BYTES_REINJECTED,
  CI_BYTES_WRITTEN,
  CI_FALLBACK,
  CI_FLAGS,
  CI_LOCAL_TOKEN,
  CI_RCVBUF,
  CI_REMOTE_TOKEN,
  CI_SNDBUF,
  CI_STATE,
  CI_SUBFLOWS,
  CI_UNACKED,
  CI_UNREAD,
  CI_UNSENT,
  CI_DATA_ACKED_AGO,
  CI_DATA_RECEIVED_AGO,
  CI_DATA_SENT_AGO,
  CI_DATA_UNA,
  CI_RCV_NXT,
  CI_RETRIES,
  CI_URGENT_AT,
  CI_WRITE_SEQ,
  CI_URGENT_OCTET,
  CI_URGENT_STATE,
  CIF_CHECKSUM,
  CIF_CLIENT,
  CIF_DENY_JOIN,
  CIF_ESTABLISHED,
  CIF_MPTCP,
  CIF_SYN_DATA,
  SI_APP_LIMITED,
  SI_DELIVERED_CE,
  SI_DELIVERY_RATE,
  SI_MAX_PACING_RATE,
  SI_OOO_SEGMENTS,
  SI_RCV_RTT,
  SI_REHASHES,
  SI_SEQ_ACKED,
  SI_SEQ_RECEIVED,
  SI_RCV_SPACE,
  SI_RCV_SSTHRESH,
  SI_SNDBUF_LIMITED,
  SI_TIMEOUT_EPISODES,
  SI_TIMEOUT_TIME,
  SI_ADV_MSS,
  SI_ACKED_AGO,
  SI_ATO,
  SI_BUSY_TIME,
  SI_BYTES_RETRANS,
  SI_DATA_RECEIVED_AGO,
  SI_DELIVERED,
  SI_DSACK_DUPS,
  SI_PACING_RATE,
  SI_REORDERING,
  SI_REORD_SEEN,
  SI_RWND_LIMITED,
  SI_TIMEOUTS,
  SI_BACKOFF,
  SI_BYTES_RECEIVED,
  SI_CA_STATE,
  SI_DATA_SEGMENTS_IN,
  SI_DATA_SEGMENTS_OUT,
  SI_DATA_SENT_AGO,
  SI_LOST,
  SI_MTU,
  SI_OPTIONS,
  SI_PROBES,
  SI_RCV_MSS,
  SI_RCV_SCALE,
  SI_RCV_WND,
  SI_RECEIVED_AGO,
  SI_RETRANS_OUT,
  SI_RETRIES,
  SI_RTTVAR,
  SI_SACKED,
  SI_SEGMENTS_IN,
  SI_SEGMENTS_OUT,
  SI_SND_SCALE,
  SI_SND_WND,
  SI_UNACKED,
  SI_BYTES_SENT,
  SI_CWND,
  SI_FLAGS,
  SI_IN_FLIGHT,
  SI_LOCAL,
  SI_LOCAL_ID,
  SI_LOCAL_PORT,
  SI_MIN_RTT,
  SI_MSS,
  SI_PATH,
  SI_REMOTE,
  SI_REMOTE_ID,
  SI_REMOTE_PORT,
  SI_RETRANS,
  SI_RTO,
  SI_SRTT,
  SI_SSTHRESH,
  SI_STATE,
} from './abi';
import { put64 } from './bytes';
import { dsnMin } from './dsn';
import { now } from './host';
import {
  Connection,
  C_CHECKSUM,
  C_CLIENT,
  C_DENY_JOIN,
  C_ESTABLISHED,
  C_FIN_QUEUED,
  C_MPTCP,
  C_SYN_DATA,
} from './mptcp/connection';
import { seqDiff } from './seq';
import { ECN_OK, ECN_SEEN } from './tcp/ecn';
import { pacingRate } from './tcp/pacing';
import { deliveryRate } from './tcp/rate';
import { rangesBytes } from './tcp/ranges';
import { currentRto } from './tcp/rtt';
import {
  CHRONO_BUFFER,
  CHRONO_IDLE,
  CHRONO_WINDOW,
  SF_FIN_QUEUED,
  SF_FIN_RECEIVED,
  SF_FIN_SENT,
  SF_PASSIVE,
  SF_JOIN,
  SF_SACK,
  SF_SCALE,
  SF_STALE,
  SF_TIMESTAMPS,
  Subflow,
  TIMER_PERSIST,
} from './tcp/subflow';

export function connectionInfo(c: Connection, at: usize): void {
  store<u32>(at + CI_STATE, c.state);
  store<u32>(
    at + CI_FLAGS,
    (c.is(C_MPTCP) ? CIF_MPTCP : 0) |
      (c.is(C_ESTABLISHED) ? CIF_ESTABLISHED : 0) |
      (c.is(C_CHECKSUM) ? CIF_CHECKSUM : 0) |
      (c.is(C_CLIENT) ? CIF_CLIENT : 0) |
      (c.is(C_DENY_JOIN) ? CIF_DENY_JOIN : 0) |
      (c.is(C_SYN_DATA) ? CIF_SYN_DATA : 0),
  );
  store<u32>(at + CI_FALLBACK, c.fallback);
  store<u32>(at + CI_LOCAL_TOKEN, c.localToken);
  store<u32>(at + CI_REMOTE_TOKEN, c.is(C_MPTCP) ? c.remoteToken : 0);
  store<u32>(at + CI_SUBFLOWS, c.subflowCount);
  store<f64>(at + CI_BYTES_WRITTEN, <f64>(c.writeSeq - c.localIdsn - 1 + c.synBytes));
  store<f64>(at + CI_BYTES_READ, <f64>c.bytesRead);
  const acked = dsnMin(c.dataUna, c.writeSeq) - c.localIdsn; // one more than octets, once the handshake is done
  store<f64>(at + CI_BYTES_ACKED, acked == 0 ? 0 : <f64>(acked - 1 + c.synBytes));
  store<f64>(at + CI_BYTES_REINJECTED, <f64>c.bytesReinjected);
  store<u32>(at + CI_RCVBUF, c.rcvCap);
  store<u32>(at + CI_SNDBUF, c.sndCap);
  store<u32>(at + CI_UNREAD, c.unread);
  store<u32>(at + CI_UNACKED, <u32>(c.writeSeq - dsnMin(c.dataUna, c.writeSeq)));
  store<u32>(at + CI_UNSENT, <u32>(c.writeSeq - dsnMin(c.dataNxt, c.writeSeq)));
  store<u32>(at + CI_URGENT_STATE, c.urgentState);
  store<u32>(at + CI_URGENT_OCTET, c.urgentOctet);
  store<i32>(at + CI_URGENT_AT, <i32>(c.urgentIn - c.readSeq));
  store<u64>(at + CI_WRITE_SEQ, c.writeSeq + u64(c.is(C_FIN_QUEUED)));
  store<u64>(at + CI_DATA_UNA, c.dataUna);
  store<u64>(at + CI_RCV_NXT, c.rcvNxt);
  dataTimes(c, at);
  store<u32>(at + CI_RETRIES, c.dataBackoff);
}

function dataTimes(c: Connection, at: usize): void {
  let first: f64 = Infinity;
  let sent: f64 = 0;
  let received: f64 = 0;
  for (let p = c.subflows; p != 0; p = changetype<Subflow>(p).nextOfConn) {
    const sf = changetype<Subflow>(p);
    if (sf.synchronized) first = min(first, sf.establishedAt);
    sent = max(sent, sf.lastDataSent);
    received = max(received, sf.dataAt);
  }
  if (first == Infinity) first = now;
  store<f64>(at + CI_DATA_SENT_AGO, now - max(sent, first));
  store<f64>(at + CI_DATA_RECEIVED_AGO, now - max(received, first));
  store<f64>(at + CI_DATA_ACKED_AGO, now - max(c.dataAckAt, first));
}

/** TCPI_OPT_* of Linux. */
function optionsOf(sf: Subflow): u32 {
  let options: u32 = (sf.is(SF_TIMESTAMPS) ? 1 : 0) | (sf.is(SF_SACK) ? 2 : 0) | (sf.is(SF_SCALE) ? 4 : 0);
  if ((sf.ecn & ECN_OK) != 0) options |= 8;
  if ((sf.ecn & ECN_SEEN) != 0) options |= 16;
  return options;
}

export function subflowInfo(sf: Subflow, at: usize): void {
  store<u32>(at + SI_STATE, sf.state);
  store<u32>(at + SI_PATH, sf.path);
  store<u32>(at + SI_LOCAL_PORT, sf.localPort);
  store<u32>(at + SI_REMOTE_PORT, sf.remotePort);
  store<u32>(at + SI_LOCAL_ID, sf.localId);
  store<u32>(at + SI_REMOTE_ID, sf.remoteId);
  store<u32>(
    at + SI_FLAGS,
    (sf.backup ? 1 : 0) |
      (sf.is(SF_STALE) ? 2 : 0) |
      (sf.is(SF_JOIN) ? 4 : 0) |
      (sf.is(SF_FIN_QUEUED) ? 8 : 0) |
      ((sf.ecn & ECN_OK) != 0 ? 16 : 0) |
      ((sf.ecn & ECN_SEEN) != 0 ? 32 : 0),
  );
  store<u32>(at + SI_CWND, sf.cwnd);
  store<u32>(at + SI_SSTHRESH, sf.ssthresh);
  store<u32>(at + SI_IN_FLIGHT, sf.inFlight);
  store<u32>(at + SI_RETRANS, sf.retransmissions);
  store<u32>(at + SI_MSS, sf.mss);
  store<f64>(at + SI_SRTT, sf.srtt);
  store<f64>(at + SI_MIN_RTT, sf.minRtt);
  store<f64>(at + SI_RTO, sf.timerKind == TIMER_PERSIST ? sf.rto : currentRto(sf));
  store<f64>(at + SI_BYTES_SENT, <f64>sf.bytesSent);
  store<f64>(at + SI_BYTES_RECEIVED, <f64>sf.bytesReceived);
  store<u32>(at + SI_CA_STATE, sf.caState);
  store<u32>(at + SI_UNACKED, sf.packetsOut);
  store<u32>(at + SI_SACKED, sf.sackedOut);
  store<u32>(at + SI_LOST, sf.lostOut);
  store<u32>(at + SI_RETRANS_OUT, sf.retransOut);
  store<u32>(at + SI_RETRIES, sf.retries);
  store<u32>(at + SI_BACKOFF, sf.backoff);
  store<u32>(at + SI_OPTIONS, optionsOf(sf));
  store<u32>(at + SI_SND_SCALE, sf.sndScale);
  store<u32>(at + SI_RCV_SCALE, sf.rcvScale);
  const stamps = sf.is(SF_TIMESTAMPS) && sf.synchronized ? 12 : 0;
  store<u32>(at + SI_ADV_MSS, sf.mtu - (sf.family == 4 ? 40 : 60) - sf.overhead - stamps);
  store<u32>(at + SI_RCV_MSS, sf.rcvMss);
  store<u32>(at + SI_MTU, sf.mtu);
  store<u32>(at + SI_PROBES, max(sf.probesOut, sf.keepaliveProbes));
  store<f64>(at + SI_RTTVAR, sf.rttvar);
  store<f64>(at + SI_DATA_SENT_AGO, now - (sf.lastDataSent == 0 ? sf.establishedAt : sf.lastDataSent));
  store<f64>(at + SI_RECEIVED_AGO, now - sf.lastReceived);
  store<u32>(at + SI_SEGMENTS_IN, sf.segmentsIn);
  store<u32>(at + SI_SEGMENTS_OUT, sf.segmentsOut);
  store<u32>(at + SI_DATA_SEGMENTS_IN, sf.dataSegmentsIn);
  store<u32>(at + SI_DATA_SEGMENTS_OUT, sf.dataSegmentsOut);
  store<f64>(at + SI_ATO, sf.ato);
  store<u32>(at + SI_SND_WND, sf.sndWnd);
  store<u32>(at + SI_RCV_WND, <u32>max<i32>(0, seqDiff(sf.rcvEdge, sf.rcvNxt)));
  store<u32>(at + SI_REORDERING, sf.reordering);
  store<u32>(at + SI_REORD_SEEN, sf.reordSeen);
  store<u32>(at + SI_DELIVERED, sf.delivered);
  store<u32>(at + SI_DSACK_DUPS, sf.dsackDups);
  store<u32>(at + SI_TIMEOUTS, sf.timeouts);
  store<f64>(at + SI_ACKED_AGO, now - sf.lastReceived);
  store<f64>(at + SI_DATA_RECEIVED_AGO, now - (sf.dataAt == 0 ? sf.establishedAt : sf.dataAt));
  store<f64>(at + SI_BYTES_RETRANS, <f64>sf.bytesRetransmitted);
  const waited = sf.chrono == CHRONO_IDLE ? 0 : now - sf.chronoAt;
  store<f64>(at + SI_BUSY_TIME, sf.busyTime + waited);
  store<f64>(at + SI_RWND_LIMITED, sf.windowTime + (sf.chrono == CHRONO_WINDOW ? waited : 0));
  store<f64>(at + SI_SNDBUF_LIMITED, sf.bufferTime + (sf.chrono == CHRONO_BUFFER ? waited : 0));
  store<f64>(at + SI_DELIVERY_RATE, deliveryRate(sf));
  store<u32>(at + SI_APP_LIMITED, sf.rateAppLimited ? 1 : 0);
  store<u32>(at + SI_DELIVERED_CE, sf.deliveredMarked);
  store<u32>(at + SI_OOO_SEGMENTS, sf.oooSegments);
  store<f64>(at + SI_RCV_RTT, sf.rcvRtt);
  store<u32>(at + SI_RCV_SSTHRESH, sf.rcvSsthresh);
  store<u32>(at + SI_TIMEOUT_EPISODES, sf.timeoutEpisodes);
  store<f64>(at + SI_TIMEOUT_TIME, sf.timeoutTime + (sf.timeoutAt == 0 ? 0 : now - sf.timeoutAt));
  store<u32>(at + SI_REHASHES, sf.timeouts - sf.answerTimeouts);
  const out = <u64>max<i32>(0, seqDiff(sf.sndNxt, sf.sndUna));
  const sent = sf.bytesSent + u64(sf.is(SF_FIN_SENT)) + u64(!sf.is(SF_PASSIVE));
  store<f64>(at + SI_SEQ_ACKED, sent > out && sf.synchronized ? <f64>(sent - out) : 0);
  store<f64>(at + SI_SEQ_RECEIVED, <f64>(sf.bytesReceived - rangesBytes(sf) + u64(sf.is(SF_FIN_RECEIVED))));
  const c = changetype<Connection>(sf.conn);
  store<u32>(at + SI_RCV_SPACE, sf.conn == 0 ? 0 : c.rcvqSpace);
  const limit = sf.conn == 0 || c.maxPacing == 0 ? Infinity : c.maxPacing;
  store<f64>(at + SI_MAX_PACING_RATE, limit);
  store<f64>(at + SI_PACING_RATE, min(pacingRate(sf, sf.mss), limit));
  put64(at + SI_LOCAL, sf.localHigh);
  put64(at + SI_LOCAL + 8, sf.localLow);
  put64(at + SI_REMOTE, sf.remoteHigh);
  put64(at + SI_REMOTE + 8, sf.remoteLow);
}
