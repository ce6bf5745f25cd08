/** ICMP messages to the stack, with the header that the stack is supposed to have sent inside. */
import { familyOf } from '../../src/core/address.js';
import type { Flow } from './flow.js';
import type { IcmpSpec, IpSpec } from './script.js';
import { ScriptError } from './socket-layer.js';
import { buildIp, internetChecksum } from './wire.js';

type Types = Readonly<Record<string, { readonly type: number; readonly codes?: readonly string[] }>>;

/** Codes in the order of their numbers. */
const ICMP: Types = {
  echo_reply: { type: 0 },
  unreachable: {
    type: 3,
    codes: [
      ...['net_unreachable', 'host_unreachable', 'protocol_unreachable', 'port_unreachable', 'frag_needed'],
      ...['source_route_failed', 'net_unknown', 'host_unknown', 'source_host_isolated', 'net_prohibited'],
      ...['host_prohibited', 'net_unreachable_for_tos', 'host_unreachable_for_tos', 'packet_filtered'],
      ...['precedence_violation', 'precedence_cutoff'],
    ],
  },
  source_quench: { type: 4 },
  redirect: { type: 5 },
  echo_request: { type: 8 },
  time_exceeded: { type: 11 },
  parameter_problem: { type: 12 },
  timestamp_request: { type: 13 },
  timestamp_reply: { type: 14 },
  information_request: { type: 15 },
  information_reply: { type: 16 },
  address_mask_request: { type: 17 },
  address_mask_reply: { type: 18 },
};

const ICMPV6: Types = {
  unreachable: {
    type: 1,
    codes: ['no_route', 'admin_prohibited', 'not_neighbour', 'address_unreachable', 'port_unreachable'],
  },
  packet_too_big: { type: 2 },
  time_exceeded: { type: 3, codes: ['exceeded_hop_limit', 'exceeded_frag_time'] },
  parameter_problem: { type: 4, codes: ['header_field', 'unknown_next_header', 'unknown_option'] },
  echo_request: { type: 128 },
  echo_reply: { type: 129 },
};

const PROTOCOLS = { tcp: 6, udp: 17 } as const;

/** The IP packet, from the flow's peer. */
export function buildIcmp(ip: IpSpec, icmp: IcmpSpec, flow: Flow, line: number): Buffer {
  const v4 = familyOf(flow.local.address) === 4;
  const { type, code } = numbers(icmp, v4 ? ICMP : ICMPV6, line);
  const head = Buffer.from([type, code, 0, 0, 0, 0, 0, 0]);
  if (icmp.echoId !== 0) head.writeUInt16BE(icmp.echoId, 4);
  if (icmp.mtu !== null) {
    // RFC 1191 section 4: the lower half of the word; RFC 4443 section 3.2: all of it.
    if (v4) head.writeUInt16BE(icmp.mtu, 6);
    else head.writeUInt32BE(icmp.mtu, 4);
  }
  const message = Buffer.concat([head, echoed(icmp, flow)]);
  if (v4) message.writeUInt16BE(internetChecksum(message), 2);
  const { tos, ttl, flowLabel } = ip;
  const fields = { source: flow.remote.address, destination: flow.local.address, tos, ttl, flowLabel };
  return buildIp(fields, v4 ? 1 : 58, message);
}

function numbers(icmp: IcmpSpec, types: Types, line: number): { type: number; code: number } {
  const named = types[icmp.type];
  const type = named?.type ?? numbered('type', icmp.type);
  const index = icmp.code === null ? 0 : (named?.codes?.indexOf(icmp.code) ?? -1);
  const code = index >= 0 ? index : numbered('code', icmp.code ?? '');
  if (type === null) throw new ScriptError(`${icmp.type} is no ICMP type here`, line);
  if (code === null) throw new ScriptError(`${icmp.code ?? ''} is no code of ICMP ${icmp.type}`, line);
  return { type, code };
}

/** `type_3`, `code_4`. */
function numbered(what: string, text: string): number | null {
  const match = new RegExp(`^${what}_(\\d+)$`).exec(text);
  const value = Number(match?.[1] ?? 256);
  return value < 256 ? value : null;
}

/** IP header and the first eight octets of the segment that caused the message. */
function echoed({ echoed: { protocol, seq, length } }: IcmpSpec, flow: Flow): Buffer {
  if (protocol === 'raw') return Buffer.alloc(Math.max(0, length - 8));
  const segment = Buffer.alloc(8 + length);
  segment.writeUInt16BE(flow.local.port, 0);
  segment.writeUInt16BE(flow.remote.port, 2);
  if (protocol === 'tcp') segment.writeUInt32BE((seq + flow.localOffset(false)) >>> 0, 4);
  const fields = {
    source: flow.local.address,
    destination: flow.remote.address,
    tos: 0,
    ttl: 0,
    flowLabel: 0,
  };
  return buildIp(fields, PROTOCOLS[protocol], segment);
}
