/** Options of Multipath TCP. The parts of an option may stand in any order. */
import type { Lexer } from './lexer.js';
import type {
  AddAddressSpec,
  DataField,
  DataNumber,
  DssSpec,
  HmacSpec,
  KeySpec,
  MpCapableSpec,
  MpJoinSynAckSpec,
  MpJoinSynSpec,
  MptcpSpec,
  TokenSpec,
} from './option-spec.js';

const U32 = 0xffffffff;

/** null: `name` is no option of Multipath TCP. */
export function parseMptcp(lexer: Lexer, name: string): MptcpSpec | null {
  switch (name) {
    case 'mpcapable':
      return parseMpCapable(lexer);
    case 'mp_capable':
    case 'mp_capable_no_cs':
      return parseMpCapableV0(lexer, name === 'mp_capable_no_cs');
    case 'mp_join_syn':
      return parseMpJoinSyn(lexer);
    case 'mp_join_syn_ack':
      return parseMpJoinSynAck(lexer);
    case 'mp_join_ack':
      lexer.accept('sender_hmac');
      lexer.accept('token');
      lexer.expect('=');
      return { kind: 'mp_join_ack', hmac: parseHmac(lexer) };
    case 'dss':
      return parseDss(lexer);
    case 'add_address':
      return parseAddAddress(lexer);
    case 'remove_address':
      return { kind: 'remove_address', ids: parseIds(lexer) };
    case 'mp_prio':
      return parsePrio(lexer);
    case 'mp_fail':
      return { kind: 'mp_fail', dsn: lexer.accept('dsn8') ? parseDataNumber(lexer) : null };
    case 'mp_fastclose': {
      const key = parseFastcloseKey(lexer);
      return { kind: 'mp_fastclose', key, plus: lexer.accept('+') ? lexer.integer('addend') : 0n };
    }
    case 'mp_reset': {
      const reason = lexer.number('reason', 0, 255);
      const flags = lexer.accept('flags') ? parseFlags(lexer) : 0;
      return { kind: 'mp_reset', reason, transient: flags !== 0 };
    }
  }
  return null;
}

// ---- MP_CAPABLE -------------------------------------------------------------------------------------------

/** `cksum` after the length is not in the tool's own language, which knows no 24 octets of this option. */
function parseMpCapable(lexer: Lexer): MpCapableSpec {
  let version: 0 | 1 = 1;
  let flags = 0;
  let keys: KeySpec[] = [];
  let length: number | null = null;
  let checksum: MpCapableSpec['checksum'] = 'none';
  for (;;) {
    if (lexer.accept('none') || lexer.accept('v1')) version = 1;
    else if (lexer.accept('v0')) version = 0;
    else if (lexer.accept('flags')) flags = parseFlags(lexer);
    else if (lexer.accept('nokey')) keys = [];
    else if (lexer.accept('key')) keys = parseKeys(lexer);
    else if (lexer.accept('mpcdatalen')) {
      lexer.accept('=');
      length = lexer.number('mpcdatalen', 0, 0xffff);
    } else if (lexer.accept('cksum'))
      checksum = lexer.accept('=') ? lexer.number('cksum', 0, 0xffff) : 'auto';
    else return { kind: 'mp_capable', version, flags, keys, length: length === 0 ? null : length, checksum };
  }
}

/** `mp_capable a [b] [flag_a ...]`; without flags the checksum is asked for, or not. */
function parseMpCapableV0(lexer: Lexer, noChecksum: boolean): MpCapableSpec {
  const keys = [parseKey(lexer)];
  if (lexer.peek().kind === 'word' && !isFlag(lexer.peek().text)) keys.push(parseKey(lexer));
  let flags = 0;
  let named = false;
  while (lexer.peek().kind === 'word' && isFlag(lexer.peek().text)) {
    named = true;
    flags |= flagBit(lexer);
  }
  if (!named) flags = noChecksum ? 0x01 : 0x81;
  return { kind: 'mp_capable', version: 0, flags, keys, length: null, checksum: 'none' };
}

/** `flags[flag_a, flag_h]` or `flags 0x81`. */
function parseFlags(lexer: Lexer): number {
  if (!lexer.accept('[')) return lexer.number('flags', 0, 255);
  let flags = 0;
  do flags |= flagBit(lexer);
  while (lexer.accept(','));
  lexer.expect(']');
  return flags;
}

const isFlag = (text: string): boolean => /^(?:flag_[a-ht]|no_flags)$/i.test(text);

/** flag_a is the highest bit of MP_CAPABLE's eight; flag_t the lowest of MP_TCPRST's four. */
function flagBit(lexer: Lexer): number {
  const token = lexer.next();
  if (!isFlag(token.text)) throw lexer.error('flag_a to flag_h, flag_t or no_flags expected', token);
  const letter = token.text.toLowerCase().at(-1)!;
  if (letter === 's') return 0;
  return letter === 't' ? 1 : 0x80 >> (letter.charCodeAt(0) - 97);
}

function parseKeys(lexer: Lexer): KeySpec[] {
  lexer.expect('[');
  const keys = [parseKey(lexer)];
  if (lexer.accept(',')) keys.push(parseKey(lexer));
  lexer.expect(']');
  return keys;
}

function parseKey(lexer: Lexer): KeySpec {
  const name = lexer.word('name of a key');
  return { name, value: lexer.accept('=') ? BigInt.asUintN(64, lexer.integer('key', -(1n << 63n))) : null };
}

/** `key[skey]` as in MP_CAPABLE, a bare name with or without a value, or nothing. */
function parseFastcloseKey(lexer: Lexer): KeySpec | null {
  if (lexer.peek().kind !== 'word') return null;
  const key = parseKey(lexer);
  return lexer.peek().text === '[' ? (parseKeys(lexer)[0] ?? null) : key;
}

// ---- MP_JOIN ----------------------------------------------------------------------------------------------

function parseMpJoinSyn(lexer: Lexer): MpJoinSynSpec {
  const common = { backup: false, id: null as number | null, nonce: null as number | null };
  let token: TokenSpec = { kind: 'auto' };
  for (;;) {
    if (parseJoinPart(lexer, common)) continue;
    if (!lexer.accept('token')) return { kind: 'mp_join_syn', ...common, token };
    lexer.expect('=');
    token = parseToken(lexer);
  }
}

function parseMpJoinSynAck(lexer: Lexer): MpJoinSynAckSpec {
  const common = { backup: false, id: null as number | null, nonce: null as number | null };
  let hmac: HmacSpec = { kind: 'auto' };
  for (;;) {
    if (parseJoinPart(lexer, common)) continue;
    if (!lexer.accept('sender_hmac') && !lexer.accept('token'))
      return { kind: 'mp_join_syn_ack', ...common, hmac };
    lexer.expect('=');
    hmac = parseHmac(lexer);
  }
}

function parseJoinPart(
  lexer: Lexer,
  into: { backup: boolean; id: number | null; nonce: number | null },
): boolean {
  if (lexer.accept('backup')) {
    lexer.expect('=');
    into.backup = lexer.number('backup', 0, 1) === 1;
  } else if (lexer.accept('address_id')) {
    lexer.expect('=');
    into.id = lexer.accept('auto') ? null : lexer.number('address_id', 0, 255);
  } else if (lexer.accept('rand')) {
    lexer.expect('=');
    into.nonce = lexer.number('rand', 0, U32);
  } else return false;
  return true;
}

function parseToken(lexer: Lexer): TokenSpec {
  if (lexer.accept('auto')) return { kind: 'auto' };
  for (const hash of ['sha1', 'sha256'] as const) {
    if (!lexer.accept(`${hash}_32`)) continue;
    lexer.expect('(');
    const key = lexer.word('name of a key');
    lexer.expect(')');
    return { kind: 'hash', hash, key };
  }
  return { kind: 'number', value: lexer.number('token', 0, U32) };
}

/** auto, trunc_l64_hmac(sender receiver), trunc_l64_hmac(N), full_160_hmac(sender receiver). */
function parseHmac(lexer: Lexer): HmacSpec {
  if (lexer.accept('auto')) return { kind: 'auto' };
  if (!lexer.accept('full_160_hmac')) lexer.expect('trunc_l64_hmac');
  lexer.expect('(');
  let hmac: HmacSpec;
  if (lexer.peek().kind === 'word') {
    const sender = lexer.word('name of a key');
    lexer.accept(',');
    hmac = { kind: 'keys', sender, receiver: lexer.word('name of a key') };
  } else hmac = { kind: 'number', value: lexer.integer('HMAC') };
  lexer.expect(')');
  return hmac;
}

// ---- DSS --------------------------------------------------------------------------------------------------

function parseDss(lexer: Lexer): DssSpec {
  const dss = {
    dack: null as DataField | null,
    dsn: null as DataField | null,
    ssn: null as number | null,
    length: null as number | null,
    checksum: 'auto' as DssSpec['checksum'],
    fin: false,
  };
  for (;;) {
    const dack = parseField(lexer, 'dack');
    const dsn = dack === null ? parseField(lexer, 'dsn') : null;
    if (dack !== null) dss.dack = dack;
    else if (dsn !== null) dss.dsn = dsn;
    else if (lexer.accept('ssn')) dss.ssn = parseValue(lexer, 'ssn', U32);
    else if (lexer.accept('dll')) dss.length = parseValue(lexer, 'dll', 0xffff);
    else if (lexer.accept('nocs')) dss.checksum = 'none';
    else if (lexer.accept('fin')) dss.fin = true;
    else if (lexer.accept('cksum')) {
      const checksum = parseValue(lexer, 'cksum', 0xffff);
      dss.checksum = checksum === 0 ? 'none' : (checksum ?? 'auto');
    } else return { kind: 'dss', ...dss };
  }
}

function parseField(lexer: Lexer, name: 'dack' | 'dsn'): DataField | null {
  for (const width of [4, 8] as const) {
    if (lexer.accept(`${name}${String(width)}`)) return { width, value: parseDataNumber(lexer) };
  }
  return null;
}

/** `= N`; null: `= auto`, or nothing. */
function parseValue(lexer: Lexer, what: string, high: number): number | null {
  return !lexer.accept('=') || lexer.accept('auto') ? null : lexer.number(what, 0, high);
}

/** `= N`, `= trunc_r64_hmac(key) [+ N]`, `= trunc_r64_hmac_sha256(N)`, or nothing: auto. */
function parseDataNumber(lexer: Lexer): DataNumber | null {
  if (!lexer.accept('=')) return null;
  for (const hash of [null, 'sha1', 'sha256'] as const) {
    if (!lexer.accept(hash === null ? 'trunc_r64_hmac' : `trunc_r64_hmac_${hash}`)) continue;
    lexer.expect('(');
    const key = lexer.peek().kind === 'word' ? lexer.word('name of a key') : lexer.integer('key');
    lexer.expect(')');
    return { kind: 'hash', key, hash, plus: parsePlus(lexer) };
  }
  return { kind: 'relative', value: lexer.integer('data sequence number', -(1n << 63n)) };
}

function parsePlus(lexer: Lexer): bigint {
  if (lexer.accept('+')) return lexer.integer('addend');
  return 0n;
}

// ---- addresses and priority -------------------------------------------------------------------------------

function parseAddAddress(lexer: Lexer): AddAddressSpec {
  let id: number | null = null;
  let port: number | null = null;
  let hmac: AddAddressSpec['hmac'] = null;
  let where: { name: string; address: string | null } | null = null;
  for (;;) {
    if (lexer.accept('address_id')) {
      lexer.expect('=');
      id = lexer.accept('auto') ? null : lexer.number('address_id', 0, 255);
    } else if (lexer.accept('port')) port = parseValue(lexer, 'port', 0xffff);
    else if (lexer.accept('hmac')) {
      lexer.expect('=');
      hmac = lexer.accept('auto') ? 'auto' : BigInt.asUintN(64, lexer.integer('HMAC', -(1n << 63n)));
    } else if (lexer.accept('addr_echo')) hmac = null;
    else if (lexer.accept('addr')) where = parseAddress(lexer);
    else {
      if (where === null) throw lexer.error('add_address needs addr[...]');
      return { kind: 'add_address', id, port, hmac, ...where };
    }
  }
}

/** `[name]`, `[name = inet_addr("...")]`, `[name = inet6_addr("...")]`. */
function parseAddress(lexer: Lexer): { name: string; address: string | null } {
  lexer.expect('[');
  const name = lexer.word('a name');
  let address: string | null = null;
  if (lexer.accept('=')) {
    if (!lexer.accept('inet6_addr')) lexer.expect('inet_addr');
    lexer.expect('(');
    const token = lexer.next();
    if (token.kind !== 'string') throw lexer.error('an address in quotes expected', token);
    address = token.text;
    lexer.expect(')');
  }
  lexer.expect(']');
  return { name, address };
}

/** `address_id=[1, 2]`, or one without brackets. */
function parseIds(lexer: Lexer): number[] {
  lexer.expect('address_id');
  lexer.expect('=');
  if (!lexer.accept('[')) return [lexer.number('address_id', 0, 255)];
  const ids: number[] = [];
  do ids.push(lexer.number('address_id', 0, 255));
  while (lexer.accept(','));
  lexer.expect(']');
  return ids;
}

function parsePrio(lexer: Lexer): MptcpSpec {
  let backup = false;
  let id: number | null = null;
  for (;;) {
    if (lexer.accept('backup')) backup = (parseValue(lexer, 'backup', 1) ?? 1) === 1;
    else if (lexer.accept('address_id')) id = parseValue(lexer, 'address_id', 255);
    else return { kind: 'mp_prio', backup, id };
  }
}
