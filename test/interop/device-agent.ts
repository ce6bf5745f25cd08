/**
 * Runs a device inside a namespace for a test outside: takes commands as JSON lines on stdin and prints what happens
 * as JSON lines. Started by `DeviceAgent` in device-control.ts.
 */
import { createInterface } from 'node:readline';
import { realClock } from '../../src/core/clock.js';
import { Driver } from '../../src/io/driver.js';
import type { Device, DeviceHost, OutPacket } from '../../src/io/device.js';
import { PacketDevice } from '../../src/io/packet.js';
import { RawDevice } from '../../src/io/raw.js';
import { UdpDevice } from '../../src/io/udp.js';
import type { HostDevice } from '../../src/net/types.js';
import type { AgentCommand, AgentEvent } from './device-control.js';

type AnyDevice = Device & { readonly stats: object };
const DEVICES = { packet: PacketDevice, raw: RawDevice, udp: UdpDevice };
const device: AnyDevice = await DEVICES[process.argv[2] as HostDevice].load(new Driver(realClock));
let received = 0;
let octets = 0;
let quiet = false;
let firstAt = 0;
let lastAt = 0;
let onWritable: (() => void) | null = null;

const host: DeviceHost = {
  receive(path, packet, checksum) {
    note(packet.length);
    if (!quiet) print({ event: 'packet', path, checksum, hex: Buffer.from(packet).toString('hex') });
    return true;
  },
  receiveSegment(path, remote, remotePort, localPort, segment) {
    note(segment.length);
    const hex = Buffer.from(segment).toString('hex');
    if (!quiet)
      print({
        event: 'segment',
        path,
        remote: Buffer.from(remote).toString('hex'),
        remotePort,
        localPort,
        hex,
      });
    return true;
  },
  noSegmentation() {},
  congested() {},
  writable() {
    const then = onWritable;
    onWritable = null;
    then?.();
  },
  pathState(path, up) {
    print({ event: 'state', path, up });
  },
};

function note(length: number): void {
  lastAt = performance.now();
  if (received === 0) firstAt = lastAt;
  received++;
  octets += length;
}

function packet(bytes: Buffer): OutPacket {
  return {
    length: bytes.length,
    segment: 0,
    partial: 0,
    copyTo(target, offset) {
      target.set(bytes, offset);
      return bytes.length;
    },
  };
}

async function run(command: AgentCommand): Promise<void> {
  switch (command.do) {
    case 'attach':
      device.attach(command.path, (error) => {
        print({ event: 'attached', error: error?.code ?? null });
      });
      break;
    case 'bind':
      device.bind(command.path, command.port, (error, port) => {
        print({ event: 'bound', error: error?.code ?? null, port });
      });
      break;
    case 'unbind':
      device.unbind(command.path, command.port);
      break;
    case 'send':
      device.send(command.path, packet(Buffer.from(command.hex, 'hex')));
      device.flush();
      break;
    case 'burst':
      await burst(command.path, Buffer.from(command.hex, 'hex'), command.count);
      break;
    case 'quiet':
      quiet = true;
      received = octets = 0;
      break;
    case 'stats': {
      const seconds = (lastAt - firstAt) / 1000;
      print({ event: 'stats', received, octets, seconds, device: { ...device.stats }, cpu: cpu() });
      break;
    }
  }
}

async function burst(path: number, bytes: Buffer, count: number): Promise<void> {
  const from = performance.now();
  const cpuFrom = cpu();
  let refused = 0;
  for (let sent = 0; sent < count;) {
    for (let batch = 0; batch < 64 && sent < count; batch++) {
      if (device.send(path, packet(bytes))) {
        sent++;
      } else {
        refused++;
        await new Promise<void>((resolve) => (onWritable = resolve));
      }
    }
    device.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - from) / 1000;
  print({ event: 'burst', seconds, refused, cpu: cpu() - cpuFrom });
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function print(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

device.open(host);
print({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin }))
  await run(JSON.parse(line) as AgentCommand);
device.close();
