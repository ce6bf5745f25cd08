/** What devices say of their paths: errors by name, the state of the interface, packets that the kernel dropped. */
import { expect } from 'chai';
import type { Native } from '../../src/io/native.js';
import type { ReceivingPath } from '../../src/io/packet-receiver.js';
import { PacketReceiver } from '../../src/io/packet-receiver.js';
import { PathHealth } from '../../src/io/path-health.js';
import { UdpDevice } from '../../src/io/udp.js';
import { PortBindings } from '../../src/io/ports.js';
import { RecordingHost, attachNow, path } from './recording-host.js';

describe('statistics of devices', () => {
  it('count errors by their names, per path', () => {
    const states: boolean[] = [];
    const health = new PathHealth(path(1, '10.0.0.1'), (up) => states.push(up));
    health.failed('EPERM');
    health.failed('EPERM');
    health.delayed('ENOBUFS');
    expect(health.stats()).to.deep.equal({
      name: 'test1',
      address: '10.0.0.1',
      up: true,
      errors: { EPERM: 2, ENOBUFS: 1 },
    });
    health.failed('ENODEV');
    expect(health.stats()).to.deep.include({ up: false, errors: { EPERM: 2, ENOBUFS: 1, ENODEV: 1 } });
  });

  it('name the paths that are attached', () => {
    const device = new UdpDevice(null);
    device.open(new RecordingHost());
    for (const id of [1, 2]) expect(attachNow(device, path(id, `127.0.0.${String(id)}`))).to.equal(null);
    device.detach(1);
    expect(device.statistics()).to.deep.equal({
      dropped: null,
      paths: [{ name: 'test2', address: '127.0.0.2', up: true, errors: {} }],
    });
    device.close();
  });

  it('add up what a packet socket dropped, which the kernel forgets when it is asked', () => {
    const drops = [3, 0, 2];
    const native = {
      address: () => 4096n,
      socket: () => 9,
      setOption: () => 0,
      getOption: () => 0,
      attachFilter: () => 0,
      bindName: () => 0,
      closeAside: () => undefined,
      watch: () => ({ wantWritable: () => undefined, close: () => undefined }),
      readOption: (_fd: number, _level: number, _option: number, target: Uint8Array) => {
        new Uint32Array(target.buffer).set([100, drops.shift() ?? 0]);
        return 0;
      },
    } as unknown as Native;
    const receiver = new PacketReceiver(native, 4);
    expect(receiver.dropped).to.equal(0);
    const receiving = { address: Uint8Array.of(10, 0, 0, 1), bindings: new PortBindings() };
    receiver.add(receiving as unknown as ReceivingPath);
    expect(receiver.dropped).to.equal(3);
    expect(receiver.dropped).to.equal(3);
    receiver.remove(receiving as unknown as ReceivingPath);
    expect(receiver.dropped, 'after the socket is closed').to.equal(5);
  });
});
