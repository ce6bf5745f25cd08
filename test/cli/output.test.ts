/** What `plait cat` does with outputs that do not take everything at once. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { Output } from '../../src/cli/output.js';
import type { Socket } from '../../src/net/types.js';

describe('output of plait cat', () => {
  it('keeps the order where the descriptor does not wait, and copies what is only lent', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'plait-output-'));
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      const stream = Object.assign(new PassThrough({ highWaterMark: 1000 }), { fd });
      let resumed = 0;
      const socket = { resume: () => resumed++ } as unknown as Socket;
      const { callback } = new Output(stream).reads(() => socket);
      const octets = Buffer.alloc(200_000, 'abcdefg');
      const lent = Buffer.from(octets);
      expect(callback(lent.length, lent)).to.equal(false);
      // A pipe takes 64 KB; while the rest waits, nothing may overtake it.
      const tail = Buffer.from('tail');
      callback(tail.length, tail);
      lent.fill(0);
      tail.fill(0);
      const first = Buffer.alloc(200_000);
      const inPipe = readSync(fd, first);
      expect(inPipe).to.be.within(4096, 199_999);
      const rest: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => rest.push(chunk));
      await new Promise((resolve) => setImmediate(resolve));
      expect(
        Buffer.concat([first.subarray(0, inPipe), ...rest]).equals(
          Buffer.concat([octets, Buffer.from('tail')]),
        ),
      ).to.equal(true);
      expect(resumed).to.be.greaterThan(0);
    } finally {
      closeSync(fd);
      await rm(directory, { recursive: true });
    }
  });

  it('reports what the system refuses to the stream', () => {
    const stream = Object.assign(new PassThrough(), { fd: openSync('/dev/full', 'w') });
    const errors: NodeJS.ErrnoException[] = [];
    stream.on('error', (error) => errors.push(error));
    const { callback } = new Output(stream).reads(() => ({}) as Socket);
    expect(callback(3, Buffer.from('abc'))).to.equal(false);
    expect(errors.map(({ code }) => code)).to.deep.equal(['ENOSPC']);
    closeSync(stream.fd);
  });
});
