/** One line per packet, for people. */
import { TcpFlag, type TcpOption } from './dissection.js';
import { markText, weightOf, type Weight } from './marks.js';
import { flagLetters } from './packetdrill.js';
import type { RelativeNumbers, TrackedPacket } from './tracker.js';

/** What a piece of text is, for whoever paints it. */
export type Role = 'time' | 'subflow' | 'flags' | 'multipath' | Weight;
/** `index` tells subflows apart. */
export type Paint = (role: Role, text: string, index?: number) => string;

export const plain: Paint = (_, text) => text;

/**
 * Time in seconds since `start` (microseconds), subflow, direction, flags, relative numbers, options in their order
 * without padding, marks.
 */
export function formatLine(packet: TrackedPacket, start: number, paint: Paint = plain): string {
  const time = paint('time', ((packet.time - start) / 1e6).toFixed(6).padStart(11));
  const { subflow, dissection, relative } = packet;
  const { ip, tcp, problem } = dissection;
  if (subflow === null || tcp === null) {
    const where = ip === null ? '' : `${ip.source} > ${ip.destination} protocol ${String(ip.protocol)}, `;
    return `${time} ${''.padEnd(NAME)}   ${where}${problem ?? ''}`;
  }
  const name = paint('subflow', subflow.name.padEnd(NAME), subflow.index);
  const seq = `${String(relative.seq)}:${String(relative.seq + tcp.length)}(${String(tcp.length)})`;
  const ack = relative.ack === null ? '' : `ack ${String(relative.ack)}`;
  const columns = [
    time,
    name,
    packet.way === 0 ? '>' : '<',
    paint('flags', flagLetters(tcp.flags).padEnd(3)),
    seq.padEnd(SEQ),
    ack.padEnd(ACK),
    `win ${String(relative.window)}`.padEnd(WINDOW),
  ];
  if ((tcp.flags & TcpFlag.URG) !== 0) columns.push(`urg ${String(tcp.urgent)}`);
  const codepoint = ECN[(ip?.tos ?? 0) & 3];
  if (codepoint !== undefined) columns.push(codepoint);
  const options = tcp.options.filter(({ name: kind }) => kind !== 'nop' && kind !== 'end');
  if (options.length > 0) {
    columns.push(`<${options.map((option) => optionText(option, relative, paint)).join(', ')}>`);
  }
  if (packet.marks.length > 0) {
    const marks = packet.marks.map((mark) => paint(weightOf(mark), markText(mark)));
    columns.push(`[${marks.join('; ')}]`);
  }
  if (problem !== null) columns.push(paint('warning', `(${problem})`));
  return columns.join(' ').trimEnd();
}

function optionText(option: TcpOption, relative: RelativeNumbers, paint: Paint): string {
  const text = optionWords(option, relative);
  const standing = option.standing === 'read' ? text : `${text} (${option.standing})`;
  return option.kind === 30 ? paint('multipath', standing) : standing;
}

function optionWords(option: TcpOption, relative: RelativeNumbers): string {
  switch (option.name) {
    case 'nop':
    case 'end':
    case 'sackOK':
      return option.name;
    case 'mss':
      return `mss ${String(option.size)}`;
    case 'wscale':
      return `wscale ${String(option.shift)}`;
    case 'timestamps':
      return `TS ${String(option.value)}:${String(option.echo)}`;
    case 'sack': {
      const blocks = option.standing === 'read' ? relative.sack : option.blocks;
      return `sack ${blocks.map(([left, right]) => `${String(left)}:${String(right)}`).join(' ')}`;
    }
    case 'fastopen':
      return option.cookie === '' ? 'fastopen request' : `fastopen ${option.cookie}`;
    case 'mp_capable':
      return words(
        `capable v${String(option.version)} ${flagNames(option.flags, 'ABCDEFGH')}`,
        option.senderKey !== null && `key ${wide(option.senderKey)}`,
        option.receiverKey !== null && wide(option.receiverKey),
        option.dataLength !== null && `length ${String(option.dataLength)}`,
        option.checksum !== null && `csum ${short(option.checksum)}`,
      );
    case 'mp_join':
      return words(
        'join',
        option.addressId !== null && `id ${String(option.addressId)}`,
        option.backup === true && 'backup',
        option.token !== null && `token ${option.token.toString(16).padStart(8, '0')}`,
        option.nonce !== null && `nonce ${option.nonce.toString(16).padStart(8, '0')}`,
        option.hmac !== null && `hmac ${option.hmac}`,
      );
    case 'dss': {
      const { dataAck, dataAck64, mapping } = option;
      const read = option.standing === 'read';
      const dsn = mapping === null ? null : ((read ? relative.dsn : null) ?? mapping.dsn);
      const end = dsn === null || mapping === null ? '' : String(BigInt(dsn) + BigInt(mapping.length));
      return words(
        'dss',
        dataAck !== null &&
          `dack${dataAck64 ? '8' : '4'} ${String((read ? relative.dataAck : null) ?? dataAck)}`,
        mapping !== null &&
          `dsn${mapping.dsn64 ? '8' : '4'} ${String(dsn)}:${end}(${String(mapping.length)}) ssn ${String(mapping.ssn)}`,
        typeof mapping?.checksum === 'number' && `csum ${short(mapping.checksum)}`,
        option.dataFin && 'fin',
      );
    }
    case 'add_addr':
      return words(
        option.echo ? 'add_addr echo' : 'add_addr',
        `id ${String(option.addressId)} ${option.address}`,
        option.port !== null && `port ${String(option.port)}`,
        option.hmac !== null && `hmac ${wide(option.hmac)}`,
      );
    case 'remove_addr':
      return `remove_addr ${option.addressIds.join(' ')}`;
    case 'mp_prio':
      return words(
        option.backup ? 'prio backup' : 'prio regular',
        option.addressId !== null && `id ${String(option.addressId)}`,
      );
    case 'mp_fail':
      return `fail dsn ${String(relative.failedDsn ?? option.dsn)}`;
    case 'mp_fastclose':
      return `fastclose key ${wide(option.key)}`;
    case 'mp_tcprst':
      return words(`rst reason ${String(option.reason)}`, option.transient && 'transient');
    case 'other':
      return words(
        `kind ${String(option.kind)}`,
        option.subtype !== null && `subtype ${String(option.subtype)}`,
        Array.from(option.octets.subarray(2), (octet) => octet.toString(16).padStart(2, '0')).join(''),
      );
  }
}

/** Letters of the bits that are set, from the highest bit on; `-` for none. */
function flagNames(flags: number, letters: string): string {
  const set = [...letters].filter((_, i) => (flags & (0x80 >> i)) !== 0).join('');
  return set === '' ? '-' : set;
}

function wide(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function short(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function words(...parts: (string | false)[]): string {
  return parts.filter((part) => part !== false && part !== '').join(' ');
}

const ECN: readonly (string | undefined)[] = [undefined, 'ect1', 'ect0', 'ce'];
// Widths that hold what is usual; a longer column pushes the rest of its line.
const NAME = 4;
const SEQ = 22;
const ACK = 12;
const WINDOW = 11;
