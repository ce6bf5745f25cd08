/**
 * A packet in the notation of packetdrill scripts: `P. 1:101(100) ack 1 win 256 <nop,nop,TS val 1 ecr 2,dss dack8=1
 * dsn8=1 ssn=1 dll=100 nocs>`. Numbers are relative to origins, as a script counts them.
 */
import { TcpFlag, type Dissection, type DssMapping, type TcpOption, type TcpSegment } from './dissection.js';

/** What a script counts from; a missing origin is 0, so that the number is the one on the wire. */
export interface Origins {
  /** Initial sequence number of the sender, and of the receiver. */
  readonly seq?: number;
  readonly ack?: number;
  /** Initial data sequence number of the sender, and of the receiver. */
  readonly dsn?: bigint;
  readonly dataAck?: bigint;
  /** Offsets of the timestamp clocks. */
  readonly timestamp?: number;
  readonly timestampEcho?: number;
}

/** One line without a time and a direction. What is no TCP segment is described in parentheses. */
export function formatPacketdrill(packet: Dissection, origins: Origins = {}): string {
  const { ip, tcp, problem } = packet;
  if (tcp === null) return `(${problem ?? 'no TCP'})`;
  const seq = from(tcp.seq, origins.seq);
  const parts = [
    flagLetters(tcp.flags),
    `${String(seq)}:${String((seq + tcp.length) >>> 0)}(${String(tcp.length)})`,
  ];
  if (ip !== null && ip.tos !== 0) parts.unshift(`[tos 0x${hex(ip.tos, 2)}]`);
  if ((tcp.flags & TcpFlag.ACK) !== 0) parts.push(`ack ${String(from(tcp.ack, origins.ack))}`);
  parts.push(`win ${String(tcp.window)}`);
  if ((tcp.flags & TcpFlag.URG) !== 0) parts.push(`urg ${String(tcp.urgent)}`);
  if (tcp.options.length > 0) parts.push(`<${formatPacketdrillOptions(tcp, origins)}>`);
  if (problem !== null) parts.push(`(${problem})`);
  return parts.join(' ');
}

/** The options between the angle brackets. */
export function formatPacketdrillOptions(tcp: TcpSegment, origins: Origins = {}): string {
  return tcp.options.map((option) => optionText(option, origins)).join(',');
}

/** FIN, SYN, RST, PSH, URG, ECE, CWR and AE by their letters, ACK as a dot at the end; `-` for none. */
export function flagLetters(flags: number): string {
  const letters = LETTERS.map(([bit, letter]) => ((flags & bit) === 0 ? '' : letter)).join('');
  return letters === '' ? '-' : letters;
}

function optionText(option: TcpOption, origins: Origins): string {
  switch (option.name) {
    case 'end':
      return 'eol';
    case 'nop':
    case 'sackOK':
      return option.name;
    case 'mss':
      return `mss ${String(option.size)}`;
    case 'wscale':
      return `wscale ${String(option.shift)}`;
    case 'timestamps': {
      const echo = option.echo === 0 ? 0 : from(option.echo, origins.timestampEcho);
      return `TS val ${String(from(option.value, origins.timestamp))} ecr ${String(echo)}`;
    }
    case 'sack': {
      const edge = (value: number): string => String(from(value, origins.ack));
      return `sack ${option.blocks.map(([left, right]) => `${edge(left)}:${edge(right)}`).join(' ')}`;
    }
    case 'fastopen':
      return words(option.kind === 34 ? 'FO' : 'FOEXP', option.cookie !== '' && option.cookie);
    case 'mp_capable': {
      const keys = [option.senderKey, option.receiverKey].filter((key) => key !== null);
      // On SYN/ACK the key is the server's, later the client's comes first.
      const names = keys.length === 1 ? ['skey'] : ['ckey', 'skey'];
      const list = keys.map((key, i) => `${names[i] ?? ''}=${String(scriptKey(key))}`);
      return words(
        `mpcapable v${String(option.version)}`,
        capableFlags(option.flags),
        list.length === 0 ? 'nokey' : `key[${list.join(', ')}]`,
        option.dataLength !== null && `mpcdatalen ${String(option.dataLength)}`,
        option.checksum !== null && `cksum=${String(option.checksum)}`,
      );
    }
    case 'mp_join':
      return words(
        option.token !== null ? 'mp_join_syn' : option.nonce !== null ? 'mp_join_syn_ack' : 'mp_join_ack',
        option.backup !== null && `backup=${option.backup ? '1' : '0'}`,
        option.addressId !== null && `address_id=${String(option.addressId)}`,
        option.token !== null && `token=${String(option.token)}`,
        option.hmac !== null && `sender_hmac=0x${option.hmac}`,
        option.nonce !== null && `rand=${String(option.nonce)}`,
      );
    case 'dss': {
      const { dataAck, dataAck64, mapping } = option;
      return words(
        'dss',
        dataAck !== null && dataNumber('dack', dataAck, dataAck64, origins.dataAck),
        mapping !== null && mappingText(mapping, origins),
        option.dataFin && 'fin',
      );
    }
    case 'add_addr': {
      const resolver = option.address.includes(':') ? 'inet6_addr' : 'inet_addr';
      return words(
        `add_address address_id=${String(option.addressId)}`,
        `addr[a${String(option.addressId)}=${resolver}("${option.address}")]`,
        option.port !== null && `port=${String(option.port)}`,
        option.hmac === null ? 'addr_echo' : `hmac=${String(option.hmac)}`,
      );
    }
    case 'remove_addr':
      return `remove_address address_id=[${option.addressIds.join(',')}]`;
    case 'mp_prio':
      return words(
        `mp_prio backup=${option.backup ? '1' : '0'}`,
        option.addressId !== null && `address_id=${String(option.addressId)}`,
      );
    case 'mp_fail':
      // The failed data came from the receiver of this packet.
      return `mp_fail ${dataNumber('dsn', option.dsn, true, origins.dataAck)}`;
    case 'mp_fastclose':
      return `mp_fastclose key=${String(scriptKey(option.key))}`;
    case 'mp_tcprst':
      return words(`mp_reset ${String(option.reason)}`, option.transient && 'flags[flag_T]');
    case 'other':
      return `kind ${String(option.kind)} [${Array.from(option.octets, (octet) => hex(octet, 2)).join('')}]`;
  }
}

function mappingText(mapping: DssMapping, origins: Origins): string {
  return words(
    dataNumber('dsn', mapping.dsn, mapping.dsn64, origins.dsn),
    `ssn=${String(mapping.ssn)} dll=${String(mapping.length)}`,
    mapping.checksum === null ? 'nocs' : `cksum=${String(mapping.checksum)}`,
  );
}

function dataNumber(name: string, value: bigint, wide: boolean, origin = 0n): string {
  const relative = BigInt.asUintN(wide ? 64 : 32, value - origin);
  return `${name}${wide ? '8' : '4'}=${String(relative)}`;
}

/** A script's `key=N` stands on the wire with its lowest octet first. */
function scriptKey(key: bigint): bigint {
  let value = 0n;
  for (let i = 0n; i < 64n; i += 8n) value = (value << 8n) | ((key >> i) & 0xffn);
  return value;
}

function capableFlags(flags: number): string {
  const named = CAPABLE_FLAGS.filter(([bit]) => (flags & bit) !== 0);
  const rest = named.reduce((left, [bit]) => left & ~bit, flags);
  if (rest !== 0 || named.length === 0) return `flags 0x${hex(flags, 2)}`;
  return `flags[${named.map(([, name]) => name).join(', ')}]`;
}

function from(value: number, origin = 0): number {
  return (value - origin) >>> 0;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function words(...parts: (string | false)[]): string {
  return parts.filter((part) => part !== false).join(' ');
}

const LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [TcpFlag.FIN, 'F'],
  [TcpFlag.SYN, 'S'],
  [TcpFlag.RST, 'R'],
  [TcpFlag.PSH, 'P'],
  [TcpFlag.URG, 'U'],
  [TcpFlag.ECE, 'E'],
  [TcpFlag.CWR, 'W'],
  [TcpFlag.AE, 'A'],
  [TcpFlag.ACK, '.'],
];
const CAPABLE_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x80, 'flag_a'],
  [0x40, 'flag_b'],
  [0x20, 'flag_c'],
  [0x01, 'flag_h'],
];
