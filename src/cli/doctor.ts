/** `plait doctor`: what works here, and what to do about the rest. */
import { probe, type Finding, type KernelMptcp, type Probe } from '../io/probe.js';
import type { LocalAddress } from '../path/interfaces.js';
import type { Command } from './command.js';
import { Exit } from './exit.js';
import { version } from './version.js';

export const doctor: Command = {
  name: 'doctor',
  summary: 'show what works on this machine, and how to get the rest',
  usage: ['doctor'],
  description: [
    'Looks at node, at the devices and what they need, at the addresses that can be paths, and at the Multipath TCP of the kernel. Sends nothing. Exit code 0 means that at least one device works.',
  ],
  options: [],
  examples: [],

  async run(context, args) {
    args.expect(0, 0);
    const found = await probe();
    const system = `${process.platform} ${process.arch}`;
    context.stdout.write([`plait ${version()} on ${system}`, ...diagnosis(found), ''].join('\n'));
    return Object.values(found.devices).some(({ ok }) => ok) ? Exit.Ok : Exit.Privilege;
  },
};

/** The lines of the report. */
export function diagnosis({ node, devices, parts, addresses, kernel }: Probe): string[] {
  return [
    ...section('node', [node]),
    ...section('devices', [devices.udp, devices.raw, devices.packet]),
    ...section('what packet (all but raw-socket) and raw need', parts),
    '',
    'paths',
    ...paths(addresses),
    '',
    'Multipath TCP of the kernel, which plait does not need but can talk to',
    `  ${kernelState(kernel)}`,
    ...Object.entries(kernel.settings).map(([name, value]) => `  net.mptcp.${name} = ${value}`),
  ];
}

function section(title: string, findings: readonly Finding[]): string[] {
  const left = Math.max(...findings.map(({ name }) => name.length)) + 2;
  return [
    '',
    title,
    ...findings.flatMap(({ name, ok, detail, remedy }) => [
      `  ${ok ? 'ok' : 'no'}  ${name.padEnd(left)}${detail}`,
      ...(ok || remedy === undefined ? [] : [`      ${''.padEnd(left)}to do: ${remedy}`]),
    ]),
  ];
}

function paths(addresses: readonly LocalAddress[]): string[] {
  if (addresses.length === 0) return ['  none: no interface is up'];
  const [names, texts] = [addresses.map(({ name }) => name), addresses.map(({ address }) => address)];
  const width = (column: string[]): number => Math.max(...column.map(({ length }) => length)) + 2;
  return addresses.map((one) => {
    const line = `  ${one.name.padEnd(width(names))}${one.address.padEnd(width(texts))}MTU ${one.mtu}`;
    return one.loopback || one.linkLocal ? `${line}, only with --path` : line;
  });
}

function kernelState({ present, enabled }: KernelMptcp): string {
  if (!present) return 'not in this kernel';
  return enabled ? 'enabled' : 'switched off; to do: sysctl -w net.mptcp.enabled=1';
}
