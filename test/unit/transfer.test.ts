/** The file transfer protocol over in-memory streams: what arrives, and what must not. */
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { splitName, printable } from '../../src/transfer/names.js';
import * as wire from '../../src/transfer/protocol.js';
import { Frame } from '../../src/transfer/protocol.js';
import { Receiver } from '../../src/transfer/receiver.js';
import type { Report } from '../../src/transfer/report.js';
import { scan } from '../../src/transfer/scan.js';
import { Sender } from '../../src/transfer/sender.js';
import { fileSource, type Entry, type OpenSource } from '../../src/transfer/source.js';
import { Store } from '../../src/transfer/store.js';

/** Milliseconds of silence that no machine is too slow for. */
const PATIENCE = 100_000;

describe('transfer', () => {
  let root: string;
  let from: string;
  let to: string;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'plait-transfer-'));
    [from, to] = [join(root, 'from'), join(root, 'to')];
    await mkdir(from);
    await mkdir(to);
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  /** Sends entries over a pair of streams; both ends' results. */
  async function transfer(entries: readonly Entry[], wires = new Wires()): Promise<Both> {
    const receiver = new Receiver(wires.right, await Store.open(to), PATIENCE);
    const sender = new Sender(wires.left, entries, PATIENCE);
    const [sent, received] = await Promise.allSettled([sender.run(), receiver.run()]);
    return { sent, received };
  }

  async function make(name: string, content: Buffer | string): Promise<string> {
    const path = join(from, name);
    await writeFile(path, content);
    return path;
  }

  /** Feeds a receiver with hand-made frames after a good hello. */
  async function feed(...frames: Buffer[]): Promise<PromiseSettledResult<Report>> {
    const wires = new Wires();
    const running = new Receiver(wires.right, await Store.open(to), PATIENCE).run();
    wires.left.resume().end(Buffer.concat([wire.encodeHello(), ...frames]));
    const [result] = await Promise.allSettled([running]);
    return result;
  }

  describe('what arrives', () => {
    it('is what was read, however late the octets leave', async () => {
      const content = noise(5_000_001);
      const { entries } = await scan([await make('data.bin', content)]);
      const { received } = await transfer(entries, new Wires({ late: true }));
      expect(received).to.have.nested.property('value.octets', content.length);
      expect((await readFile(join(to, 'data.bin'))).equals(content)).to.equal(true);
    });

    for (const size of [0, 1, 5, 65_535, 65_536, 262_144, 262_145, 3_000_001]) {
      it(`is a file of ${size} octets, with mode and time`, async () => {
        const content = noise(size);
        const path = await make('data.bin', content);
        await chmod(path, 0o640);
        await utimes(path, 1e9, 1_234_567_890.5);
        const { entries, octets } = await scan([path]);
        const { sent, received } = await transfer(entries);
        expect(sent).to.have.nested.property('value.failures').that.is.empty;
        expect(received).to.have.nested.property('value.octets', size);
        expect(octets).to.equal(size);
        const target = join(to, 'data.bin');
        expect((await readFile(target)).equals(content)).to.equal(true);
        const found = await stat(target);
        expect(found.mode & 0o7777).to.equal(0o640);
        expect(found.mtimeMs).to.be.closeTo(1_234_567_890_500, 1);
      });
    }

    it('is a tree with empty directories, links to files as files, and modes of directories', async () => {
      const tree = join(from, 'tree');
      await mkdir(join(tree, 'deep', 'empty'), { recursive: true });
      await writeFile(join(tree, 'deep', 'a'), 'A');
      await writeFile(join(tree, 'ü b\nc'), 'B');
      await symlink('deep/a', join(tree, 'link'));
      await symlink('deep', join(tree, 'dirlink'));
      await chmod(join(tree, 'deep'), 0o555);
      const { entries, failures } = await scan([tree]);
      expect(failures.map(({ name }) => name)).to.deep.equal(['tree/dirlink']);
      const { sent } = await transfer(entries);
      expect(sent).to.have.nested.property('value.inPlace', 6);
      expect(await readFile(join(to, 'tree/deep/a'), 'utf8')).to.equal('A');
      expect(await readFile(join(to, 'tree/ü b\nc'), 'utf8')).to.equal('B');
      expect((await lstat(join(to, 'tree/link'))).isFile()).to.equal(true);
      expect(await readdir(join(to, 'tree/deep/empty'))).to.deep.equal([]);
      expect((await stat(join(to, 'tree/deep'))).mode & 0o777).to.equal(0o555);
      await chmod(join(tree, 'deep'), 0o755);
      await chmod(join(to, 'tree/deep'), 0o755);
    });

    it('replaces an older file, and a link instead of what it leads to', async () => {
      await writeFile(join(root, 'outside'), 'untouched');
      await symlink('../outside', join(to, 'data'));
      const { entries } = await scan([await make('data', 'new')]);
      await transfer(entries);
      expect((await lstat(join(to, 'data'))).isFile()).to.equal(true);
      expect(await readFile(join(to, 'data'), 'utf8')).to.equal('new');
      expect(await readFile(join(root, 'outside'), 'utf8')).to.equal('untouched');
    });

    it('never has the set-user-ID bit', async () => {
      const path = await make('tool', 'x');
      await chmod(path, 0o4755);
      await transfer((await scan([path])).entries);
      expect((await stat(join(to, 'tool'))).mode & 0o7777).to.equal(0o755);
    });

    it('is many small files over a stream that takes one octet at a time', async () => {
      for (let i = 0; i < 20; i++) await make(`f${i}`, noise(i * 7));
      const { entries } = await scan([from]);
      const { sent } = await transfer(entries, new Wires({ step: 1 }));
      expect(sent).to.have.nested.property('value.inPlace', 21);
      expect(await readFile(join(to, 'from/f19'))).to.deep.equal(noise(19 * 7));
    });
  });

  describe('one entry that fails', () => {
    it('is not in place when its octets changed on the way; the others are', async () => {
      const paths = [await make('a', noise(1000)), await make('b', noise(100_000)), await make('c', 'c')];
      const { entries } = await scan(paths);
      const { sent, received } = await transfer(entries, new Wires({ flipAt: 60_000 }));
      for (const side of [sent, received]) {
        expect(side).to.have.nested.property('value.inPlace', 2);
        expect(side).to.have.nested.property('value.failures[0].name', 'b');
        expect(side).to.have.nested.property('value.failures[0].code', 'ERR_PLAIT_INTEGRITY');
      }
      expect((await readdir(to)).sort()).to.deep.equal(['a', 'c']);
    });

    for (const [what, change] of [
      ['shrinks', (open: OpenSource) => ({ ...face(open), read: () => Promise.resolve(0) })],
      [
        'changes',
        (open: OpenSource) => ({
          ...face(open),
          verify: () => writeFile(join(from, 'a'), 'longer').then(() => open.verify()),
        }),
      ],
    ] as const) {
      it(`is a file that ${what} while it is sent`, async () => {
        const path = await make('a', 'short');
        const [entry] = (await scan([path])).entries;
        const entries = [{ ...entry, source: async () => change(await fileSource(path)()) } as Entry];
        const { sent, received } = await transfer(entries);
        expect(sent).to.have.nested.property('value.failures[0].code', 'ERR_FILE_CHANGED');
        expect(received).to.have.nested.property('value.failures[0].code', 'ERR_FILE_CHANGED');
        expect(await readdir(to)).to.deep.equal([]);
      });
    }

    it('is a file that vanished after the scan', async () => {
      const { entries } = await scan([await make('a', 'a'), await make('b', 'b')]);
      await rm(join(from, 'a'));
      const { sent, received } = await transfer(entries);
      expect(sent).to.have.nested.property('value.failures[0].code', 'ENOENT');
      expect(received).to.have.nested.property('value.failures[0].code', 'ENOENT');
      expect(await readdir(to)).to.deep.equal(['b']);
    });

    it('is a file in whose place a directory stands; a large one is cut short', async () => {
      await mkdir(join(to, 'big'));
      const { entries } = await scan([await make('big', noise(8_000_000)), await make('z', 'z')]);
      const wires = new Wires();
      const { sent, received } = await transfer(entries, wires);
      expect(sent).to.have.nested.property('value.failures[0].code', 'EISDIR');
      expect(received).to.have.nested.property('value.failures[0].code', 'EISDIR');
      expect(sent).to.have.nested.property('value.inPlace', 1);
      expect(wires.carried).to.be.below(4_000_000);
    });

    it('is one behind a symbolic link at the receiver', async () => {
      await mkdir(join(from, 'dir'));
      await make('dir/file', 'x');
      await mkdir(join(root, 'elsewhere'));
      await symlink('../elsewhere', join(to, 'dir'));
      const { sent } = await transfer((await scan([join(from, 'dir')])).entries);
      expect(sent).to.have.nested.property('value.inPlace', 0);
      expect(sent).to.have.nested.property('value.failures[1].code', 'ELOOP');
      expect(await readdir(join(root, 'elsewhere'))).to.deep.equal([]);
    });
  });

  describe('a hostile sender', () => {
    const hostile = ['/etc/passwd', '../up', 'a/../../up', '.', '..', 'a//b', 'a/', './a', 'nul\0l', '/'];
    for (const name of hostile) {
      it(`cannot use the name ${JSON.stringify(name)}`, async () => {
        const head = { name, size: 1, mode: 0o644, mtime: 0 };
        const result = await feed(
          frame(Frame.File, wire.encodeEntry(head)),
          frame(Frame.Data, Buffer.from('x')),
          frame(Frame.End, noise(32)),
          frame(Frame.Directory, wire.encodeEntry({ ...head, size: 0 })),
          frame(Frame.Finish),
        );
        expect(result).to.have.nested.property('value.inPlace', 0);
        expect(result).to.have.nested.property('value.failures[0].code', 'ERR_PLAIT_NAME');
        expect(await readdir(to)).to.deep.equal([]);
        expect((await readdir(root)).sort()).to.deep.equal(['from', 'to']);
      });
    }

    const head = wire.encodeEntry({ name: 'a', size: 4, mode: 0o644, mtime: 0 });
    const malformed: Readonly<Record<string, Buffer[]>> = {
      'an unknown frame': [frame(99)],
      'a frame of a receiver': [frame(Frame.Done, wire.encodeDone(0))],
      'data without a file': [frame(Frame.Data, Buffer.alloc(4))],
      'more data than announced': [frame(Frame.File, head), frame(Frame.Data, Buffer.alloc(5))],
      'an end before the data': [frame(Frame.File, head), frame(Frame.End, Buffer.alloc(32))],
      'a short checksum': [
        frame(Frame.File, head),
        frame(Frame.Data, Buffer.alloc(4)),
        frame(Frame.End, Buffer.alloc(3)),
      ],
      'a file within a file': [frame(Frame.File, head), frame(Frame.File, head)],
      'a finish within a file': [frame(Frame.File, head), frame(Frame.Finish)],
      'a head that is too short': [frame(Frame.File, Buffer.alloc(20))],
      'a time that is no number': [
        frame(Frame.File, wire.encodeEntry({ name: 'a', size: 0, mode: 0, mtime: NaN })),
      ],
      'a size beyond all numbers': [
        frame(Frame.File, Buffer.concat([Buffer.alloc(8, 255), Buffer.alloc(13)])),
      ],
      'a name that is not UTF-8': [frame(Frame.File, Buffer.concat([Buffer.alloc(20), Buffer.of(0xff)]))],
      'a frame of 4 GB': [wire.encodeHead(Frame.File, 0xffff_ffff)],
    };
    for (const [what, frames] of Object.entries(malformed)) {
      it(`is refused for ${what}, and nothing is left`, async () => {
        const result = await feed(...frames);
        expect(result).to.have.nested.property('reason.code', 'ERR_PLAIT_PROTOCOL');
        expect(await readdir(to)).to.deep.equal([]);
      });
    }

    it('is refused when it is not a sender at all', async () => {
      const wires = new Wires();
      const running = new Receiver(wires.right, await Store.open(to), PATIENCE).run();
      wires.left.resume().end('GET / HTTP/1.1\r\n\r\n');
      const [result] = await Promise.allSettled([running]);
      expect(result).to.have.nested.property('reason.code', 'ERR_PLAIT_PROTOCOL');
    });
  });

  describe('versions', () => {
    it('differ: the receiver refuses and says so, in words for both', async () => {
      const wires = new Wires();
      const running = new Receiver(wires.right, await Store.open(to), PATIENCE).run();
      const said: Buffer[] = [];
      wires.left.on('data', (chunk: Buffer) => said.push(chunk)).end(wire.encodeHello(7));
      const [result] = await Promise.allSettled([running]);
      expect(result).to.have.nested.property('reason.message').that.includes('version 7');
      expect(Buffer.concat(said).toString('latin1')).to.include('version 7');
    });

    it('differ: the sender understands the refusal', async () => {
      const wires = new Wires();
      const running = new Sender(wires.left, (await scan([await make('a', 'a')])).entries, PATIENCE).run();
      wires.right.resume().end(wire.encodeHello(9));
      const [result] = await Promise.allSettled([running]);
      expect(result).to.have.nested.property('reason.message').that.includes('version 9');
    });

    it('agree, but the sender demands something unknown', async () => {
      const wires = new Wires();
      const running = new Receiver(wires.right, await Store.open(to), PATIENCE).run();
      wires.left.resume().end(wire.encodeHello(wire.VERSION, 1));
      const [result] = await Promise.allSettled([running]);
      expect(result).to.have.nested.property('reason.code', 'ERR_PLAIT_PROTOCOL');
    });

    it('agree, and an unknown offer with an extension is passed over', async () => {
      const wires = new Wires();
      const hello = wire.encodeHello(wire.VERSION, 0x10000);
      hello.writeUInt16BE(3, 6);
      wires.left.resume().end(Buffer.concat([hello, Buffer.from('ext'), frame(Frame.Finish)]));
      const report = await new Receiver(wires.right, await Store.open(to), PATIENCE).run();
      expect(report.inPlace).to.equal(0);
    });
  });

  describe('a peer that goes away', () => {
    for (const cutAt of [0, 6, 12, 20, 60, 100_000, 400_000]) {
      it(`after ${cutAt} octets leaves nothing and fails both ends`, async () => {
        const { entries } = await scan([await make('a', noise(500_000))]);
        const { sent, received } = await transfer(entries, new Wires({ cutAt }));
        for (const side of [sent, received]) {
          expect(side).to.have.nested.property('reason.code', 'ECONNRESET');
        }
        expect(await readdir(to)).to.deep.equal([]);
      });
    }

    it('in silence is given up after the limit', async () => {
      const wires = new Wires();
      const running = new Receiver(wires.right, await Store.open(to), 50).run();
      wires.left.write(
        Buffer.concat([
          wire.encodeHello(),
          frame(Frame.File, wire.encodeEntry({ name: 'a', size: 9, mode: 0, mtime: 0 })),
        ]),
      );
      const [result] = await Promise.allSettled([running]);
      expect(result).to.have.nested.property('reason.code', 'ETIMEDOUT');
      expect(await readdir(to)).to.deep.equal([]);
    });

    it('right after the last word takes nothing away from the sender', async () => {
      const wires = new Wires();
      const running = new Sender(wires.left, [], PATIENCE).run();
      wires.right
        .resume()
        .write(Buffer.concat([wire.encodeHello(), frame(Frame.Done, wire.encodeDone(0))]), () => {
          setImmediate(() => wires.right.destroy());
        });
      expect(await running).to.have.property('inPlace', 0);
    });

    it('is believed only when its results make sense', async () => {
      for (const bad of [wire.encodeOutcome({ index: 1, problem: null }), Buffer.alloc(3)]) {
        const wires = new Wires();
        const running = new Sender(wires.left, (await scan([await make('a', 'a')])).entries, PATIENCE).run();
        wires.right.resume().end(Buffer.concat([wire.encodeHello(), frame(Frame.Result, bad)]));
        const [result] = await Promise.allSettled([running]);
        expect(result).to.have.nested.property('reason.code', 'ERR_PLAIT_PROTOCOL');
      }
    });
  });

  describe('a scan', () => {
    it('refuses two paths that would arrive under one name', async () => {
      await mkdir(join(from, 'x'));
      const paths = [await make('same', ''), await make('x/same', '')];
      expect(await scan(paths).then(null, (error: unknown) => error)).to.have.property('code', 'EEXIST');
    });

    it('names "." after the directory it stands for', async () => {
      const { entries } = await scan([join(from, '.')]);
      expect(entries.map(({ head }) => head.name)).to.deep.equal(['from']);
    });

    it('rejects for a path that does not exist', async () => {
      const error: unknown = await scan([join(from, 'none')]).then(null, (reason: unknown) => reason);
      expect(error).to.have.property('code', 'ENOENT');
    });
  });

  it('names are split only when they are harmless', () => {
    expect(splitName('a/b c/..d')).to.deep.equal(['a', 'b c', '..d']);
    expect(splitName('a/../b')).to.equal(null);
  });

  it('a stranger cannot steer the terminal', () => {
    expect(printable('a\u001b[2Jb\u202ec\n')).to.equal('a?[2Jb?c?');
  });
});

interface Both {
  readonly sent: PromiseSettledResult<Report>;
  readonly received: PromiseSettledResult<Report>;
}

/** Two connected streams, and what happens to the octets from left to right. */
class Wires {
  readonly left: Duplex;
  readonly right: Duplex;
  /** Octets that went from left to right. */
  carried = 0;

  /** `late`: octets are looked at a while after they were written, as long as the writer has not heard that they are gone. */
  constructor(fault: { step?: number; flipAt?: number; cutAt?: number; late?: boolean } = {}) {
    const sides: Duplex[] = [];
    const side = (self: number): Duplex => {
      let wanted: (() => void) | null = null;
      const stream = new Duplex({
        allowHalfOpen: true,
        highWaterMark: 65_536,
        read() {
          wanted?.();
          wanted = null;
        },
        write: (chunk: Buffer, _encoding, done) => {
          if (fault.late === true) setTimeout(() => carry(chunk, done), 2);
          else carry(chunk, done);
        },
        final: (done) => {
          sides[1 - self]?.push(null);
          done();
        },
      });
      const carry = (chunk: Buffer, done: () => void): void => {
        const peer = sides[1 - self] as Duplex;
        let bytes = Buffer.from(chunk);
        if (self === 0) {
          const at = (fault.flipAt ?? -1) - this.carried;
          if (at >= 0 && at < bytes.length) bytes[at] = bytes.readUInt8(at) ^ 1;
          this.carried += bytes.length;
          if (fault.cutAt !== undefined && this.carried > fault.cutAt) {
            bytes = bytes.subarray(0, bytes.length - (this.carried - fault.cutAt));
            if (bytes.length > 0) peer.push(bytes);
            setImmediate(() => sides.forEach((each) => each.destroy()));
            return;
          }
        }
        let flows = true;
        for (let start = 0; start < bytes.length; start += fault.step ?? bytes.length) {
          flows = peer.push(bytes.subarray(start, start + (fault.step ?? bytes.length)));
        }
        if (flows) setImmediate(done);
        else (peer as Duplex & { onWanted: (fn: () => void) => void }).onWanted(done);
      };
      stream.on('error', () => undefined);
      stream.on('close', () => setImmediate(() => sides[1 - self]?.destroy()));
      return Object.assign(stream, {
        onWanted: (fn: () => void) => {
          wanted = fn;
        },
      });
    };
    sides.push(side(0), side(1));
    [this.left, this.right] = sides as [Duplex, Duplex];
  }
}

function frame(type: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([wire.encodeHead(type, payload.length), payload]);
}

/** The methods of an open source as an object that can be spread. */
const face = (open: OpenSource): OpenSource => ({
  size: open.size,
  mode: open.mode,
  mtime: open.mtime,
  read: (target) => open.read(target),
  verify: () => open.verify(),
  close: () => open.close(),
});

/** Octets that look random and are the same each time. */
function noise(length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let i = 0, x = 1; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    out[i] = x >>> 16;
  }
  return out;
}
