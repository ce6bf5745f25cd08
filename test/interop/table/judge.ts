/** Compares what happened with what a case expects. */
import { patternSha256 } from '../netns.js';
import { other, WATCHED, type Case, type Count, type Counts, type Role } from './case.js';
import type { Outcome, Result, SideOutcome } from './run.js';

export const DEFAULT_SEND = 256 << 10;

export const isCount = (value: number, count: Count): boolean =>
  typeof count === 'number' ? value === count : value >= count[0] && value <= count[1];

export const countText = (count: Count): string => {
  if (typeof count === 'number') return String(count);
  return count[1] === Infinity ? `${String(count[0])}+` : `${String(count[0])} to ${String(count[1])}`;
};

/** What differs, in words; empty when the case has passed. */
export function judge(one: Case, outcome: Outcome): string[] {
  return (['client', 'server'] as const).flatMap((role) => [
    ...outcome[role].results.flatMap((result) => judgeResult(one, role, result)),
    ...judgeCounters(expectedCounts(one, role), outcome[role]).map((text) => `${role}: ${text}`),
  ]);
}

function judgeResult(one: Case, role: Role, result: Result): string[] {
  const { mptcp = true, error = {}, fallback = {}, used } = one.expect;
  const differs: string[] = [];
  const say = (text: string): number => differs.push(`${role}: ${text}`);
  const wanted = error[role] ?? null;
  if (wanted === null ? result.error !== null : !wanted.test(result.error ?? '')) {
    say(`ended with ${result.error ?? 'no error'}${wanted === null ? '' : `, not ${String(wanted)}`}`);
  }
  if (Object.keys(error).length === 0) {
    const size = one[other(role)]?.send ?? DEFAULT_SEND;
    if (result.received !== size) say(`received ${String(result.received)} of ${String(size)} octets`);
    else if (result.receivedSha256 !== patternSha256(other(role), size)) say('received other data');
    if (result.mptcp !== mptcp)
      say(mptcp ? `plain TCP (${result.fallback ?? 'no reason'})` : 'Multipath TCP');
  }
  const reason = fallback[role];
  if (reason !== undefined && result.info !== undefined && result.fallback !== reason) {
    say(`fallback "${String(result.fallback)}", not "${reason}"`);
  }
  if (used !== undefined && result.info !== undefined) {
    const busy = result.info.subflows.filter((flow) => flow.bytesSent + flow.bytesReceived > 0).length;
    if (!isCount(busy, used)) say(`data on ${String(busy)} subflows, not ${countText(used)}`);
  }
  return differs;
}

function expectedCounts(one: Case, role: Role): Counts {
  const { joins = 0, reverseJoins = 0 } = one.expect;
  const [active, passive] = role === 'client' ? [joins, reverseJoins] : [reverseJoins, joins];
  return {
    ...Object.fromEntries(WATCHED.map((name) => [name, 0])),
    MPJoinSynTx: active,
    MPJoinSynAckRx: active,
    MPJoinSynRx: passive,
    MPJoinAckRx: passive,
    ...one.expect[role],
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
