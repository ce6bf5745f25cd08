/** One side of a case, in the kernel or in Plait, behind the same face. */
import { fileURLToPath } from 'node:url';
import type { ConnectionInfo, Counters } from '../../../src/stack/info.js';
import { root } from '../../support/root.js';
import { KernelPeer } from '../kernel-peer.js';
import type { Namespace } from '../netns.js';
import { PlaitPeer } from '../plait-peer.js';
import type { Running } from '../running.js';
import type { Implementation, Role, Side } from './case.js';
import { DEFAULT_SEND } from './judge.js';
import type { Result } from './run.js';

export interface Look {
  readonly subflows: number;
  readonly mptcp: boolean;
}

/** What a party is started with. */
export interface Start {
  readonly role: Role;
  readonly side: Side;
  /** Where to connect to or listen. */
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  /** After how many octets to stop, of what is sent and of what is received; null: never. */
  readonly gate: Readonly<Record<'send' | 'receive', number>> | null;
  readonly pcap: string | null;
}

export abstract class Party {
  protected readonly where: Namespace;
  protected readonly start: Start;
  #process: Running | null = null;
  /** Lines that came while others were waited for. */
  readonly #early: Line[] = [];

  constructor(where: Namespace, start: Start) {
    this.where = where;
    this.start = start;
  }

  abstract readonly implementation: Implementation;
  /** Sets the host up; before `launch`. */
  abstract prepare(): Promise<void>;
  protected abstract run(options: readonly string[]): Running;
  /** Carries out what follows `ip mptcp`. */
  abstract mptcp(args: string): Promise<void>;
  /** Carries out a line for a path manager by hand; see kernel_pm.py. */
  abstract byHand(line: string): Promise<void>;
  abstract counters(): Promise<Counters>;

  /** Starts the program; a server listens when this resolves. */
  async launch(): Promise<void> {
    const { role, side, connections, gate } = this.start;
    const { send = DEFAULT_SEND, bind, tcp = false, fastOpen = false, pace = 0 } = side;
    this.#process = this.run([
      ...['--send', String(send), '--seed', role],
      ...(gate === null ? [] : ['--gate', String(gate.send), '--gate-received', String(gate.receive)]),
      ...(connections === 1 ? [] : ['--connections', String(connections)]),
      ...(bind === undefined ? [] : ['--bind', bind]),
      ...(pace > 0 ? ['--pace', String(pace)] : []),
      ...(tcp ? ['--tcp'] : []),
      ...(fastOpen ? ['--fast-open'] : []),
    ]);
    if (role === 'server') await this.#next(({ listening }) => listening !== undefined);
  }

  /** Waits until the first half of the data has passed both ways; false when the program ended before. */
  async atGate(): Promise<boolean> {
    const line = await this.#next(({ event }) => event === 'gate' || event === undefined);
    if (line.event !== undefined) return true;
    this.#early.unshift(line);
    return false;
  }

  tell(word: string): void {
    this.#process?.write(`${word}\n`);
  }

  async look(): Promise<Look> {
    this.tell('look');
    return (await this.#next(({ event }) => event === 'look')) as unknown as Look;
  }

  /** All that the implementation tells of the connection: `KernelView` or `ConnectionInfo`. */
  async view(): Promise<unknown> {
    this.tell('view');
    return (await this.#next(({ event }) => event === 'view')).view;
  }

  /** The result of the next connection. */
  async result(): Promise<Result> {
    return (await this.#next(({ event }) => event === undefined)) as unknown as Result;
  }

  async ended(): Promise<void> {
    await this.#process?.exit;
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  get errorText(): string {
    return this.#process?.errorText ?? '';
  }

  protected async answer(event: string): Promise<Line> {
    return this.#next((line) => line.event === event);
  }

  async #next(wanted: (line: Line) => boolean): Promise<Line> {
    const early = this.#early.findIndex(wanted);
    if (early >= 0) return this.#early.splice(early, 1)[0] as Line;
    for (;;) {
      const line = JSON.parse(await (this.#process as Running).line()) as Line;
      if (wanted(line)) return line;
      this.#early.push(line);
    }
  }
}

/** A line of a program: an event, or without `event` a result. */
interface Line {
  readonly event?: string;
  readonly listening?: number;
  readonly counters?: Counters;
  readonly view?: unknown;
  readonly error?: string | null;
  readonly info?: ConnectionInfo;
}

class KernelParty extends Party {
  readonly implementation = 'kernel';
  #manager: Running | null = null;

  async prepare(): Promise<void> {
    const { side } = this.start;
    const { subflows = 2, addAddrAccepted = 0, endpoints = [], checksum = false, disabled = false } = side;
    const { addAddrTimeout, cookies = false, denyJoinId0 = false, byHand = false } = side;
    const settings = [
      ...(byHand ? ['net.mptcp.pm_type=1'] : []),
      ...(side.fastOpen === true ? ['net.ipv4.tcp_fastopen=3'] : []),
      ...(side.ecn === true ? ['net.ipv4.tcp_ecn=1'] : []),
      ...(checksum ? ['net.mptcp.checksum_enabled=1'] : []),
      ...(disabled ? ['net.mptcp.enabled=0'] : []),
      ...(cookies ? ['net.ipv4.tcp_syncookies=2'] : []),
      ...(denyJoinId0 ? ['net.mptcp.allow_join_initial_addr_port=0'] : []),
      ...(addAddrTimeout === undefined ? [] : [`net.mptcp.add_addr_timeout=${String(addAddrTimeout)}`]),
    ];
    if (settings.length > 0) await this.where.sysctl(...settings);
    await this.mptcp(`limits set subflows ${String(subflows)} add_addr_accepted ${String(addAddrAccepted)}`);
    for (const endpoint of endpoints) await this.mptcp(`endpoint add ${endpoint}`);
    if (byHand) await this.#startManager();
  }

  async #startManager(): Promise<void> {
    // The compiler does not copy this file.
    const script = fileURLToPath(new URL('test/interop/kernel_pm.py', root));
    this.#manager = this.where.spawn('python3', [script]);
    await this.#manager.line();
  }

  async byHand(line: string): Promise<void> {
    const manager = this.#manager;
    manager?.write(`${line}\n`);
    for (;;) {
      const { done, error } = JSON.parse((await manager?.line()) ?? '') as {
        done?: string;
        error?: string | null;
      };
      if (done !== line) continue;
      if (typeof error === 'string') throw new Error(`${line}: ${error}`);
      return;
    }
  }

  override async kill(): Promise<void> {
    await this.#manager?.kill();
    await super.kill();
  }

  protected run(options: readonly string[]): Running {
    const { role, address, port, side } = this.start;
    const more = [
      ...(side.disabled === true ? ['--tcp'] : []),
      ...(side.disconnect === true ? ['--disconnect'] : []),
      ...(side.io === undefined ? [] : ['--io', side.io]),
      ...(side.peek === true ? ['--peek'] : []),
      ...(side.transparent === true ? ['--transparent'] : []),
    ];
    return new KernelPeer(this.where, role, address, port, ...options, ...more).process;
  }

  async mptcp(args: string): Promise<void> {
    await this.where.mptcp(args);
  }

  counters(): Promise<Counters> {
    return this.where.mptcpCounters('TCPFastOpen', 'TCPDeliveredCE', 'InECT0Pkts', 'InCEPkts');
  }
}

class PlaitParty extends Party {
  readonly implementation = 'plait';

  async prepare(): Promise<void> {
    // Everything is an option of the agent.
    await Promise.resolve();
  }

  protected run(options: readonly string[]): Running {
    const { role, address, port, side, pcap } = this.start;
    const { subflows = 2, addAddrAccepted = 0, endpoints = [], addAddrTimeout } = side;
    const { checksum = false, disabled = false, cookies = false, denyJoinId0 = false } = side;
    return new PlaitPeer(
      this.where,
      role,
      address,
      port,
      ...options,
      ...[
        ...['--manager', side.byHand === true ? 'none' : 'endpoints', '--device', side.device ?? 'packet'],
        ...['--limits', `subflows ${String(subflows)} add_addr_accepted ${String(addAddrAccepted)}`],
        ...endpoints.flatMap((endpoint) => ['--endpoint', endpoint]),
        ...(addAddrTimeout === undefined ? [] : ['--add-addr-timeout', String(addAddrTimeout)]),
        ...(cookies ? ['--cookies'] : []),
        ...(denyJoinId0 ? ['--deny-joins'] : []),
        ...(checksum ? ['--checksum'] : []),
        ...(side.ecn === true ? ['--ecn'] : []),
        ...(disabled ? ['--tcp'] : []),
        ...(pcap === null ? [] : ['--pcap', pcap]),
      ],
    ).process;
  }

  async mptcp(args: string): Promise<void> {
    this.tell(`mptcp ${args}`);
    const { error } = await this.answer('mptcp');
    if (typeof error === 'string') throw new Error(`${args}: ${error}`);
  }

  async byHand(line: string): Promise<void> {
    this.tell(`pm ${line}`);
    const { error } = await this.answer('pm');
    if (typeof error === 'string') throw new Error(`${line}: ${error}`);
  }

  async counters(): Promise<Counters> {
    this.tell('counters');
    return (await this.answer('counters')).counters ?? {};
  }
}

export function createParty(implementation: Implementation, where: Namespace, start: Start): Party {
  return implementation === 'kernel' ? new KernelParty(where, start) : new PlaitParty(where, start);
}
