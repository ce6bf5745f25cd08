/** The argument strings of `ip mptcp endpoint ...` and `ip mptcp limits ...` (ip-mptcp(8)), and what they print. */
import { PlaitError } from '../errors.js';
import {
  ENDPOINT_FLAGS,
  type EndpointChange,
  type EndpointFlag,
  type EndpointName,
  type EndpointSpec,
  type PathEndpoint,
  type PathLimits,
} from './endpoints.js';

/** What the commands act on; `PathManager` is one. */
export interface EndpointControl {
  addEndpoint(spec: EndpointSpec): PathEndpoint;
  /** With ID 0: the initial address of connections that began at `address`. */
  deleteEndpoint(name: EndpointName): void;
  changeEndpoint(name: EndpointName, change: EndpointChange): void;
  flushEndpoints(): void;
  endpoints(): readonly PathEndpoint[];
  limits(): PathLimits;
  setLimits(limits: Partial<PathLimits>): void;
}

/**
 * Carries out what follows `ip mptcp`, as one string or as words. Returns what the command prints. Throws EINVAL for
 * a wrong command, and what the control throws.
 */
export function applyIpMptcp(control: EndpointControl, args: string | readonly string[]): string {
  const words = [...(typeof args === 'string' ? args.split(/\s+/) : args)].filter((word) => word !== '');
  const object = keyword(words.shift(), ['endpoint', 'limits'], 'endpoint');
  return object === 'limits' ? applyLimits(control, words) : applyEndpoint(control, words);
}

/** `ADDRESS [dev NAME] [id ID] [port NR] [FLAG ...]`; flags may be joined by commas. Throws EINVAL. */
export function parseEndpoint(args: string | readonly string[]): EndpointSpec {
  const words = typeof args === 'string' ? args.split(/\s+/).filter((word) => word !== '') : args;
  const { address, id, port, dev, flags } = parseWords(words, ENDPOINT_FLAGS);
  if (address === undefined) throw wrong('an address is missing');
  const set = Object.fromEntries(flags.map((flag) => [flag, true]));
  return {
    address,
    ...(id !== undefined && { id }),
    ...(port !== undefined && { port }),
    ...(dev !== undefined && { dev }),
    ...set,
  };
}

/** `[subflows NR] [add_addr_accepted NR]`. Throws EINVAL. */
export function parseLimits(args: string | readonly string[]): Partial<PathLimits> {
  const words = typeof args === 'string' ? args.split(/\s+/).filter((word) => word !== '') : args;
  const result: { -readonly [K in keyof PathLimits]?: number } = {};
  for (let i = 0; i < words.length; i += 2) {
    const name = keyword(words[i], ['subflows', 'add_addr_accepted'], '');
    const value = number(`limit ${name}`, words[i + 1], 0, 8);
    if (name === 'subflows') result.subflows = value;
    else result.addAddrAccepted = value;
  }
  return result;
}

/** One line of `ip mptcp endpoint show`. */
export function formatEndpoint(one: PathEndpoint): string {
  const port = one.port === 0 ? '' : ` port ${one.port}`;
  const flags = ENDPOINT_FLAGS.filter((flag) => one[flag]).map((flag) => ` ${flag}`);
  return `${one.address}${port} id ${one.id}${flags.join('')}${one.dev === null ? '' : ` dev ${one.dev}`} `;
}

export function formatLimits({ addAddrAccepted, subflows }: PathLimits): string {
  return `add_addr_accepted ${addAddrAccepted} subflows ${subflows} `;
}

function applyLimits(control: EndpointControl, words: string[]): string {
  if (keyword(words.shift(), ['set', 'show'], 'show') === 'show')
    return `${formatLimits(control.limits())}\n`;
  control.setLimits(parseLimits(words));
  return '';
}

function applyEndpoint(control: EndpointControl, words: string[]): string {
  switch (keyword(words.shift(), ['add', 'delete', 'change', 'show', 'flush'], 'show')) {
    case 'add':
      control.addEndpoint(parseEndpoint(words));
      return '';
    case 'delete':
      control.deleteEndpoint(parseName(words));
      return '';
    case 'change': {
      const { flags, ...name } = parseWords(words, CHANGES);
      if (name.id === undefined && name.address === undefined) throw wrong('an address or an ID is missing');
      control.changeEndpoint(name, changeOf(flags));
      return '';
    }
    case 'flush':
      control.flushEndpoints();
      return '';
    default: {
      const { id } = parseWords(words, []);
      const shown = control.endpoints().filter((one) => id === undefined || one.id === id);
      if (id !== undefined && shown.length === 0) throw wrong(`there is no endpoint ${id}`);
      return shown.map((one) => `${formatEndpoint(one)}\n`).join('');
    }
  }
}

/** `id ID [ADDRESS]`, or an address. ID 0 needs the address. */
function parseName(words: readonly string[]): EndpointName {
  const { id, address, port } = parseWords(words, []);
  if (id === undefined && address === undefined) throw wrong('an ID or an address is missing');
  if (id === 0 && address === undefined) throw wrong('to delete ID 0 an address is needed');
  if (id !== undefined && id !== 0) return { id };
  return {
    ...(id !== undefined && { id }),
    ...(address !== undefined && { address }),
    ...(port !== undefined && { port }),
  };
}

function changeOf(flags: readonly (typeof CHANGES)[number][]): EndpointChange {
  const change: { -readonly [K in keyof EndpointChange]: boolean } = {};
  for (const flag of flags) {
    if (flag === 'backup' || flag === 'nobackup') change.backup = flag === 'backup';
    else change.fullmesh = flag === 'fullmesh';
  }
  return change;
}

interface Words<F extends string> {
  address?: string;
  id?: number;
  port?: number;
  dev?: string;
  flags: F[];
}

function parseWords<F extends string>(words: readonly string[], known: readonly F[]): Words<F> {
  const result: Words<F> = { flags: [] };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === 'id') result.id = number('ID', words[++i], 0, 255);
    else if (word === 'port') result.port = number('port', words[++i], 1, 65535);
    else if (word === 'dev') result.dev = words[++i] ?? missing('the name of a device');
    else if (isFlags(word, known)) result.flags.push(...(word.split(',') as F[]));
    else if (result.address === undefined && /[.:]/.test(word)) result.address = word;
    else throw wrong(`"${word}" has no meaning here`);
  }
  return result;
}

const isFlags = (word: string, known: readonly string[]): boolean =>
  word.split(',').every((flag) => known.includes(flag));

/** The one of `known` that a word begins, as `ip` lets its words be cut short. */
function keyword<K extends string>(word: string | undefined, known: readonly K[], otherwise: K | ''): K {
  const text = word ?? otherwise;
  const found = known.find((one) => text !== '' && one.startsWith(text));
  return found ?? missing(`one of ${known.join(', ')}, not "${text}"`);
}

function number(what: string, text: string | undefined, low: number, high: number): number {
  const value = text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= low && value <= high) return value;
  throw wrong(`${what} cannot be "${text ?? ''}"; it is a number from ${low} to ${high}`);
}

function missing(what: string): never {
  throw wrong(`wanted is ${what}`);
}

const wrong = (what: string): PlaitError => new PlaitError('EINVAL', `ip mptcp: ${what}`);

const CHANGES = ['backup', 'nobackup', 'fullmesh', 'nofullmesh'] as const;

export type { EndpointFlag };
