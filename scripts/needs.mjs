/**
 * What the tests need beyond npm packages, in one place. As root on a Debian system what is missing is installed;
 * otherwise the command that would do it is printed, and the tests concerned skip themselves.
 *
 *   node scripts/needs.mjs
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const needs = [
  { command: 'ip', package: 'iproute2', purpose: 'network namespaces, ip mptcp' },
  { command: 'ss', package: 'iproute2', purpose: "the kernel's view of its sockets" },
  { command: 'nstat', package: 'iproute2', purpose: "the kernel's MPTCP counters" },
  { command: 'tc', package: 'iproute2', purpose: 'loss and delay between namespaces' },
  { command: 'unshare', package: 'util-linux', purpose: 'namespaces of our own' },
  { command: 'nsenter', package: 'util-linux', purpose: 'a second process in a namespace' },
  {
    command: 'setpriv',
    package: 'util-linux',
    purpose: 'processes that end with the test that started them',
  },
  { command: 'sysctl', package: 'procps', purpose: "the kernel's MPTCP settings" },
  { command: 'nft', package: 'nftables', purpose: 'middleboxes in the path' },
  { command: 'iptables', package: 'iptables', purpose: 'middleboxes in the path' },
  { command: 'ethtool', package: 'ethtool', purpose: 'offloads of a veth pair' },
  { command: 'tshark', package: 'tshark', purpose: 'a second opinion on every packet and capture file' },
  { command: 'tcpdump', package: 'tcpdump', purpose: 'captures on the wire' },
  { command: 'python3', package: 'python3', purpose: 'a kernel MPTCP peer; raw-socket is compiled with it' },
  { command: 'make', package: 'make', purpose: 'raw-socket is compiled when it is installed' },
  { command: 'g++', package: 'g++', purpose: 'raw-socket is compiled when it is installed' },
];

/** System folders count even where they are not in an ordinary user's PATH, as on Debian. */
export function findCommand(command) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.some((folder) => folder !== '' && isExecutable(join(folder, command)));
}

/** Returns true when nothing is missing any more. Missing things are no error: the tests say what they skip. */
export function provideNeeds() {
  const missing = needs.filter((need) => !findCommand(need.command));
  if (missing.length === 0) {
    console.log(`needs: all ${needs.length} commands found`);
    return true;
  }
  for (const need of missing) console.log(`needs: ${need.command} is missing (${need.purpose})`);
  const packages = [...new Set(missing.map((need) => need.package))];
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !findCommand('apt-get')) {
    console.log('needs: the tests concerned will be skipped. On Debian, this provides everything:');
    console.log(`  sudo apt-get update && sudo apt-get ${install.join(' ')}`);
    return false;
  }
  console.log(`needs: apt-get ${install.join(' ')}`);
  if (!aptGet(['update']) || !aptGet(install)) {
    console.log('needs: apt-get failed; the tests concerned will be skipped');
    return false;
  }
  return true;
}

function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync('apt-get', ['-q', ...args], { env, encoding: 'utf8' });
  if (result.status !== 0) console.log(result.error?.message ?? `${result.stdout}${result.stderr}`.trimEnd());
  return result.status === 0;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) provideNeeds();
