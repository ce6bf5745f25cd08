import { Bench } from './bench.js';
import { Peer } from './peer.js';
describe('packet smoke', () => {
  it('server', async () => {
    const bench = await Bench.create();
    bench.listen();
    const peer = new Peer(bench).open();
    peer.expectNothing();
    peer.data('hello');
    console.log(peer.expect({ flags: 'A', dss: { dack: 6 } }));
  });
  it('client', async () => {
    const bench = await Bench.create();
    bench.connect();
    const peer = new Peer(bench).acceptFully();
    bench.app.write('hi');
    console.log(peer.expect({ flags: 'PA', data:'hi', dss: { dack: 1, dsn:1,ssn:1,length:2 } }));
  });
});
