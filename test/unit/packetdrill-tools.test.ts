/** Parts of the runner of scripts that have vectors of their own. */
import { expect } from 'chai';
import { initialNumber, mappingChecksum, scriptKey, tokenOf } from '../../tools/packetdrill/keys.js';
import { fastOpenCookie, fastOpenKey, modeDefines } from '../../tools/packetdrill/modes.js';
import { decodeMptcp, encodeMptcp, type WireMptcp } from '../../tools/packetdrill/mptcp-wire.js';
import { nstatName } from '../../tools/packetdrill/shell/counters.js';
import { parseShell, ShellSyntaxError } from '../../tools/packetdrill/shell/parse.js';
import { calculate } from '../../tools/packetdrill/shell/shell.js';
import { sysctlOfFile } from '../../tools/packetdrill/shell/sysctls.js';
import { sipHash } from '../../tools/packetdrill/siphash.js';

describe('packetdrill runner: keys and hashes', () => {
  it('hashes as the authors of SipHash do', () => {
    const octets = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => i));
    expect(sipHash(octets(16), octets(15)).toString('hex')).to.equal('e545be4961ca29a1');
  });

  it('makes the Fast Open cookies that Linux makes', () => {
    const key = fastOpenKey('a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4');
    expect(fastOpenCookie(key, '192.0.2.1', '192.168.0.1').toString('hex')).to.equal('3021b9d889017eeb');
    const v6 = fastOpenCookie(key, 'fd3d:fa7b:d17d::1', 'fd3d:a0b:17d6::1');
    expect(v6.toString('hex')).to.equal('c1d1e9742a47a9bc');
    const defined = modeDefines('ipv6').map(({ value }) => value);
    expect(defined).to.include('TFO_COOKIE=c1d1e9742a47a9bc');
  });

  it('puts key=N with its lowest octet first', () => {
    const key = scriptKey(2n);
    expect(key).to.equal(0x0200000000000000n);
    expect(tokenOf(key, 'sha256')).to.equal(0xd86e8112);
    expect(initialNumber(key, 'sha256')).to.equal(0xb810457db34209a4n);
  });

  it('sums mappings', () => {
    expect(mappingChecksum(0x1122334455667788n, 1, 5, Buffer.from('hello'))).to.equal(0xaad2);
    expect(mappingChecksum(0x1122334455667788n, 0, 1, Buffer.alloc(0))).to.equal(0xeea9);
  });
});

describe("packetdrill runner: Multipath TCP's options", () => {
  const hmac = (octets: number): Buffer => Buffer.alloc(octets, 7);
  const options: WireMptcp[] = [
    { kind: 'mp_capable', version: 1, flags: 1, keys: [1n, 2n], length: 5, checksum: 6 },
    { kind: 'mp_join_syn', backup: true, id: 3, token: 0xfedcba98, nonce: 1 },
    { kind: 'mp_join_syn_ack', backup: false, id: 3, hmac: hmac(8), nonce: 9 },
    { kind: 'mp_join_ack', hmac: hmac(20) },
    {
      ...{ kind: 'dss', fin: true, dack: { width: 4, value: 1n }, dsn: { width: 8, value: 2n } },
      ...{ ssn: 3, length: 4, checksum: null },
    },
    { kind: 'add_address', echo: true, id: 1, address: Buffer.from([1, 2, 3, 4]), port: 80, hmac: null },
    { kind: 'add_address', echo: false, id: 1, address: hmac(16), port: null, hmac: hmac(8) },
    { kind: 'remove_address', ids: [1, 2] },
    { kind: 'mp_prio', backup: true, id: null },
    { kind: 'mp_fail', dsn: 5n },
    { kind: 'mp_fastclose', key: 5n },
    { kind: 'mp_reset', transient: true, reason: 6 },
  ];
  for (const option of options) {
    it(`${option.kind} survives both ways`, () => {
      expect(decodeMptcp(encodeMptcp(option))).to.deep.equal(option);
    });
  }

  it('takes what does not fit as it is', () => {
    for (const hex of ['', '00', '2005', '30014142', 'ff']) {
      const data = Buffer.from(hex, 'hex');
      expect(decodeMptcp(data), hex).to.deep.equal({ kind: 'unknown', data });
    }
  });
});

describe('packetdrill runner: shell', () => {
  it('calculates', () => {
    expect(calculate('15*1024*1024')).to.equal(15728640);
    expect(calculate('(1 + 2) * 3 - 4 / 2')).to.equal(7);
    expect(calculate('1 << 10')).to.equal(1024);
  });

  it('reads lists, pipes, conditions and loops', () => {
    const kinds = (text: string): unknown => {
      const node = parseShell(text);
      return node.kind === 'list' ? node.items.map(({ join, command }) => `${join}${command.kind}`) : null;
    };
    expect(kinds('a && b || c; d | e &\n# no\nf')).to.deep.equal([
      ';simple',
      '&&simple',
      '||simple',
      ';pipe',
      ';simple',
    ]);
    expect(kinds('if [ a = b ]; then c; else d; fi')).to.deep.equal([';if']);
    expect(kinds('for x in 1 2; do echo $x > /dev/null 2>&1; done')).to.deep.equal([';for']);
    expect(kinds('! a')).to.deep.equal([';not']);
    expect(kinds('while true; do break; done < file; until [[ a == b && c ]]; do :; done')).to.deep.equal([
      ';redirected',
      ';while',
    ]);
    expect(kinds('case $x in a | b) c ;; *) d;; esac')).to.deep.equal([';case']);
    expect(kinds('f() { a; }; function g { b; }\ng <<E\nhello $x\nE\nf')).to.deep.equal([
      ';function',
      ';function',
      ';simple',
      ';simple',
    ]);
    expect(() => parseShell('while true; do :')).to.throw(ShellSyntaxError);
    expect(() => parseShell('echo "a')).to.throw(ShellSyntaxError);
    expect(() => parseShell('a )')).to.throw(ShellSyntaxError);
  });

  it('knows files of settings and names of counters', () => {
    expect(sysctlOfFile('/proc/sys/net/ipv4/tcp_sack')).to.equal('net.ipv4.tcp_sack');
    expect(sysctlOfFile('/dev/null')).to.equal(null);
    expect(nstatName('MPCapableSYNRX')).to.equal('MPTcpExtMPCapableSYNRX');
    expect(nstatName('TCPTimeouts')).to.equal('TcpExtTCPTimeouts');
    expect(nstatName('RetransSegs')).to.equal('TcpRetransSegs');
  });
});
