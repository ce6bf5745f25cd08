/** Corners of the packetdrill language. */
import { expect } from 'chai';
import { configure, scriptOptions } from '../../tools/packetdrill/config.js';
import type { OptionSpec } from '../../tools/packetdrill/option-spec.js';
import { parseScript } from '../../tools/packetdrill/parser.js';
import type { Action, ScriptEvent, TcpSpec } from '../../tools/packetdrill/script.js';
import { ScriptError } from '../../tools/packetdrill/socket-layer.js';

const parse = (text: string, defines: Record<string, string> = {}): readonly ScriptEvent[] =>
  parseScript('test.pkt', text, new Map(Object.entries(defines))).events;
const action = (text: string, defines?: Record<string, string>): Action => parse(text, defines)[0]!.action;

function tcp(text: string): TcpSpec {
  const parsed = action(`+0 ${text}`);
  if (parsed.kind !== 'packet' || parsed.packet.body.kind !== 'tcp') throw new Error('no TCP packet');
  return parsed.packet.body;
}

function option(text: string): OptionSpec {
  return tcp(`> . 1:1(0) ack 1 <${text}>`).options![0]!;
}

function call(text: string, defines?: Record<string, string>) {
  const parsed = action(`+0 ${text}`, defines);
  if (parsed.kind !== 'call') throw new Error('no call');
  return parsed.call;
}

describe('packetdrill language: times', () => {
  const time = (text: string) => parse(`${text} > . 1:1(0) ack 1`)[0]!.time;

  it('reads every form', () => {
    expect(time('0.25')).to.deep.equal({ kind: 'absolute', at: 250_000 });
    expect(time('+.1')).to.deep.equal({ kind: 'relative', at: 100_000 });
    expect(time('*')).to.deep.equal({ kind: 'any' });
    expect(time('1~2')).to.deep.equal({ kind: 'absolute-range', at: 1e6, end: 2e6 });
    expect(time('+0.1~+0.2')).to.deep.equal({ kind: 'relative-range', at: 1e5, end: 2e5 });
    expect(time('')).to.deep.equal({ kind: 'relative', at: 0 });
  });

  it('takes `...` after a time for the end of a blocking call', () => {
    const [event] = parse('0.1...0.35 accept(3, ..., ...) = 4');
    expect(event!.time).to.deep.equal({ kind: 'absolute', at: 100_000 });
    expect(event!.action).to.include({ kind: 'call', end: 350_000 });
  });

  it('refuses what makes no sense', () => {
    const refused = (text: string) => expect(() => parse(text), text).to.throw(ScriptError);
    refused('* close(3) = 0');
    refused('0.2~0.1 > . 1:1(0) ack 1');
    refused('+0 < . 1:1(0) ack 1'); // a window is needed
    refused('+0 < . 1:1(0) ack 1 win 1 <...>');
    refused('+0 > . 1:3(1) ack 1');
    refused('+0 > X 1:1(0)');
    refused('+0 > [ect01 . 1:1(0)');
    refused('+0 write(3, "abc, 3) = 3');
  });

  it('names the line', () => {
    expect(() => parse('+0 close(3) = 0\n\n+0 > . 1:1(0) ack 1 <bogus>'))
      .to.throw(ScriptError, 'bogus')
      .with.property('line', 3);
  });
});

describe('packetdrill language: packets', () => {
  it('reads flags as letters, as a dot, as nothing, as the ACE number', () => {
    expect(tcp('> SEWA 0:0(0)').flags).to.include({ syn: true, ece: true, cwr: true, ae: true, ack: false });
    expect(tcp('> FP. 1:1(0) ack 1').flags).to.include({ fin: true, psh: true, ack: true });
    expect(tcp('> P.U 1:1(0) ack 1 urg 5').flags).to.include({ psh: true, ack: true, urg: true });
    expect(tcp('> .E 1:1(0) ack 1').flags).to.include({ ack: true, ece: true });
    expect(tcp('> - 1:1(0)').flags).to.include({ ack: false, syn: false });
    expect(tcp('> .5 1:1(0) ack 1')).to.deep.include({ ace: true });
    expect(tcp('> P.5 1:1(0) ack 1').flags).to.include({
      psh: true,
      ack: true,
      ece: true,
      cwr: false,
      ae: true,
    });
    expect(() => tcp('> E.5 1:1(0)')).to.throw('conflicting');
  });

  it('reads seq:end(len) and seq(len), and what follows in any combination', () => {
    expect(tcp('> . 1:1001(1000) ack 7 win 9 urg 3')).to.include({
      seq: 1,
      length: 1000,
      ack: 7,
      window: 9,
      urgent: 3,
    });
    expect(tcp('> . 5(10) ack 1')).to.include({ seq: 5, length: 10, window: null });
    expect(tcp('> . 4294967295:9(10) ack 1')).to.include({ seq: 4294967295, length: 10 });
  });

  it('tells no options from any options', () => {
    expect(tcp('> . 1:1(0) ack 1').options).to.deep.equal([]);
    expect(tcp('> . 1:1(0) ack 1 <...>').options).to.equal(null);
  });

  it('reads addresses on both sides, on one, and ports', () => {
    const ends = (text: string) => {
      const parsed = action(`+0 ${text} S 0:0(0)`);
      return parsed.kind === 'packet' ? [parsed.packet.source, parsed.packet.destination] : [];
    };
    const a = { kind: 'name', name: 'a' };
    const b = { kind: 'name', name: 'b' };
    expect(ends('> addr[a] > addr[b]')).to.deep.equal([a, b]);
    expect(ends('> > addr[b]')).to.deep.equal([null, b]);
    expect(ends('> addr[b]')).to.deep.equal([null, b]);
    expect(ends('> 1000 > 8080')).to.deep.equal([
      { kind: 'port', port: 1000 },
      { kind: 'port', port: 8080 },
    ]);
    expect(ends('> 192.0.2.1:1 > 2001:db8::2:7')[1]).to.deep.include({ address: '2001:db8::2', port: 7 });
  });

  it('reads the traffic class, sockets and ICMP', () => {
    const parsed = action('+0 sock(4) > [tos 0x04, ttl 3] . 1:1(0) ack 1');
    if (parsed.kind !== 'packet') throw new Error('no packet');
    expect(parsed.packet.socket).to.equal(4);
    expect(parsed.packet.ip).to.deep.equal({ check: 'tos', tos: 4, ttl: 3, flowLabel: 0 });
    const icmp = action('+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]');
    if (icmp.kind !== 'packet') throw new Error('no packet');
    expect(icmp.packet.body).to.deep.equal({
      kind: 'icmp',
      type: 'unreachable',
      code: 'frag_needed',
      mtu: 1200,
      echoId: 0,
      echoed: { protocol: 'tcp', seq: 1, length: 1460 },
    });
  });
});

describe('packetdrill language: options', () => {
  it('reads those of TCP', () => {
    expect(option('sack 1:1001 2001:3001')).to.deep.equal({
      kind: 'sack',
      blocks: [
        [1, 1001],
        [2001, 3001],
      ],
    });
    expect(option('FO 0123456789abcdef')).to.deep.include({ kind: 'fastopen', experimental: false });
    expect(option('FOEXP')).to.deep.equal({ kind: 'fastopen', experimental: true, cookie: Buffer.alloc(0) });
    expect(option('raw 253 0102')).to.deep.equal({ kind: 'raw', option: 253, data: Buffer.from([1, 2]) });
  });

  it('reads MP_CAPABLE in every form', () => {
    const base = { kind: 'mp_capable', version: 1, length: null, checksum: 'none' };
    expect(option('mpcapable v1 flags[flag_a, flag_h] nokey')).to.deep.equal({
      ...base,
      flags: 0x81,
      keys: [],
    });
    expect(option('mpcapable v1 flags 0x41 nokey')).to.deep.include({ flags: 0x41 });
    expect(option('mpcapable v1 flags[flag_h] key[skey=2]')).to.deep.include({
      keys: [{ name: 'skey', value: 2n }],
    });
    expect(option('mpcapable flags[flag_h] key[ckey=2, skey] mpcdatalen 5')).to.deep.include({ length: 5 });
    expect(option('mp_capable_no_cs a b')).to.deep.include({ version: 0, flags: 1 });
    expect(option('mp_capable a=1')).to.deep.include({ version: 0, flags: 0x81 });
  });

  it('reads the parts of DSS, given and left open', () => {
    expect(option('dss dack8=1 dsn4=trunc_r64_hmac(ckey)+7 ssn=3 dll=0 cksum=9 fin')).to.deep.equal({
      kind: 'dss',
      dack: { width: 8, value: { kind: 'relative', value: 1n } },
      dsn: { width: 4, value: { kind: 'hash', key: 'ckey', hash: null, plus: 7n } },
      ssn: 3,
      length: 0,
      checksum: 9,
      fin: true,
    });
    expect(option('dss dack4 nocs')).to.deep.include({
      dack: { width: 4, value: null },
      dsn: null,
      checksum: 'none',
    });
    expect(option('dss dack8 dsn8 ssn dll=auto cksum=auto')).to.deep.include({
      ssn: null,
      length: null,
      checksum: 'auto',
    });
  });

  it('reads the others', () => {
    expect(option('mp_join_syn backup=1 address_id=auto token=sha256_32(skey) rand=5')).to.deep.equal({
      kind: 'mp_join_syn',
      backup: true,
      id: null,
      nonce: 5,
      token: { kind: 'hash', hash: 'sha256', key: 'skey' },
    });
    expect(option('mp_join_ack sender_hmac=full_160_hmac(ckey skey)')).to.deep.equal({
      kind: 'mp_join_ack',
      hmac: { kind: 'keys', sender: 'ckey', receiver: 'skey' },
    });
    expect(option('add_address address_id=2 addr[x=inet6_addr("::1")] port=7 hmac=auto')).to.deep.equal({
      ...{ kind: 'add_address', id: 2, name: 'x', address: '::1', port: 7, hmac: 'auto' },
    });
    expect(option('add_address addr[x] addr_echo')).to.deep.include({ hmac: null, id: null });
    expect(option('remove_address address_id=3')).to.deep.equal({ kind: 'remove_address', ids: [3] });
    expect(option('mp_prio backup')).to.deep.include({ backup: true });
    expect(option('remove_address address_id=[1, 2]')).to.deep.equal({ kind: 'remove_address', ids: [1, 2] });
    expect(option('mp_reset 1 flags[flag_T]')).to.deep.equal({
      kind: 'mp_reset',
      reason: 1,
      transient: true,
    });
    expect(option('mp_fastclose')).to.deep.equal({ kind: 'mp_fastclose', key: null, plus: 0n });
    expect(option('mp_fail dsn8')).to.deep.equal({ kind: 'mp_fail', dsn: null });
  });
});

describe('packetdrill language: calls', () => {
  it('reads results, errors and notes', () => {
    expect(call("connect(3, ..., ...) = -1 EINPROGRESS (Can't say)")).to.deep.include({
      result: { kind: 'integer', value: -1n },
      errno: { name: 'EINPROGRESS', note: "Can't say" },
    });
    expect(call('fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)')).to.deep.include({
      errno: null,
      note: 'flags O_RDWR',
    });
    expect(call('read(3, ..., 1) = ...').result).to.deep.equal({ kind: 'ellipsis' });
  });

  it('does not read the next event into a result', () => {
    expect(parse('+0 close(3) = 0\n+0 < . 1:1(0) ack 1 win 1\nclose(4) = 0')).to.have.length(3);
  });

  it('reads structures, lists and expressions', () => {
    const { args } = call(
      'f({sa_family = AF_INET, sin_port = htons(80)}, [{..., 5}, -3], 1|A|0x10, 1 << 4, "a\\x41" "\\n"...) = 0',
    );
    expect(args[0]).to.deep.equal({
      kind: 'struct',
      fields: [
        ['sa_family', { kind: 'symbol', name: 'AF_INET' }],
        ['sin_port', { kind: 'call', name: 'htons', args: [{ kind: 'integer', value: 80n }] }],
      ],
    });
    expect(args[1]).to.have.property('kind', 'list');
    expect(args[2]).to.deep.include({ kind: 'binary', operator: '|' });
    expect(args[3]).to.deep.include({ kind: 'binary', operator: '<<' });
    expect(args[4]).to.deep.equal({ kind: 'string', value: Buffer.from('aA\n') });
    const msg = call('recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 9}], msg_flags=0}, 0) = 1').args[1]!;
    expect(msg.kind === 'struct' && msg.fields.map(([name]) => name)).to.deep.equal([
      'msg_name',
      'msg_iov',
      'msg_flags',
    ]);
  });

  it('puts in what -D defines: words, numbers, strings, commands', () => {
    const defines = { N: '7', HEX: '0x10', NAME: 'SOL_IP', TEXT: '"hi"', RUN: '`true`' };
    expect(call('f(N, HEX, NAME, TEXT) = 0', defines).args).to.deep.equal([
      { kind: 'integer', value: 7n },
      { kind: 'integer', value: 16n },
      { kind: 'symbol', name: 'SOL_IP' },
      { kind: 'string', value: Buffer.from('hi') },
    ]);
    expect(action('+0 RUN', defines)).to.deep.equal({ kind: 'command', text: 'true' });
  });
});

describe('packetdrill language: whole scripts', () => {
  it('finds options, comments, the first command and the last', () => {
    const text = [
      '// one',
      '--tolerance_usecs=7 --ip_version=ipv6',
      '# two',
      '--define=X="a b"',
      '`first',
      'second`',
      '+0 close(X) = 0 /* three */ // four',
      '+0 %{ assert 1 }%',
      '`last`',
    ].join('\n');
    const config = configure(scriptOptions(text).options);
    expect(config.toleranceUsecs).to.equal(7);
    expect(config.modes).to.deep.equal(['ipv6']);
    const script = parseScript('x', text, config.defines);
    expect(script.init).to.deep.equal({ line: 5, text: 'first\nsecond' });
    expect(script.cleanup).to.deep.equal({ line: 9, text: 'last' });
    expect(script.events.map(({ line }) => line)).to.deep.equal([7, 8]);
    expect(script.events[0]!.action).to.have.nested.property('call.args[0].kind', 'string');
  });

  it('refuses options that it does not know', () => {
    expect(() => configure([{ name: 'wire_server', value: null }])).to.throw(ScriptError, 'wire_server');
    expect(() => configure([{ name: 'ip_version', value: 'ipv5' }])).to.throw(ScriptError, 'ipv5');
  });
});
