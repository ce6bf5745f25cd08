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

    more = false;
    peer.data('mnopqr');
    expect(got.splice(0)).to.deep.equal(['mnop']);
    more = true;
    socket.resume();
    await new Promise(setImmediate);
    expect(got.splice(0)).to.deep.equal(['qr']);

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

  it('lends octets where they were received, once each, and waits while it is asked to', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    const socket = new PlaitSocket();
    const got: string[] = [];
    let more = true;
    socket.readInto({
      callback: (octets, lent) => {
        expect(lent).to.have.length(octets);
        expect(lent.buffer).to.equal(bench.stack.core.u8.buffer);
        socket.read(0); // reads nothing while octets are lent
        got.push(Buffer.from(lent).toString('latin1'));
        return more;
      },
    });
    socket.attach(bench.app.live, true);
    peer.data('abcdef');
    more = false;
    peer.data('ghi');
    peer.data('jkl');
    expect(got).to.deep.equal(['abcdef', 'ghi']);
    more = true;
    socket.resume();
    await new Promise(setImmediate);
    expect(got.join('')).to.equal('abcdefghijkl');
  });

  it('takes in no packet while octets are lent, and goes on afterwards', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    const socket = new PlaitSocket();
    const got: string[] = [];
    let more = false;
    socket.readInto({
      callback: (_octets, lent) => {
        got.push(Buffer.from(lent).toString('latin1'));
        if (got.length === 2) {
          peer.data('later');
          expect(bench.stack.isIdle).to.equal(false);
          expect(Buffer.from(lent).toString('latin1')).to.equal(got[1]);
        }
        return more;
      },
    });
    socket.attach(bench.app.live, true);
    peer.data('first');
    peer.data('second');
    more = true;
    socket.resume();
    await new Promise(setImmediate);
    bench.settle();
    expect(got).to.deep.equal(['first', 'second', 'later']);
  });

  it('may be left while octets are lent', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    const socket = new PlaitSocket();
    let calls = 0;
    socket.readInto({
      callback: () => {
        calls++;
        socket.destroy();
        return true;
      },
    });
    socket.attach(bench.app.live, true);
    peer.data('abc');
    expect(calls).to.equal(1);
    expect(socket.destroyed).to.equal(true);
    expect(bench.stack.isIdle).to.equal(true);
  });
});
