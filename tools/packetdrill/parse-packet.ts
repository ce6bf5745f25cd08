/** Packets: `[sock(N)] < [ip] [addresses] FLAGS seq:end(len) [ack N] [win N] [urg N] [<options>]`, ICMP and UDP. */
import type { Lexer, Token } from './lexer.js';
import { parseOptions } from './parse-options.js';
import type { EndpointSpec, IcmpSpec, IpSpec, PacketSpec, TcpFlags, TcpSpec } from './script.js';
import { ScriptError } from './socket-layer.js';

const U32 = 0xffffffff;

export function parsePacket(lexer: Lexer, socket: number | null): PacketSpec {
  const { line, end } = lexer.peek();
  const packet = parse(lexer, socket, line);
  return { ...packet, text: lexer.textSince(end - 1) };
}

function parse(lexer: Lexer, socket: number | null, line: number): Omit<PacketSpec, 'text'> {
  const direction = parseDirection(lexer);
  refuseTunnel(lexer);
  const ip = parseIp(lexer);
  if (ip.check === 'ect01' && direction === 'in')
    throw new ScriptError('[ect01] is for outbound packets', line);
  const kind = lexer.peek().kind === 'word' ? lexer.peek().text : '';
  if (kind === 'icmp') {
    lexer.next();
    const body = parseIcmp(lexer);
    return { line, direction, socket, ip, source: null, destination: null, body };
  }
  const udp = kind === 'udp';
  if (udp) lexer.next();
  const [source, destination] = parseEndpoints(lexer);
  if (udp) {
    lexer.expect('(');
    const length = lexer.number('UDP payload', 0, 0xffff);
    lexer.expect(')');
    return { line, direction, socket, ip, source, destination, body: { kind: 'udp', length } };
  }
  const body = parseTcp(lexer, direction, line);
  return { line, direction, socket, ip, source, destination, body };
}

function parseDirection(lexer: Lexer): 'in' | 'out' {
  if (lexer.accept('<')) return 'in';
  lexer.expect('>');
  return 'out';
}

function refuseTunnel(lexer: Lexer): void {
  const { kind, text, line } = lexer.peek();
  if (kind !== 'word') return;
  if (['ipv4', 'ipv6', 'gre', 'GREv0', 'mpls'].includes(text))
    throw new ScriptError(`packets inside ${text} are not supported`, line);
  if (['raw', 'sctp', 'udplite'].includes(text))
    throw new ScriptError(`${text} packets are not supported`, line);
}

// ---- IP ---------------------------------------------------------------------------------------------------

const ECN: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** `[tos 0x04]`, `[ect0]`, `[ttl 64]`, `[flowlabel 0x1]`, several with commas; parentheses will do as well. */
function parseIp(lexer: Lexer): IpSpec {
  const close = lexer.accept('[') ? ']' : lexer.accept('(') ? ')' : null;
  const ip = { check: 'none' as IpSpec['check'], tos: 0, ttl: 0, flowLabel: 0 };
  if (close === null) return ip;
  do {
    const token = lexer.next();
    const ecn = ECN[token.text];
    if (token.text === 'tos') Object.assign(ip, { check: 'tos', tos: lexer.number('tos', 0, 255) });
    else if (token.text === 'ttl') ip.ttl = lexer.number('ttl', 0, 255);
    else if (token.text === 'flowlabel') ip.flowLabel = lexer.number('flow label', 0, 0xfffff);
    else if (token.text === 'ect01') ip.check = 'ect01';
    else if (ecn !== undefined) Object.assign(ip, { check: 'ecn', tos: ecn });
    else throw lexer.error('tos, ttl, flowlabel, noecn, ect0, ect1, ect01 or ce expected', token);
  } while (lexer.accept(','));
  lexer.expect(close);
  return ip;
}

/** `a > b` where each side is addr[NAME], ADDRESS:PORT, PORT or nothing; one alone is the destination. */
function parseEndpoints(lexer: Lexer): [EndpointSpec | null, EndpointSpec | null] {
  const first = parseEndpoint(lexer);
  return lexer.accept('>') ? [first, parseEndpoint(lexer)] : [null, first];
}

function parseEndpoint(lexer: Lexer): EndpointSpec | null {
  const { kind, text } = lexer.peek();
  if (kind === 'word' && text === 'addr') {
    lexer.next();
    lexer.expect('[');
    const name = lexer.word('a name');
    lexer.expect(']');
    return { kind: 'name', name };
  }
  if (kind === 'ipv4' || kind === 'ipv6') {
    lexer.next();
    // The port after an IPv6 address looks like its last group.
    const group = kind === 'ipv6' && lexer.peek().text !== ':' ? text.lastIndexOf(':') : -1;
    if (group > 0)
      return { kind: 'address', address: text.slice(0, group), port: Number(text.slice(group + 1)) };
    lexer.expect(':');
    return { kind: 'address', address: text, port: lexer.number('port', 0, 0xffff) };
  }
  if (kind === 'integer') return { kind: 'port', port: lexer.number('port', 0, 0xffff) };
  return null;
}

// ---- TCP --------------------------------------------------------------------------------------------------

function parseTcp(lexer: Lexer, direction: 'in' | 'out', line: number): TcpSpec {
  const [flags, ace] = parseFlags(lexer);
  const { seq, length } = parseSequence(lexer);
  const ack = lexer.accept('ack') ? lexer.number('ack', 0, U32) : 0;
  const window = lexer.accept('win') ? lexer.number('win', 0, 0xffff) : null;
  if (window === null && direction === 'in') throw new ScriptError('an inbound packet needs win', line);
  const urgent = lexer.accept('urg') ? lexer.number('urg', 0, 0xffff) : 0;
  const options = lexer.accept('<') ? parseOptions(lexer) : [];
  if (options === null && direction === 'in') throw new ScriptError('<...> is for outbound packets', line);
  const { kind, text } = lexer.peek();
  if (kind === 'char' && text === '{') throw new ScriptError('mutations of packets are not supported', line);
  return { kind: 'tcp', flags, ace, seq, length, ack, window, urgent, options };
}

/** Letters of F S R P . E W A U in any order, digits for the ACE field; `-` for none at all. */
function parseFlags(lexer: Lexer): [TcpFlags, boolean] {
  const first = lexer.next();
  if (first.kind === 'char' && first.text === '-') return flagsOf('', first);
  if (!isFlags(first)) throw lexer.error('TCP flags expected', first);
  let { text, end } = first;
  // `S.` is two tokens, `S.5` a word and a number, `P.U` three words.
  for (let more = lexer.peek(); more.end === end + more.text.length && isFlags(more); more = lexer.peek()) {
    text += more.text;
    end = lexer.next().end;
  }
  return flagsOf(text, first);
}

const isFlags = ({ kind, text }: Token): boolean =>
  kind === 'word' || (kind === 'char' && text === '.') || (kind === 'float' && /^\.\d$/.test(text));

function flagsOf(text: string, token: Token): [TcpFlags, boolean] {
  const bad = [...text].find((letter) => !'.FSRPEWAU01234567'.includes(letter));
  if (bad !== undefined) throw new ScriptError(`${bad} is no TCP flag`, token.line);
  const digits = /\d/g.exec(text);
  if (digits !== null && /[EWA]|\d.*\d/.test(text))
    throw new ScriptError('conflicting ECN flags', token.line);
  const ace = digits === null ? 0 : Number(digits[0]);
  const has = (letter: string): boolean => text.includes(letter);
  const flags: TcpFlags = {
    fin: has('F'),
    syn: has('S'),
    rst: has('R'),
    psh: has('P'),
    ack: has('.'),
    urg: has('U'),
    ece: has('E') || (ace & 1) !== 0,
    cwr: has('W') || (ace & 2) !== 0,
    ae: has('A') || (ace & 4) !== 0,
  };
  return [flags, ace !== 0];
}

/** `seq:end(length)` or `seq(length)`. */
function parseSequence(lexer: Lexer): { seq: number; length: number } {
  const start = lexer.peek();
  const seq = lexer.number('sequence number', 0, U32);
  const end = lexer.accept(':') ? lexer.number('end of the sequence', 0, U32) : null;
  lexer.expect('(');
  const length = lexer.number('payload', 0, 0xffff);
  lexer.expect(')');
  if (end !== null && end !== (seq + length) % 2 ** 32) {
    throw new ScriptError('sequence numbers and payload do not agree', start.line);
  }
  return { seq, length };
}

// ---- ICMP -------------------------------------------------------------------------------------------------

/** `icmp TYPE [CODE] [mtu N] [id N] [[seq:end(len)] | [tcp seq:end(len)] | [udp (len)] | [raw (len)]]`. */
function parseIcmp(lexer: Lexer): IcmpSpec {
  const type = lexer.word('an ICMP type');
  let code: string | null = null;
  if (lexer.peek().kind === 'word' && !['mtu', 'id'].includes(lexer.peek().text)) code = lexer.next().text;
  const mtu = lexer.accept('mtu') ? lexer.number('mtu', 0, U32) : null;
  const echoId = lexer.accept('id') ? lexer.number('id', 0, 0xffff) : 0;
  return { kind: 'icmp', type, code, mtu, echoId, echoed: parseEchoed(lexer) };
}

function parseEchoed(lexer: Lexer): IcmpSpec['echoed'] {
  if (!lexer.accept('[')) return { protocol: 'tcp', seq: 0, length: 0 };
  const { kind, text } = lexer.peek();
  let echoed: IcmpSpec['echoed'];
  if (kind === 'word' && (text === 'udp' || text === 'raw')) {
    lexer.next();
    lexer.expect('(');
    echoed = { protocol: text, seq: 0, length: lexer.number('length', 0, 0xffff) };
    lexer.expect(')');
  } else {
    lexer.accept('tcp');
    echoed = { protocol: 'tcp', ...parseSequence(lexer) };
  }
  lexer.expect(']');
  return echoed;
}
