/** A socket that reads into the program's own memory. */
import { expect } from 'chai';
import { PlaitSocket } from '../../src/net/socket.js';
import { Bench } from './bench.js';
import { Peer } from './peer.js';

describe('packets: reading into memory of the program', () => {
  it('tells how many octets came, waits while it is asked to, and ends', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    const socket = new PlaitSocket();
    const buffer = Buffer.alloc(4);
    const got: string[] = [];
    let more = true;
    socket.readInto({
      buffer,
      callback: (octets, target) => {
        expect(target).to.equal(buffer);
        got.push(buffer.toString('latin1', 0, octets));
        return more;
      },
    });
    socket.on('data', () => got.push('data event'));
    socket.attach(bench.app.live, true);
    peer.data('abcdef');
    expect(got.splice(0)).to.deep.equal(['abcd', 'ef']);

    more = false;
    peer.data('ghijkl');
    expect(got.splice(0)).to.deep.equal(['ghij']);
    more = true;
    socket.resume();
    await new Promise(setImmediate);
    expect(got.splice(0)).to.deep.equal(['kl']);

    const ended = new Promise((resolve) => socket.once('end', resolve));
    peer.data('!').dataFin();
    await ended;
    expect(got).to.deep.equal(['!']);
  });

  it('gives at most 128 KiB at once, however large the memory is', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    const socket = new PlaitSocket();
    const buffer = Buffer.alloc(1 << 20);
    const got: Buffer[] = [];
    let more = false;
    socket.readInto({
      buffer,
      callback: (octets) => {
        got.push(Buffer.from(buffer.subarray(0, octets)));
        return more;
      },
    });
    socket.attach(bench.app.live, true);
    const sent = Array.from({ length: 150 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(1300));
    for (const text of sent) peer.data(text);
    expect(got.map(({ length }) => length)).to.deep.equal([1300]); // the rest waits
    more = true;
    socket.resume();
    await new Promise(setImmediate);
    expect(got.map(({ length }) => length)).to.deep.equal([1300, 131072, 149 * 1300 - 131072]);
    expect(Buffer.concat(got).toString('latin1')).to.equal(sent.join(''));
  });
});
