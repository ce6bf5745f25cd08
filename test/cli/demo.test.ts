/** `plait demo` over the stand-in: its processes, its check and its cleaning up, not its speed. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Running } from './harness.js';

describe('plait demo', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'plait-demo-test-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  const left = async (): Promise<string[]> =>
    (await readdir(directory)).filter((name) => name.startsWith('plait-demo-'));

  it('sends a file, compares both ends, and leaves nothing', async () => {
    const file = join(directory, 'file');
    await writeFile(file, Buffer.alloc(2_000_000, 'plait'));
    const result = await new Running(['demo', '--seconds', '5', file], {
      env: { TMPDIR: directory },
    }).result();
    expect(result.stderr).to.include('Wi-Fi  40 Mbit/s, 15 ms round trip, 127.0.0.2 to 127.0.0.4');
    expect(result.stderr).to.match(/sent +2\.0 MB in .* s, SHA-256 [0-9a-f]{64} at both ends/);
    expect(result.stderr).to.match(/ratio +\d+\.\d\d times Wi-Fi alone/);
    expect(result.code).to.equal(0);
    expect(await left()).to.deep.equal([]);
  });

  it('cleans up when it is interrupted', async () => {
    const running = new Running(['demo', '--seconds', '5'], { env: { TMPDIR: directory } });
    await running.says(/LTE/);
    running.child.kill('SIGINT');
    const result = await running.result();
    expect(result.code).to.equal(130);
    expect(await left()).to.deep.equal([]);
  });
});
