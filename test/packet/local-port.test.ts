/** Ports that the device chooses for subflows of this host, where an earlier one to the same peer still has its. */
import { expect } from 'chai';
import { PlaitError } from '../../src/errors.js';
import { App, Bench } from './bench.js';
import { Peer } from './peer.js';

/** The device chooses these ports, one after the other. Returns the ports that are given back. */
function choose(bench: Bench, ...ports: number[]): number[] {
  const { device } = bench;
  const back: number[] = [];
  device.bind = (_path, port, done) => {
    const chosen = port === 0 ? ports.shift() : port;
    if (chosen === undefined) done(new PlaitError('EADDRINUSE', 'every port is taken'), 0);
    else done(null, chosen);
  };
  Object.assign(device, { unbind: (_path: number, port: number) => back.push(port) });
  return back;
}

/** A connection from port 40000 whose end waits for the last retransmission. */
async function inTimeWait(): Promise<Bench> {
  const bench = await Bench.create();
  bench.open(bench.app, { localPort: 40000 });
  const peer = new Peer(bench);
  peer.takeSyn();
  peer.send({ flags: 'SA' });
  bench.app.live.shutdown();
  bench.settle();
  peer.drain();
  peer.send({ flags: 'FA', ack: 2 });
  bench.settle();
  bench.device.sent.length = 0;
  return bench;
}

const synPorts = (bench: Bench): number[] => bench.device.sent.map(({ sourcePort }) => sourcePort);

describe('packets: chosen ports', () => {
  it('one whose subflow to this peer is in TIME-WAIT is passed over', async () => {
    const bench = await inTimeWait();
    const back = choose(bench, 40000, 40000, 40007);
    const app = new App();
    bench.open(app);
    bench.settle();
    expect(app.error).to.equal(null);
    expect(synPorts(bench)).to.deep.equal([40007]);
    expect(back).to.deep.equal([40000, 40000]);
  });

  it('one that the program has asked for is not', async () => {
    const bench = await inTimeWait();
    const back = choose(bench);
    const { stack, paths } = bench;
    const codes: (string | undefined)[] = [];
    stack.connect(paths[0]?.id ?? 0, 40000, '10.0.0.2', 5000, (error) => codes.push(error?.code));
    expect(codes).to.deep.equal(['EADDRINUSE']);
    expect(back).to.deep.equal([40000]);
  });

  it('when none is left, all are given back', async () => {
    const bench = await inTimeWait();
    const back = choose(bench, 40000, 40000);
    const { stack, paths } = bench;
    const codes: (string | undefined)[] = [];
    stack.connect(paths[0]?.id ?? 0, 0, '10.0.0.2', 5000, (error) => codes.push(error?.code));
    expect(codes).to.deep.equal(['EADDRINUSE']);
    expect(back).to.deep.equal([40000, 40000]);
  });

  it('joins pass it over, too', async () => {
    const bench = await Bench.create();
    bench.open(bench.app, { localPort: 40000 });
    new Peer(bench).acceptFully();
    bench.device.sent.length = 0;
    const back = choose(bench, 40000, 40009);
    bench.join(0);
    bench.settle();
    expect(synPorts(bench)).to.deep.equal([40009]);
    expect(back).to.deep.equal([40000]);
  });
});
