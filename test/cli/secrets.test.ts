/** Keys of connections are in no output and in no capture outside of the packets that carry them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadDissector } from '../../src/inspect/dissector.js';
import { CaptureReader } from '../../src/io/capture-reader.js';
import { until } from '../support/until.js';
import { Running } from './harness.js';

const PATHS = ['--device', 'udp', '--path', '127.0.0.1', '--path', '127.0.0.2', '--pm', 'fullmesh'];

describe('keys', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plait-keys-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  for (const end of ['orderly', 'killed'] as const) {
    it(`are not told, whether the end is ${end}`, async () => {
      const files = ['server', 'client'].map((name) => join(folder, name));
      const options = (i: number): string[] => [
        ...PATHS,
        ...[
          '--stats',
          '--checksum',
          '--pcap',
          `${String(files[i])}.pcapng`,
          '--events',
          `${String(files[i])}.json`,
        ],
      ];
      const server = new Running(['cat', ...options(0), '--listen', '0'], { engine: true });
      const port = await server.port();
      const client = new Running(['cat', ...options(1), '127.0.0.1', port], { engine: true });
      if (end === 'killed') {
        client.child.stdin?.write('hello');
        await until(
          () => server.received.length > 0,
          () => `data; ${server.text}`,
        );
        server.child.kill('SIGINT');
      }
      const results = await Promise.all([server.result('down'), client.result('up')]);
      const captures = await Promise.all(files.map((file) => readFile(`${file}.pcapng`)));
      const keys = (await Promise.all(captures.map(keysIn))).flat();
      expect(new Set(keys).size).to.equal(2);
      const events = await Promise.all(files.map((file) => readFile(`${file}.json`, 'latin1')));
      expect(events.join('')).to.include('token');
      const texts = [
        ...results.flatMap(({ stdout, stderr }) => [stdout.toString('latin1'), stderr]),
        ...events,
        ...captures.map(withoutPackets),
      ];
      expect(texts.join('')).to.include('path 1: 127.0.0.1').and.to.include('"bytes"');
      for (const text of texts) {
        for (const form of keys.flatMap(forms)) expect(text.toLowerCase()).not.to.include(form);
      }
    });
  }
});

async function keysIn(capture: Uint8Array): Promise<bigint[]> {
  const dissector = await loadDissector();
  const reader = new CaptureReader();
  const keys = new Set<bigint>();
  reader.push(capture);
  for (let frame = reader.next(); frame !== null; frame = reader.next()) {
    for (const option of dissector.dissect(frame.octets).tcp?.options ?? []) {
      if (option.name !== 'mp_capable') continue;
      for (const key of [option.senderKey, option.receiverKey]) if (key !== null) keys.add(key);
    }
  }
  return [...keys];
}

/** How a key could be written: octets, in either order, hexadecimal, decimal, signed, base64; also as two halves. */
function forms(key: bigint): string[] {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(key);
  const both = [octets, Buffer.from(octets).reverse()];
  const halves = [
    octets.readUInt32BE(0),
    octets.readUInt32BE(4),
    octets.readUInt32LE(0),
    octets.readUInt32LE(4),
  ];
  return [
    ...both.flatMap((one) => [
      one.toString('latin1'),
      one.toString('hex'),
      one.toString('base64').slice(0, 10),
    ]),
    ...both.flatMap((one) => [one.readBigUInt64BE(), one.readBigInt64BE()].map(String)),
    ...halves.flatMap((half) => [half.toString(16).padStart(8, '0'), String(half)]),
  ]
    .filter((text) => text.length >= 8) // a shorter number may be another by chance
    .map((text) => text.toLowerCase());
}

/** All of a pcapng file but the octets of packets: names, descriptions, comments, times, lengths. */
function withoutPackets(file: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = file.readUInt32LE(at + 4);
    const isPacket = file.readUInt32LE(at) === 6;
    const data = isPacket ? 28 + ((file.readUInt32LE(at + 20) + 3) & ~3) : 8;
    if (isPacket) parts.push(file.subarray(at, at + 28));
    parts.push(file.subarray(at + data, at + length));
    at += length;
  }
  return Buffer.concat(parts).toString('latin1');
}
