/** Structures of the C library, to and from octets. */
import { endianness } from 'node:os';
import type { Expr } from '../ast.js';
import type { ControlMessage } from '../posix/ancillary.js';
import { constant } from '../posix/constants.js';
import { field, integer, isEllipsis, number, socketAddress, type SocketAddress } from '../posix/evaluate.js';
import { ScriptError } from '../socket-layer.js';
import { addressOctets, addressOf } from '../wire.js';

if (endianness() !== 'LE') throw new Error('structures are laid out for little-endian machines');

const AF_INET = constant('AF_INET');
const AF_INET6 = constant('AF_INET6');
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** struct sockaddr_in or sockaddr_in6. */
export function encodeAddress({ family, address, port }: SocketAddress): Buffer {
  const v6 = family === AF_INET6;
  const octets = Buffer.alloc(v6 ? 28 : 16);
  octets.writeUInt16LE(family, 0);
  octets.writeUInt16BE(port, 2);
  if (address === null) return octets;
  const plain = addressOctets(address);
  if (!v6) octets.set(plain, 4);
  else octets.set(plain.length === 4 ? Buffer.concat([MAPPED, plain]) : plain, 8);
  return octets;
}

export function decodeAddress(octets: Buffer): SocketAddress | null {
  const family = octets.readUInt16LE(0);
  if (family !== AF_INET && family !== AF_INET6) return null;
  const plain = family === AF_INET ? octets.subarray(4, 8) : octets.subarray(8, 24);
  const mapped = family === AF_INET6 && plain.subarray(0, 12).equals(MAPPED);
  const any = plain.every((octet) => octet === 0);
  const address = any ? null : addressOf(mapped ? plain.subarray(12) : plain);
  return { family, address, port: octets.readUInt16BE(2) };
}

/** The address of an argument; `...` stands for the one given. */
export const addressArgument = (e: Expr | undefined, other: SocketAddress): Buffer =>
  encodeAddress(e === undefined || isEllipsis(e) ? other : socketAddress(e));

export function int32(value: bigint | number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeInt32LE(Number(BigInt.asIntN(32, BigInt(value))));
  return octets;
}

const fieldOr = (e: Expr | undefined, name: string): bigint => {
  const value = field(e, name);
  return value === undefined ? 0n : integer(value);
};

/** struct timeval and struct timespec: two words. */
export function encodeTime(e: Expr | undefined, second: 'tv_usec' | 'tv_nsec'): Buffer {
  const octets = Buffer.alloc(16);
  octets.writeBigInt64LE(fieldOr(e, 'tv_sec'), 0);
  octets.writeBigInt64LE(fieldOr(e, second), 8);
  return octets;
}

// ---- control messages -------------------------------------------------------------------------------------------

const CMSG_HEADER = 16;
const aligned = (length: number): number => (length + 7) & ~7;

export function encodeControl(messages: readonly Expr[]): Buffer {
  return Buffer.concat(
    messages.map((message) => {
      const octets = Buffer.alloc(CMSG_HEADER + 8);
      octets.writeBigInt64LE(BigInt(CMSG_HEADER + 4), 0);
      octets.writeInt32LE(number(field(message, 'cmsg_level')), 8);
      octets.writeInt32LE(number(field(message, 'cmsg_type')), 12);
      octets.set(int32(integer(field(message, 'cmsg_data'))), CMSG_HEADER);
      return octets;
    }),
  );
}

export function decodeControl(octets: Buffer): ControlMessage[] {
  const messages: ControlMessage[] = [];
  for (let at = 0; at + CMSG_HEADER <= octets.length;) {
    const length = Number(octets.readBigUInt64LE(at));
    if (length < CMSG_HEADER) break;
    messages.push({
      level: octets.readInt32LE(at + 8),
      type: octets.readInt32LE(at + 12),
      data: octets.subarray(at + CMSG_HEADER, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

// ---- struct tcp_info and struct mptcp_info ------------------------------------------------------------------------

/** Fields in order: a width in bits, and names that have it; 0 skips to the next multiple of the octets named. */
type Layout = readonly (readonly [bits: 8 | 16 | 32 | 64, names: string])[];

const TCP_INFO: Layout = [
  [8, 'tcpi_state tcpi_ca_state tcpi_retransmits tcpi_probes tcpi_backoff tcpi_options scales limits'],
  [
    32,
    'tcpi_rto tcpi_ato tcpi_snd_mss tcpi_rcv_mss tcpi_unacked tcpi_sacked tcpi_lost tcpi_retrans tcpi_fackets',
  ],
  [32, 'tcpi_last_data_sent tcpi_last_ack_sent tcpi_last_data_recv tcpi_last_ack_recv tcpi_pmtu'],
  [32, 'tcpi_rcv_ssthresh tcpi_rtt tcpi_rttvar tcpi_snd_ssthresh tcpi_snd_cwnd tcpi_advmss tcpi_reordering'],
  [32, 'tcpi_rcv_rtt tcpi_rcv_space tcpi_total_retrans'],
  [64, 'tcpi_pacing_rate tcpi_max_pacing_rate tcpi_bytes_acked tcpi_bytes_received'],
  [32, 'tcpi_segs_out tcpi_segs_in tcpi_notsent_bytes tcpi_min_rtt tcpi_data_segs_in tcpi_data_segs_out'],
  [64, 'tcpi_delivery_rate tcpi_busy_time tcpi_rwnd_limited tcpi_sndbuf_limited'],
  [32, 'tcpi_delivered tcpi_delivered_ce'],
  [64, 'tcpi_bytes_sent tcpi_bytes_retrans'],
  [32, 'tcpi_dsack_dups tcpi_reord_seen tcpi_rcv_ooopack tcpi_snd_wnd tcpi_rcv_wnd tcpi_rehash'],
  [16, 'tcpi_total_rto tcpi_total_rto_recoveries'],
  [32, 'tcpi_total_rto_time'],
];

const MPTCP_INFO: Layout = [
  [8, 'mptcpi_subflows mptcpi_add_addr_signal mptcpi_add_addr_accepted mptcpi_subflows_max'],
  [8, 'mptcpi_add_addr_signal_max mptcpi_add_addr_accepted_max'],
  [32, 'mptcpi_flags mptcpi_token'],
  [64, 'mptcpi_write_seq mptcpi_snd_una mptcpi_rcv_nxt'],
  [8, 'mptcpi_local_addr_used mptcpi_local_addr_max mptcpi_csum_enabled'],
  [32, 'mptcpi_retransmits'],
  [64, 'mptcpi_bytes_retrans mptcpi_bytes_sent mptcpi_bytes_received mptcpi_bytes_acked'],
  [8, 'mptcpi_subflows_total mptcpi_endp_laminar_max mptcpi_endp_fullmesh_max'],
  [32, 'mptcpi_last_data_sent mptcpi_last_data_recv mptcpi_last_ack_recv'],
];

function decode(layout: Layout, octets: Buffer): Map<string, bigint> {
  const fields = new Map<string, bigint>();
  let at = 0;
  for (const [bits, names] of layout) {
    const size = bits / 8;
    at = Math.ceil(at / size) * size;
    for (const name of names.split(' ')) {
      if (at + size <= octets.length) fields.set(name, read(octets, at, size));
      at += size;
    }
  }
  return fields;
}

const read = (octets: Buffer, at: number, size: number): bigint =>
  size === 8 ? octets.readBigUInt64LE(at) : BigInt(octets.readUIntLE(at, size));

export function decodeTcpInfo(octets: Buffer): Map<string, bigint> {
  const fields = decode(TCP_INFO, octets);
  const scales = fields.get('scales') ?? 0n;
  const limits = fields.get('limits') ?? 0n;
  fields.delete('scales');
  fields.delete('limits');
  fields.set('tcpi_snd_wscale', scales & 15n);
  fields.set('tcpi_rcv_wscale', scales >> 4n);
  fields.set('tcpi_delivery_rate_app_limited', limits & 1n);
  fields.set('tcpi_fastopen_client_fail', (limits >> 1n) & 3n);
  return fields;
}

export const decodeMptcpInfo = (octets: Buffer): Map<string, bigint> => decode(MPTCP_INFO, octets);

/** The octets of a string argument. */
export function stringArgument(e: Expr | undefined): Buffer {
  if (e?.kind === 'string') return e.value;
  if (e?.kind === 'list' && e.items.length === 1) return stringArgument(e.items[0]);
  throw new ScriptError('a string is needed');
}
