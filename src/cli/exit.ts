/** Exit codes, and the one line that goes with each error. */
import { problemOf } from '../transfer/report.js';
import { printable } from '../transfer/names.js';

export const Exit = {
  Ok: 0,
  Generic: 1,
  Usage: 2,
  Integrity: 3,
  Unreachable: 4,
  Privilege: 5,
  Refused: 6,
  Partial: 7,
  Interrupted: 130,
} as const;

/** The command line is wrong. */
export class UsageError extends Error {
  readonly code = 'usage';
  constructor(
    message: string,
    /** What to do instead. */
    readonly remedy: string,
  ) {
    super(message);
  }
}

/** The user, or the system on its way down, asked us to stop. */
export class Interrupted extends Error {
  readonly code = 'interrupted';
  constructor() {
    super('stopped before the end');
  }
}

/** The exit code for an error or problem code. */
export const exitCode = (code: string): number => EXITS[code] ?? Exit.Generic;

/** `plait: <what> (<code>); <what to do next>` */
export function errorLine(error: unknown): string {
  const { code, message } = problemOf(error);
  const { remedy, path } = error as { remedy?: string; path?: string };
  const what = path === undefined ? message : `${path}: ${message}`;
  return problemLine(code, what, remedy);
}

/** The same for a problem that is not an error of this process. */
export function problemLine(code: string, message: string, remedy?: string): string {
  // Many messages say themselves what to do next.
  const end = message.indexOf('; ');
  const [what, own] = end < 0 ? [message] : [message.slice(0, end), message.slice(end + 2)];
  const next = remedy ?? own ?? REMEDIES[code];
  return printable(`plait: ${what} (${code})${next === undefined ? '' : `; ${next}`}`);
}

const EXITS: Readonly<Record<string, number>> = {
  usage: Exit.Usage,
  EINVAL: Exit.Usage,
  ERR_PLAIT_INTEGRITY: Exit.Integrity,
  ECONNRESET: Exit.Unreachable,
  ECONNABORTED: Exit.Unreachable,
  EPIPE: Exit.Unreachable,
  ETIMEDOUT: Exit.Unreachable,
  EHOSTUNREACH: Exit.Unreachable,
  ENETUNREACH: Exit.Unreachable,
  ENOPROTOOPT: Exit.Unreachable,
  EPROTO: Exit.Unreachable,
  ENETDOWN: Exit.Unreachable,
  ENOTFOUND: Exit.Unreachable,
  EAI_AGAIN: Exit.Unreachable,
  EPERM: Exit.Privilege,
  EACCES: Exit.Privilege,
  ERR_PLAIT_DEVICE: Exit.Privilege,
  ECONNREFUSED: Exit.Refused,
  ERR_PLAIT_NAME: Exit.Refused,
  interrupted: Exit.Interrupted,
};

/** What to do next where the error itself does not say. */
const REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'start "plait recv" or "plait cat --listen" there first, or check the port',
  ECONNRESET: 'check that the peer still runs, then try again',
  EPIPE: 'check that the peer still runs, then try again',
  ETIMEDOUT: 'check the address, and that no firewall on the way drops the packets',
  EHOSTUNREACH: 'check the address and your routes, or choose another --path',
  ENETUNREACH: 'check the address and your routes, or choose another --path',
  ENOPROTOOPT: 'check the address, and the firewalls on the way',
  EPROTO: 'check the routers on the way; --pcap shows what they said',
  ENETDOWN: 'bring the interface up, or choose another --path',
  ENOTFOUND: 'check the name, or give an address',
  EAI_AGAIN: 'the name server did not answer; try again or give an address',
  EADDRINUSE: 'choose another port, or stop the program that has it',
  EADDRNOTAVAIL: 'choose an address that "plait doctor" lists',
  EPERM: 'run "plait doctor" to see what is missing, or use --device udp',
  EACCES: 'check the permissions, or the firewalls on the way',
  ERR_PLAIT_DEVICE: 'run "plait doctor" to see what is missing',
  ERR_PLAIT_CORE: 'this is a bug in plait; please report it with the line above',
  ERR_PLAIT_INTEGRITY: 'send the file again',
  ERR_FILE_CHANGED: 'send it again once nothing writes to it',
  ERR_PLAIT_NAME: 'rename it and send it again',
  ENOENT: 'check the name',
  ENOSPC: 'free some space and send it again',
  EDQUOT: 'free some space and send it again',
  interrupted: 'nothing unfinished was left behind',
};
