/** Compares what happened with what a case expects. */
import { patternSha256 } from '../pattern.js';
import {
  other,
  WATCHED,
  type Case,
  type Count,
  type Counts,
  type Implementation,
  type Role,
} from './case.js';
import { slowness } from './load.js';
import type { SubflowInfo } from '../../../src/stack/info.js';
import type { Outcome, Result, SideOutcome } from './run.js';

export const DEFAULT_SEND = 256 << 10;

export const sentBy = (one: Case, role: Role): number => one[role]?.send ?? DEFAULT_SEND;

export const isCount = (value: number, count: Count): boolean =>
  typeof count === 'number' ? value === count : value >= count[0] && value <= count[1];

export const countText = (count: Count): string => {
  if (typeof count === 'number') return String(count);
  return count[1] === Infinity ? `${String(count[0])}+` : `${String(count[0])} to ${String(count[1])}`;
};

/** What differs, in words; empty when the case has passed. */
export function judge(one: Case, outcome: Outcome): string[] {
  return [
    ...(['client', 'server'] as const).flatMap((role) => [
      ...outcome[role].results.flatMap((result) => judgeResult(one, role, result)),
      ...judgeCounters(expectedCounts(one, role, outcome[role].implementation), outcome[role]).map(
        (text) => `${role}: ${text}`,
      ),
    ]),
    ...judgeLinks(one, outcome),
  ];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((one, next) => one + next, 0);

/** How well links of known rates were used, for the table; null where rates are not limited. */
export function shareText({ rates }: Case, outcome: Outcome | null): string | null {
  if (rates === undefined || outcome === null) return null;
  return `${(outcome.megabits / sum(rates)).toFixed(2)} of ${String(sum(rates))} Mbit/s`;
}

/** Not how long it took, but how well the links were used. */
function judgeLinks(
  { rates = [], expect: { share, second } }: Case,
  { megabits, carried }: Outcome,
): string[] {
  const differs: string[] = [];
  const reached = megabits / sum(rates);
  // Tokens that the buckets of a busy machine do not use are lost.
  if (share !== undefined && reached < share / slowness())
    differs.push(`${reached.toFixed(2)} of the links' rates, not ${String(share)}`);
  const part = (carried[1] ?? 0) / sum(carried);
  if (second !== undefined && !isCount(part, second))
    differs.push(`${part.toFixed(2)} of the octets on link 2, not ${countText(second)}`);
  return differs;
}

function judgeResult(one: Case, role: Role, result: Result): string[] {
  const { mptcp = true, error = {}, fallback = {}, altered = {}, used, sentOn, ecn, corrupt } = one.expect;
  const differs: string[] = [];
  const say = (text: string): number => differs.push(`${role}: ${text}`);
  const wanted = error[role] ?? null;
  if (wanted === null ? result.error !== null : !wanted.test(result.error ?? '')) {
    say(`ended with ${result.error ?? 'no error'}${wanted === null ? '' : `, not ${String(wanted)}`}`);
  }
  if (Object.keys(error).length === 0) {
    const size = sentBy(one, other(role));
    const whole = result.received === size && result.receivedSha256 === patternSha256(other(role), size);
    const by = altered[role];
    if (corrupt === role) {
      if (whole || result.received !== size)
        say(whole ? 'received what was sent' : 'received another length');
    } else if (!whole && (by === undefined || result.received !== size + by)) {
      say(
        `received ${String(result.received)} of ${String(size)} octets${result.received === size ? ', and others' : ''}`,
      );
    }
    if (mptcp !== 'either' && result.mptcp !== mptcp)
      say(mptcp ? `plain TCP (${result.fallback ?? 'no reason'})` : 'Multipath TCP');
  }
  const reason = fallback[role];
  if (reason !== undefined && result.info !== undefined && result.fallback !== reason) {
    say(`fallback "${String(result.fallback)}", not "${reason}"`);
  }
  const { subflows = [] } = result.info ?? {};
  for (const [wanted, what, octets] of [
    [used, 'data', (flow: SubflowInfo) => flow.bytesSent + flow.bytesReceived],
    [sentOn, 'sent data', (flow: SubflowInfo) => flow.bytesSent],
  ] as const) {
    if (wanted === undefined || result.info === undefined) continue;
    const busy = subflows.filter((flow) => octets(flow) > 0).length;
    if (!isCount(busy, wanted)) say(`${what} on ${String(busy)} subflows, not ${countText(wanted)}`);
  }
  if (ecn !== undefined && result.info?.subflows.some((flow) => flow.ecn !== ecn) === true) {
    say(ecn ? 'a subflow without ECN' : 'a subflow with ECN');
  }
  return differs;
}

function expectedCounts(one: Case, role: Role, implementation: Implementation): Counts {
  const { joins = 0, reverseJoins = 0 } = one.expect;
  const [active, passive] = role === 'client' ? [joins, reverseJoins] : [reverseJoins, joins];
  return {
    ...Object.fromEntries(WATCHED.map((name) => [name, 0])),
    MPJoinSynTx: active,
    MPJoinSynAckRx: active,
    MPJoinSynRx: passive,
    MPJoinAckRx: passive,
    ...one.expect[role],
    ...(implementation === 'kernel' ? one.expect.kernel : {}),
  };
}

/** An older kernel may lack a counter, which says nothing. */
function judgeCounters(expected: Counts, { counters, implementation }: SideOutcome): string[] {
  return Object.entries(expected).flatMap(([name, count]) => {
    const value = counters[name] ?? (implementation === 'plait' ? 0 : undefined);
    if (value === undefined || isCount(value, count)) return [];
    return [`${name} ${String(value)}, not ${countText(count)}`];
  });
}
