/**
 * A second opinion on captures: tshark's fields beside ours, packet by packet. A field is compared wherever both sides
 * have it; the quirks of tshark 4.0 are here, each with its reason, and nowhere else.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Subflow } from '../../src/inspect/connection.js';
import { TcpFlag, type OptionName, type OptionNamed, type TcpOption } from '../../src/inspect/dissection.js';
import type { Dissector } from '../../src/inspect/dissector.js';
import { ipOfFrame } from '../../src/inspect/link.js';
import { Tracker, type TrackedPacket } from '../../src/inspect/tracker.js';
import { CaptureReader } from '../../src/io/capture-reader.js';

/** One field of one packet in which the two differ. */
export interface Difference {
  readonly packet: number;
  readonly field: string;
  readonly ours: string;
  readonly theirs: string;
}

export interface Agreement {
  readonly packets: number;
  /** Values that were compared, by field. */
  readonly compared: ReadonlyMap<string, number>;
  readonly differences: readonly Difference[];
}

/** Compares every packet of a capture file. `names`: without it, all fields. */
export async function compareWithTshark(
  dissector: Dissector,
  file: string,
  names: readonly string[] = Object.keys(FIELDS),
): Promise<Agreement> {
  const packets = track(dissector, await readFile(file));
  const rows = await tsharkFields(file, names);
  const lost = withoutOrigin(packets);
  const compared = new Map<string, number>();
  const differences: Difference[] = [];
  if (rows.length !== packets.length) {
    const [ours, theirs] = [String(packets.length), String(rows.length)];
    differences.push({ packet: 0, field: 'packets', ours, theirs });
  }
  packets.forEach((packet, i) => {
    names.forEach((field, column) => {
      if (field.startsWith('mptcp.') && packet.subflow !== null && lost.has(packet.subflow)) return;
      const ours = FIELDS[field]?.(packet) ?? null;
      const theirs = rows[i]?.[column] ?? '';
      if (ours === null) return;
      compared.set(field, (compared.get(field) ?? 0) + ours.length);
      const text = ours.map(normal).join(',');
      const other = theirs === '' ? '' : theirs.split(',').map(normal).join(',');
      if (text !== other) differences.push({ packet: packet.number, field, ours: text, theirs: other });
    });
  });
  return { packets: packets.length, compared, differences };
}

function track(dissector: Dissector, octets: Uint8Array): TrackedPacket[] {
  const reader = new CaptureReader();
  const tracker = new Tracker(dissector);
  reader.push(octets);
  const packets: TrackedPacket[] = [];
  for (let frame = reader.next(); frame !== null; frame = reader.next()) {
    const found = ipOfFrame(frame.linkType, frame.octets);
    const length = frame.length - (found?.offset ?? 0);
    packets.push(tracker.add(frame.time, dissector.dissect(found?.packet ?? new Uint8Array(), length)));
  }
  return packets;
}

/** Subflows whose join's SYN was repeated: tshark forgets where their data sequence numbers begin, and shows raw ones. */
function withoutOrigin(packets: readonly TrackedPacket[]): ReadonlySet<Subflow> {
  const asked = new Set<Subflow>();
  const repeated = new Set<Subflow>();
  for (const { subflow, dissection } of packets) {
    const options = dissection.tcp?.options ?? [];
    if (subflow === null || !options.some((one) => one.name === 'mp_join' && one.token !== null)) continue;
    (asked.has(subflow) ? repeated : asked).add(subflow);
  }
  return repeated;
}

async function tsharkFields(file: string, names: readonly string[]): Promise<string[][]> {
  const preferences = [
    'tcp.relative_sequence_numbers:TRUE',
    'tcp.check_checksum:TRUE',
    'tcp.desegment_tcp_streams:FALSE',
    'ip.check_checksum:TRUE',
    'mptcp.analyze_mappings:TRUE',
    'mptcp.relative_sequence_numbers:TRUE',
  ];
  const { stdout } = await run(
    'tshark',
    [
      ...['-n', '-r', file, '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=,'],
      ...preferences.flatMap((preference) => ['-o', preference]),
      ...names.flatMap((name) => ['-e', name]),
    ],
    { maxBuffer: 1 << 30 },
  );
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

/** Numbers in one form, everything else as it is. */
function normal(value: string | number | bigint | boolean): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value !== 'string') return String(value);
  if (/^(0x[0-9a-fA-F]+|\d+)$/.test(value)) return String(BigInt(value));
  return value;
}

type Values = readonly (string | number | bigint | boolean)[];
type Read = (packet: TrackedPacket) => Values | null;

/** A field of the TCP header. */
const tcp =
  (read: (segment: NonNullable<TrackedPacket['dissection']['tcp']>) => Values[number]): Read =>
  ({ dissection }) =>
    dissection.tcp === null ? null : [read(dissection.tcp)];

/** A number relative to the connection, of packets whose direction began within the capture. */
const relative =
  (read: (packet: TrackedPacket) => number | null): Read =>
  (packet) => {
    const { subflow, way } = packet;
    if (subflow === null || !subflow.flows[way].synSeen || !subflow.flows[way === 0 ? 1 : 0].synSeen)
      return null;
    const value = read(packet);
    // tshark's relative numbers have 32 bits.
    return value === null ? null : [value % 2 ** 32];
  };

/** Of every option of a name, in order. null as soon as one of the packet's Multipath options is malformed. */
const option =
  <Name extends OptionName>(names: readonly Name[], read: (one: OptionNamed<Name>) => Values): Read =>
  ({ dissection }) => {
    const options = dissection.tcp?.options ?? [];
    if (dissection.tcp === null || options.some((one) => one.name === 'other')) return null;
    return options
      .filter((one): one is OptionNamed<Name> => (names as readonly string[]).includes(one.name))
      .flatMap(read);
  };

/** Of every option. tshark gives up on a header within a malformed Multipath option: null for such packets. */
const list =
  (read: (one: TcpOption) => Values): Read =>
  ({ dissection }) => {
    const options = dissection.tcp?.options ?? [];
    if (dissection.tcp === null || options.some(({ standing }) => standing === 'malformed')) return null;
    return options.flatMap(read);
  };

const maybe = (value: Values[number] | null): Values => (value === null ? [] : [value]);
const bit = (flags: number, mask: number): Values => [(flags & mask) !== 0];

const MULTIPATH: readonly OptionName[] = [
  ...(['mp_capable', 'mp_join', 'dss', 'add_addr', 'remove_addr', 'mp_prio', 'mp_fail'] as const),
  ...(['mp_fastclose', 'mp_tcprst'] as const),
];

const subtype = (one: TcpOption): Values => [(one.octets[2] ?? 0) >> 4];

/** tshark's name of a field, and our value. */
const FIELDS: Readonly<Record<string, Read>> = {
  'ip.src': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.source] : null),
  'ip.dst': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.destination] : null),
  'ip.ttl': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.ttl] : null),
  'ip.len': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.length] : null),
  'ip.id': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.id] : null),
  'ip.dsfield': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.tos] : null),
  'ip.flags.df': ({ dissection: { ip } }) => (ip?.family === 4 ? [ip.dontFragment] : null),
  'ip.checksum.status': ({ dissection: { ip } }) =>
    ip?.family !== 4 || ip.checksum === 'unverified' ? null : [ip.checksum === 'good' ? 1 : 0],
  'ipv6.src': ({ dissection: { ip } }) => (ip?.family === 6 ? [ip.source] : null),
  'ipv6.dst': ({ dissection: { ip } }) => (ip?.family === 6 ? [ip.destination] : null),
  'ipv6.hlim': ({ dissection: { ip } }) => (ip?.family === 6 ? [ip.ttl] : null),
  'ipv6.flow': ({ dissection: { ip } }) => (ip?.family === 6 ? [ip.id] : null),
  'ipv6.tclass': ({ dissection: { ip } }) => (ip?.family === 6 ? [ip.tos] : null),
  'tcp.srcport': tcp((s) => s.sourcePort),
  'tcp.dstport': tcp((s) => s.destinationPort),
  'tcp.seq_raw': tcp((s) => s.seq),
  'tcp.ack_raw': tcp((s) => s.ack),
  'tcp.seq': relative(({ relative: { seq } }) => seq),
  'tcp.ack': relative(({ relative: { ack } }) => ack),
  'tcp.hdr_len': tcp((s) => s.headerLength),
  'tcp.flags': tcp((s) => s.flags),
  'tcp.flags.syn': tcp((s) => (s.flags & TcpFlag.SYN) !== 0),
  'tcp.flags.ae': tcp((s) => (s.flags & TcpFlag.AE) !== 0),
  'tcp.window_size_value': tcp((s) => s.window),
  'tcp.window_size': relative(({ relative: { window } }) => window),
  'tcp.checksum': tcp((s) => s.checksum),
  // 0xffff is 0 in one's complement, and what Linux writes for it when it completes a checksum; tshark calls it wrong.
  'tcp.checksum.status': ({ dissection }) =>
    dissection.tcp === null ||
    dissection.tcp.checksumState === 'unverified' ||
    dissection.tcp.checksum === 0xffff
      ? null
      : [dissection.tcp.checksumState === 'good' ? 1 : 0],
  'tcp.urgent_pointer': tcp((s) => s.urgent),
  'tcp.len': tcp((s) => s.length),
  'tcp.option_kind': list(({ kind }) => [kind]),
  'tcp.option_len': list(({ kind, octets }) => (kind > 1 ? [octets[1] ?? 0] : [])),
  'tcp.options.mss_val': option(['mss'], ({ size }) => [size]),
  'tcp.options.wscale.shift': option(['wscale'], ({ shift }) => [shift]),
  'tcp.options.timestamp.tsval': option(['timestamps'], ({ value }) => [value]),
  'tcp.options.timestamp.tsecr': option(['timestamps'], ({ echo }) => [echo]),
  'tcp.options.sack.count': option(['sack'], ({ blocks }) => [blocks.length]),
  'tcp.options.sack_le': (packet) => edges(packet, 0),
  'tcp.options.sack_re': (packet) => edges(packet, 1),
  'tcp.options.tfo.cookie': option(['fastopen'], ({ cookie }) => (cookie === '' ? [] : [cookie])),
  'tcp.options.mptcp.subtype': option(MULTIPATH, subtype),
  'tcp.options.mptcp.version': option(['mp_capable'], ({ version }) => [version]),
  'tcp.options.mptcp.checksumreq.flags': option(['mp_capable'], ({ flags }) => bit(flags, 0x80)),
  'tcp.options.mptcp.extensibility.flag': option(['mp_capable'], ({ flags }) => bit(flags, 0x40)),
  'tcp.options.mptcp.nomoresubflows.flag': option(['mp_capable'], ({ flags, version }) =>
    version === 0 ? [] : bit(flags, 0x20),
  ),
  'tcp.options.mptcp.sha256.flag': option(['mp_capable'], ({ flags, version }) =>
    version === 0 ? [] : bit(flags, 1),
  ),
  'tcp.options.mptcp.sendkey': option(['mp_capable'], ({ senderKey }) => maybe(senderKey)),
  'tcp.options.mptcp.recvkey': option(['mp_capable', 'mp_fastclose'], (one) =>
    maybe(one.name === 'mp_capable' ? one.receiverKey : one.key),
  ),
  'tcp.options.mptcp.recvtok': option(['mp_join'], ({ token }) => maybe(token)),
  'tcp.options.mptcp.sendrand': option(['mp_join'], ({ nonce }) => maybe(nonce)),
  'tcp.options.mptcp.sendtrunchmac': option(['mp_join'], ({ nonce, hmac }) =>
    nonce === null || hmac === null ? [] : [BigInt(`0x${hmac}`)],
  ),
  'tcp.options.mptcp.sendhmac': option(['mp_join'], ({ nonce, hmac }) => (nonce === null ? maybe(hmac) : [])),
  'tcp.options.mptcp.backup.flag': option(['mp_join', 'mp_prio'], ({ backup }) => maybe(backup)),
  'tcp.options.mptcp.addrid': option(['mp_join', 'add_addr', 'remove_addr', 'mp_prio'], (one) =>
    one.name === 'remove_addr' ? one.addressIds : maybe(one.addressId),
  ),
  'tcp.options.mptcp.dataackpresent.flag': option(['dss'], ({ flags }) => bit(flags, 1)),
  'tcp.options.mptcp.dataack8.flag': option(['dss'], ({ flags }) => bit(flags, 2)),
  'tcp.options.mptcp.dseqnpresent.flag': option(['dss'], ({ flags }) => bit(flags, 4)),
  'tcp.options.mptcp.dseqn8.flag': option(['dss'], ({ flags }) => bit(flags, 8)),
  'tcp.options.mptcp.datafin.flag': option(['dss'], ({ flags }) => bit(flags, 16)),
  'tcp.options.mptcp.rawdataack': option(['dss'], ({ dataAck }) => maybe(dataAck)),
  'tcp.options.mptcp.rawdataseqno': option(['dss', 'mp_fail'], (one) =>
    maybe(one.name === 'dss' ? (one.mapping?.dsn ?? null) : one.dsn),
  ),
  'tcp.options.mptcp.subflowseqno': option(['dss'], ({ mapping }) => maybe(mapping?.ssn ?? null)),
  'tcp.options.mptcp.datalvllen': option(['dss', 'mp_capable'], (one) =>
    maybe(one.name === 'dss' ? (one.mapping?.length ?? null) : one.dataLength),
  ),
  // tshark leaves the checksum of a DSS out.
  'tcp.options.mptcp.checksum': option(['mp_capable'], ({ checksum }) => maybe(checksum)),
  'tcp.options.mptcp.echo': option(
    ['add_addr'],
    ({ echo, standing }) => (standing === 'refused' ? [] : [echo]), // version 0 has no such bit
  ),
  'tcp.options.mptcp.ipv4': option(['add_addr'], ({ address }) => (address.includes(':') ? [] : [address])),
  'tcp.options.mptcp.ipv6': option(['add_addr'], ({ address }) => (address.includes(':') ? [address] : [])),
  'tcp.options.mptcp.port': option(['add_addr'], ({ port }) => maybe(port)),
  'tcp.options.mptcp.addaddrtrunchmac': option(['add_addr'], ({ hmac }) => maybe(hmac)),
  'tcp.options.mptcp.flag_U.flag': option(['mp_tcprst'], ({ flags }) => bit(flags, 8)),
  'tcp.options.mptcp.flag_V.flag': option(['mp_tcprst'], ({ flags }) => bit(flags, 4)),
  'tcp.options.mptcp.flag_W.flag': option(['mp_tcprst'], ({ flags }) => bit(flags, 2)),
  'tcp.options.mptcp.flag_T.flag': option(['mp_tcprst'], ({ flags }) => bit(flags, 1)),
  'tcp.options.mptcp.rst_reason': option(['mp_tcprst'], ({ reason }) => [reason]),
  'mptcp.ack': relative(({ relative: { dataAck } }) => dataAck),
  'mptcp.dss.dsn': relative(({ relative: { dsn }, dissection: { tcp: segment } }) =>
    segment?.options.some(({ name }) => name === 'dss') === true ? dsn : null,
  ),
  'mptcp.rm_addr.count': option(['remove_addr'], ({ addressIds }) => [addressIds.length]),
};

function edges({ dissection, relative: { sack } }: TrackedPacket, side: 0 | 1): Values | null {
  return dissection.tcp === null ? null : sack.map((block) => block[side] % 2 ** 32);
}

const run = promisify(execFile);
