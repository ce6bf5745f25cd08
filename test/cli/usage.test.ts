/** Command lines: help, and what is refused. */
import { expect } from 'chai';
import { Arguments } from '../../src/cli/command.js';
import { allCommands } from '../../src/cli/commands.js';
import { UsageError } from '../../src/cli/exit.js';
import { helpForAll, helpForOne } from '../../src/cli/help.js';
import { commonOptions } from '../../src/cli/options.js';
import { formatEndpoint, parseTarget } from '../../src/cli/target.js';
import { formatBytes, formatDuration } from '../../src/cli/units.js';
import { plait } from './harness.js';

const commands = await allCommands();
const command = (name: string) => {
  const found = commands.find((one) => one.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe('plait command lines', () => {
  it('have a version and help, for all and for each command', async () => {
    expect(await plait('--version')).to.have.property('code', 0);
    expect((await plait('--version')).stdout.toString()).to.match(/^plait \d+\.\d+\.\d+\n$/);
    expect((await plait('--help')).stdout.toString()).to.equal(helpForAll(commands));
    expect((await plait('help', 'send')).stdout.toString()).to.equal(helpForOne(command('send')));
    expect((await plait('send', '--help')).stdout.toString()).to.equal(helpForOne(command('send')));
  });

  it('have help that fits 80 columns and names every option', () => {
    for (const one of commands) {
      const text = helpForOne(one);
      for (const line of text.split('\n').filter((each) => !each.startsWith('  plait'))) {
        expect(line.length, line).to.be.at.most(80);
      }
      for (const { name } of one.options) expect(text).to.include(`--${name}`);
    }
    expect(helpForAll(commands)).not.to.include('demo-receiver');
  });

  const wrong: Readonly<Record<string, string[]>> = {
    'no command': [],
    'an unknown command': ['frob'],
    'an unknown option': ['cat', '--frob', 'a', '1'],
    'an unknown option before the command': ['--frob'],
    'help for an unknown command': ['help', 'frob'],
    'a value for a flag': ['cat', '--stats=yes', 'a', '1'],
    'a missing value': ['recv', '--port'],
    'a value that is not a choice': ['cat', '--pm', 'frob', 'a', '1'],
    'too few arguments': ['send', 'file'],
    'too many arguments': ['cat', 'a', '1', '2'],
    'a host beside --listen': ['cat', '--listen', '1', 'a'],
    'a port out of range': ['cat', 'a', '65536'],
    'a port that is no number': ['cat', 'a', 'http'],
    'an address that is none': ['recv', '--path', 'eth0'],
    'a rate that is none': ['cat', '--pacing', '0', 'a', '1'],
    'a buffer that is none': ['cat', '--buffer', 'big', 'a', '1'],
    'a time out of range': ['demo', '--seconds', '1'],
    'the part of another command': ['demo-receiver', '/tmp'],
  };
  for (const [what, args] of Object.entries(wrong)) {
    it(`are refused for ${what}`, async () => {
      const result = await plait(...args);
      expect(result.code).to.equal(2);
      expect(result.stderr).to.match(/^plait: .+ \(usage\); .+\n$/);
      expect(result.stdout.length).to.equal(0);
    });
  }

  it('reach the host with every common option', () => {
    const all =
      '--device raw --path 192.0.2.1 --path 2001:db8::1 --pm fullmesh --cc olia --scheduler minrtt --pacing 8 --buffer 32 --checksum --pcap f --bind 192.0.2.1 --stats -q';
    const options = commonOptions(new Arguments(command('recv'), all.split(' ')));
    expect(options).to.deep.equal({
      endpoints: [],
      limits: {},
      endpointsFile: undefined,
      events: undefined,
      host: {
        device: 'raw',
        paths: ['192.0.2.1', '2001:db8::1'],
        pathManager: 'fullmesh',
        congestion: 'olia',
        scheduler: 'minrtt',
        pacing: 1_000_000,
        sendBuffer: 1 << 25,
        receiveBuffer: 1 << 25,
        checksum: true,
        pcap: 'f',
      },
      bind: '192.0.2.1',
      stats: true,
      quiet: true,
    });
  });

  it('take hosts in every form', () => {
    const args = new Arguments(command('send'), []);
    for (const [text, host, port] of [
      ['example.org', 'example.org', 5740],
      ['example.org:80', 'example.org', 80],
      ['192.0.2.1', '192.0.2.1', 5740],
      ['192.0.2.1:65535', '192.0.2.1', 65535],
      ['2001:db8::1', '2001:db8::1', 5740],
      ['fe80::1%eth0', 'fe80::1%eth0', 5740],
      ['[2001:db8::1]', '2001:db8::1', 5740],
      ['[2001:db8::1]:99', '2001:db8::1', 99],
    ] as const) {
      expect(parseTarget(args, text, 5740)).to.deep.equal({ host, port });
    }
    for (const text of ['', ':80', 'host:', 'host:0', '[host]:1', '[::1', '::1]:5', 'a:b:c', '[::1]x']) {
      expect(() => parseTarget(args, text, 5740), text).to.throw(UsageError);
    }
    expect(formatEndpoint('2001:db8::1', 5)).to.equal('[2001:db8::1]:5');
  });

  it('print numbers for people', () => {
    expect([0, 999, 1000, 99_949, 99_950, 999_499, 999_500, 1.15e8].map(formatBytes)).to.deep.equal([
      '0 octets',
      '999 octets',
      '1.0 kB',
      '99.9 kB',
      '100 kB',
      '999 kB',
      '1.0 MB',
      '115 MB',
    ]);
    expect([0, 8400, 754_000, 3_723_000].map(formatDuration)).to.deep.equal([
      '0:00',
      '0:08',
      '12:34',
      '1:02:03',
    ]);
  });
});
