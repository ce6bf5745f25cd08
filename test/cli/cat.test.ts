/** `plait cat` between two processes. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { plait, Running, statsOf } from './harness.js';

describe('plait cat', () => {
  it('carries both directions to their ends, and large ones', async () => {
    const [up, down] = [randomBytes(3_000_000), randomBytes(1_000_000)];
    const server = new Running(['cat', '--listen', '0']);
    const client = new Running(['cat', '127.0.0.1', await server.port()]);
    const [served, sent] = await Promise.all([server.result(down), client.result(up)]);
    expect([served.code, sent.code]).to.deep.equal([0, 0]);
    expect(served.stdout.equals(up)).to.equal(true);
    expect(sent.stdout.equals(down)).to.equal(true);
    expect(sent.stderr).to.equal('');
  });

  it('reads a file in large pieces and writes to one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'plait-cat-'));
    try {
      const [from, to] = [join(directory, 'from'), join(directory, 'to')];
      const octets = randomBytes(5_000_001);
      await writeFile(from, octets);
      const redirected = (how: string): string[] => ['sh', '-c', `exec "$@" ${how}`, 'sh'];
      const server = new Running(['cat', '--listen', '0'], { wrapper: redirected(`> ${to} < /dev/null`) });
      const client = new Running(['cat', '127.0.0.1', await server.port()], {
        wrapper: redirected(`< ${from}`),
      });
      const [served, sent] = await Promise.all([server.result(), client.result()]);
      expect([served.code, sent.code, served.stderr.split('\n').length]).to.deep.equal([0, 0, 2]);
      expect((await readFile(to)).equals(octets)).to.equal(true);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('half-closes: the answer comes after the end of the question', async () => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('end', () => socket.end(text.toUpperCase()));
    });
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const result = await new Running(['cat', '::1', String(port)]).result('question');
    server.close();
    expect(result.stdout.toString()).to.equal('QUESTION');
    expect(result.code).to.equal(0);
  });

  it('waits for the end of its input after the peer has ended', async () => {
    const server = new Running(['cat', '--listen', '0', '--quiet', '--stats']);
    const listening = new Running(['cat', '--listen', '0']);
    const client = new Running(['cat', '127.0.0.1', await listening.port()]);
    listening.child.stdin?.end('bye');
    await new Promise<void>((resolve) => client.child.stdout?.once('data', () => resolve()));
    expect(client.child.exitCode).to.equal(null);
    const [late, served] = await Promise.all([client.result('late'), listening.result()]);
    expect(served.stdout.toString()).to.equal('late');
    expect(late.code).to.equal(0);
    server.child.kill('SIGINT');
    expect((await server.result()).code).to.equal(130);
  });

  it('prints statistics as one JSON object', async () => {
    const server = new Running(['cat', '--listen', '0', '--stats', '--bind', '127.0.0.1']);
    const client = new Running(['cat', '--stats', '127.0.0.1', await server.port()]);
    const [, result] = await Promise.all([server.result('abc'), client.result('12345')]);
    const stats = statsOf(result);
    expect(stats).to.include({ bytes: 8, bytesWritten: 5, bytesRead: 3, mptcp: false, fallback: 'stand-in' });
    expect(stats['seconds']).to.be.a('number');
    expect(stats['mbps']).to.be.a('number');
    expect(stats['counters']).to.deep.equal({ MPCapableSYNTX: 1 });
    expect(stats)
      .to.have.nested.property('subflows[0].remote')
      .that.matches(/^127\.0\.0\.1:\d+$/);
    for (const key of ['local', 'bytes', 'srtt', 'cwnd', 'retransmissions']) {
      expect(stats).to.have.nested.property(`subflows[0].${key}`);
    }
  });

  it('ends quietly when nobody reads its output', async () => {
    const server = new Running(['cat', '--listen', '0']);
    const client = new Running(['cat', '127.0.0.1', await server.port()]);
    client.child.stdout?.destroy();
    server.child.stdin?.write(randomBytes(1_000_000));
    const result = await client.result();
    expect(result).to.include({ code: 0, stderr: '' });
    server.child.kill('SIGTERM');
    await server.result();
  });

  it('says when nothing listens', async () => {
    const free = net.createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as net.AddressInfo;
    await new Promise((resolve) => free.close(resolve));
    const result = await plait('cat', '127.0.0.1', String(port));
    expect(result.code).to.equal(6);
    expect(result.stderr).to.match(/^plait: .* \(ECONNREFUSED\); start .*\n$/);
  });

  it('says when the peer breaks off', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const client = new Running(['cat', '127.0.0.1', String(port)]);
    client.child.stdin?.write('x');
    await client.says(/ECONNRESET/);
    const result = await client.result();
    server.close();
    expect(result.code).to.equal(4);
    expect(result.stderr.split('\n')).to.have.length(2);
  });

  it('stops waiting when it is interrupted', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const server = new Running(['cat', '--listen', '0']);
      await server.port();
      server.child.kill(signal);
      const result = await server.result();
      expect(result.code).to.equal(130);
      expect(result.stderr).to.match(/\nplait: .*\(interrupted\).*\n$/);
    }
  });
});
