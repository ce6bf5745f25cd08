/**
 * Two network namespaces joined by veth pairs, for tests and benchmarks that need a real kernel on the other side.
 * Path i has the addresses 10.0.<i+1>.1 and dead:beef:<i+1>::1 in namespace `a`, .2 and ::2 in `b`, on interfaces
 * `p<i>`.
 */
import { execFileSync } from 'node:child_process';
import { needCommands, skip } from '../support/needs.js';
import { until } from '../support/until.js';
import { execute, Running } from './running.js';

/** Why this machine cannot make namespaces, or null. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== 'linux') return 'network namespaces exist on Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = uniqueName('t');
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' });
    removeNow(probe);
    return null;
  } catch (error) {
    return `ip netns does not work here: ${String((error as Error).message.split('\n', 1)[0])}`;
  }
}

/** For `before` hooks: skips the suite where namespaces are unavailable, with the reason. */
export function skipWithoutNamespaces(context: Mocha.Context): void {
  needCommands(context, 'ip', 'setpriv', 'sysctl', 'nstat', 'python3');
  const reason = whyNoNamespaces();
  if (reason !== null) skip(context, reason);
}

export interface BenchOptions {
  /** Veth pairs. Default 2. */
  readonly paths?: number;
  /** Of every interface, in octets. Default 1500. */
  readonly mtu?: number;
  /** Every address of a side is reached over each of the other's paths. Default false: its own path only. */
  readonly crossed?: boolean;
}

/** The two namespaces. `close` them in `after`; what is left over goes with the process. */
export class Bench {
  readonly a: Namespace;
  readonly b: Namespace;
  readonly paths: number;
  readonly #mtu: number;
  readonly #boxes: Namespace[] = [];
  /** What makes the namespaces, or changes them. */
  #work: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;

  private constructor(paths: number, mtu: number, crossed: boolean) {
    this.paths = paths;
    this.#mtu = mtu;
    this.a = new Namespace(uniqueName('a'), 1, crossed);
    this.b = new Namespace(uniqueName('b'), 2, crossed);
  }

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const { paths = 2, mtu = 1500, crossed = false } = options;
    removeStale();
    const bench = new Bench(paths, mtu, crossed);
    try {
      await (bench.#work = bench.#build());
      return bench;
    } catch (error) {
      await bench.close();
      throw error;
    }
  }

  /**
   * Cuts a path in two and puts a namespace between: interface `up` leads to `b`, the client, `down` to `a`. As a bridge, the
   * caller's program has to pass the frames, and offloads are off so that it sees what a wire would; as a router
   * the kernel passes IPv4 packets, and stays unseen otherwise (proxy ARP).
   */
  async insertBox(path: number, kind: 'bridge' | 'router'): Promise<Namespace> {
    const work = this.#insertBox(path, kind);
    this.#work = work;
    return work;
  }

  async #insertBox(path: number, kind: 'bridge' | 'router'): Promise<Namespace> {
    if (this.#closing !== null) throw new Error('the namespaces are being removed');
    const { a, b } = this;
    const box = new Namespace(uniqueName('x'), 1, false);
    this.#boxes.push(box);
    const name = `p${String(path)}`;
    const end = (device: string, side: Namespace): string =>
      `${device} mtu ${String(this.#mtu)} netns ${side.name}`;
    await ip([`netns add ${box.name}`]);
    await ip([`link delete ${name}`], a.name);
    await box.sysctl('net.ipv6.conf.default.disable_ipv6=1');
    await ip([
      `link add ${end(name, a)} type veth peer name ${end('down', box)}`,
      `link add ${end(name, b)} type veth peer name ${end('up', box)}`,
    ]);
    for (const side of [a, b]) await ip([`link set ${name} up`, ...side.numbers(path)], side.name);
    await ip(['link set dev up up', 'link set dev down up'], box.name);
    if (kind === 'router') {
      await box.sysctl(
        'net.ipv4.ip_forward=1',
        'net.ipv4.conf.up.proxy_arp=1',
        'net.ipv4.conf.down.proxy_arp=1',
      );
      await ip(
        (
          [
            ['up', b, '198.51.100.1'],
            ['down', a, '198.51.100.2'],
          ] as const
        ).flatMap(([device, side, own]) => [
          `address add ${own}/32 dev ${device}`,
          `route add ${side.address(path)} dev ${device}`,
        ]),
        box.name,
      );
    } else {
      const off = ['tx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];
      for (const [side, device] of [
        [a, name],
        [b, name],
        [box, 'up'],
        [box, 'down'],
      ] as const) {
        await side.run('ethtool', '-K', device, ...off);
      }
    }
    await this.#linksUp();
    return box;
  }

  /** Kills what still runs inside, and removes the namespaces with their links. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const kill = (): Promise<unknown> => Promise.all(this.#places().map((side) => side.killAll()));
    await kill();
    await this.#work.catch(() => undefined);
    await kill();
    await ip(
      this.#places().map(({ name }) => `netns del ${name}`),
      undefined,
      '-force',
    ).catch(() => undefined);
    for (const { name } of this.#places()) made.delete(name);
  }

  #places(): Namespace[] {
    return [this.a, this.b, ...this.#boxes];
  }

  async #build(): Promise<void> {
    const { a, b } = this;
    const mtu = this.#mtu;
    await ip([`netns add ${a.name}`, `netns add ${b.name}`]);
    await Promise.all([a, b].map((side) => side.sysctl(...SETTINGS)));
    await ip(
      Array.from({ length: this.paths }, (_, i) => {
        const end = (side: Namespace): string => `p${String(i)} mtu ${String(mtu)} netns ${side.name}`;
        return `link add ${end(a)} type veth peer name ${end(b)}`;
      }),
    );
    for (const side of [a, b]) {
      const paths = Array.from({ length: this.paths }, (_, i) => [
        `link set p${String(i)} up`,
        ...side.numbers(i),
      ]);
      await ip(['link set lo up', ...paths.flat()], side.name);
    }
    await this.#linksUp();
  }

  /** Linux turns to a new carrier up to a second late, and drops what is sent before. */
  async #linksUp(): Promise<void> {
    let states: string[] = [];
    await until(
      async () => {
        states = await Promise.all(
          [this.a, this.b].map(({ name }) => execute('ip', ['-n', name, '-o', 'link'])),
        );
        return states.every((one) => one.split(' state UP ').length - 1 === this.paths);
      },
      () => `links that are up: ${states.join('')}`,
    );
  }
}

export class Namespace {
  readonly name: string;
  readonly #host: 1 | 2;
  readonly #crossed: boolean;
  readonly #running = new Set<Running>();
  readonly #stop = new AbortController();

  /** @internal Made by `Bench`. */
  constructor(name: string, host: 1 | 2, crossed: boolean) {
    this.name = name;
    this.#host = host;
    this.#crossed = crossed;
  }

  /** This side's address on path `path`. */
  address(path: number, family: 4 | 6 = 4): string {
    return addressOf(this.#host, path, family);
  }

  /** @internal The `ip` commands for the addresses and routes of a path. */
  numbers(path: number): string[] {
    const dev = `dev p${String(path)}`;
    const addresses = [
      `address replace ${this.address(path)}/24 ${dev}`,
      `address replace ${this.address(path, 6)}/64 ${dev} nodad`,
    ];
    if (!this.#crossed) return addresses;
    const other = this.#host === 1 ? 2 : 1;
    const routes = ([4, 6] as const).map(
      (family) =>
        `route replace default via ${addressOf(other, path, family)} ${dev} metric ${String(100 + path)}`,
    );
    return [...addresses, ...routes];
  }

  /** Sets kernel parameters ("net.mptcp.checksum_enabled=1"); what this kernel does not know is left out. */
  async sysctl(...settings: readonly string[]): Promise<void> {
    await this.run('sysctl', '-eqw', ...settings);
  }

  /** Runs a command inside and returns its stdout. Rejects with its stderr when it fails. */
  async run(command: string, ...args: string[]): Promise<string> {
    return execute('ip', ['netns', 'exec', this.name, command, ...args], { stop: this.#stop.signal });
  }

  /**
   * Starts a command inside. It is killed after `lifetime` milliseconds (default 240,000) at the latest, and by the kernel
   * when this process dies.
   */
  spawn(command: string, args: readonly string[], lifetime = 240_000): Running {
    const inside = [
      'netns',
      'exec',
      this.name,
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      'sh',
      '-c',
      ALIVE,
      'sh',
    ];
    const running = new Running('ip', [...inside, command, ...args], lifetime);
    this.#running.add(running);
    void running.exit.then(() => this.#running.delete(running));
    return running;
  }

  /** @internal Ends what runs inside; nothing new can be run to its end after it. */
  async killAll(): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#running].map((one) => one.kill()));
  }

  /** Sets the interface of a path up or down; resolves when it carries packets. */
  async setLink(path: number, up: boolean): Promise<void> {
    await ip([`link set p${String(path)} ${up ? 'up' : 'down'}`], this.name);
    if (!up) return;
    // Linux drops IPv6 addresses and routes with the link.
    await ip(this.numbers(path), this.name);
    const state = ['-n', this.name, '-o', 'link', 'show', `p${String(path)}`];
    let seen = '';
    await until(
      async () => (seen = await execute('ip', state)).includes(' state UP '),
      () => `a link that is up: ${seen}`,
    );
  }

  /** Octets that the interface of a path has sent and received. */
  async linkOctets(path: number): Promise<number> {
    const text = await execute('ip', ['-n', this.name, '-j', '-s', 'link', 'show', `p${String(path)}`]);
    const [link] = JSON.parse(text) as [{ stats64: Record<'rx' | 'tx', { bytes: number }> }];
    return link.stats64.rx.bytes + link.stats64.tx.bytes;
  }

  /** Puts `ip mptcp` commands to the kernel ("limits set subflow 2", "endpoint add 10.87.1.2 signal"). */
  async mptcp(...commands: string[]): Promise<void> {
    for (const command of commands) await execute('ip', ['-n', this.name, 'mptcp', ...command.split(' ')]);
  }

  /** The kernel's counters of MPTCP, and those of TCP and IP that begin with one of `more`, without the prefix. */
  async mptcpCounters(...more: readonly string[]): Promise<Record<string, number>> {
    const counters: Record<string, number> = {};
    for (const line of (await this.run('nstat', '-asz')).split('\n')) {
      const [, group, name = '', value] = /^(MPTcpExt|TcpExt|IpExt)(\S+)\s+(\d+)/.exec(line) ?? [];
      if (group === 'MPTcpExt' || more.some((start) => name.startsWith(start)))
        counters[name] = Number(value);
    }
    return counters;
  }
}

/** Runs `ip` commands, as many as there are in one process. */
function ip(commands: readonly string[], namespace?: string, ...options: string[]): Promise<string> {
  const where = namespace === undefined ? [] : ['-n', namespace];
  return execute('ip', [...options, ...where, '-batch', '-'], { input: commands.join('\n') });
}

let counter = 0;
function uniqueName(side: string): string {
  const name = `plait-${String(process.pid)}-${String(counter++)}${side}`;
  made.add(name);
  return name;
}

/** Namespaces of this process that may exist. */
const made = new Set<string>();
process.on('exit', () => made.forEach(removeNow));

/** Kills what runs in a namespace, and removes it; nothing happens when there is none. */
function removeNow(name: string): void {
  made.delete(name);
  const quietly = (...args: string[]): string => {
    try {
      return execFileSync('ip', ['netns', ...args], { stdio: 'pipe', encoding: 'utf8' });
    } catch {
      return '';
    }
  };
  for (const pid of quietly('pids', name).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  quietly('del', name);
}

let swept = false;
/** Removes what processes have left that were killed before they could do it. */
function removeStale(): void {
  if (swept) return;
  swept = true;
  for (const line of execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n')) {
    const [name = '', owner] = /^plait-(\d+)-\d+[abtx](?= |$)/.exec(line) ?? [];
    if (owner !== undefined && !lives(Number(owner))) removeNow(name);
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const addressOf = (host: 1 | 2, path: number, family: 4 | 6): string =>
  family === 4
    ? `10.0.${String(path + 1)}.${String(host)}`
    : `dead:beef:${String(path + 1)}::${String(host)}`;

/** Runs a command unless this process has died before the kernel was told what to do then. */
const ALIVE = `[ "$PPID" = ${String(process.pid)} ] && exec "$@"`;

const SETTINGS = [
  'net.ipv6.conf.all.accept_dad=0',
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  'net.mptcp.enabled=1',
  // A lost SYN must not turn MPTCP off for the connections behind it.
  'net.mptcp.blackhole_timeout=0',
];
