/**
 * A packet as an object of JSON: numbers of 64 bits as strings "0x" and 16 digits, HMACs and octets in hexadecimal,
 * `relative` what counts from the start of the connection. docs/cli.md describes it.
 */
import type { OptionValue, TcpOption } from './dissection.js';
import { TcpFlag } from './dissection.js';
import { markText } from './marks.js';
import type { TrackedPacket } from './tracker.js';

export function packetJson(packet: TrackedPacket): Record<string, unknown> {
  const { number, time, subflow, relative } = packet;
  const { ip, outer, tcp, problem } = packet.dissection;
  return {
    packet: number,
    time: time / 1e6,
    connection: subflow?.connection.id ?? null,
    subflow: subflow?.name ?? null,
    way: subflow === null ? null : packet.way === 0 ? '>' : '<',
    problem,
    ip,
    udp: outer,
    tcp:
      tcp === null
        ? null
        : {
            sourcePort: tcp.sourcePort,
            destinationPort: tcp.destinationPort,
            seq: tcp.seq,
            ack: tcp.ack,
            flags: flagNames(tcp.flags),
            window: tcp.window,
            urgent: tcp.urgent,
            checksum: tcp.checksum,
            checksumState: tcp.checksumState,
            headerLength: tcp.headerLength,
            length: tcp.length,
            options: tcp.options.map(optionJson),
          },
    relative: subflow === null ? null : relative,
    marks: packet.marks.map((mark) => ({ ...mark, text: markText(mark) })),
  };
}

function optionJson(option: TcpOption): Record<string, unknown> {
  const { octets, kind, standing, ...value } = option;
  const raw = Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return { kind, standing, ...valueJson(value), raw };
}

/** The option's fields, bigints as strings. */
function valueJson(value: OptionValue): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, fieldJson(field)]));
}

function fieldJson(field: unknown): unknown {
  if (typeof field === 'bigint') return `0x${field.toString(16).padStart(16, '0')}`;
  if (typeof field !== 'object' || field === null || Array.isArray(field)) return field;
  return Object.fromEntries(Object.entries(field).map(([name, inner]) => [name, fieldJson(inner)]));
}

function flagNames(flags: number): string[] {
  return Object.entries(TcpFlag)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name);
}
