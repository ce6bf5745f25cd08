/** The local addresses of this machine, as node and Linux list them. */
import { readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { LocalAddress } from '../path/interfaces.js';

/**
 * Addresses of the interfaces that are up and can send. An interface that lost its carrier keeps its addresses, and
 * an IPv6 address that is still being probed for duplicates cannot be used yet: neither is listed. Throws while the
 * process has as many files open as it may.
 */
export function localAddresses(): LocalAddress[] {
  const listed = Object.entries(networkInterfaces());
  const unusable = unusableAddresses();
  const found: LocalAddress[] = [];
  for (const [label, addresses = []] of listed) {
    const name = withoutAlias(label);
    if (!interfaceUp(name)) continue;
    const index = interfaceIndex(name) ?? 0;
    const loopback = addresses.some((one) => one.internal);
    const mtu = interfaceMtu(name) ?? (loopback ? LARGEST_PACKET : 1500);
    for (const { address: zoned, family } of addresses) {
      const address = zoned.split('%', 1)[0] as string;
      if (unusable.has(address)) continue;
      const linkLocal = family === 'IPv4' ? address.startsWith('169.254.') : /^fe[89ab]/.test(address);
      found.push({ name, index, address, family: family === 'IPv4' ? 4 : 6, mtu, loopback, linkLocal });
    }
  }
  return found;
}

/** Whether an address is this machine's, even on an interface that is down, where no list shows it. Linux only. */
export function isLocalAddress(address: string): boolean {
  if (address.includes(':')) return inet6Addresses().some((one) => one.address === address);
  const table = read('/proc/net/fib_trie') ?? '';
  const at = table.indexOf(`|-- ${address}\n`);
  return at >= 0 && /^.*\n\s*\/32 host LOCAL/.test(table.slice(at, at + 100));
}

/** Whether an interface is there and can send as far as the system tells; unknown counts as up. */
export function interfaceUp(name: string): boolean {
  const state = interfaceAttribute(name, 'operstate');
  if (state === null) {
    // Other systems have no such file, and a namespace of the user's own may show the machine's.
    return Object.keys(networkInterfaces()).some((label) => withoutAlias(label) === name);
  }
  // "unknown" is what loopback and tunnels say. The carrier cannot be read while the interface is set down.
  return (state === 'up' || state === 'unknown') && interfaceAttribute(name, 'carrier') !== '0';
}

/** The kernel's index of an interface, or null. */
export function interfaceIndex(name: string): number | null {
  const index = Number(interfaceAttribute(name, 'ifindex'));
  return Number.isInteger(index) && index > 0 ? index : null;
}

/** The name of the interface with this index, or null. */
export function interfaceName(index: number): string | null {
  return readdirSync(INTERFACES).find((name) => interfaceIndex(name) === index) ?? null;
}

function interfaceMtu(name: string): number | null {
  const mtu = Number(interfaceAttribute(name, 'mtu'));
  return Number.isInteger(mtu) && mtu > 0 ? Math.min(mtu, LARGEST_PACKET) : null;
}

/** Node lists IPv4 addresses by label, which may be an alias ("eth0:1"). */
function withoutAlias(label: string): string {
  return label.split(':', 1)[0] as string;
}

/** What Linux says of an interface in /sys/class/net, or null. */
export function interfaceAttribute(name: string, file: string): string | null {
  return read(`${INTERFACES}/${name}/${file}`)?.trim() ?? null;
}

/** IPv6 addresses that are tentative or found to be duplicates, in node's way of writing. */
function unusableAddresses(): Set<string> {
  const unusable = inet6Addresses().filter(
    ({ flags }) => (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
  );
  return new Set(unusable.map(({ address }) => address));
}

/** Linux' table of IPv6 addresses, those of interfaces without carrier included. */
function inet6Addresses(): { address: string; flags: number }[] {
  const found: { address: string; flags: number }[] = [];
  for (const line of read('/proc/net/if_inet6')?.split('\n') ?? []) {
    const [digits, , , , flags] = line.split(/\s+/);
    if (digits === undefined || flags === undefined) continue;
    const address = new URL(`http://[${digits.replace(/.{4}(?!$)/g, '$&:')}]/`).hostname.slice(1, -1);
    found.push({ address, flags: parseInt(flags, 16) });
  }
  return found;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return null;
  }
}

const INTERFACES = '/sys/class/net';
/** The length field of IPv4; the loopback interface claims one octet more. */
const LARGEST_PACKET = 65535;
// linux/if_addr.h
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
