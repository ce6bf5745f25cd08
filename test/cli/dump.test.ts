/** `plait dump`: lines, JSON, filters, standard input, and files that are no captures. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { captured, SCENES } from '../unit/inspect/captures.js';
import { Running, plait } from './harness.js';

describe('plait dump', () => {
  let folder = '';
  let file = '';
  let octets: Buffer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plait-dump-'));
    file = join(folder, 'run.pcapng');
    octets = (await captured({ ...SCENES['two paths'], up: 20_000 })).file;
    await writeFile(file, octets);
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const lines = (stdout: Buffer): string[] => stdout.toString().trimEnd().split('\n');

  it('prints a line for each packet and a paragraph for the connection', async () => {
    const { code, stdout, stderr } = await plait('dump', file);
    expect([code, stderr]).to.deep.equal([0, '']);
    const [first = '', ...rest] = lines(stdout);
    expect(first).to.match(
      /^ {3}0\.000000 1\.0 {2}> S .*capable v1 H.*\[10\.0\.0\.1:\d+ > 10\.0\.0\.2:5000\]$/,
    );
    const gap = rest.indexOf('');
    expect(rest.slice(0, gap).every((line) => /^ +\d+\.\d{6} 1\.\d/.test(line))).to.equal(true);
    const summary = rest.slice(gap + 1).join('\n');
    expect(summary).to.match(/^connection 1 {2}10\.0\.0\.1:\d+ > 10\.0\.0\.2:5000 {2}Multipath TCP v1\n/);
    expect(summary)
      .to.include('DATA_FIN both ways')
      .and.to.include('> 20000 octets')
      .and.to.include('< 5000 octets');
  });

  it('reads standard input and stops after a number of packets', async () => {
    const { code, stdout } = await new Running(['dump', '-c', '3', '--no-summary', '-']).result(octets);
    expect(code).to.equal(0);
    expect(lines(stdout)).to.have.length(3);
  });

  it('writes one JSON object a line', async () => {
    const { stdout } = await plait('dump', '--json', file);
    const objects = lines(stdout).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects[1]).to.deep.include({ packet: 2, connection: 1, subflow: '1.0', way: '<' });
    expect(objects.at(-1)).to.have.nested.property('summary.forward.bytes', 20_000);
  });

  it('shows the connections that are asked for', async () => {
    expect(lines((await plait('dump', '--connection', '2', file)).stdout)).to.deep.equal(['']);
    const all = await plait('dump', '--connection', '1', file);
    expect(all.stdout.toString()).to.equal((await plait('dump', file)).stdout.toString());
  });

  it('uses colours where they are wanted', async () => {
    const { stdout } = await new Running(['dump', '-c', '1', file], { env: { FORCE_COLOR: '1' } }).result();
    expect(stdout.toString()).to.include('\x1b[');
    expect((await plait('dump', file)).stdout.toString()).not.to.include('\x1b[');
  });

  it('tells of a file that ends too early', async () => {
    const cut = join(folder, 'cut.pcapng');
    await writeFile(cut, octets.subarray(0, octets.length - 5));
    const { code, stderr } = await plait('dump', '--no-summary', cut);
    expect(code).to.equal(0);
    expect(stderr).to.include('cut.pcapng ends within a packet');
  });

  it('refuses what is no capture', async () => {
    const other = join(folder, 'other');
    await writeFile(other, 'hello, world');
    const result = await plait('dump', other);
    expect(result.code).to.equal(2);
    expect(result.stderr).to.equal('plait: the file is neither pcapng nor pcap (EINVAL)\n');
    expect((await plait('dump', join(folder, 'none'))).stderr).to.include('ENOENT');
    expect((await plait('dump')).code).to.equal(2);
  });
});
