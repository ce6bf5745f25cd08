/** Where a server listens, over the device that needs no privilege. */
import { expect } from 'chai';
import { once } from 'node:events';
import { createHost } from '../../src/net/host.js';
import type { Host } from '../../src/net/types.js';

describe('a server', () => {
  let host: Host;
  let other: Host | null = null;

  beforeEach(async () => {
    host = await createHost({ device: 'udp' });
  });

  afterEach(async () => {
    await Promise.all([host.close(), other?.close()]);
    other = null;
  });

  for (const address of ['127.0.0.1', '127.0.0.2', 'localhost'] as const) {
    it(`listens on ${address}, which is no path until then`, async () => {
      const server = host.createServer((socket) => socket.end('hello'));
      server.listen(0, address);
      await once(server, 'listening');
      const bare = host.paths().find(({ name }) => name === 'lo')?.address ?? '';
      other = await createHost({ device: 'udp', paths: [bare] });
      const socket = other.connect({ host: bare, port: server.port });
      let text = '';
      for await (const data of socket) text += String(data);
      expect(text).to.equal('hello');
      await server.close();
    });
  }

  it('says so when the address is not of this machine, and nothing once it is closed', async () => {
    const server = host.createServer();
    server.listen(0, '192.0.2.1');
    const [error] = (await once(server, 'error')) as [Error];
    expect(error).to.include({ code: 'EADDRNOTAVAIL' });
    server.on('listening', () => expect.fail('it is closed'));
    server.listen(0, '127.0.0.1');
    await server.close();
    await new Promise((next) => setTimeout(next, 50));
    expect(server.port).to.equal(0);
  });
});
