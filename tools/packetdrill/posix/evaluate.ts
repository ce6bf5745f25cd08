/** Values of script expressions: numbers, octets, addresses; and the comparison of what a call wrote. */
import ipaddr from 'ipaddr.js';
import type { Expr } from '../ast.js';
import { ScriptError } from '../socket-layer.js';
import { CONSTANTS } from './constants.js';

/** Number of an expression. Throws a `ScriptError` for what is none. */
export function integer(e: Expr | undefined): bigint {
  if (e === undefined) throw new ScriptError('an argument is missing');
  switch (e.kind) {
    case 'integer':
      return e.value;
    case 'symbol':
      return e.name.split('|').reduce((sum, name) => sum | named(name.trim()), 0n);
    case 'binary':
      return binary(e.operator, integer(e.left), integer(e.right));
    case 'call':
      return called(e.name, e.args);
    case 'list': {
      // [512]: what a pointer argument points at
      const [only] = e.items;
      if (e.items.length === 1) return integer(only);
      break;
    }
    default:
  }
  throw new ScriptError(`a number is needed, not ${describe(e)}`);
}

export const number = (e: Expr | undefined): number => Number(integer(e));

function named(name: string): bigint {
  const value = CONSTANTS.get(name);
  if (value === undefined) throw new ScriptError(`unknown symbol ${name}`);
  return value;
}

function binary(operator: '|' | '<<' | '+' | '-', left: bigint, right: bigint): bigint {
  if (operator === '|') return left | right;
  if (operator === '<<') return left << right;
  return operator === '+' ? left + right : left - right;
}

function called(name: string, args: readonly Expr[]): bigint {
  const value = args[0]?.kind === 'string' ? 0n : integer(args[0]);
  if (name === 'htons' || name === 'ntohs') return value & 0xffffn;
  if (name === 'htonl' || name === 'ntohl') return value & 0xffffffffn;
  throw new ScriptError(`${name}() gives no number`);
}

export const isNull = (e: Expr | undefined): boolean => e?.kind === 'symbol' && e.name === 'NULL';

/** A number where a buffer is due: an address that nothing lies at. */
export const isWild = (e: Expr | undefined): boolean => isNull(e) || e?.kind === 'integer';

/** `...`, also as what a pointer points at: `[...]`. */
export const isEllipsis = (e: Expr | undefined): boolean =>
  e === undefined ||
  e.kind === 'ellipsis' ||
  (e.kind === 'list' && e.items.length === 1 && e.items[0]!.kind === 'ellipsis');

export function describe(e: Expr): string {
  if (e.kind === 'string') return JSON.stringify(e.value.toString('latin1'));
  return e.kind === 'symbol' ? e.name : `a ${e.kind}`;
}

/** Field of a struct expression; undefined when it is not there. */
export function field(e: Expr | undefined, ...names: string[]): Expr | undefined {
  if (e?.kind !== 'struct') return undefined;
  return e.fields.find(([name]) => names.includes(name))?.[1];
}

/** The items of a list, or the thing itself as the only one. */
export const items = (e: Expr | undefined): readonly Expr[] =>
  e === undefined || e.kind === 'ellipsis' ? [] : e.kind === 'list' ? e.items : [e];

// ---- addresses ----------------------------------------------------------------------------------------------------

export interface SocketAddress {
  readonly family: number;
  /** Text form; null: any address. */
  readonly address: string | null;
  readonly port: number;
}

/** {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}, and its IPv6 form. */
export function socketAddress(e: Expr): SocketAddress {
  if (e.kind !== 'struct') throw new ScriptError(`an address is needed, not ${describe(e)}`);
  const family = field(e, 'sa_family', 'sin_family', 'sin6_family');
  const port = field(e, 'sin_port', 'sin6_port');
  const address = field(e, 'sin_addr', 'sin6_addr');
  return {
    family: family === undefined ? 2 : number(family),
    port: port === undefined ? 0 : number(port),
    address: address === undefined ? null : addressOf(address),
  };
}

function addressOf(e: Expr): string | null {
  const text =
    e.kind === 'call' && e.args[0]?.kind === 'string'
      ? e.args[0].value.toString('latin1')
      : e.kind === 'string'
        ? e.value.toString('latin1')
        : null;
  if (text !== null) return /^(0\.0\.0\.0|::|0)$/.test(text) ? null : text;
  if (e.kind === 'call' && (e.name === 'inet_addr' || e.name === 'inet6_addr')) {
    throw new ScriptError(`${e.name}() needs a string`);
  }
  const value = integer(e);
  if (value === 0n) return null;
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
}

/** Same address in whatever form (IPv4-mapped IPv6 counts as IPv4). */
export function sameAddress(a: string, b: string): boolean {
  return ipaddr.process(a).toNormalizedString() === ipaddr.process(b).toNormalizedString();
}

// ---- what a call wrote, against what the script expects ---------------------------------------------------------------

export class Mismatches {
  readonly #list: string[] = [];

  number(what: string, expected: Expr | undefined, actual: bigint | number): void {
    if (isEllipsis(expected)) return;
    const wanted = integer(expected);
    const got = BigInt(actual);
    // Signed and unsigned spellings of the same word are the same.
    if (wanted === got || BigInt.asUintN(32, wanted) === BigInt.asUintN(32, got)) return;
    this.add(`${what}: expected ${String(wanted)}, got ${String(got)}`);
  }

  /** Flags, in hexadecimal. */
  flags(what: string, expected: Expr | undefined, actual: number): void {
    if (isEllipsis(expected)) return;
    const wanted = integer(expected);
    if (BigInt.asUintN(32, wanted) !== BigInt(actual >>> 0)) {
      this.add(`${what}: expected 0x${wanted.toString(16)}, got 0x${(actual >>> 0).toString(16)}`);
    }
  }

  address(what: string, expected: Expr | undefined, actual: SocketAddress | null): void {
    if (isEllipsis(expected) || expected?.kind !== 'struct') return;
    const wanted = socketAddress(expected);
    if (actual === null) return this.add(`${what}: expected an address, got none`);
    if (field(expected, 'sa_family', 'sin_family') !== undefined && wanted.family !== actual.family) {
      this.add(`${what}: expected family ${wanted.family}, got ${actual.family}`);
    }
    if (field(expected, 'sin_port', 'sin6_port') !== undefined && wanted.port !== actual.port) {
      this.add(`${what}: expected port ${wanted.port}, got ${actual.port}`);
    }
    const same =
      wanted.address === null || actual.address === null
        ? wanted.address === actual.address
        : sameAddress(wanted.address, actual.address);
    if (field(expected, 'sin_addr', 'sin6_addr') !== undefined && !same) {
      this.add(
        `${what}: expected ${wanted.address ?? 'any address'}, got ${actual.address ?? 'any address'}`,
      );
    }
  }

  add(text: string): void {
    this.#list.push(text);
  }

  get text(): string | null {
    return this.#list.length === 0 ? null : this.#list.join('; ');
  }
}
