/** Packets in the notation of scripts. */
import type { Flow } from './flow.js';
import { decodeMptcp, type WireMptcp, type WireNumber } from './mptcp-wire.js';
import * as wire from './wire.js';

/** Numbers count from the flow's initial ones; null: they stay absolute. */
export function formatPacket(packet: wire.TcpFields, flow: Flow | null, direction: 'in' | 'out'): string {
  const { flags, payload } = packet;
  const syn = (flags & wire.SYN) !== 0;
  const out = direction === 'out';
  const seqOffset = flow === null ? 0 : out ? flow.localOffset(syn) : flow.remoteOffset(syn);
  const ackOffset = flow === null ? 0 : out ? flow.remoteOffset(syn) : flow.localOffset(syn);
  const seq = (packet.seq - seqOffset) >>> 0;
  const parts = [formatFlags(flags), `${seq}:${(seq + payload.length) >>> 0}(${payload.length})`];
  if ((flags & wire.ACK) !== 0) parts.push(`ack ${(packet.ack - ackOffset) >>> 0}`);
  parts.push(`win ${packet.window}`);
  if (packet.urgent !== 0) parts.push(`urg ${packet.urgent}`);
  const options = packet.options.map((option) => formatOption(option, flow, ackOffset, out));
  if (options.length > 0) parts.push(`<${options.join(',')}>`);
  return parts.join(' ');
}

const LETTERS: readonly (readonly [number, string])[] = [
  [wire.FIN, 'F'],
  [wire.SYN, 'S'],
  [wire.RST, 'R'],
  [wire.PSH, 'P'],
  [wire.ACK, '.'],
  [wire.URG, 'U'],
  [wire.ECE, 'E'],
  [wire.CWR, 'W'],
  [wire.AE, 'A'],
];

export function formatFlags(flags: number): string {
  const letters = LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return letters.length === 0 ? '-' : letters.join('');
}

function formatOption(option: wire.WireOption, flow: Flow | null, ackOffset: number, out: boolean): string {
  const { kind, data } = option;
  switch (kind) {
    case wire.OPTION_EOL:
      return 'eol';
    case wire.OPTION_NOP:
      return 'nop';
    case wire.OPTION_SACK_OK:
      return 'sackOK';
    case wire.OPTION_MPTCP:
      return data.length === 0 ? 'mptcp' : formatMptcp(decodeMptcp(data), flow, out);
    case wire.OPTION_FASTOPEN:
      return data.length === 0 ? 'FO' : `FO ${data.toString('hex')}`;
    case wire.OPTION_MD5:
      return `md5 ${data.toString('hex')}`;
  }
  if (kind === wire.OPTION_MSS && data.length === 2) return `mss ${data.readUInt16BE(0)}`;
  if (kind === wire.OPTION_WSCALE && data.length === 1) return `wscale ${data[0]!}`;
  if (kind === wire.OPTION_TIMESTAMP && data.length === 8) {
    return `TS val ${timestampText(data.readUInt32BE(0), flow, out)} ecr ${data.readUInt32BE(4)}`;
  }
  if (kind === wire.OPTION_SACK && data.length % 8 === 0) {
    const edges: string[] = [];
    for (let at = 0; at < data.length; at += 8) {
      const edge = (offset: number): number => (data.readUInt32BE(at + offset) - ackOffset) >>> 0;
      edges.push(`${edge(0)}:${edge(4)}`);
    }
    return `sack ${edges.join(' ')}`;
  }
  return `raw ${kind} ${data.toString('hex')}`;
}

/** Outgoing values in the script's own count. */
function timestampText(live: number, flow: Flow | null, out: boolean): number {
  const first = out ? (flow?.firstTimestamp ?? null) : null;
  return first === null ? live : (live - first.live + first.script) >>> 0;
}

export function formatMptcp(o: WireMptcp, flow: Flow | null, out: boolean): string {
  const { connection } = flow ?? { connection: null };
  const own = (out ? connection?.stackIdsn : connection?.peerIdsn) ?? 0n;
  const other = (out ? connection?.peerIdsn : connection?.stackIdsn) ?? 0n;
  const bit = (on: boolean): number => (on ? 1 : 0);
  switch (o.kind) {
    case 'mp_capable': {
      const keys = o.keys.length === 0 ? 'nokey' : `key[${o.keys.map((key) => hex(key)).join(', ')}]`;
      const length = o.length === null ? '' : ` mpcdatalen ${o.length}`;
      const checksum = o.checksum === null ? '' : ` cksum=${o.checksum}`;
      return `mpcapable v${o.version} flags ${hex(o.flags)} ${keys}${length}${checksum}`;
    }
    case 'mp_join_syn':
      return `mp_join_syn backup=${bit(o.backup)} address_id=${o.id} token=${hex(o.token)} rand=${hex(o.nonce)}`;
    case 'mp_join_syn_ack':
      return (
        `mp_join_syn_ack backup=${bit(o.backup)} address_id=${o.id} ` +
        `sender_hmac=${o.hmac.toString('hex')} rand=${hex(o.nonce)}`
      );
    case 'mp_join_ack':
      return `mp_join_ack sender_hmac=${o.hmac.toString('hex')}`;
    case 'dss': {
      const parts = ['dss'];
      if (o.dack !== null) parts.push(`dack${o.dack.width}=${relative(o.dack, other)}`);
      if (o.dsn !== null) {
        parts.push(`dsn${o.dsn.width}=${relative(o.dsn, own)} ssn=${o.ssn} dll=${o.length}`);
        parts.push(o.checksum === null ? 'nocs' : `cksum=${o.checksum}`);
      }
      return [...parts, ...(o.fin ? ['fin'] : [])].join(' ');
    }
    case 'add_address': {
      const port = o.port === null ? '' : ` port=${o.port}`;
      const hmac = o.hmac === null ? 'addr_echo' : `hmac=${o.hmac.toString('hex')}`;
      return `add_address address_id=${o.id} addr[${wire.addressOf(o.address)}]${port} ${hmac}`;
    }
    case 'remove_address':
      return `remove_address address_id=[${o.ids.join(',')}]`;
    case 'mp_prio':
      return `mp_prio backup=${bit(o.backup)}${o.id === null ? '' : ` address_id=${o.id}`}`;
    case 'mp_fail':
      return `mp_fail dsn8=${BigInt.asIntN(64, o.dsn - other)}`;
    case 'mp_fastclose':
      return `mp_fastclose ${hex(o.key)}`;
    case 'mp_reset':
      return `mp_reset ${o.reason}${o.transient ? ' flags[flag_t]' : ''}`;
    case 'unknown':
      return `mptcp ${o.data.toString('hex')}`;
  }
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** Counted from the initial number, and signed: what lies before it shows. */
function relative({ width, value }: WireNumber, idsn: bigint): bigint {
  return BigInt.asIntN(width * 8, value - idsn);
}
