/** What a case can do while its connection is open. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { root } from '../../support/root.js';
import type { Counts, Role, Step } from './case.js';
import { countText, isCount } from './judge.js';
import type { Run } from './run.js';

/** `ip mptcp ...` on one side, while the connection lives. */
export const mptcp = (role: Role, args: string): Step => ({
  title: `${role}: ${args}`,
  act: ({ party }) => party[role].mptcp(args),
});

/** A line for the path manager by hand of a side that has one; see kernel_pm.py. */
export const byHand = (role: Role, line: string): Step => ({
  title: `${role}: ${line}`,
  act: ({ party }) => party[role].byHand(line),
});

/** Waits until the counters of a side have these values, ten seconds at most. */
export const until = (role: Role, counts: Counts): Step => ({
  title: `${role} has ${Object.entries(counts)
    .map(([name, count]) => `${name} ${countText(count)}`)
    .join(', ')}`,
  act: async ({ party }) => {
    const late = Date.now() + WAIT;
    for (;;) {
      const now = await party[role].counters();
      const open = Object.entries(counts).filter(([name, count]) => !isCount(now[name] ?? 0, count));
      if (open.length === 0) return;
      if (Date.now() > late) {
        const text = open.map(
          ([name, count]) => `${name} ${String(now[name] ?? 0)}, not ${countText(count)}`,
        );
        throw new Error(`${role}: ${text.join('; ')}`);
      }
      await sleep(20);
    }
  },
});

/** Waits until a side has so many subflows, ten seconds at most. */
export const subflows = (role: Role, count: number): Step => ({
  title: `${role} has ${String(count)} subflows`,
  act: async ({ party }) => {
    const late = Date.now() + WAIT;
    for (;;) {
      const { subflows: now } = await party[role].look();
      if (now === count) return;
      if (Date.now() > late) throw new Error(`${role}: ${String(now)} subflows, not ${String(count)}`);
      await sleep(20);
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
  act: async ({ place }) => {
    await place[role].run('sh', '-c', command);
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

/** Lets both sides send some of what they hold back. */
export const step = (title: string, act: (run: Run) => Promise<void>): Step => ({ title, act });

/** The program of a side aborts the connection; the other sees its end. */
export const reset = (role: Role): Step => ({
  title: `${role}: abort`,
  act: async ({ party }) => {
    party[role].tell('reset');
    await Promise.resolve();
  },
});

const WAIT = 10_000;
