/** What a host needs of Node and the operating system: the device, addresses, routes, names, the capture file. */
import { lookup } from 'node:dns/promises';
import { PlaitError } from '../errors.js';
import type { HostDevice, HostOptions } from '../net/types.js';
import { canonicalAddress } from '../core/address.js';
import { realClock, wallTime } from '../core/clock.js';
import { capture } from './capture.js';
import { CaptureFile } from './capture-file.js';
import type { Device } from './device.js';
import { isLocalAddress, localAddresses } from './interfaces.js';
import { chooseDevice } from './probe.js';
import type { LocalAddress } from '../path/interfaces.js';
import { sourceFor } from './route.js';
import type { Timers } from './timers.js';

export async function openPlatform(options: HostOptions, timers: Timers) {
  const { kind } = await chooseDevice(options.device ?? 'auto');
  let device = await loadDevice(kind, timers);
  if (options.wrapDevice !== undefined) device = options.wrapDevice(device, timers);
  const file = options.pcap === undefined ? null : openCapture(options.pcap);
  if (file !== null) {
    device = capture(device, realClock, file.sink, { epoch: wallTime() * 1000 - realClock.now() });
  }
  return {
    kind,
    device,
    addresses: (wanted = options.paths ?? []) => withLoopback(localAddresses(), wanted),
    holds: isLocalAddress,
    sourceFor,
    resolve,
    finish: async (): Promise<void> => {
      file?.close();
      if (file?.error) throw file.error;
      return Promise.resolve();
    },
  };
}

async function loadDevice(kind: HostDevice, timers: Timers): Promise<Device> {
  switch (kind) {
    case 'packet':
      return (await import('./packet.js')).PacketDevice.load(timers);
    case 'raw':
      return (await import('./raw.js')).RawDevice.load();
    case 'udp':
      return (await import('./udp.js')).UdpDevice.load();
  }
}

/** Linux owns the whole of 127.0.0.0/8, though only one address of it is listed. */
function withLoopback(listed: readonly LocalAddress[], wanted: readonly string[]): readonly LocalAddress[] {
  const lo = listed.find(({ loopback, family }) => loopback && family === 4);
  if (lo === undefined || process.platform !== 'linux') return listed;
  const more = wanted.filter(
    (address) => address.startsWith('127.') && !listed.some((one) => one.address === address),
  );
  return [...listed, ...more.map((address) => ({ ...lo, address }))];
}

function openCapture(path: string): CaptureFile {
  try {
    return new CaptureFile(path);
  } catch (error) {
    throw new PlaitError('EINVAL', `cannot write the capture ${path}: ${(error as Error).message}`);
  }
}

async function resolve(name: string): Promise<string> {
  try {
    const { address } = await lookup(name);
    return address.includes('%') ? address : canonicalAddress(address);
  } catch {
    throw new PlaitError('ENOTFOUND', `${name} does not resolve; check the name or give an address`);
  }
}
