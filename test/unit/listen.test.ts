/** Where a server listens, over the device that needs no privilege. */
import { expect } from 'chai';
import { once } from 'node:events';
import { createHost } from '../../src/net/host.js';
import type { DeviceHost } from '../../src/io/device.js';
import type { Host, Socket } from '../../src/net/types.js';
import { ForwardingDevice } from '../support/forwarding-device.js';

/** Tells of what arrives, after it was handed over. */
class Tells extends ForwardingDevice {
  constructor(
    inner: ForwardingDevice['inner'],
    readonly tell: () => void,
  ) {
    super(inner);
  }
  override open(host: DeviceHost): void {
    super.open({
      receive: (...packet) => host.receive(...packet),
      receiveSegment: (...segment) => {
        const taken = host.receiveSegment(...segment);
        this.tell();
        return taken;
      },
      batchOver: () => host.batchOver?.(),
      noSegmentation: (path) => host.noSegmentation(path),
      congested: (header) => host.congested(header),
      writable: () => host.writable(),
      pathState: (path, up) => host.pathState(path, up),
    });
  }
}

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

  it('knows an address however it is written', async () => {
    const form = '0:0:0::0:1';
    const server = host.createServer((socket) => socket.end('hello'));
    server.listen(0, form);
    await once(server, 'listening');
    other = await createHost({ device: 'udp', paths: ['0:0:0:0:0:0:0:1', '127.0.0.1'] });
    expect(other.paths().map(({ address }) => address)).to.have.members(['::1', '127.0.0.1']);
    const socket = other.connect({ host: form, port: server.port, localAddress: '0::1' });
    let text = '';
    for await (const data of socket) text += String(data);
    expect(text).to.equal('hello');
    expect(socket.localAddress).to.equal('::1');
    await server.close();
  });

  it('takes port numbers only, and so does a connection', async () => {
    for (const port of [-1, 65536, 1.5, NaN]) {
      expect(() => host.createServer().listen(port))
        .to.throw()
        .with.property('code', 'EINVAL');
      for (const ports of [{ port }, { port: 1, localPort: port }]) {
        const socket = host.connect({ host: '127.0.0.1', ...ports });
        const [error] = (await once(socket, 'error')) as [Error];
        expect(error).to.include({ code: 'EINVAL' });
      }
    }
  });

  it('leaves no socket open that it gets while its host closes', async () => {
    let closing: Promise<void> | null = null;
    const closes = await createHost({
      device: 'udp',
      wrapDevice: (device) =>
        new Tells(device, () => {
          closing ??= closes.close();
        }),
    });
    const accepted: Socket[] = [];
    const server = closes.createServer((socket) => accepted.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = host.connect({ host: '127.0.0.1', port: server.port });
    await once(socket, 'error');
    await (closing as Promise<void> | null);
    expect(accepted.map(({ destroyed }) => destroyed)).to.deep.equal([true]);
  });

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
