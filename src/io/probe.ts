/** What works on this machine and what it lacks, for `plait doctor` and for choosing a device. */
import { readFileSync } from 'node:fs';
import { PlaitError } from '../errors.js';
import { localAddresses } from './interfaces.js';
import type { DeviceName, HostDevice } from '../net/types.js';
import { loadNative } from './native.js';
import { tryPacketSocket } from './packet-socket.js';
import { RAW_PRIVILEGE_REMEDY, loadRawSocket, tryRawSocket } from './raw-socket.js';
import type { LocalAddress } from '../path/interfaces.js';

/** One thing that was looked at. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** One sentence: what is there, or what is missing. */
  readonly detail: string;
  /** Exact command or step that helps. */
  readonly remedy?: string;
}

export interface KernelMptcp {
  /** Whether this kernel has MPTCP built in. */
  readonly present: boolean;
  /** net.mptcp.enabled */
  readonly enabled: boolean;
  /** The sysctls below net.mptcp, by their last name. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface Probe {
  readonly node: Finding;
  readonly devices: Readonly<Record<HostDevice, Finding>>;
  /** The optional packages and the privilege that `packet` and `raw` need, one by one. */
  readonly parts: readonly Finding[];
  /** The kernel's own MPTCP: a peer to talk to, not something that Plait needs. */
  readonly kernel: KernelMptcp;
  readonly addresses: readonly LocalAddress[];
}

export interface Choice {
  readonly kind: HostDevice;
  /** One sentence. */
  readonly reason: string;
}

/** Looks at everything. Opens and closes a raw socket, sends nothing. Never rejects. */
export async function probe(): Promise<Probe> {
  const parts = await rawParts();
  const missing = parts.find((part) => !part.ok);
  return {
    node: nodeVersion(process.versions.node),
    devices: {
      packet: await whyNot
        .packet()
        .then((error) => (error === null ? works('packet', PACKET_WORKS) : failure('packet')(error))),
      raw: missing === undefined ? works('raw', RAW_WORKS) : { ...missing, name: 'raw' },
      udp: works('udp', UDP_WORKS),
    },
    parts,
    kernel: kernelMptcp(),
    addresses: localAddresses(),
  };
}

/**
 * The device to use. `auto` takes the first that works of packet, raw and udp. Asked for packet or raw where it does not
 * work, it rejects with what is missing: EPERM or ERR_PLAIT_DEVICE.
 */
export async function chooseDevice(wish: DeviceName): Promise<Choice> {
  if (wish === 'udp') return { kind: 'udp', reason: 'asked for' };
  if (wish !== 'auto') {
    const error = await whyNot[wish]();
    if (error !== null) throw error;
    return { kind: wish, reason: 'asked for' };
  }
  const packet = await whyNot.packet();
  if (packet === null) return { kind: 'packet', reason: PACKET_WORKS };
  const raw = await whyNot.raw();
  if (raw === null) return { kind: 'raw', reason: RAW_WORKS };
  return { kind: 'udp', reason: `packet is not usable: ${packet.message}` };
}

/** Whether a version satisfies `engines` of package.json: ^20.19 || >=22.12. */
export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  return ok
    ? works('node', `Node.js ${version}`)
    : lacks('node', `Node.js ${version} is too old`, 'install Node.js 20.19 or later, or 22.12 or later');
}

/** What keeps this process from using a device that needs the privilege, or null. */
const whyNot = {
  async packet(): Promise<PlaitError | null> {
    try {
      return tryPacketSocket(await loadNative());
    } catch (error) {
      return error as PlaitError;
    }
  },
  async raw(): Promise<PlaitError | null> {
    try {
      await loadNative();
      return tryRawSocket(await loadRawSocket());
    } catch (error) {
      return error as PlaitError;
    }
  },
};

async function rawParts(): Promise<Finding[]> {
  const koffi = await loadNative().then(() => works('koffi', 'loaded'), failure('koffi'));
  const module = await loadRawSocket().catch(failure('raw-socket'));
  if ('ok' in module) return [koffi, module, privilegeByName()];
  const denied = tryRawSocket(module);
  const privilege =
    denied === null ? works(PRIVILEGE, 'raw sockets can be opened') : failure(PRIVILEGE)(denied);
  return [koffi, works('raw-socket', 'loaded'), privilege];
}

/** Without the package, whether the process has the privilege according to the system. */
function privilegeByName(): Finding {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status') ?? '')?.[1];
  const has = mask !== undefined && (BigInt(`0x${mask}`) >> CAP_NET_RAW) % 2n === 1n;
  return has
    ? works(PRIVILEGE, 'this process has it')
    : lacks(PRIVILEGE, 'this process does not have it', RAW_PRIVILEGE_REMEDY);
}

function kernelMptcp(): KernelMptcp {
  const settings: Record<string, string> = {};
  for (const name of MPTCP_SETTINGS) {
    const value = read(`/proc/sys/net/mptcp/${name}`)?.trim();
    if (value !== undefined) settings[name] = value;
  }
  return { present: settings['enabled'] !== undefined, enabled: settings['enabled'] === '1', settings };
}

const works = (name: string, detail: string): Finding => ({ name, ok: true, detail });
const lacks = (name: string, detail: string, remedy?: string): Finding =>
  remedy === undefined ? { name, ok: false, detail } : { name, ok: false, detail, remedy };

const failure =
  (name: string) =>
  (error: unknown): Finding =>
    lacks(name, (error as Error).message, error instanceof PlaitError ? error.remedy : undefined);

function read(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}

const PACKET_WORKS = 'TCP itself, which every MPTCP and TCP peer understands, in batches';
const RAW_WORKS = 'TCP itself, packet by packet';
const UDP_WORKS = 'TCP inside UDP, for a peer that also runs Plait; needs no privilege';
const PRIVILEGE = 'CAP_NET_RAW';
/** linux/capability.h */
const CAP_NET_RAW = 13n;
const MPTCP_SETTINGS = [
  'enabled',
  'checksum_enabled',
  'allow_join_initial_addr_port',
  'path_manager',
  'pm_type',
  'scheduler',
  'add_addr_timeout',
  'close_timeout',
  'stale_loss_cnt',
  'blackhole_timeout',
];
