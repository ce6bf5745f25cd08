/** `plait send` and `plait recv` between two processes. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { encodeHello } from '../../src/transfer/protocol.js';
import { skip } from '../support/needs.js';
import { until } from '../support/until.js';
import { plait, Running, statsOf } from './harness.js';

describe('plait send and recv', () => {
  let root: string;
  let to: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'plait-send-'));
    to = join(root, 'to');
    await mkdir(to);
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  const receiver = (...more: string[]): Running => new Running(['recv', '--port', '0', '--dir', to, ...more]);

  async function make(name: string, content: Buffer | string): Promise<string> {
    await writeFile(join(root, name), content);
    return join(root, name);
  }

  /** A listener that treats its one connection as it likes. */
  async function peer(treat: (socket: net.Socket) => void): Promise<string> {
    const server = net.createServer((socket) => {
      server.close();
      socket.on('error', () => undefined);
      treat(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  }

  it('put files and directories in place, with a summary at both ends', async () => {
    const content = randomBytes(5_000_000);
    const big = await make('big', content);
    await mkdir(join(root, 'dir/sub'), { recursive: true });
    await make('dir/sub/small', 'small');
    const receiving = receiver('--stats');
    const sent = await plait(
      'send',
      '--stats',
      big,
      join(root, 'dir'),
      `localhost:${await receiving.port()}`,
    );
    const received = await receiving.result();
    expect([sent.code, received.code]).to.deep.equal([0, 0]);
    expect((await readFile(join(to, 'big'))).equals(content)).to.equal(true);
    expect(await readFile(join(to, 'dir/sub/small'), 'utf8')).to.equal('small');
    expect(sent.stderr).to.match(
      /sent 4 entries, 5\.0 MB in .* Mbit\/s\), verified with SHA-256\npaths: lo 100 %\n/,
    );
    expect(received.stderr).to.include('received 4 entries, 5.0 MB');
    for (const result of [sent, received]) expect(statsOf(result)).to.include({ bytes: 5_000_005 });
    expect(sent.stdout.length).to.equal(0);
  });

  it('print nothing with --quiet', async () => {
    const port = await freePort();
    const receiving = new Running(['recv', '--port', port, '--dir', to, '--quiet']);
    let sent = await plait('send', '-q', await make('a', 'a'), `127.0.0.1:${port}`);
    while (sent.code === 6 && receiving.child.exitCode === null)
      sent = await plait('send', '-q', join(root, 'a'), `127.0.0.1:${port}`);
    const received = await receiving.result();
    expect([sent.code, sent.stderr, received.code, received.stderr]).to.deep.equal([0, '', 0, '']);
  });

  it('exit with 7 when some entries are in place and others not', async () => {
    await mkdir(join(to, 'b'));
    const receiving = receiver();
    const files = [await make('a', 'a'), await make('b', 'b')];
    const sent = await plait('send', ...files, `127.0.0.1:${await receiving.port()}`);
    const received = await receiving.result();
    expect([sent.code, received.code]).to.deep.equal([7, 7]);
    for (const { stderr } of [sent, received]) {
      expect(stderr).to.include('plait: b: a directory of this name exists (EISDIR)');
    }
    expect((await readdir(to)).sort()).to.deep.equal(['a', 'b']);
  });

  it('exit with 3 at both ends when octets change on the way', async () => {
    const receiving = receiver();
    const port = Number(await receiving.port());
    let passed = 0;
    const target = await peer((socket) => {
      const onward = net.connect(port, '127.0.0.1');
      socket.on('data', (chunk: Buffer) => {
        const at = 50_000 - passed;
        if (at >= 0 && at < chunk.length) chunk[at] = chunk.readUInt8(at) ^ 1;
        passed += chunk.length;
        onward.write(chunk);
      });
      socket.on('end', () => onward.end());
      onward.pipe(socket);
    });
    const sent = await plait('send', await make('a', randomBytes(100_000)), target);
    const received = await receiving.result();
    expect([sent.code, received.code]).to.deep.equal([3, 3]);
    for (const { stderr } of [sent, received])
      expect(stderr).to.include('(ERR_PLAIT_INTEGRITY); send the file again');
    expect(await readdir(to)).to.deep.equal([]);
  });

  it('report a full disk at both ends and leave nothing', async function () {
    if (process.platform === 'win32') skip(this, 'needs ulimit');
    // A limit on the size of files stands in for the disk's end.
    const limited = ['/bin/sh', '-c', 'trap "" XFSZ; ulimit -f 100; exec "$0" "$@"'];
    const receiving = new Running(['recv', '--port', '0', '--dir', to], { wrapper: limited });
    const files = [await make('large', randomBytes(10_000_000)), await make('small', 'small')];
    const sent = await plait('send', ...files, `127.0.0.1:${await receiving.port()}`);
    const received = await receiving.result();
    expect([sent.code, received.code]).to.deep.equal([7, 7]);
    for (const { stderr } of [sent, received])
      expect(stderr).to.include('plait: large: file too large (EFBIG)');
    expect(await readdir(to)).to.deep.equal(['small']);
  });

  it('say which file is missing before they connect', async () => {
    const result = await plait('send', join(root, 'none'), '127.0.0.1');
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(/^plait: .*none: no such file or directory \(ENOENT\); check the name\n$/);
  });

  it('say when the directory of the receiver is missing', async () => {
    const result = await plait('recv', '--dir', join(root, 'none'));
    expect(result.code).to.equal(1);
    expect(result.stderr).to.include('(ENOENT)');
  });

  it('fail when the peer is not a receiver', async () => {
    const target = await peer((socket) => socket.end('220 mail.example ESMTP\r\n'));
    const result = await plait('send', await make('a', 'a'), target);
    expect(result.code).to.equal(1);
    expect(result.stderr).to.match(
      /^plait: the peer does not speak .*\(ERR_PLAIT_PROTOCOL\); run "plait recv"/,
    );
  });

  it('fail with 4 when the peer vanishes, speaks another version with 1, or is silent', async () => {
    const file = await make('a', randomBytes(1_000_000));
    const vanishing = await peer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await plait('send', file, vanishing)).to.have.property('code', 4);
    const newer = await peer((socket) => socket.write(encodeHello(2)));
    const refused = await plait('send', file, newer);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include('version 2');
    const silent = await peer(() => undefined);
    const timed = await plait('send', '--timeout', '1', file, silent);
    expect(timed.code).to.equal(4);
    expect(timed.stderr).to.include('(ETIMEDOUT)');
  });

  for (const victim of ['sender', 'receiver'] as const) {
    it(`leave nothing when the ${victim} is interrupted`, async () => {
      const receiving = receiver();
      // A relay that lets only the beginning through keeps the transfer in its middle.
      const port = Number(await receiving.port());
      const target = await peer((socket) => {
        const onward = net.connect(port, '127.0.0.1');
        onward.on('error', () => socket.resetAndDestroy());
        onward.on('close', () => socket.resetAndDestroy());
        socket.on('close', () => onward.resetAndDestroy());
        let passed = 0;
        socket.on('data', (chunk: Buffer) => {
          passed += chunk.length;
          if (passed < 1_000_000) onward.write(chunk);
        });
        onward.pipe(socket);
      });
      const sending = new Running(['send', await make('a', randomBytes(20_000_000)), target]);
      await until(
        async () => (await readdir(to)).length > 0,
        () => `a file; ${sending.text}${receiving.text}`,
      );
      (victim === 'sender' ? sending : receiving).child.kill('SIGINT');
      const [sent, received] = await Promise.all([sending.result(), receiving.result()]);
      expect([sent.code, received.code]).to.deep.equal(victim === 'sender' ? [130, 4] : [4, 130]);
      expect(await readdir(to)).to.deep.equal([]);
      expect(sent.stderr + received.stderr).not.to.match(/\n {4}at /);
    });
  }

  it('say what is missing when files cannot be read', async function () {
    if (process.getuid?.() === 0) skip(this, 'root can read everything');
    const file = await make('secret', 'x');
    await chmod(file, 0);
    const receiving = receiver();
    const sent = await plait('send', file, `127.0.0.1:${await receiving.port()}`);
    const received = await receiving.result();
    expect([sent.code, received.code]).to.deep.equal([5, 5]);
    expect(sent.stderr).to.include('secret: permission denied (EACCES)');
  });
});

/** Below those that the kernel gives away by itself: what connects there before anybody listens cannot meet itself. */
async function freePort(): Promise<string> {
  for (let port = 10_000 + (process.pid % 10_000); ; port++) {
    const server = net.createServer().listen(port);
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return String(port);
  }
}
