import { createSocket } from 'node:dgram';
import { expect } from 'chai';
import { PlaitError } from '../../src/errors.js';
import { loadNative, type Native } from '../../src/io/native.js';
import { UdpDevice } from '../../src/io/udp.js';
import { until } from '../support/until.js';
import { RecordingHost, attachNow } from './recording-host.js';
import { outPacket, tcpPacket, tcpSegment } from './tcp-packet.js';

interface End {
  readonly device: UdpDevice;
  readonly host: RecordingHost;
  readonly address: string;
}

const FAMILIES = [
  { family: 'IPv4', a: '127.0.0.2', b: '127.0.0.3' },
  { family: 'IPv6', a: '::1', b: '::1' },
];

const native = await loadNative().catch(() => null);

for (const [name, calls] of [
  ['node', null],
  ['the C library', native],
] as const) {
  describe(`udp device through ${name}`, () => {
    before(function () {
      if (name !== 'node' && native === null) this.skip();
    });
    commonTests(calls);
  });
}

function commonTests(calls: Native | null): void {
  const open: UdpDevice[] = [];

  afterEach(() => {
    for (const device of open.splice(0)) device.close();
  });

  const end = (address: string, mtu = 65535): End => newEnd(calls, address, mtu, open);

  for (const { family, a, b } of FAMILIES) {
    describe(family, () => {
      it('carries segments both ways under the ports of the datagrams', async () => {
        const client = end(a);
        const server = end(b);
        const listening = await bind(server.device, 0);
        const local = await bind(client.device, 0);
        const fields = {
          source: a,
          destination: b,
          sourcePort: local,
          destinationPort: listening,
          payload: 1000,
        };
        send(client.device, tcpPacket(fields));
        await until(() => server.host.segments.length === 1);
        const there = server.host.segments[0];
        expect(there).to.include({ path: 1, remotePort: local, localPort: listening });
        expect(there?.remote).to.have.length(family === 'IPv4' ? 4 : 16);
        expect(there?.segment).to.deep.equal(tcpSegment(fields));

        send(
          server.device,
          tcpPacket({ source: b, destination: a, sourcePort: listening, destinationPort: local }),
        );
        await until(() => client.host.segments.length === 1);
        expect(client.host.segments[0]).to.include({ remotePort: listening, localPort: local });
      });

      it('sends from one port to several peers', async () => {
        const server = end(a);
        const from = await bind(server.device, 0);
        const peers = [end(b), end(b)];
        for (const round of [1, 2]) {
          for (const peer of peers) {
            const destinationPort = await bind(peer.device, 0);
            send(server.device, tcpPacket({ source: a, destination: b, sourcePort: from, destinationPort }));
            await until(() => peer.host.segments.length === round);
          }
        }
      });
    });
  }

  it('keeps a port until its last unbind', async () => {
    const { device } = end('127.0.0.2');
    const port = await bind(device, 0);
    expect(await bind(device, port)).to.equal(port);
    device.unbind(1, port);
    expect(await codeOfBind('127.0.0.2', port)).to.equal('EADDRINUSE');
    device.unbind(1, port);
    await until(async () => (await codeOfBind('127.0.0.2', port)) === null);
  });

  it('answers all who bind the same port at once', async () => {
    const { device } = end('127.0.0.2');
    const port = await freePort('127.0.0.2');
    expect(await Promise.all([bind(device, port), bind(device, port), bind(device, port)])).to.deep.equal([
      port,
      port,
      port,
    ]);
  });

  it('gives the same port on two paths', async () => {
    const { device } = end('127.0.0.2');
    expect(attachNow(device, { id: 2, name: 'lo', address: '127.0.0.4', mtu: 1500 })).to.equal(null);
    const port = await bind(device, 0);
    expect(await bind(device, port, 2)).to.equal(port);
  });

  it('reports EADDRINUSE, EADDRNOTAVAIL and EINVAL', async () => {
    const first = end('127.0.0.2');
    const port = await bind(first.device, 0);
    const second = end('127.0.0.2');
    expect(await failure(bind(second.device, port))).to.include({ code: 'EADDRINUSE' });
    expect(await failure(bind(second.device, 0, 7))).to.include({ code: 'EADDRNOTAVAIL' });
    expect(attachNow(second.device, { id: 3, name: 'x0', address: '192.0.2.1', mtu: 1500 })).to.equal(null);
    expect(await failure(bind(second.device, 0, 3))).to.include({ code: 'EADDRNOTAVAIL' });
    expect(attachNow(second.device, { id: 4, name: 'x0', address: 'example', mtu: 1500 })).to.equal('EINVAL');
    // The failure leaves nothing behind.
    first.device.unbind(1, port);
    await until(async () => (await codeOfBind('127.0.0.2', port)) === null);
    expect(await bind(second.device, port)).to.equal(port);
  });

  it('sends what was given before the unbind', async () => {
    const client = end('127.0.0.2');
    const server = end('127.0.0.3');
    const to = await bind(server.device, 0);
    const from = await bind(client.device, 0);
    for (let i = 0; i < 20; i++) send(client.device, packetTo(server, from, to));
    client.device.unbind(1, from);
    client.device.close();
    await until(() => server.host.segments.length === 20);
  });

  it('loses packets above the MTU and from ports that are not bound', async () => {
    const client = end('127.0.0.2', 1500);
    const server = end('127.0.0.3');
    const to = await bind(server.device, 0);
    const from = await bind(client.device, 0);
    const fields = { source: client.address, destination: server.address, destinationPort: to };
    // 20 + 20 + 8 octets of headers
    send(client.device, tcpPacket({ ...fields, sourcePort: from, payload: 1453 }));
    send(client.device, tcpPacket({ ...fields, sourcePort: from ^ 1, payload: 1 }));
    expect(client.device.stats.sendErrors).to.equal(2);
    send(client.device, tcpPacket({ ...fields, sourcePort: from, payload: 1452 }));
    await until(() => server.host.segments.length === 1);
    expect(server.host.segments[0]?.segment).to.have.length(1472);
  });

  it('drops datagrams that are no segment', async () => {
    const { device, host } = end('127.0.0.2');
    const port = await bind(device, 0);
    const stranger = createSocket('udp4');
    stranger.send(Buffer.alloc(19), port, '127.0.0.2');
    await until(() => device.stats.strays === 1);
    stranger.close();
    expect(host.segments).to.have.length(0);
  });

  it('turns "port unreachable" into the reset of a connection attempt', async () => {
    const client = end('127.0.0.2');
    const from = await bind(client.device, 0);
    const to = await freePort('127.0.0.3');
    const fields = { source: '127.0.0.2', destination: '127.0.0.3', sourcePort: from, destinationPort: to };
    send(client.device, tcpPacket({ ...fields, sequence: 0xffffffff, flags: 0x02 }));
    await until(() => client.host.segments.length === 1);
    const reset = Buffer.from(client.host.segments[0]?.segment ?? []);
    expect(client.host.segments[0]).to.include({ remotePort: to, localPort: from });
    expect(reset[13]).to.equal(0x14);
    expect(reset.readUInt32BE(8)).to.equal(0);
    expect(client.device.stats.refused).to.equal(1);
  });

  it('gives everything back when a path is detached', async () => {
    const { device, host } = end('127.0.0.2');
    const port = await bind(device, 0);
    const waiting = failure(bind(device, 0));
    device.detach(1);
    expect(await waiting).to.include({ code: 'ERR_SOCKET_CLOSED' });
    await until(async () => (await codeOfBind('127.0.0.2', port)) === null);
    send(device, tcpPacket({ source: '127.0.0.2', destination: '127.0.0.3', sourcePort: port }));
    expect(host.states).to.deep.equal([]);
  });

  it('keeps the port that the kernel chose when a client turns out to have two peers', async () => {
    const client = end('127.0.0.2');
    const from = await bind(client.device, 0);
    for (const address of ['127.0.0.3', '127.0.0.4', '127.0.0.3']) {
      const server = end(address);
      const destinationPort = await bind(server.device, 0);
      const fields = { source: '127.0.0.2', destination: address, sourcePort: from, destinationPort };
      send(client.device, tcpPacket(fields));
      await until(() => server.host.segments.length === 1);
      expect(server.host.segments[0]).to.include({ remotePort: from });
      send(
        server.device,
        tcpPacket({
          source: address,
          destination: '127.0.0.2',
          sourcePort: destinationPort,
          destinationPort: from,
        }),
      );
    }
    await until(() => client.host.segments.length === 3);
  });
}

describe('udp device through node alone', () => {
  let ends: UdpDevice[] = [];

  afterEach(() => {
    for (const device of ends) device.close();
    ends = [];
  });

  it('pushes back a burst and asks for more', async () => {
    const client = newEnd(null, '127.0.0.2', 65535, ends);
    const server = newEnd(null, '127.0.0.3', 65535, ends);
    const to = await bind(server.device, 0);
    const from = await bind(client.device, 0);
    const total = 4000;
    const packet = tcpPacket({
      source: client.address,
      destination: server.address,
      sourcePort: from,
      destinationPort: to,
      payload: 1400,
    });
    let sent = 0;
    let refusals = 0;
    while (sent < total) {
      if (client.device.send(1, outPacket(packet))) {
        sent++;
      } else {
        refusals++;
        const before = client.host.writables;
        await until(() => client.host.writables > before);
      }
    }
    expect(refusals).to.be.greaterThan(0);
    expect(client.device.stats.sendErrors).to.equal(0);
    // Receiving shares this thread, so that the kernel's buffer may overflow.
    await until(() => server.host.segments.length > total / 10);
    const segment = tcpSegment({ sourcePort: from, destinationPort: to, payload: 1400 });
    expect(server.host.segments.every((one) => Buffer.compare(one.segment, segment) === 0)).to.equal(true);
  });
});

/** An open device with one path, which is added to `open`. */
function newEnd(native: Native | null, address: string, mtu: number, open: UdpDevice[]): End {
  const device = new UdpDevice(native);
  const host = new RecordingHost();
  open.push(device);
  device.open(host);
  expect(attachNow(device, { id: 1, name: 'lo', address, mtu })).to.equal(null);
  return { device, host, address };
}

function packetTo(server: End, sourcePort: number, destinationPort: number): Uint8Array {
  return tcpPacket({ source: '127.0.0.2', destination: server.address, sourcePort, destinationPort });
}

function bind(device: UdpDevice, port: number, path = 1): Promise<number> {
  return new Promise((resolve, reject) => {
    device.bind(path, port, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}

function send(device: UdpDevice, packet: Uint8Array): void {
  expect(device.send(1, outPacket(packet))).to.equal(true);
  device.flush();
}

async function failure(promise: Promise<unknown>): Promise<PlaitError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PlaitError) return error;
    throw error;
  }
  throw new Error('no failure');
}

/** The errno name of binding a plain UDP socket, or null if it can be bound. */
function codeOfBind(address: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? '');
    });
    socket.bind(port, address, () => {
      socket.close();
      resolve(null);
    });
  });
}

async function freePort(address: string): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  const { port } = socket.address();
  socket.close();
  return port;
}
