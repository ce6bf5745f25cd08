/** `nstat`: the stack's counters under the names that nstat gives the kernel's. */
import type { Host } from '../host.js';
import { globPattern, ok, type Command } from './command.js';

/** Counters of the group Tcp; all others of TCP are extensions. */
const TCP_GROUP = new Set([
  ...['InSegs', 'OutSegs', 'RetransSegs', 'InErrs', 'InCsumErrors', 'OutRsts', 'ActiveOpens', 'PassiveOpens'],
  ...['AttemptFails', 'EstabResets', 'CurrEstab'],
]);
/** Counters of TCP whose names do not begin with TCP. */
const EXTENSIONS = /^(?:TCP|Syncookies|Listen|DelayedACK|PAWS|TW|Embryonic|OutOfWindow|PFMemalloc)/;

/** The kernel's counters that nothing moves in this stack: races of its processors, MD5, lists that are never too long. */
const NEVER = ['MD5SigFallback', 'RcvWndConflict', 'RcvWndConflictUpdate', 'RmAddrDrop'];

/** Names as `nstat` prints them. */
export function nstatName(name: string): string {
  if (TCP_GROUP.has(name)) return `Tcp${name}`;
  return EXTENSIONS.test(name) ? `TcpExt${name}` : `MPTcpExt${name}`;
}

/** What was last seen, so that differences can be told. */
const history = new WeakMap<Host, Map<string, number>>();

/** `nstat [-n] [-a] [-s] [-z] [PATTERN...]`: differences to the last call, -a for all there is. */
export const nstat: Command = (words, { host }) => {
  const flags = words.filter((word) => word.startsWith('-')).join('');
  const patterns = words.filter((word) => !word.startsWith('-')).map(globPattern);
  const now = new Map(NEVER.map((name) => [nstatName(name), 0]));
  for (const [name, value] of Object.entries(host.stack.counters())) now.set(nstatName(name), value);
  const before = /[ar]/.test(flags)
    ? new Map<string, number>()
    : (history.get(host) ?? new Map<string, number>());
  if (!flags.includes('s')) history.set(host, now);
  if (flags.includes('n')) return ok();
  const lines = ['#kernel'];
  for (const [name, value] of now) {
    const difference = value - (before.get(name) ?? 0);
    if (difference === 0 && !flags.includes('z')) continue;
    if (patterns.length > 0 && !patterns.some((pattern) => pattern.test(name))) continue;
    lines.push(`${name.padEnd(32)}${String(difference).padEnd(20)}0.0`);
  }
  return ok(`${lines.join('\n')}\n`);
};
