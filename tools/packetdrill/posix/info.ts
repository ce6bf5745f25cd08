/** struct tcp_info and struct mptcp_info by Linux' field names, from what the core tells. */
import * as abi from '../../../assembly/abi.js';
import type { Core } from '../../../src/core/core.js';

import { STATE, type Socket } from './socket.js';

/** Linux' numbers of the core's TCP states, by index. */
const TCP_STATES = [
  STATE.CLOSE,
  STATE.SYN_SENT,
  STATE.SYN_RECV,
  STATE.ESTABLISHED,
  STATE.FIN_WAIT1,
  STATE.FIN_WAIT2,
  STATE.CLOSE_WAIT,
  STATE.CLOSING,
  STATE.LAST_ACK,
  STATE.TIME_WAIT,
];

/** Fields that are read as they are: name, offset in subflowInfo, and whether it is an f64. */
const PLAIN: readonly (readonly [string, number, 'u32' | 'f64'])[] = [
  ['tcpi_rto', abi.SI_RTO, 'f64'],
  ['tcpi_snd_mss', abi.SI_MSS, 'u32'],
  ['tcpi_rtt', abi.SI_SRTT, 'f64'],
  ['tcpi_min_rtt', abi.SI_MIN_RTT, 'f64'],
  ['tcpi_snd_ssthresh', abi.SI_SSTHRESH, 'u32'],
  ['tcpi_snd_cwnd', abi.SI_CWND, 'u32'],
  ['tcpi_total_retrans', abi.SI_RETRANS, 'u32'],
  ['tcpi_bytes_received', abi.SI_SEQ_RECEIVED, 'f64'],
  ['tcpi_bytes_acked', abi.SI_SEQ_ACKED, 'f64'],
  ['tcpi_bytes_sent', abi.SI_BYTES_SENT, 'f64'],
  ['tcpi_ca_state', abi.SI_CA_STATE, 'u32'],
  ['tcpi_retransmits', abi.SI_RETRIES, 'u32'],
  ['tcpi_probes', abi.SI_PROBES, 'u32'],
  ['tcpi_backoff', abi.SI_BACKOFF, 'u32'],
  ['tcpi_options', abi.SI_OPTIONS, 'u32'],
  ['tcpi_snd_wscale', abi.SI_SND_SCALE, 'u32'],
  ['tcpi_rcv_wscale', abi.SI_RCV_SCALE, 'u32'],
  ['tcpi_advmss', abi.SI_ADV_MSS, 'u32'],
  ['tcpi_rcv_mss', abi.SI_RCV_MSS, 'u32'],
  ['tcpi_pmtu', abi.SI_MTU, 'u32'],
  ['tcpi_unacked', abi.SI_UNACKED, 'u32'],
  ['tcpi_sacked', abi.SI_SACKED, 'u32'],
  ['tcpi_lost', abi.SI_LOST, 'u32'],
  ['tcpi_retrans', abi.SI_RETRANS_OUT, 'u32'],
  ['tcpi_rttvar', abi.SI_RTTVAR, 'f64'],
  ['tcpi_segs_in', abi.SI_SEGMENTS_IN, 'u32'],
  ['tcpi_segs_out', abi.SI_SEGMENTS_OUT, 'u32'],
  ['tcpi_data_segs_in', abi.SI_DATA_SEGMENTS_IN, 'u32'],
  ['tcpi_data_segs_out', abi.SI_DATA_SEGMENTS_OUT, 'u32'],
  ['tcpi_ato', abi.SI_ATO, 'f64'],
  ['tcpi_reordering', abi.SI_REORDERING, 'u32'],
  ['tcpi_reord_seen', abi.SI_REORD_SEEN, 'u32'],
  ['tcpi_delivered', abi.SI_DELIVERED, 'u32'],
  ['tcpi_dsack_dups', abi.SI_DSACK_DUPS, 'u32'],
  ['tcpi_total_rto', abi.SI_TIMEOUTS, 'u32'],
  ['tcpi_bytes_retrans', abi.SI_BYTES_RETRANS, 'f64'],
  ['tcpi_busy_time', abi.SI_BUSY_TIME, 'f64'],
  ['tcpi_rwnd_limited', abi.SI_RWND_LIMITED, 'f64'],
  ['tcpi_sndbuf_limited', abi.SI_SNDBUF_LIMITED, 'f64'],
  ['tcpi_delivery_rate', abi.SI_DELIVERY_RATE, 'f64'],
  ['tcpi_delivery_rate_app_limited', abi.SI_APP_LIMITED, 'u32'],
  ['tcpi_delivered_ce', abi.SI_DELIVERED_CE, 'u32'],
  ['tcpi_rcv_ooopack', abi.SI_OOO_SEGMENTS, 'u32'],
  ['tcpi_rcv_space', abi.SI_RCV_SPACE, 'u32'],
  ['tcpi_rcv_rtt', abi.SI_RCV_RTT, 'f64'],
  ['tcpi_rcv_ssthresh', abi.SI_RCV_SSTHRESH, 'u32'],
  ['tcpi_rehash', abi.SI_REHASHES, 'u32'],
  ['tcpi_total_rto_recoveries', abi.SI_TIMEOUT_EPISODES, 'u32'],
  ['tcpi_snd_wnd', abi.SI_SND_WND, 'u32'],
  ['tcpi_rcv_wnd', abi.SI_RCV_WND, 'u32'],
];

const NAMES = `tcpi_state tcpi_ca_state tcpi_retransmits tcpi_probes tcpi_backoff tcpi_options tcpi_snd_wscale
  tcpi_rcv_wscale tcpi_delivery_rate_app_limited tcpi_fastopen_client_fail tcpi_rto tcpi_ato tcpi_snd_mss tcpi_rcv_mss
  tcpi_unacked tcpi_sacked tcpi_lost tcpi_retrans tcpi_fackets tcpi_last_data_sent tcpi_last_ack_sent
  tcpi_last_data_recv tcpi_last_ack_recv tcpi_pmtu tcpi_rcv_ssthresh tcpi_rtt tcpi_rttvar tcpi_snd_ssthresh
  tcpi_snd_cwnd tcpi_advmss tcpi_reordering tcpi_rcv_rtt tcpi_rcv_space tcpi_total_retrans tcpi_pacing_rate
  tcpi_max_pacing_rate tcpi_bytes_acked tcpi_bytes_received tcpi_segs_out tcpi_segs_in tcpi_notsent_bytes tcpi_min_rtt
  tcpi_data_segs_in tcpi_data_segs_out tcpi_delivery_rate tcpi_busy_time tcpi_rwnd_limited tcpi_sndbuf_limited
  tcpi_delivered tcpi_delivered_ce tcpi_bytes_sent tcpi_bytes_retrans tcpi_dsack_dups tcpi_reord_seen tcpi_rcv_ooopack
  tcpi_snd_wnd tcpi_rcv_wnd tcpi_rehash tcpi_total_rto tcpi_total_rto_recoveries tcpi_total_rto_time`.split(
  /\s+/,
);

/** TCP's segment size, in which Linux leaves no room for DSS: as much as the core has kept back for it. */
export function maxSegment(s: Socket): number | null {
  const { core } = s.stack;
  const handle = s.connection?.handle ?? 0;
  const subflow = handle === 0 ? 0 : core.x.nextSubflow(handle, 0);
  if (subflow === 0) return null;
  core.x.subflowInfo(subflow);
  const mss = core.scratchU32(abi.SI_MSS);
  return s.multipath ? Math.min(mss + DSS, core.scratchU32(abi.SI_ADV_MSS)) : mss;
}

/** The longest mapping without a checksum, padded. */
const DSS = 28;

/** No limit. */
const MAX_RATE = 2n ** 64n - 1n;

/** TCP_INFO; of a Multipath TCP socket that of its first subflow. */
export function tcpInfo(s: Socket): Map<string, bigint> {
  const info = new Map(NAMES.map((name) => [name, 0n]));
  info.set('tcpi_state', BigInt(s.state));
  const { core } = s.stack;
  const subflow = s.connection === null ? 0 : core.x.nextSubflow(s.connection.handle, 0);
  if (subflow === 0) return info;
  s.stack.run(s.stack.now()); // times are those of its latest turn
  core.x.subflowInfo(subflow);
  fill(core, info);
  const { unsent } = s.queues();
  info.set('tcpi_notsent_bytes', BigInt(unsent));
  if (s.established) info.set('tcpi_snd_mss', BigInt(maxSegment(s) ?? 0));
  return info;
}

function fill(core: Core, info: Map<string, bigint>): void {
  for (const [name, offset, kind] of PLAIN) {
    const value = kind === 'u32' ? core.scratchU32(offset) : core.scratchF64(offset);
    info.set(name, BigInt(Math.round(value)));
  }
  const milliseconds = (offset: number): bigint => BigInt(Math.floor(core.scratchF64(offset) / 1000));
  info.set('tcpi_last_data_sent', milliseconds(abi.SI_DATA_SENT_AGO));
  info.set('tcpi_last_data_recv', milliseconds(abi.SI_DATA_RECEIVED_AGO));
  info.set('tcpi_last_ack_recv', milliseconds(abi.SI_ACKED_AGO));
  // What was sent counts each time that it was.
  info.set('tcpi_bytes_sent', info.get('tcpi_bytes_sent')! + info.get('tcpi_bytes_retrans')!);
  info.set('tcpi_total_rto_time', milliseconds(abi.SI_TIMEOUT_TIME));
  info.set('tcpi_pacing_rate', rateOf(core.scratchF64(abi.SI_PACING_RATE)));
  info.set('tcpi_max_pacing_rate', rateOf(core.scratchF64(abi.SI_MAX_PACING_RATE)));
  const state = core.scratchU32(abi.SI_STATE);
  info.set('tcpi_state', BigInt(TCP_STATES[state] ?? STATE.CLOSE));
  if (info.get('tcpi_min_rtt') === 0n) info.set('tcpi_min_rtt', 0xffffffffn);
  if (state === abi.TCP_SYN_SENT) for (const [name, value] of OPENING) info.set(name, value);
}

/** What Linux says before the answer to its SYN. */
const OPENING: readonly (readonly [string, bigint])[] = [
  ['tcpi_options', 0n],
  ['tcpi_rcv_wscale', 0n],
  ['tcpi_unacked', 1n],
  ['tcpi_snd_cwnd', 10n],
  ['tcpi_snd_ssthresh', 0x7fffffffn],
  ['tcpi_rttvar', 250000n],
];

const rateOf = (rate: number): bigint => (Number.isFinite(rate) ? BigInt(Math.floor(rate)) : MAX_RATE);

/** MPTCP_INFO. */
export function mptcpInfo(s: Socket): Map<string, bigint> {
  const info = new Map<string, bigint>(
    `mptcpi_subflows mptcpi_add_addr_signal mptcpi_add_addr_accepted mptcpi_subflows_max mptcpi_add_addr_signal_max
    mptcpi_add_addr_accepted_max mptcpi_flags mptcpi_token mptcpi_write_seq mptcpi_snd_una mptcpi_rcv_nxt
    mptcpi_local_addr_used mptcpi_local_addr_max mptcpi_csum_enabled mptcpi_retransmits mptcpi_bytes_retrans
    mptcpi_bytes_sent mptcpi_bytes_received mptcpi_bytes_acked mptcpi_subflows_total mptcpi_endp_signal_max
    mptcpi_endp_laminar_max mptcpi_endp_fullmesh_max
    mptcpi_last_data_sent mptcpi_last_data_recv mptcpi_last_ack_recv`
      .split(/\s+/)
      .map((name) => [name, 0n]),
  );
  const c = s.connection;
  if (c === null) return info;
  const { core } = s.stack;
  s.stack.run(s.stack.now()); // times are those of its latest turn
  if (core.x.connectionInfo(c.handle) < 0) return info;
  const u32 = (offset: number): bigint => BigInt(core.scratchU32(offset));
  const f64 = (offset: number): bigint => BigInt(core.scratchF64(offset));
  const flags = core.scratchU32(abi.CI_FLAGS);
  const subflows = core.scratchU32(abi.CI_SUBFLOWS);
  // The first subflow does not count.
  info.set('mptcpi_subflows', BigInt(Math.max(0, subflows - 1)));
  info.set('mptcpi_subflows_total', BigInt(subflows));
  const fallback = core.scratchU32(abi.CI_FALLBACK) !== 0;
  info.set('mptcpi_flags', BigInt((fallback ? 1 : 0) | (u32(abi.CI_REMOTE_TOKEN) !== 0n ? 2 : 0)));
  info.set('mptcpi_token', u32(abi.CI_LOCAL_TOKEN));
  info.set('mptcpi_csum_enabled', BigInt((flags & abi.CIF_CHECKSUM) !== 0));
  info.set('mptcpi_bytes_sent', f64(abi.CI_BYTES_WRITTEN) - u32(abi.CI_UNSENT));
  info.set('mptcpi_bytes_acked', f64(abi.CI_BYTES_ACKED));
  info.set('mptcpi_bytes_received', f64(abi.CI_BYTES_READ) + u32(abi.CI_UNREAD));
  info.set('mptcpi_bytes_retrans', f64(abi.CI_BYTES_REINJECTED));
  const u64 = (offset: number): bigint => (u32(offset + 4) << 32n) | u32(offset);
  info.set('mptcpi_write_seq', u64(abi.CI_WRITE_SEQ));
  info.set('mptcpi_snd_una', u64(abi.CI_DATA_UNA));
  info.set('mptcpi_rcv_nxt', u64(abi.CI_RCV_NXT));
  info.set('mptcpi_retransmits', u32(abi.CI_RETRIES));
  const milliseconds = (offset: number): bigint => BigInt(Math.floor(core.scratchF64(offset) / 1000));
  info.set('mptcpi_last_data_sent', milliseconds(abi.CI_DATA_SENT_AGO));
  info.set('mptcpi_last_data_recv', milliseconds(abi.CI_DATA_RECEIVED_AGO));
  info.set('mptcpi_last_ack_recv', milliseconds(abi.CI_DATA_ACKED_AGO));
  return info;
}
