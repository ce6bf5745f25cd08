/** The kernel as the host under test: a network namespace of its own, whose wire is a TUN device; time is real. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Config } from '../config.js';
import type { Endpoint, Flow } from '../flow.js';
import { addressingOf, type Machine } from '../machine.js';
import { FASTOPEN_KEY, modeDefaults } from '../modes.js';
import { ScriptError, type Addressing, type Mode } from '../socket-layer.js';
import { addressOctets, fillChecksum, readPacket, type Packet } from '../wire.js';
import type { Caller } from './caller.js';
import { pointer, type Libc } from './libc.js';

const REMOTE_PORTS = 50000;
/** Beside what the script allows: the machine has other things to do. */
const SLACK = 25_000;
const MAX_PACKET = 65_536;
/** Microseconds between looks for a route, and how many. */
const ROUTE_WAIT = 1000;
const ROUTE_TRIES = 3000;

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const CLONE_NEWNET = 0x40000000;
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const POLLIN = 1;
const DEVICE = 'tun0';
/** In /proc/net/tcp: sockets whose connection is over. */
const TIME_WAIT = 6;
const CLOSED = 7;

/** What scripts take for granted, whatever this machine was tuned to. */
const SYSCTLS: Readonly<Record<string, string>> = {
  'net/ipv4/tcp_rmem': '4096 131072 15728640',
  'net/ipv4/tcp_wmem': '4096 16384 4194304',
  'net/ipv4/tcp_fastopen_key': FASTOPEN_KEY,
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/ipv6/conf/all/accept_dad': '0',
  'net/ipv6/conf/default/accept_dad': '0',
  'net/mptcp/blackhole_timeout': '0',
};

export class KernelHost implements Machine {
  readonly addressing: Addressing;
  readonly slack = SLACK;
  readonly sent: Packet[] = [];
  readonly libc: Libc;
  readonly caller: Caller;
  readonly #device: number;
  readonly #packet = Buffer.alloc(MAX_PACKET);
  /** Two struct pollfd, and a struct timespec. */
  readonly #polled = Buffer.alloc(16);
  readonly #timeout = Buffer.alloc(16);
  readonly #outside: number;
  #remotePort = REMOTE_PORTS;

  constructor(libc: Libc, caller: Caller, mode: Mode, config: Config) {
    this.libc = libc;
    this.caller = caller;
    const defaults = modeDefaults(mode);
    this.addressing = addressingOf(mode, config, defaults);
    this.#outside = this.#open('/proc/thread-self/ns/net');
    this.#must('unshare', libc.call('unshare', CLONE_NEWNET));
    try {
      const inside = this.#open('/proc/thread-self/ns/net');
      this.#must('setns', caller.now('setns', inside, CLONE_NEWNET));
      libc.call('close', inside);
      this.#device = this.#openDevice();
      this.#configure(config.mtu ?? defaults.mtu);
    } catch (error) {
      this.#leave();
      throw error;
    }
    this.#polled.writeInt32LE(this.#device, 0);
    this.#polled.writeInt16LE(POLLIN, 4);
    this.#polled.writeInt32LE(caller.event, 8);
    this.#polled.writeInt16LE(POLLIN, 12);
  }

  #must(what: string, result: number): number {
    if (result < 0) throw new ScriptError(`${what}: errno ${-result}`);
    return result;
  }

  #open(path: string): number {
    const name = Buffer.from(`${path}\0`);
    return this.#must(path, this.libc.call('open', pointer(name), O_RDWR_OF(path)));
  }

  #openDevice(): number {
    const device = this.#open('/dev/net/tun');
    // struct ifreq
    const request = Buffer.alloc(40);
    request.write(DEVICE, 'latin1');
    request.writeInt16LE(IFF_TUN | IFF_NO_PI, 16);
    this.#must('TUNSETIFF', this.libc.call('ioctl', device, TUNSETIFF, pointer(request)));
    return device;
  }

  #configure(mtu: number): void {
    for (const [name, value] of Object.entries(SYSCTLS)) writeFileSync(`/proc/sys/${name}`, value);
    const { local } = this.addressing;
    const v6 = local.includes(':');
    const commands = [
      'link set lo up',
      `link set ${DEVICE} mtu ${mtu} up`,
      `addr add ${local}/${v6 ? '64' : '16'} dev ${DEVICE}${v6 ? ' nodad' : ''}`,
      `route add 0.0.0.0/0 dev ${DEVICE}${v6 ? '' : ` src ${local}`}`,
      `route add ::/0 dev ${DEVICE}`,
    ];
    execFileSync('ip', ['-batch', '-'], { input: commands.join('\n'), stdio: ['pipe', 'pipe', 'pipe'] });
    if (v6) this.#awaitRoute(addressOctets(local).toString('hex'));
  }

  /** The kernel enters the route of an IPv6 address to itself a little later than the address. */
  #awaitRoute(address: string): void {
    const host = `${address} 80 `;
    for (let tries = 0; tries < ROUTE_TRIES; tries++) {
      const table = readFileSync('/proc/thread-self/net/ipv6_route', 'latin1');
      if (table.split('\n').some((line) => line.startsWith(host))) return;
      this.libc.call('usleep', ROUTE_WAIT);
    }
    throw new ScriptError('the IPv6 address does not come up');
  }

  // ---- time -----------------------------------------------------------------------------------------------------

  get now(): number {
    return microseconds(process.hrtime.bigint());
  }

  settle(): void {
    this.#read();
  }

  sleepUntil(time: number): void {
    for (;;) {
      this.#read();
      if (this.now >= time) return;
      this.#poll(time);
    }
  }

  waitFor(condition: () => boolean, latest: number): boolean {
    for (;;) {
      this.#read();
      if (condition()) return true;
      if (this.now >= latest) return false;
      this.#poll(latest);
    }
  }

  /** Sleeps until then, or until a packet comes or a call ends. */
  #poll(time: number): void {
    const wait = Math.max(0, time - this.now);
    this.#timeout.writeBigInt64LE(BigInt(Math.floor(wait / 1e6)), 0);
    this.#timeout.writeBigInt64LE(BigInt(Math.round((wait % 1e6) * 1e3)), 8);
    // The call that ended is collected by whoever began it.
    const watched = this.caller.busy ? 2 : 1;
    this.libc.call('ppoll', pointer(this.#polled), watched, pointer(this.#timeout), 0);
  }

  // ---- the wire ---------------------------------------------------------------------------------------------------

  #read(): void {
    for (;;) {
      const length = this.libc.call('read', this.#device, pointer(this.#packet), MAX_PACKET);
      if (length <= 0) return;
      const packet = readPacket(Buffer.from(this.#packet.subarray(0, length)), this.now);
      if (packet !== null) this.sent.push(packet);
    }
  }

  inject(bytes: Buffer): void {
    fillChecksum(bytes);
    this.#must('write to the device', this.libc.call('write', this.#device, pointer(bytes), bytes.length));
    this.settle();
  }

  hasFlow({ local, remote }: Flow): boolean {
    const wanted = `${inHex(local)} ${inHex(remote)} `;
    const mapped = `${inHex(local, MAPPED)} ${inHex(remote, MAPPED)} `;
    return ['tcp', 'tcp6'].some((table) =>
      readFileSync(`/proc/thread-self/net/${table}`, 'latin1')
        .split('\n')
        .some((line) => {
          if (!line.includes(wanted) && !line.includes(mapped)) return false;
          const state = parseInt(/: \S+ \S+ (\S+)/.exec(line)?.[1] ?? '0', 16);
          return state !== TIME_WAIT && state !== CLOSED;
        }),
    );
  }

  nextRemotePort(): number {
    return this.#remotePort++;
  }

  /** Both threads go back to where they came from; the namespace ends with its last socket. */
  close(): void {
    this.libc.call('close', this.#device);
    this.#leave();
  }

  #leave(): void {
    this.libc.call('setns', this.#outside, CLONE_NEWNET);
    this.caller.now('setns', this.#outside, CLONE_NEWNET);
    this.libc.call('close', this.#outside);
  }
}

const O_RDWR_OF = (path: string): number =>
  path.startsWith('/dev/') ? O_RDWR | O_NONBLOCK | O_CLOEXEC : O_CLOEXEC;

export const microseconds = (nanoseconds: bigint): number => Number(nanoseconds / 1000n);

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** An end as /proc/net/tcp writes it: words of the machine's order. */
function inHex({ address, port }: Endpoint, prefix = Buffer.alloc(0)): string {
  const octets = addressOctets(address);
  const whole = octets.length === 4 ? Buffer.concat([prefix, octets]) : Buffer.from(octets);
  return `${whole.swap32().toString('hex')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}
