/** Runs one case with one pair of implementations, in namespaces of its own. */
import { join } from 'node:path';
import type { Counters } from '../../../src/stack/info.js';
import type { Bench, Namespace, PeerReport } from '../netns.js';
import type { AgentReport } from '../plait-peer.js';
import { other, pairName, type Case, type Implementation, type Pair, type Role, type Step } from './case.js';
import { judge, sentBy } from './judge.js';
import { createParty, type Party } from './party.js';
import { shell, until } from './steps.js';

/** What a program prints for a connection; the kernel's has no `info`, `counters` and `fallback`. */
export type Result = PeerReport & Partial<Pick<AgentReport, 'info' | 'counters' | 'fallback'>>;

export interface SideOutcome {
  readonly implementation: Implementation;
  readonly results: readonly Result[];
  readonly counters: Counters;
}
export interface Outcome extends Readonly<Record<Role, SideOutcome>> {
  /** Mbit/s behind the stop, of the direction that carries more. */
  readonly megabits: number;
}

/** A case under way, for its steps. */
export interface Run {
  readonly bench: Bench;
  readonly place: Readonly<Record<Role, Namespace>>;
  readonly party: Readonly<Record<Role, Party>>;
}

export interface Verdict {
  /** What differed; empty when the case has passed. */
  readonly differs: readonly string[];
  readonly seconds: number;
  readonly outcome: Outcome | null;
}

/** What is sent before the stop where rates are measured behind it. */
const EARLY = 64 << 10;
const ROLES = ['client', 'server'] as const;
const PORT = 5001;
/** Seconds; a busy machine may need most of it, a stall all of it. */
const WITHIN = 20;

/** Captures go to `folder`, if there is one. */
export async function runCase(one: Case, pair: Pair, bench: Bench, folder: string | null): Promise<Verdict> {
  const place = { server: bench.a, client: one.loopback === true ? bench.a : bench.b };
  const { to = '10.0.1.1' } = one;
  const party = Object.fromEntries(
    ROLES.map((role) => [
      role,
      createParty(pair[role], place[role], {
        role,
        side: one[role] ?? {},
        address:
          role === 'client' ? to : (one.listen ?? (to.includes(':') && !to.includes('.') ? '::' : '0.0.0.0')),
        port: PORT,
        connections: one.connections ?? 1,
        gate: hasGate(one) ? { send: gateOf(one, role), receive: gateOf(one, other(role)) } : null,
        pcap: folder === null ? null : join(folder, `${fileName(one, pair)}.${role}.pcapng`),
      }),
    ]),
  ) as Record<Role, Party>;
  const wire =
    folder === null ? null : await watchWire(bench, join(folder, `${fileName(one, pair)}.wire.pcap`));
  const start = Date.now();
  let finished = false;
  let outcome: Outcome | null = null;
  let differs: string[];
  const limit = setTimeout(
    () => {
      if (!finished) for (const role of ROLES) void party[role].kill();
    },
    (one.within ?? WITHIN) * 1000,
  );
  try {
    outcome = await play(one, { bench, place, party });
    differs = judge(one, outcome);
  } catch (error) {
    differs = [(error as Error).message.trim(), ...ROLES.map((role) => party[role].errorText.trim())].filter(
      Boolean,
    );
    if (Date.now() - start > (one.within ?? WITHIN) * 1000) differs.unshift('stalled');
  }
  finished = true;
  clearTimeout(limit);
  await Promise.all(ROLES.map((role) => party[role].kill()));
  await wire?.();
  return { differs, seconds: (Date.now() - start) / 1000, outcome };
}

async function play(one: Case, run: Run): Promise<Outcome> {
  const { party } = run;
  await Promise.all(ROLES.map((role) => party[role].prepare()));
  await perform(run, [...shaped(one.rates ?? []), ...(one.before ?? [])]);
  await party.server.launch();
  await party.client.launch();
  const { connections = 1 } = one;
  if (hasGate(one)) {
    const open = await Promise.all(ROLES.map((role) => party[role].atGate()));
    if (open.every(Boolean)) await perform(run, [...joined(one), ...(one.steps ?? [])]);
    for (const role of ROLES) party[role].tell('go');
  }
  const start = performance.now();
  const results = await Promise.all(
    ROLES.map(async (role) => {
      const list: Result[] = [];
      for (let i = 0; i < connections; i++) list.push(await party[role].result());
      return list;
    }),
  );
  const octets = Math.max(...ROLES.map((role) => sentBy(one, role) - gateOf(one, role)));
  const megabits = (octets * 8) / 1000 / (performance.now() - start);
  await Promise.all(ROLES.map((role) => party[role].ended()));
  const sides = ROLES.map(async (role, i): Promise<[Role, SideOutcome]> => {
    const list = results[i] as Result[];
    const { implementation } = party[role];
    const counters = list.at(-1)?.counters ?? (await party[role].counters());
    return [role, { implementation, results: list, counters }];
  });
  return { ...(Object.fromEntries(await Promise.all(sides)) as Record<Role, SideOutcome>), megabits };
}

async function perform(run: Run, steps: readonly Step[]): Promise<void> {
  for (const { title, act } of steps) {
    await act(run).catch((error: unknown) => {
      throw new Error(`at "${title}": ${(error as Error).message}`);
    });
  }
}

/** The joins that a case expects come before its steps. */
function joined({ expect }: Case): Step[] {
  const { joins = 0, reverseJoins = 0 } = expect;
  const least = (role: Role, name: string, count: number) =>
    count === 0 ? [] : [until(role, { [name]: [count, Infinity] })];
  return [...least('server', 'MPJoinAckRx', joins), ...least('client', 'MPJoinAckRx', reverseJoins)];
}

const hasGate = ({ connections = 1, nonstop = false }: Case): boolean => connections === 1 && !nonstop;

/** The octets of a side before the steps. */
function gateOf(one: Case, role: Role): number {
  const half = sentBy(one, role) >> 1;
  return one.rates === undefined ? half : Math.min(half, EARLY);
}

/** Both ends of the links let packets out at these rates. */
function shaped(rates: readonly number[]): Step[] {
  return (['client', 'server'] as const).flatMap((role) =>
    rates.map((rate, i) =>
      shell(role, `tc qdisc add dev p${String(i)} root tbf rate ${String(rate)}mbit burst 20kb latency 50ms`),
    ),
  );
}

const fileName = ({ family, name }: Case, pair: Pair): string =>
  `${family}.${name}.${pairName(pair)}`.replace(/[^\w.]+/g, '-');

/** Captures all links at the server's end. Returns what ends it. */
async function watchWire({ a }: Bench, file: string): Promise<() => Promise<void>> {
  const dump = a.spawn('tcpdump', ['-U', '--immediate-mode', '-i', 'any', '-s', '200', '-w', file, 'tcp']);
  for (let i = 0; i < 100 && !dump.errorText.includes('listening'); i++) {
    await new Promise((next) => setTimeout(next, 20));
  }
  return async () => {
    await new Promise((next) => setTimeout(next, 200));
    await dump.kill();
  };
}
