/** Runs one case with one pair of implementations, in namespaces of its own. */
import { join } from 'node:path';
import type { Counters } from '../../../src/stack/info.js';
import { capture } from '../capture.js';
import type { PeerReport } from '../kernel-peer.js';
import type { Bench, Namespace } from '../netns.js';
import type { AgentReport } from '../plait-peer.js';
import {
  addressed,
  other,
  pairName,
  type Case,
  type Implementation,
  type Pair,
  type Role,
  type Side,
  type Step,
} from './case.js';
import { judge, sentBy } from './judge.js';
import { slowness } from './load.js';
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
  /** Octets that each link has carried. */
  readonly carried: readonly number[];
}

/** A case under way, for its steps. */
export interface Run {
  readonly bench: Bench;
  readonly place: Readonly<Record<Role, Namespace>>;
  readonly party: Readonly<Record<Role, Party>>;
  /** What a text of the case means. */
  readonly text: (text: string) => string;
}

export interface Verdict {
  /** What differed; empty when the case has passed. */
  readonly differs: readonly string[];
  readonly seconds: number;
  readonly outcome: Outcome | null;
  /** Capture files, complete. */
  readonly captures: readonly string[];
}

/** What is sent before the stop where rates are measured behind it. */
const EARLY = 64 << 10;
const ROLES = ['client', 'server'] as const;
const PORT = 5001;
const TOLD = ['AddAddr', 'EchoAdd', 'EchoAddTx', 'RmAddr', 'MPPrioRx'];
/** Seconds. */
const WITHIN = 60;

/** Captures go to `folder`, if there is one. What has not ended in time is ended by closing `bench`. */
export async function runCase(one: Case, pair: Pair, bench: Bench, folder: string | null): Promise<Verdict> {
  const place = { server: bench.a, client: one.loopback === true ? bench.a : bench.b };
  const to = addressed(one, one.to ?? '10.0.1.1');
  const captureFile = (ending: string): string | null =>
    folder === null ? null : join(folder, `${fileName(one, pair)}.${ending}`);
  const party = Object.fromEntries(
    ROLES.map((role) => [
      role,
      createParty(pair[role], place[role], {
        role,
        side: sideOf(one, role),
        address:
          role === 'client' ? to : (one.listen ?? (to.includes(':') && !to.includes('.') ? '::' : '0.0.0.0')),
        port: PORT,
        connections: one.connections ?? 1,
        gate: hasGate(one) ? { send: gateOf(one, role), receive: gateOf(one, other(role)) } : null,
        pcap: captureFile(`${role}.pcapng`),
      }),
    ]),
  ) as Record<Role, Party>;
  const onWire = captureFile('wire.pcap');
  const wire = onWire === null ? null : await capture(bench.a, onWire, '-i', 'any', '-s', '200');
  const start = Date.now();
  let outcome: Outcome | null = null;
  let differs: string[];
  let stalled = false;
  const limit = whenLate((one.within ?? WITHIN) * 1000, () => {
    stalled = true;
    void bench.close();
  });
  try {
    outcome = await play(one, { bench, place, party, text: (text) => addressed(one, text) });
    differs = judge(one, outcome);
  } catch (error) {
    const texts = [(error as Error).message.trim(), ...ROLES.map((role) => party[role].errorText.trim())];
    differs = [...(stalled ? ['stalled'] : []), ...texts.filter(Boolean)];
  }
  limit.clear();
  await wire?.();
  await Promise.all(ROLES.map((role) => party[role].kill()));
  const captures = [
    onWire,
    ...ROLES.map((role) => (pair[role] === 'plait' ? captureFile(`${role}.pcapng`) : null)),
  ];
  return {
    differs,
    seconds: (Date.now() - start) / 1000,
    outcome,
    captures: captures.filter((file) => file !== null),
  };
}

/** Calls `late` after so many milliseconds, on a busy machine accordingly later. */
function whenLate(milliseconds: number, late: () => void): { clear: () => void } {
  const start = Date.now();
  const look = (): void => {
    if (Date.now() - start < milliseconds * slowness()) return;
    clearInterval(timer);
    late();
  };
  const timer = setInterval(look, 500);
  return { clear: () => clearInterval(timer) };
}

function sideOf(one: Case, role: Role): Side {
  const side = one[role] ?? {};
  const { endpoints = [], bind } = side;
  return {
    ...side,
    endpoints: endpoints.map((endpoint) => addressed(one, endpoint)),
    ...(bind === undefined ? {} : { bind: addressed(one, bind) }),
  };
}

async function play(one: Case, run: Run): Promise<Outcome> {
  const { party } = run;
  // Endpoints may name interfaces that a box replaces.
  await perform(run, [...(one.before ?? []), ...shaped(one.rates ?? [])]);
  await Promise.all(ROLES.map((role) => party[role].prepare()));
  await party.server.launch();
  await party.client.launch();
  const { connections = 1 } = one;
  if (hasGate(one)) {
    const open = await Promise.all(ROLES.map((role) => party[role].atGate()));
    if (open.every(Boolean)) await perform(run, [...joined(one), ...(one.steps ?? []), ...heard(one)]);
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
  const carried = await Promise.all((one.rates ?? []).map((_, i) => run.place.client.linkOctets(i)));
  return {
    ...(Object.fromEntries(await Promise.all(sides)) as Record<Role, SideOutcome>),
    megabits,
    carried,
  };
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
    count === 0 ? [] : [until(role, { [name]: count })];
  return [...least('server', 'MPJoinAckRx', joins), ...least('client', 'MPJoinAckRx', reverseJoins)];
}

/** What the sides tell each other beside the data comes before the end of the data. */
function heard({ expect }: Case): Step[] {
  return ROLES.flatMap((role) => {
    const counts = Object.entries(expect[role] ?? {})
      .filter(([name]) => TOLD.includes(name))
      .map(([name, count]) => [name, typeof count === 'number' ? count : count[0]] as const)
      .filter(([, least]) => least > 0);
    return counts.length === 0 ? [] : [until(role, Object.fromEntries(counts))];
  });
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
