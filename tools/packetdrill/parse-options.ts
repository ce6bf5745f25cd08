/** The list of TCP options of a packet; Multipath TCP's are in parse-mptcp.ts. */
import type { Lexer, Token } from './lexer.js';
import type { OptionSpec } from './option-spec.js';
import { parseMptcp } from './parse-mptcp.js';

const U32 = 0xffffffff;

/** After `<`. null: `...`, whatever there is. */
export function parseOptions(lexer: Lexer): OptionSpec[] | null {
  if (lexer.accept('...')) {
    lexer.expect('>');
    return null;
  }
  const options: OptionSpec[] = [];
  if (lexer.accept('>')) return options;
  do options.push(parseOption(lexer));
  while (lexer.accept(','));
  lexer.expect('>');
  return options;
}

function parseOption(lexer: Lexer): OptionSpec {
  const token = lexer.next();
  switch (token.text) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: token.text };
    case 'mss':
      return { kind: 'mss', value: lexer.number('mss', 0, 0xffff) };
    case 'wscale':
      return { kind: 'wscale', value: lexer.number('wscale', 0, 0xff) };
    case 'sack':
      return { kind: 'sack', blocks: parseSack(lexer) };
    case 'TS': {
      lexer.expect('val');
      const val = lexer.number('TS val', 0, U32);
      lexer.expect('ecr');
      return { kind: 'timestamp', val, ecr: lexer.number('TS ecr', 0, U32) };
    }
    case 'FO':
    case 'FOEXP':
      return { kind: 'fastopen', experimental: token.text === 'FOEXP', cookie: parseHex(lexer) };
    case 'md5':
      return { kind: 'md5', digest: parseHex(lexer) };
    case 'ECN':
      return parseAccEcn(lexer);
    case 'raw':
    case 'unknown': {
      const option = lexer.number('kind of the option', 0, 255);
      return { kind: 'raw', option, data: parseHex(lexer) };
    }
  }
  const mptcp = parseMptcp(lexer, token.text);
  if (mptcp !== null) return mptcp;
  throw lexer.error('a TCP option expected', token);
}

function parseSack(lexer: Lexer): [number, number][] {
  const blocks: [number, number][] = [];
  do {
    const left = lexer.number('left edge', 0, U32);
    lexer.expect(':');
    blocks.push([left, lexer.number('right edge', 0, U32)]);
  } while (lexer.peek().kind === 'integer');
  return blocks;
}

/** Hexadecimal digits, or none at all. */
function parseHex(lexer: Lexer): Buffer {
  const { kind, text } = lexer.peek();
  if (kind !== 'word' && kind !== 'integer' && kind !== 'hex') return Buffer.alloc(0);
  const token: Token = lexer.next();
  const digits = kind === 'hex' ? text.slice(2) : text;
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(digits))
    throw lexer.error('an even number of hexadecimal digits expected', token);
  return Buffer.from(digits, 'hex');
}

/** Counters of Accurate ECN (draft-ietf-tcpm-accurate-ecn section 3.2.3): the order tells the kind. */
function parseAccEcn(lexer: Lexer): OptionSpec {
  const values: Buffer[] = [];
  let option = 172;
  while (['e0b', 'ceb', 'e1b'].includes(lexer.peek().text)) {
    if (lexer.next().text === 'e1b' && values.length === 0) option = 174;
    const value = Buffer.alloc(3);
    value.writeUIntBE(lexer.number('counter', 0, 0xffffff), 0, 3);
    values.push(value);
  }
  return { kind: 'raw', option, data: Buffer.concat(values) };
}
