import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ManualClock } from '../../src/core/clock.js';
import { CaptureFile } from '../../src/io/capture-file.js';
import { capture } from '../../src/io/capture.js';
import { Checksum, type Device, type DeviceHost } from '../../src/io/device.js';
import { MemoryPipe } from '../../src/io/pipe.js';
import { Direction, PcapngWriter } from '../../src/io/pcapng.js';
import { parseAddress } from '../../src/io/virtual-device.js';
import { RecordingHost, attachNow, bindNow, path } from './recording-host.js';
import { outPacket, tcpPacket, tcpSegment } from './tcp-packet.js';

const EPOCH = Date.UTC(2026, 0, 2, 3, 4, 5) * 1000;

describe('io/pcapng', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'plait-pcapng-'));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('writes the blocks of the format', () => {
    const { octets, sink } = memorySink();
    const writer = new PcapngWriter(sink);
    expect(writer.addInterface({ name: 'eth0' })).to.equal(0);
    expect(writer.addInterface({ name: 'wlan0' })).to.equal(1);
    writer.packet(1, 2 ** 32 + 5.9, Direction.Inbound, Uint8Array.of(0x45, 1, 2), 'why');
    const view = new DataView(octets().buffer);
    const types: number[] = [];
    let last = 0;
    for (let at = 0; at < view.byteLength; at += view.getUint32(at + 4, true)) {
      const length = view.getUint32(at + 4, true);
      expect(length % 4).to.equal(0);
      expect(view.getUint32(at + length - 4, true)).to.equal(length);
      types.push(view.getUint32(at, true));
      last = at;
    }
    expect(types).to.deep.equal([0x0a0d0d0a, 1, 1, 6]);
    const fields = [8, 12, 16, 20, 24].map((offset) => view.getUint32(last + offset, true));
    expect(fields).to.deep.equal([1, 1, 5, 3, 3]); // interface, time high and low, captured and original length
  });

  it('writes equal bytes for equal calls', () => {
    const run = (): Uint8Array => {
      const { octets, sink } = memorySink();
      exchange(sink);
      return octets();
    };
    expect(run()).to.deep.equal(run());
  });

  it('is read by tshark: interfaces, directions, times, comments, no malformed packet', function () {
    const { octets, sink } = memorySink();
    exchange(sink);
    const rows = dissect(this, folder, octets(), [
      'frame.interface_name',
      'frame.packet_flags_direction',
      'frame.time_epoch',
      'frame.comment',
      'tcp.srcport',
      'tcp.dstport',
      'tcp.len',
    ]);
    // Directions and times are formatted differently by different versions of tshark.
    const numbers = rows.map(([name, direction, time, ...rest]) => [
      name,
      Number(direction),
      Number(time),
      ...rest,
    ]);
    const start = EPOCH / 1e6;
    expect(numbers).to.deep.equal([
      ['test0', 2, start + 0.00001, '', '40000', '443', '0'],
      ['test1', 2, start + 0.00001, 'Outbound on test1', '40000', '443', '1200'],
      ['test0', 1, start + 1.5, '', '443', '40000', '1'],
      ['test1', 1, start + 1.5, 'Inbound on test1', '443', '40000', '33'],
    ]);
  });

  it('shows TCP segments that arrived in UDP as plain TCP with the outer ports', function () {
    const { octets, sink } = memorySink();
    const fake = new FakeUdp();
    const host = new RecordingHost();
    const device = capture(fake, new ManualClock(), sink);
    device.open(host);
    attachNow(device, path(0, '192.0.2.1'));
    attachNow(device, path(1, '2001:db8::1'));
    const segment = tcpSegment({ payload: 7, options: Uint8Array.of(2, 4, 5, 180) });
    fake.host?.receiveSegment(0, parseAddress('192.0.2.9') as Uint8Array, 5001, 5002, segment);
    fake.host?.receiveSegment(1, parseAddress('2001:db8::9') as Uint8Array, 5003, 5004, segment);
    // No checksum from the stack on the way out either.
    const sent = tcpPacket({ source: '192.0.2.1', destination: '192.0.2.9' });
    sent.fill(0, 36, 38);
    expect(device.send(0, outPacket(sent))).to.equal(true);
    expect(host.segments).to.have.length(2);
    expect(host.segments[1]).to.include({ path: 1, remotePort: 5003, localPort: 5004 });
    const rows = dissect(this, folder, octets(), [
      'ip.src',
      'ip.dst',
      'ipv6.src',
      'ipv6.dst',
      'tcp.srcport',
      'tcp.dstport',
      'tcp.options.mss_val',
      'tcp.len',
    ]);
    expect(rows).to.deep.equal([
      ['192.0.2.9', '192.0.2.1', '', '', '5001', '5002', '1460', '7'],
      ['', '', '2001:db8::9', '2001:db8::1', '5003', '5004', '1460', '7'],
      ['192.0.2.1', '192.0.2.9', '', '', '40000', '443', '', '0'],
    ]);
  });

  it('passes everything on', () => {
    const { sink } = memorySink();
    const fake = new FakeUdp();
    const host = new RecordingHost();
    const device = capture(fake, new ManualClock(), sink);
    expect(device).to.include({ kind: 'udp', overhead: 8, needsChecksum: false });
    device.open(host);
    expect(attachNow(device, path(3, '192.0.2.1'))).to.equal(null);
    expect(bindNow(device, 3, 80)).to.equal(80);
    device.unbind(3, 80);
    fake.host?.writable();
    fake.host?.pathState(3, false);
    fake.host?.receive(3, tcpPacket(), Checksum.Good);
    device.flush();
    device.detach(3);
    device.close();
    expect(host.writables).to.equal(1);
    expect(host.states).to.deep.equal([[3, false]]);
    expect(host.received).to.have.length(1);
    expect(fake.calls).to.deep.equal(['open', 'attach', 'bind', 'unbind', 'flush', 'detach', 'close']);
  });

  it('writes a refused packet only when it is taken', () => {
    const { octets, sink } = memorySink();
    const fake = new FakeUdp();
    const device = capture(fake, new ManualClock(), sink);
    device.open(new RecordingHost());
    attachNow(device, path(0, '192.0.2.1'));
    const before = octets().length;
    fake.full = true;
    expect(device.send(0, outPacket(tcpPacket()))).to.equal(false);
    expect(octets().length).to.equal(before);
    fake.full = false;
    expect(device.send(0, outPacket(tcpPacket()))).to.equal(true);
    expect(octets().length).to.be.greaterThan(before);
  });

  it('writes to a file through a buffer', () => {
    const name = join(folder, 'file.pcapng');
    const file = new CaptureFile(name);
    const { octets, sink } = memorySink();
    const both = (chunk: Uint8Array): void => {
      sink(chunk);
      file.sink(chunk);
    };
    const writer = new PcapngWriter(both);
    writer.addInterface({ name: 'test0' });
    for (let i = 0; i < 500; i++) writer.packet(0, i, Direction.Outbound, tcpPacket({ payload: 1400 }));
    both(new Uint8Array(300_000)); // larger than the buffer
    const half = readFileSync(name).length;
    expect(half).to.be.greaterThan(0);
    writer.packet(0, 501, Direction.Outbound, tcpPacket());
    file.close();
    file.close();
    expect(Buffer.compare(readFileSync(name), octets())).to.equal(0);
    expect(file.error).to.equal(null);
  });

  it('keeps a write error for later instead of throwing into the packet path', function () {
    let file: CaptureFile;
    try {
      file = new CaptureFile('/dev/full');
    } catch {
      console.log('      skipped: this system has no /dev/full');
      this.skip();
    }
    file.sink(new Uint8Array(100));
    file.flush();
    file.sink(new Uint8Array(100));
    file.close();
    expect(file.error).to.have.property('code', 'ENOSPC');
  });
});

/** Two packets each way between two paths, one of IPv4 and one of IPv6; comments on the second. */
function exchange(sink: (chunk: Uint8Array) => void): void {
  const clock = new ManualClock();
  const pipe = new MemoryPipe();
  const comment = (to: { name: string }, direction: Direction): string | null =>
    to.name === 'test1' ? `${direction === Direction.Inbound ? 'Inbound' : 'Outbound'} on ${to.name}` : null;
  const near = capture(pipe.a, clock, sink, { epoch: EPOCH, comment });
  near.open(new RecordingHost());
  pipe.b.open(new RecordingHost());
  const addresses = [
    ['10.0.0.1', '10.0.0.2'],
    ['fd00::1', 'fd00::2'],
  ] as const;
  addresses.forEach(([a, b], id) => {
    attachNow(near, path(id, a));
    attachNow(pipe.b, path(id, b));
  });
  clock.advanceTo(10);
  addresses.forEach(([source, destination], id) => {
    near.send(id, outPacket(tcpPacket({ source, destination, payload: id * 1200 })));
  });
  clock.advanceTo(1_500_000);
  addresses.forEach(([destination, source], id) => {
    const ports = { sourcePort: 443, destinationPort: 40000 };
    pipe.b.send(id, outPacket(tcpPacket({ source, destination, ...ports, payload: 1 + id * 32 })));
  });
  pipe.pump();
}

function memorySink(): { octets: () => Uint8Array<ArrayBuffer>; sink: (chunk: Uint8Array) => void } {
  const chunks: Uint8Array[] = [];
  const octets = (): Uint8Array<ArrayBuffer> => {
    const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  };
  return { octets, sink: (chunk) => chunks.push(chunk.slice()) };
}

/** The values of tshark's fields, one row per packet. Skips without tshark; fails on a malformed packet. */
function dissect(test: Mocha.Context, folder: string, octets: Uint8Array, fields: string[]): string[][] {
  const name = join(folder, 'capture.pcapng');
  writeFileSync(name, octets);
  const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
  const tshark = (...args: string[]): string =>
    execFileSync('tshark', ['-n', '-r', name, ...checks, ...args], QUIET);
  try {
    execFileSync('tshark', ['--version'], QUIET);
  } catch {
    console.log('      skipped: tshark is not installed');
    test.skip();
  }
  // 0x800000 is the severity "error": wrong checksums and lengths.
  const bad = '_ws.malformed || _ws.expert.severity >= 0x800000';
  expect(tshark('-Y', bad)).to.equal('');
  const rows = tshark('-T', 'fields', '-E', 'separator=|', ...fields.flatMap((field) => ['-e', field]));
  return rows
    .trimEnd()
    .split('\n')
    .map((row) => row.split('|'));
}

const QUIET: ExecFileSyncOptionsWithStringEncoding = {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
};

/** A device without a network that claims to carry TCP in UDP. */
class FakeUdp implements Device {
  readonly kind = 'udp';
  readonly overhead = 8;
  readonly needsChecksum = false;
  readonly calls: string[] = [];
  host: DeviceHost | null = null;
  full = false;

  open(host: DeviceHost): void {
    this.calls.push('open');
    this.host = host;
  }
  attach: Device['attach'] = (_path, done) => {
    this.calls.push('attach');
    done(null);
  };
  detach(): void {
    this.calls.push('detach');
  }
  bind: Device['bind'] = (_path, port, done) => {
    this.calls.push('bind');
    done(null, port);
  };
  unbind(): void {
    this.calls.push('unbind');
  }
  send(): boolean {
    return !this.full;
  }
  flush(): void {
    this.calls.push('flush');
  }
  close(): void {
    this.calls.push('close');
  }
}
