/** The script's TCP options as octets: for packets to the stack, and beside those of a packet that came. */
import type { Flow } from './flow.js';
import { decodeMptcp, encodeMptcp, type WireDss } from './mptcp-wire.js';
import type { MptcpSpec, OptionSpec } from './option-spec.js';
import { toExpect, toInject, type Known } from './resolve.js';
import { ScriptError } from './socket-layer.js';
import * as wire from './wire.js';
import type { WireOption } from './wire.js';

const EMPTY = Buffer.alloc(0);
/** Experiment of TCP Fast Open before it had a kind (RFC 7413 section 4.1.1). */
const FASTOPEN_MAGIC = Buffer.from([0xf9, 0x89]);

const u32 = (...values: number[]): Buffer => {
  const octets = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => octets.writeUInt32BE(value >>> 0, 4 * i));
  return octets;
};

/** Options that need no context. `ackOffset` leads from the script's numbers to those of the wire. */
function plainOption(spec: Exclude<OptionSpec, MptcpSpec>, ackOffset: number): WireOption {
  switch (spec.kind) {
    case 'nop':
      return { kind: wire.OPTION_NOP, data: EMPTY };
    case 'eol':
      return { kind: wire.OPTION_EOL, data: EMPTY };
    case 'sackOK':
      return { kind: wire.OPTION_SACK_OK, data: EMPTY };
    case 'mss':
      return { kind: wire.OPTION_MSS, data: Buffer.from([spec.value >> 8, spec.value & 255]) };
    case 'wscale':
      return { kind: wire.OPTION_WSCALE, data: Buffer.from([spec.value]) };
    case 'sack':
      return { kind: wire.OPTION_SACK, data: u32(...spec.blocks.flat().map((edge) => edge + ackOffset)) };
    case 'timestamp':
      return { kind: wire.OPTION_TIMESTAMP, data: u32(spec.val, spec.ecr) };
    case 'fastopen':
      if (!spec.experimental) return { kind: wire.OPTION_FASTOPEN, data: spec.cookie };
      return { kind: wire.OPTION_EXPERIMENT, data: Buffer.concat([FASTOPEN_MAGIC, spec.cookie]) };
    case 'md5':
      return { kind: wire.OPTION_MD5, data: spec.digest };
    case 'raw':
      return { kind: spec.option, data: spec.data };
  }
}

const isMptcp = (spec: OptionSpec): spec is MptcpSpec =>
  spec.kind.startsWith('mp_') || ADDRESS_KINDS.has(spec.kind);
const ADDRESS_KINDS = new Set<string>(['dss', 'add_address', 'remove_address']);

/** Options of a packet to the stack. `isAck`: its TS ecr means something. */
export function optionsToInject(
  specs: readonly OptionSpec[],
  known: Known,
  syn: boolean,
  isAck: boolean,
  scaled: boolean,
): WireOption[] {
  const options = specs.map((spec) => {
    if (isMptcp(spec)) return { kind: wire.OPTION_MPTCP, data: encodeMptcp(toInject(spec, known)) };
    if (spec.kind === 'timestamp' && isAck) {
      return plainOption({ ...spec, ecr: liveEcr(spec.ecr, known.flow, scaled) }, 0);
    }
    return plainOption(spec, known.flow.localOffset(syn));
  });
  const { length } = wire.encodeOptions(options);
  if (length % 4 !== 0)
    throw new ScriptError(`the options have ${String(length)} octets, no multiple of four`);
  if (length > 40) throw new ScriptError(`the options have ${String(length)} octets; 40 fit`);
  return options;
}

/** The live TS val that the script means. */
function liveEcr(ecr: number, flow: Flow, scaled: boolean): number {
  const live = flow.timestamps.get(ecr);
  if (live !== undefined) return live;
  const first = flow.firstTimestamp;
  if (scaled && first !== null) return (ecr - first.script + first.live) >>> 0;
  throw new ScriptError(`TS ecr ${String(ecr)}: no packet came before with this TS val`);
}

/** Why the options of a packet are not those of the script; null: they are. */
export function compareOptions(
  specs: readonly OptionSpec[],
  live: readonly WireOption[],
  known: Known,
  syn: boolean,
): string | null {
  for (let i = 0; i < Math.max(specs.length, live.length); i++) {
    const spec = specs[i];
    const option = live[i];
    if (spec === undefined) return 'TCP options: more than expected';
    const seen = option?.kind === wire.OPTION_MPTCP ? decodeMptcp(option.data) : null;
    const expected = isMptcp(spec)
      ? { kind: wire.OPTION_MPTCP, data: encodeMptcp(toExpect(spec, seen, known)) }
      : plainOption(spec, known.flow.remoteOffset(syn));
    if (option === undefined) return `TCP options: ${spec.kind} is missing`;
    if (expected.kind !== option.kind) return `TCP options: ${spec.kind} expected as number ${String(i + 1)}`;
    const wanted =
      spec.kind === 'timestamp' ? timestampOf(expected.data, option.data, known.strict) : expected.data;
    if (!wanted.equals(option.data)) return `TCP option ${spec.kind} differs`;
  }
  return null;
}

/** Options of two segments in a row, as one segment would have had them: their mappings become one. */
export function joinMappings(first: readonly WireOption[], second: readonly WireOption[]): WireOption[] {
  const mapping = (options: readonly WireOption[]): WireDss | null => {
    const all = options.filter(({ kind }) => kind === wire.OPTION_MPTCP).map(({ data }) => decodeMptcp(data));
    return all.find((option): option is WireDss => option.kind === 'dss' && option.dsn !== null) ?? null;
  };
  const next = mapping(second);
  if (next === null) return [...first];
  return first.map((option) => {
    const own = option.kind === wire.OPTION_MPTCP ? decodeMptcp(option.data) : null;
    if (own?.kind === 'dss' && own.dsn !== null && next.dsn?.value === own.dsn.value + BigInt(own.length)) {
      const data = encodeMptcp({ ...own, length: own.length + next.length, fin: own.fin || next.fin });
      return { kind: option.kind, data };
    }
    // The first data's mapping is implied by MP_CAPABLE, at subflow number 1.
    if (own?.kind === 'mp_capable' && own.length !== null && next.ssn === 1 + own.length) {
      return { kind: option.kind, data: encodeMptcp({ ...own, length: own.length + next.length }) };
    }
    return option;
  });
}

/** TS val has a check of its own; packetdrill does not compare TS ecr. */
function timestampOf(expected: Buffer, live: Buffer, strict: boolean): Buffer {
  if (live.length !== 8) return expected;
  return strict ? Buffer.concat([live.subarray(0, 4), expected.subarray(4)]) : live;
}
