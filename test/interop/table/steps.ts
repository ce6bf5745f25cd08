/** What a case can do while its connection is open. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { root } from '../../support/root.js';
import type { Role, Step } from './case.js';
import type { Run } from './run.js';

/** `ip mptcp ...` on one side, while the connection lives. */
export const mptcp = (role: Role, args: string): Step => ({
  title: `${role}: ${args}`,
  act: ({ party, text }) => party[role].mptcp(text(args)),
});

/** A line for the path manager by hand of a side that has one; see kernel_pm.py. */
export const byHand = (role: Role, line: string): Step => ({
  title: `${role}: ${line}`,
  act: ({ party, text }) => party[role].byHand(text(line)),
});

/** Waits until the counters of a side have at least these values. */
export const until = (role: Role, counts: Readonly<Record<string, number>>): Step =>
  waiting(role, `has ${listed(Object.entries(counts))}`, async ({ party }) => {
    const now = await party[role].counters();
    // An older kernel may lack a counter.
    const none = party[role].implementation === 'kernel' ? Infinity : 0;
    const open = Object.entries(counts).filter(([name, count]) => (now[name] ?? none) < count);
    return open.length === 0 ? null : listed(open.map(([name]) => [name, now[name] ?? 0]));
  });

/** Waits until a side has so many subflows. */
export const subflows = (role: Role, count: number): Step =>
  waiting(role, `has ${String(count)} subflows`, async ({ party }) => {
    const { subflows: now } = await party[role].look();
    return now === count ? null : `${String(now)} subflows`;
  });

const listed = (counts: readonly (readonly [string, number])[]): string =>
  counts.map(([name, count]) => `${name} ${String(count)}`).join(', ');

/** Asks again and again, until `look` gives null instead of what there is so far. The case's own bound ends it. */
const waiting = (role: Role, title: string, look: (run: Run) => Promise<string | null>): Step => ({
  title: `${role} ${title}`,
  act: async (run) => {
    let last = 'nothing';
    try {
      for (let now = await look(run); now !== null; now = await look(run)) {
        last = now;
        await sleep(20);
      }
    } catch (error) {
      throw new Error(`${last} at last; ${(error as Error).message}`, { cause: error });
    }
  },
});

/** Sets the interface of path N up or down on one side. */
export const link = (role: Role, n: number, state: 'up' | 'down'): Step => ({
  title: `${role}: link ${String(n)} ${state}`,
  act: ({ place }) => place[role].setLink(n - 1, state === 'up'),
});

/** Any command in a side's namespace. */
export const shell = (role: Role, command: string): Step => ({
  title: `${role}: ${command}`,
  act: async ({ place, text }) => {
    await place[role].run('sh', '-c', text(command));
  },
});

/** Puts one of our own boxes (test/middlebox/boxes.ts) into path N. */
export const box = (n: number, name: string): Step => ({
  title: `box "${name}" in link ${String(n)}`,
  act: async ({ bench }) => {
    const place = await bench.insertBox(n - 1, 'bridge');
    const program = fileURLToPath(new URL('dist/test/middlebox/box.js', root));
    await place.spawn(process.execPath, [program, 'up', 'down', name]).line();
  },
});

/** Makes path N lead through a router that has obeyed these shell commands; its interfaces are `up` and `down`. */
export const router = (n: number, ...commands: string[]): Step => ({
  title: `router in link ${String(n)}`,
  act: async ({ bench }) => {
    const place = await bench.insertBox(n - 1, 'router');
    for (const command of commands) await place.run('sh', '-c', command);
  },
});

/** Gives what was begun the time to be seen. */
export const rest = (milliseconds: number): Step => ({
  title: `${String(milliseconds)} ms`,
  act: () => sleep(milliseconds),
});

/** The program of a side aborts the connection; the other sees its end. */
export const reset = (role: Role): Step => ({
  title: `${role}: abort`,
  act: async ({ party }) => {
    party[role].tell('reset');
    await Promise.resolve();
  },
});
