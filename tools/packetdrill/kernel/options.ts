/** Values of socket options, as octets. */
import type { Expr } from '../ast.js';
import { constant, SOL } from '../posix/constants.js';
import { FULL_INFO, inputOf, SUBFLOW_DATA } from '../posix/mptcp-options.js';
import { field, integer, isEllipsis, items, Mismatches, number } from '../posix/evaluate.js';
import { ScriptError } from '../socket-layer.js';
import {
  decodeAddress,
  decodeMptcpInfo,
  decodeTcpInfo,
  encodeTime,
  int32,
  stringArgument,
} from './structs.js';

const key = (level: number, name: string): string => `${level}:${constant(name)}`;
const LINGER = key(SOL.SOCKET, 'SO_LINGER');
const TIMES = ['SO_RCVTIMEO', 'SO_SNDTIMEO', 'SO_RCVTIMEO_NEW', 'SO_SNDTIMEO_NEW'].map((name) =>
  key(SOL.SOCKET, name),
);
const TEXTS = [
  key(SOL.SOCKET, 'SO_BINDTODEVICE'),
  key(SOL.TCP, 'TCP_CONGESTION'),
  key(SOL.TCP, 'TCP_ULP'),
  key(SOL.TCP, 'TCP_FASTOPEN_KEY'),
];
const PEERNAME = key(SOL.SOCKET, 'SO_PEERNAME');
const TCP_INFO = key(SOL.TCP, 'TCP_INFO');
const MPTCP_INFO = key(SOL.MPTCP, 'MPTCP_INFO');
/** Structures that the caller fills in part. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  [key(SOL.MPTCP, 'MPTCP_TCPINFO')]: SUBFLOW_DATA,
  [key(SOL.MPTCP, 'MPTCP_SUBFLOW_ADDRS')]: SUBFLOW_DATA,
  [key(SOL.MPTCP, 'MPTCP_FULL_INFO')]: FULL_INFO,
};

/** What a getsockopt hands in. */
export function fillOption(level: number, name: number, value: Expr, memory: Buffer): void {
  const words = WORDS[`${level}:${name}`];
  if (words === undefined) return;
  [...inputOf(value, words).values()].forEach((word, i) => memory.writeUInt32LE(word, 4 * i));
}

/** What setsockopt is given. `length`: what the script says, or null. */
export function encodeOption(level: number, name: number, value: Expr, length: number | null): Buffer {
  const octets = encoded(`${level}:${name}`, value, length);
  // The length is the script's; what it says beyond the value has to be there.
  return length !== null && length > octets.length
    ? Buffer.concat([octets, Buffer.alloc(Math.min(length, 4096) - octets.length)])
    : octets;
}

function encoded(id: string, value: Expr, length: number | null): Buffer {
  if (id === LINGER) {
    const on = field(value, 'onoff', 'l_onoff', '') ?? items(value)[0];
    const seconds = field(value, 'linger', 'l_linger');
    return Buffer.concat([int32(integer(on)), int32(seconds === undefined ? 0 : integer(seconds))]);
  }
  if (TIMES.includes(id)) return encodeTime(value, 'tv_usec');
  if (TEXTS.includes(id)) return stringArgument(value);
  if (value.kind === 'string') return value.value;
  if (value.kind === 'list' && value.items.length > 1)
    return Buffer.concat(value.items.map((item) => int32(integer(item))));
  const one = integer(value);
  if (length !== 8) return int32(one);
  const wide = Buffer.alloc(8);
  wide.writeBigInt64LE(BigInt.asIntN(64, one));
  return wide;
}

/** Compares what getsockopt wrote with what the script expects. */
export function compareOption(level: number, name: number, expected: Expr, octets: Buffer): string | null {
  const wrong = new Mismatches();
  const id = `${level}:${name}`;
  if (isEllipsis(expected)) return null;
  const words = WORDS[id];
  if (words !== undefined) {
    const fields = words.map((word, i) => [word, BigInt(octets.readUInt32LE(4 * i))] as const);
    compareInfo(expected, new Map(fields), wrong);
    return wrong.text;
  }
  if (id === LINGER) {
    wrong.number('onoff', field(expected, 'onoff', 'l_onoff'), octets.readInt32LE(0));
    wrong.number('linger', field(expected, 'linger', 'l_linger'), octets.readInt32LE(4));
  } else if (TIMES.includes(id)) {
    wrong.number('tv_sec', field(expected, 'tv_sec'), octets.readBigInt64LE(0));
    wrong.number('tv_usec', field(expected, 'tv_usec'), octets.readBigInt64LE(8));
  } else if (id === PEERNAME) wrong.address('peer', expected, decodeAddress(octets));
  else if (id === TCP_INFO || id === MPTCP_INFO) {
    compareInfo(expected, id === TCP_INFO ? decodeTcpInfo(octets) : decodeMptcpInfo(octets), wrong);
  } else if (
    expected.kind === 'string' ||
    (expected.kind === 'list' && expected.items[0]?.kind === 'string')
  ) {
    const wanted = text(stringArgument(expected));
    if (wanted !== text(octets)) wrong.add(`expected "${wanted}", got "${text(octets)}"`);
  } else {
    wrong.number('value', expected, octets.length < 4 ? (octets[0] ?? 0) : octets.readInt32LE(0));
  }
  return wrong.text;
}

const text = (octets: Buffer): string => octets.toString('latin1').replace(/\0.*$/s, '');

function compareInfo(expected: Expr, info: ReadonlyMap<string, bigint>, wrong: Mismatches): void {
  if (expected.kind !== 'struct') return;
  for (const [name, value] of expected.fields) {
    if (name === '') continue;
    const actual = info.get(name);
    if (actual === undefined) throw new ScriptError(`unknown field ${name}`);
    wrong.number(name, value, actual);
  }
}

/** Octets that a buffer for the option needs. */
export const optionRoom = (length: Expr | undefined): number =>
  length === undefined || isEllipsis(length) ? 512 : number(length);
