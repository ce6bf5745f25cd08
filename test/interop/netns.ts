/**
 * Two network namespaces joined by veth pairs, for tests and benchmarks that need a real kernel on the other side.
 * Path i has the addresses 10.0.<i+1>.1 and dead:beef:<i+1>::1 in namespace `a`, .2 and ::2 in `b`, on interfaces
 * `p<i>`.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { needCommands, skip } from '../support/needs.js';
import { root } from '../support/root.js';

/** Why this machine cannot make namespaces, or null. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== 'linux') return 'network namespaces exist on Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = uniqueName('t');
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'del', probe], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return `ip netns does not work here: ${String((error as Error).message.split('\n', 1)[0])}`;
  }
}

/** For `before` hooks: skips the suite where namespaces are unavailable, with the reason. */
export function skipWithoutNamespaces(context: Mocha.Context): void {
  needCommands(context, 'ip', 'sysctl', 'nstat', 'python3');
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

export interface Exit {
  /** Null after a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The two namespaces. `close` them in `after`; what is left over goes with the process. */
export class Bench {
  readonly a: Namespace;
  readonly b: Namespace;
  readonly paths: number;
  readonly #mtu: number;
  readonly #boxes: Namespace[] = [];
  readonly #onExit = (): void => {
    this.#removeNow();
  };

  private constructor(paths: number, mtu: number, crossed: boolean) {
    this.paths = paths;
    this.#mtu = mtu;
    this.a = new Namespace(uniqueName('a'), 1, crossed);
    this.b = new Namespace(uniqueName('b'), 2, crossed);
  }

  static async open(options: BenchOptions = {}): Promise<Bench> {
    const { paths = 2, mtu = 1500, crossed = false } = options;
    const bench = new Bench(paths, mtu, crossed);
    process.once('exit', bench.#onExit);
    try {
      await bench.#build();
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
  async close(): Promise<void> {
    await Promise.all([this.a, this.b, ...this.#boxes].map((side) => side.killAll()));
    this.#removeNow();
    process.off('exit', this.#onExit);
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
    for (let tries = 0; tries < 200; tries++) {
      const states = await Promise.all(
        [this.a, this.b].map(({ name }) => execute('ip', ['-n', name, '-o', 'link'])),
      );
      if (states.every((one) => one.split(' state UP ').length - 1 === this.paths)) return;
      await new Promise((next) => setTimeout(next, 20));
    }
    throw new Error('the links do not come up');
  }

  #removeNow(): void {
    for (const { name } of [this.a, this.b, ...this.#boxes]) {
      try {
        execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
      } catch {
        // It was never made, or is gone.
      }
    }
  }
}

export class Namespace {
  readonly name: string;
  readonly #host: 1 | 2;
  readonly #crossed: boolean;
  readonly #running = new Set<Running>();

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
    return execute('ip', ['netns', 'exec', this.name, command, ...args]);
  }

  /** Starts a command inside. It is killed after `lifetime` milliseconds (default 60,000) at the latest. */
  spawn(command: string, args: readonly string[], lifetime = 60_000): Running {
    const child = spawn('ip', ['netns', 'exec', this.name, command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const running = new Running(child, lifetime);
    this.#running.add(running);
    void running.exit.then(() => this.#running.delete(running));
    return running;
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running].map((one) => one.kill()));
  }

  /** Sets the interface of a path up or down; waits at most two seconds for it to carry packets. */
  async setLink(path: number, up: boolean): Promise<void> {
    await ip([`link set p${String(path)} ${up ? 'up' : 'down'}`], this.name);
    if (!up) return;
    // Linux drops IPv6 addresses and routes with the link.
    await ip(this.numbers(path), this.name);
    for (let tries = 0; tries < 100; tries++) {
      const state = await execute('ip', ['-n', this.name, '-o', 'link', 'show', `p${String(path)}`]);
      if (state.includes(' state UP ')) break;
      await new Promise((next) => setTimeout(next, 20));
    }
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

/** A process in a namespace. */
export class Running {
  /** Resolves when it ended; never rejects. */
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #readers: ((line: string | null) => void)[] = [];
  /** All of stdout so far, and all of stderr. */
  outputText = '';
  errorText = '';
  #ended = false;

  /** @internal Made by `Namespace.spawn`. */
  constructor(child: ChildProcess, lifetime: number) {
    this.#child = child;
    child.stderr?.on('data', (data: Buffer) => {
      this.errorText += data.toString();
    });
    child.stdin?.on('error', () => undefined);
    const timer = setTimeout(() => child.kill('SIGKILL'), lifetime);
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.outputText += `${line}\n`;
        const reader = this.#readers.shift();
        if (reader === undefined) this.#lines.push(line);
        else reader(line);
      });
    }
    this.exit = new Promise((done) => {
      const finish = (code: number | null): void => {
        clearTimeout(timer);
        this.#ended = true;
        for (const reader of this.#readers.splice(0)) reader(null);
        done({ code, stdout: this.outputText, stderr: this.errorText });
      };
      child.on('close', finish);
      child.on('error', (error) => {
        this.errorText += error.message;
        finish(null);
      });
    });
  }

  /** The next line of stdout. Rejects with stderr if the process ended before. */
  async line(): Promise<string> {
    const kept = this.#lines.shift();
    if (kept !== undefined) return kept;
    const next = this.#ended ? null : await new Promise<string | null>((got) => this.#readers.push(got));
    if (next !== null) return next;
    throw new Error(`ended without output: ${(await this.exit).stderr}`);
  }

  /** Lets a program that was started with `--gate` send the rest, once it has come that far. */
  async passGate(): Promise<void> {
    const { event } = JSON.parse(await this.line()) as { event?: string };
    if (event !== 'gate') throw new Error('ended before its gate');
    this.write('go\n');
  }

  /** What it gets on stdin. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** The last that it gets on stdin. */
  end(text: string): void {
    this.#child.stdin?.end(text);
  }

  async kill(): Promise<void> {
    if (!this.#ended) this.#child.kill('SIGKILL');
    await this.exit;
  }
}

/** What `kernel_peer.py` prints for a connection. */
export interface PeerReport {
  readonly sent: number;
  readonly received: number;
  readonly sentSha256: string;
  readonly receivedSha256: string;
  readonly seconds: number;
  /** Still MPTCP at the end. */
  readonly mptcp: boolean;
  /** The most seen at once. */
  readonly subflows: number;
  readonly local: readonly [address: string, port: number] | null;
  readonly remote: readonly [address: string, port: number] | null;
  /** An errno name. */
  readonly error: string | null;
}

/** A program in a namespace that talks MPTCP through the kernel; the arguments are those of `kernel_peer.py`. */
export class KernelPeer {
  readonly process: Running;

  constructor(
    where: Namespace,
    mode: 'server' | 'client',
    address: string,
    port: number,
    ...options: string[]
  ) {
    // The compiler does not copy this file.
    const script = fileURLToPath(new URL('test/interop/kernel_peer.py', root));
    this.process = where.spawn('python3', [script, mode, address, String(port), ...options]);
  }

  /** The port of a server, once it listens. */
  async port(): Promise<number> {
    return (JSON.parse(await this.process.line()) as { listening: number }).listening;
  }

  /** The result of the next connection. */
  async report(): Promise<PeerReport> {
    return JSON.parse(await this.process.line()) as PeerReport;
  }
}

/** The pattern that `kernel_peer.py` sends for a seed, as chunks of 64 KiB. */
export function* pattern(seed: string, length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += BLOCK) {
    const block = createHash('shake128', { outputLength: BLOCK })
      .update(`${seed}:${String(at / BLOCK)}`)
      .digest();
    yield block.subarray(0, Math.min(BLOCK, length - at));
  }
}

/** SHA-256 of that pattern, in hexadecimal. */
export function patternSha256(seed: string, length: number): string {
  const hash = createHash('sha256');
  for (const block of pattern(seed, length)) hash.update(block);
  return hash.digest('hex');
}

/** Runs `ip` commands, as many as there are in one process. */
function ip(commands: readonly string[], namespace?: string): Promise<string> {
  const where = namespace === undefined ? [] : ['-n', namespace];
  return execute('ip', [...where, '-batch', '-'], commands.join('\n'));
}

function execute(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((done, fail) => {
    const child = execFile(
      command,
      args,
      { timeout: 30_000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        if (error === null) done(stdout);
        else fail(new Error(`${command} ${args.join(' ')}: ${stderr || error.message}`));
      },
    );
    if (input !== '') child.stdin?.end(input);
  });
}

let counter = 0;
function uniqueName(side: string): string {
  return `plait-${String(process.pid)}-${String(counter++)}${side}`;
}

const addressOf = (host: 1 | 2, path: number, family: 4 | 6): string =>
  family === 4
    ? `10.0.${String(path + 1)}.${String(host)}`
    : `dead:beef:${String(path + 1)}::${String(host)}`;

const SETTINGS = [
  'net.ipv6.conf.all.accept_dad=0',
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  'net.mptcp.enabled=1',
  // A lost SYN must not turn MPTCP off for the connections behind it.
  'net.mptcp.blackhole_timeout=0',
];
const BLOCK = 65536;
