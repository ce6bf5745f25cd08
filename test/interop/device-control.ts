/** The test's side of `device-agent.ts`: a device in a namespace. */
import { fileURLToPath } from 'node:url';
import type { Checksum, Path } from '../../src/io/device.js';
import type { HostDevice } from '../../src/net/types.js';
import type { Namespace } from './netns.js';
import type { Running } from './running.js';

export type AgentCommand =
  | { readonly do: 'attach'; readonly path: Path }
  | { readonly do: 'bind' | 'unbind'; readonly path: number; readonly port: number }
  | { readonly do: 'send'; readonly path: number; readonly hex: string }
  | { readonly do: 'burst'; readonly path: number; readonly hex: string; readonly count: number }
  | { readonly do: 'quiet' | 'stats' };

export interface PacketEvent {
  readonly event: 'packet';
  readonly path: number;
  readonly checksum: Checksum;
  readonly hex: string;
}
export interface SegmentEvent {
  readonly event: 'segment';
  readonly path: number;
  readonly remote: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly hex: string;
}
export interface StatsEvent {
  readonly event: 'stats';
  readonly received: number;
  readonly octets: number;
  /** From the first packet received to the last. */
  readonly seconds: number;
  readonly device: Readonly<Record<string, number>>;
  /** Seconds of processor time since the start. */
  readonly cpu: number;
}
export interface BurstEvent {
  readonly event: 'burst';
  readonly seconds: number;
  /** How often `send` returned false. */
  readonly refused: number;
  readonly cpu: number;
}
export type AgentEvent =
  | PacketEvent
  | SegmentEvent
  | StatsEvent
  | BurstEvent
  | { readonly event: 'ready' }
  | { readonly event: 'attached'; readonly error: string | null }
  | { readonly event: 'bound'; readonly error: string | null; readonly port: number }
  | { readonly event: 'state'; readonly path: number; readonly up: boolean };

type EventOf<N extends AgentEvent['event']> = Extract<AgentEvent, { event: N }>;

export class DeviceAgent {
  readonly process: Running;
  /** Events that came while another was waited for. */
  readonly #early: AgentEvent[] = [];

  private constructor(where: Namespace, kind: HostDevice, without: readonly string[]) {
    const agent = fileURLToPath(new URL('device-agent.js', import.meta.url));
    const bound = without.map((capability) => `-${capability}`).join() || '+all';
    this.process = where.spawn('setpriv', ['--bounding-set', bound, process.execPath, agent, kind]);
  }

  /** `without`: capabilities that it has not ("net_admin"). */
  static async start(where: Namespace, kind: HostDevice, ...without: string[]): Promise<DeviceAgent> {
    const agent = new DeviceAgent(where, kind, without);
    await agent.next('ready');
    return agent;
  }

  tell(command: AgentCommand): void {
    this.process.write(`${JSON.stringify(command)}\n`);
  }

  /** The next event of a kind; others are kept. Rejects when the agent dies. */
  async next<N extends AgentEvent['event']>(name: N): Promise<EventOf<N>> {
    const early = this.#early.findIndex((one) => one.event === name);
    if (early >= 0) return this.#early.splice(early, 1)[0] as EventOf<N>;
    for (;;) {
      const event = JSON.parse(await this.process.line()) as AgentEvent;
      if (event.event === name) return event as EventOf<N>;
      this.#early.push(event);
    }
  }

  /** Returns the error's code, or null. */
  async attach(path: Path): Promise<string | null> {
    this.tell({ do: 'attach', path });
    return (await this.next('attached')).error;
  }

  /** Returns the port, or the error's code. */
  async bind(path: number, port: number): Promise<number | string> {
    this.tell({ do: 'bind', path, port });
    const { error, port: bound } = await this.next('bound');
    return error ?? bound;
  }

  send(path: number, packet: Uint8Array): void {
    this.tell({ do: 'send', path, hex: Buffer.from(packet).toString('hex') });
  }

  async burst(path: number, packet: Uint8Array, count: number): Promise<BurstEvent> {
    this.tell({ do: 'burst', path, hex: Buffer.from(packet).toString('hex'), count });
    return this.next('burst');
  }

  async stats(): Promise<StatsEvent> {
    this.tell({ do: 'stats' });
    return this.next('stats');
  }

  /** The next received packet's bytes. */
  async packet(): Promise<Buffer> {
    return Buffer.from((await this.next('packet')).hex, 'hex');
  }
}
