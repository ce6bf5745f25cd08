/** The commands over the real engine: processes on loopback paths, without privileges. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { skip } from '../support/needs.js';
import { until } from '../support/until.js';
import { Running, statsOf } from './harness.js';

const LOOPBACK = ['--device', 'udp', '--path', '127.0.0.1'];

describe('plait over its own engine', () => {
  let root: string;
  let to: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'plait-engine-'));
    to = join(root, 'to');
    await mkdir(to);
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  const plait = (...args: string[]): Running => new Running(args, { engine: true, env: { TMPDIR: root } });

  it('cat carries both directions and tells about its subflows', async () => {
    const [up, down] = [randomBytes(3_000_000), randomBytes(1_000_000)];
    const server = plait('cat', ...LOOPBACK, '--listen', '0', '--stats');
    const client = plait('cat', ...LOOPBACK, '--stats', '127.0.0.1', await server.port());
    const [served, sent] = await Promise.all([server.result(down), client.result(up)]);
    expect([served.code, sent.code]).to.deep.equal([0, 0]);
    expect(served.stdout.equals(up)).to.equal(true);
    expect(sent.stdout.equals(down)).to.equal(true);
    const stats = statsOf(sent);
    expect(stats).to.include({ bytes: 4_000_000, device: 'udp', mptcp: true, fallback: null });
    expect(stats).to.have.nested.property('subflows[0].bytesSent').that.is.at.least(3_000_000);
    expect(stats).to.have.nested.property('counters.MPCapableSYNTX', 1);
  });

  it('send and recv put a tree in place', async () => {
    const content = randomBytes(5_000_000);
    await mkdir(join(root, 'tree/empty'), { recursive: true });
    await writeFile(join(root, 'tree/file'), content);
    const receiving = plait('recv', ...LOOPBACK, '--port', '0', '--dir', to, '--pcap', join(root, 'pcap'));
    const sending = plait(
      'send',
      ...LOOPBACK,
      '--checksum',
      join(root, 'tree'),
      `127.0.0.1:${await receiving.port()}`,
    );
    const [sent, received] = await Promise.all([sending.result(), receiving.result()]);
    expect([sent.code, received.code]).to.deep.equal([0, 0]);
    expect((await readFile(join(to, 'tree/file'))).equals(content)).to.equal(true);
    expect(await readdir(join(to, 'tree/empty'))).to.deep.equal([]);
    // The block type of a pcapng section header.
    expect((await readFile(join(root, 'pcap'))).readUInt32BE(0)).to.equal(0x0a0d0d0a);
  });

  for (const victim of ['sender', 'receiver'] as const) {
    it(`nothing is left when the ${victim} is interrupted`, async () => {
      await writeFile(join(root, 'large'), '');
      await truncate(join(root, 'large'), 4e9);
      const receiving = plait('recv', ...LOOPBACK, '--port', '0', '--dir', to);
      const sending = plait('send', ...LOOPBACK, join(root, 'large'), `127.0.0.1:${await receiving.port()}`);
      await until(
        async () => (await readdir(to)).length > 0,
        () => `a file; ${sending.text}${receiving.text}`,
      );
      (victim === 'sender' ? sending : receiving).child.kill('SIGINT');
      const [sent, received] = await Promise.all([sending.result(), receiving.result()]);
      expect([sent.code, received.code]).to.deep.equal(victim === 'sender' ? [130, 4] : [4, 130]);
      expect(await readdir(to)).to.deep.equal([]);
    });
  }

  it('says when nothing listens', async () => {
    const result = await plait('cat', ...LOOPBACK, '127.0.0.1', '9').result();
    expect(result.code).to.equal(6);
    expect(result.stderr).to.match(/^plait: .* \(ECONNREFUSED\); .*\n$/);
  });

  it('says when an address is no path', async () => {
    const result = await plait('recv', '--dir', to, '--device', 'udp', '--path', '192.0.2.77').result();
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^plait: .*192\.0\.2\.77.* \(EADDRNOTAVAIL\); .*\n$/);
  });

  it('doctor finds at least one device', async () => {
    const result = await plait('doctor').result();
    expect(result.code).to.equal(0);
    for (const part of ['ok  udp', 'raw', 'CAP_NET_RAW', '127.0.0.1']) {
      expect(result.stdout.toString()).to.include(part);
    }
  });

  // What the paths gain is asserted in virtual time (test/sim/demo-links.test.ts): here, other programs take the
  // processor away from the links.
  it('demo uses both paths and goes on without Wi-Fi', async function () {
    // Elsewhere the loopback interface has one address.
    if (process.platform !== 'linux') skip(this, 'needs Linux');
    let result = await plait('demo', '--seconds', '8').result();
    // Where the machine was slower while it measured Wi-Fi alone, all has arrived before the outage.
    for (let tries = 0; tries < 4 && !result.stderr.includes('Wi-Fi is back'); tries++)
      result = await plait('demo', '--seconds', '8').result();
    expect(result.stderr).to.match(/Wi-Fi goes away\n(.*\n)*.*Wi-Fi is back\n/);
    expect(result.stderr).to.match(/SHA-256 [0-9a-f]{64} at both ends/);
    expect(result.stderr).to.match(/\nratio +\d+\.\d\d times Wi-Fi alone, the outage included/);
    const [, wifi = '0', lte = '0'] = /\nshares +Wi-Fi (\d+) %, LTE (\d+) %/.exec(result.stderr) ?? [];
    expect(Math.min(Number(wifi), Number(lte))).to.be.above(10);
    expect(result.code).to.equal(0);
    expect((await readdir(root)).filter((name) => name.startsWith('plait-demo-'))).to.deep.equal([]);
  });
});
