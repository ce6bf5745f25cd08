/** tshark and the dissector agree on every field of every packet: option vectors, simulated networks, kernels. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { loadDissector, type Dissector } from '../../src/inspect/dissector.js';
import { CaptureReader, type CapturedFrame } from '../../src/io/capture-reader.js';
import type { Device } from '../../src/io/device.js';
import { Direction, PcapngWriter } from '../../src/io/pcapng.js';
import { SeededRandom } from '../../src/core/random.js';
import { capture } from '../interop/capture.js';
import { KernelPeer } from '../interop/kernel-peer.js';
import { Bench, skipWithoutNamespaces } from '../interop/netns.js';
import { counted } from '../interop/plait-peer.js';
import { Running } from '../cli/harness.js';
import { UNSTEADY_LINKS } from '../sim/unsteady-links.js';
import { needCommands } from '../support/needs.js';
import { SegmentingDevice } from '../support/segmenting-device.js';
import { captured, SCENES, type Scene } from '../unit/inspect/captures.js';
import { ipPacket, vectorPackets } from '../unit/inspect/packets.js';
import { fromHex } from '../unit/octets.js';
import { readVectors } from '../unit/vectors.js';
import { compareWithTshark, type Agreement } from './tshark.js';

describe('tshark', () => {
  let dissector: Dissector;
  let folder = '';

  before(async function () {
    needCommands(this, 'tshark');
    dissector = await loadDissector();
    folder = await mkdtemp(join(tmpdir(), 'plait-tshark-'));
  });

  after(async () => {
    if (folder !== '') await rm(folder, { recursive: true, force: true });
  });

  async function agree(octets: Uint8Array): Promise<Agreement> {
    const file = join(folder, 'one.pcapng');
    await writeFile(file, octets);
    return agreeOn(file);
  }

  async function agreeOn(file: string): Promise<Agreement> {
    const agreement = await compareWithTshark(dissector, file);
    expect(agreement.differences).to.deep.equal([]);
    return agreement;
  }

  it('agrees on every option vector', async () => {
    const packets = vectorPackets(readVectors()).map(({ packet }) => packet);
    const { compared } = await agree(captureOf(packets));
    // Every field of Multipath TCP occurs in some vector.
    const never = [...compared].filter(([field, count]) => field.includes('mptcp.') && count === 0);
    expect(never).to.deep.equal([]);
  });

  for (const [name, scene] of Object.entries(SCENES)) {
    it(`agrees on a simulated transfer: ${name}`, async () => {
      const { packets } = await agree((await captured(scene)).file);
      expect(packets).to.be.above(20);
    });
  }

  it('agrees on what is read of version 0', async () => {
    const words = [
      '1e0834020a000201',
      '1e0a34030a00020101bb0101',
      '1e14360420010db8000000000000000000000001',
      '1e16360520010db800000000000000000000000101bb0101',
      '1e045107',
      '1e045009',
    ];
    const packets = words.map((options) => ipPacket({ options: fromHex(options) }));
    const { compared } = await agree(captureOf(packets));
    expect(compared.get('tcp.options.mptcp.addrid')).to.equal(6);
    expect(compared.get('tcp.options.mptcp.port')).to.equal(2);
  });

  it('agrees on announced IPv4 addresses in IPv6 form', async () => {
    const options = fromHex('1e14310700000000000000000000ffff0a000201');
    const { compared } = await agree(captureOf([ipPacket({ options })]));
    expect(compared.get('tcp.options.mptcp.ipv6')).to.equal(1);
  });

  it('agrees on the transfer of the determinism tests', async () => {
    for (const seed of [7, 8]) {
      const scene = { seed, links: UNSTEADY_LINKS, up: 400_000, down: 300_000 };
      expect((await agree((await captured(scene)).file)).packets).to.be.above(500);
    }
  });

  for (const ipv6 of [false, true]) {
    it(`agrees on super-segments with unfinished checksums over IPv${ipv6 ? '6' : '4'}`, async () => {
      const link = { rate: 1e9, delay: 100, queue: 400_000 };
      const below = (device: Device): Device => new SegmentingDevice(device);
      const { file } = await captured({ links: [link, link], up: 1_500_000, down: 100_000, ipv6, below });
      await agree(file);
      const states = new Set<string>();
      let largest = 0;
      for (const { octets } of framesOf(file)) {
        const { tcp } = dissector.dissect(octets);
        states.add(tcp?.checksumState ?? '');
        largest = Math.max(largest, tcp?.length ?? 0);
      }
      expect([...states].sort()).to.deep.equal(['good', 'offloaded']);
      expect(largest).to.be.above(10_000);
    });
  }

  it('agrees on what the command captures', async () => {
    const [sent, received] = [join(folder, 'sent.pcapng'), join(folder, 'received.pcapng')];
    const paths = ['--device', 'udp', '--path', '127.0.0.1', '--path', '127.0.0.2', '--pm', 'fullmesh'];
    const server = new Running(['cat', ...paths, '--listen', '0', '--pcap', received], { engine: true });
    const port = await server.port();
    const client = new Running(['cat', ...paths, '--checksum', '--pcap', sent, '127.0.0.1', port], {
      engine: true,
    });
    await Promise.all([server.result(randomBytes(200_000)), client.result(randomBytes(1_000_000))]);
    for (const file of [sent, received]) expect((await agreeOn(file)).packets).to.be.above(20);
  });

  it('agrees on random networks', async () => {
    for (let seed = 1; seed <= 8; seed++) await agree((await captured(randomScene(seed))).file);
  });

  describe('beside a kernel', () => {
    let bench: Bench | null = null;

    before(function () {
      skipWithoutNamespaces(this);
      needCommands(this, 'tcpdump');
    });

    afterEach(async () => {
      await bench?.close();
      bench = null;
    });

    it('agrees on what the table of cases captures', async () => {
      const main = fileURLToPath(new URL('../interop/main.js', import.meta.url));
      const cases = [
        'multiple subflows and signal (',
        'address IPv6, remove',
        'test 1 1 (',
        'fastclose client test (',
      ];
      const args = [
        '--captures',
        join(folder, 'table'),
        '--tshark',
        ...cases.flatMap((name) => ['--only', name]),
      ];
      const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], {
        timeout: 280_000,
      }).catch((error: unknown) => error as { stdout: string });
      expect(stdout).to.match(/^[1-9]\d* passed, 0 failed, 0 skipped$/m);
    });

    for (const checksums of [false, true]) {
      it(`agrees on what two kernels say${checksums ? ' with checksums' : ''}`, async () => {
        bench = await Bench.open({ paths: 2 });
        const { a, b } = bench;
        for (const side of [a, b]) {
          await side.sysctl(`net.mptcp.checksum_enabled=${checksums ? '1' : '0'}`);
          await side.mptcp('limits set subflow 2 add_addr_accepted 2');
        }
        await b.mptcp(`endpoint add ${b.address(1)} dev p1 signal`);
        // All interfaces of one host at once (Linux cooked), one of the other in Ethernet, cut off.
        const [all, one] = [join(folder, 'all.pcap'), join(folder, 'one.pcap')];
        const files: readonly (readonly [typeof a, string, string[]])[] = [
          [a, all, ['-i', 'any', '-s', '0']],
          [b, one, ['-i', 'p0', '-s', '110']],
        ];
        const ends = await Promise.all(files.map(([side, file, options]) => capture(side, file, ...options)));
        // The join comes before either end.
        const sending = (octets: number): string[] => ['--send', String(octets), '--gate', '10000'];
        const server = new KernelPeer(b, 'server', '0.0.0.0', 0, ...sending(50_000));
        const client = new KernelPeer(a, 'client', b.address(0), await server.port(), ...sending(200_000));
        await counted(b, 'MPJoinAckRx', 1);
        await Promise.all([server.process.passGate(), client.process.passGate()]);
        expect(await client.report()).to.include({ error: null, subflows: 2 });
        await server.report();
        await Promise.all(ends.map((end) => end()));
        expect((await agreeOn(all)).packets).to.be.above(20);
        expect((await agreeOn(one)).packets).to.be.above(10);
      });
    }
  });
});

function captureOf(packets: readonly Uint8Array[]): Buffer {
  const chunks: Buffer[] = [];
  const writer = new PcapngWriter((chunk) => void chunks.push(Buffer.from(chunk)));
  const number = writer.addInterface({ name: 'made' });
  packets.forEach((packet, i) => {
    writer.packet(number, i, Direction.Unknown, packet);
  });
  return Buffer.concat(chunks);
}

function* framesOf(file: Uint8Array): Generator<CapturedFrame> {
  const reader = new CaptureReader();
  reader.push(file);
  for (let frame = reader.next(); frame !== null; frame = reader.next()) yield frame;
}

function randomScene(seed: number): Scene {
  const random = new SeededRandom(seed);
  const chance = (p: number): boolean => random.unit() < p;
  const links = Array.from({ length: random.int(1, 4) }, () => ({
    rate: random.int(1, 100) * 1e6,
    delay: random.int(100, 100_000),
    jitter: chance(0.3) ? random.int(0, 10_000) : 0,
    queue: random.int(10_000, 400_000),
    loss: chance(0.5) ? random.unit() * 0.1 : 0,
    reorder: chance(0.5) ? random.unit() * 0.1 : 0,
    reorderDelay: random.int(100, 20_000),
    duplicate: chance(0.5) ? random.unit() * 0.05 : 0,
    corrupt: chance(0.5) ? random.unit() * 0.03 : 0,
    mtu: chance(0.2) ? random.int(1280, 9000) : 1500,
  }));
  return {
    seed,
    links,
    ipv6: chance(0.3),
    pairing: chance(0.5) ? 'fullmesh' : 'laminar',
    up: random.int(0, 200_000),
    down: random.int(0, 200_000),
  };
}
