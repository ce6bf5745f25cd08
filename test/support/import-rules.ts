/**
 * The one-way rules of the architecture as data: who may import whom, who may ask the platform for time and
 * randomness, and every exception with its reason.
 */
import { posix } from 'node:path';
import { factsOf, type Import } from './source-facts.js';

export interface Exception {
  readonly file: string;
  /** Module, imported file or name of the platform. */
  readonly what: readonly string[];
  readonly reason: string;
}

// ---- the core: a file imports its own rank and the ranks below ----------------------------------------------

const CORE_RANKS: Readonly<Record<string, number>> = {
  'assembly/wire': 1,
  'assembly/tcp': 2,
  'assembly/cc': 2,
  'assembly/sched': 2,
  'assembly/mptcp': 3,
  'assembly/demux.ts': 4,
  'assembly/info.ts': 4,
  'assembly/inspect': 4,
  'assembly/index.ts': 5,
  'assembly/probe.ts': 5,
  'assembly/audit.ts': 6,
};
/** Every other file at the top: bytes, seq, dsn, checksum, arena... */
const CORE_BASE_RANK = 0;

// ---- TypeScript: what each unit may import besides itself ----------------------------------------------------

/** The interface that devices and the stack meet at: device.ts, out-batch.ts and timers.ts of src/io. */
const DEVICE = 'Device';
/** Constants of the core that both compilers read. */
const ABI = 'ABI';

interface Unit {
  readonly imports: readonly string[];
  /** More that may be imported as types, which leave no trace at run time. */
  readonly types?: readonly string[];
  /** Runs in a browser too: no `node:` module but streams and events. */
  readonly portable: boolean;
}

const UNITS: Readonly<Record<string, Unit>> = {
  'src/errors.ts': { imports: [], portable: true },
  [DEVICE]: { imports: ['src/errors.ts'], types: ['src/core'], portable: true },
  'src/core': { imports: ['src/errors.ts', ABI], portable: true },
  'src/sim': { imports: ['src/errors.ts', 'src/core', DEVICE], portable: true },
  'src/stack': { imports: ['src/errors.ts', 'src/core', DEVICE, ABI], portable: true },
  'src/path': { imports: ['src/errors.ts', 'src/core', 'src/stack', DEVICE, ABI], portable: true },
  'src/net': {
    imports: ['src/errors.ts', 'src/core', 'src/stack', 'src/path', DEVICE, ABI],
    types: ['src/io'],
    portable: true,
  },
  'src/io': {
    imports: ['src/errors.ts', 'src/core', 'src/sim', DEVICE, ABI],
    // What it is asked for: options of a host, addresses for the path manager, the stack that it drives.
    types: ['src/stack', 'src/path', 'src/net'],
    portable: false,
  },
  // The dissector's words are its own boundary (assembly/inspect/layout.ts).
  'src/inspect': { imports: ['src/errors.ts', 'src/core', 'assembly/inspect'], portable: true },
  'src/transfer': { imports: ['src/errors.ts', 'src/core', 'src/net'], portable: false },
  'src/cli': {
    imports: [
      ...[
        'src/errors.ts',
        'src/core',
        'src/stack',
        'src/path',
        'src/net',
        'src/io',
        'src/sim',
        'src/transfer',
        'src/inspect',
      ],
      ...[DEVICE, ABI, 'src/index.ts'],
    ],
    portable: false,
  },
  'src/index.ts': {
    imports: [
      'src/errors.ts',
      'src/core',
      'src/stack',
      'src/path',
      'src/net',
      'src/io',
      'src/sim',
      'src/inspect',
      DEVICE,
    ],
    types: ['src/transfer'],
    portable: false,
  },
  'src/browser.ts': {
    imports: ['src/errors.ts', 'src/core', 'src/stack', 'src/path', 'src/net', 'src/io', 'src/sim', DEVICE],
    portable: true,
  },
};

const PORTABLE_MODULES = new Set(['node:stream', 'node:events']);

/** The only files that ask the platform for time, timers and randomness. */
const PLATFORM_FILES = new Set(['src/core/clock.ts', 'src/core/random.ts', 'src/io/driver.ts']);
/** The command line paints its display at its own pace. */
const DISPLAY_TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate']);

export const EXCEPTIONS: readonly Exception[] = [
  {
    file: 'src/core/load.ts',
    what: ['node:fs/promises'],
    reason: 'reads the wasm file where there is a file system; a browser fetches it and never gets there',
  },
  {
    file: 'src/net/host.ts',
    what: ['src/io/driver.ts', 'src/io/platform.ts'],
    reason: 'the one place where a host is put together out of a stack, real time and real devices',
  },
  {
    file: 'src/transfer/channel.ts',
    what: ['setTimeout'],
    reason: 'a limit on silence over any Duplex; it knows no host whose timers it could use',
  },
  {
    file: 'src/transfer/sender.ts',
    what: ['node:crypto'],
    reason: 'digests of files, no randomness',
  },
  {
    file: 'src/transfer/receiver.ts',
    what: ['node:crypto'],
    reason: 'digests of files, no randomness',
  },
  {
    file: 'src/transfer/store.ts',
    what: ['node:crypto'],
    reason: 'names of unfinished files that nobody can guess',
  },
  {
    file: 'src/cli/demo.ts',
    what: ['node:crypto', 'Date.now'],
    reason: 'makes up the file that it sends, and shows how long that took',
  },
  {
    file: 'src/cli/process.ts',
    what: ['performance'],
    reason: 'the clock of the display',
  },
];

/** Every breach in one source, as `file:line: message`. Exceptions that applied are added to `applied`. */
export function breachesOf(file: string, text: string, applied = new Set<string>()): string[] {
  const breaches: string[] = [];
  const check = (line: number, what: string, message: string | null): void => {
    if (message === null) return;
    const excepted = EXCEPTIONS.some((entry) => entry.file === file && entry.what.includes(what));
    if (excepted) applied.add(exceptionName(file, what));
    else breaches.push(`${file}:${line}: ${message}`);
  };
  const facts = factsOf(file, text);
  for (const entry of facts.imports) {
    const target = resolveImport(file, entry.specifier);
    const message = file.startsWith('assembly/')
      ? coreBreach(file, target)
      : sourceBreach(file, target, entry);
    check(entry.line, target, message);
  }
  for (const use of facts.uses) check(use.line, use.name, platformBreach(file, use.name));
  return breaches;
}

export function exceptionName(file: string, what: string): string {
  return `${file} ${what}`;
}

/** A path from the root of the repository, or the name of a module as it is. */
export function resolveImport(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const path = posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
  return path.endsWith('.ts') ? path : `${path}.ts`;
}

function coreBreach(file: string, target: string): string | null {
  if (!target.startsWith('assembly/')) return `the core imports ${target} from outside`;
  if (coreRank(target) <= coreRank(file)) return null;
  return `${target} lies above`;
}

function coreRank(file: string): number {
  return CORE_RANKS[file] ?? CORE_RANKS[folderOf(file)] ?? CORE_BASE_RANK;
}

function sourceBreach(file: string, target: string, entry: Import): string | null {
  const unit = UNITS[unitOf(file)];
  if (unit === undefined) return `the import rules do not know ${unitOf(file)}`;
  if (!target.startsWith('src/') && !target.startsWith('assembly/')) {
    const allowed = entry.typeOnly || !unit.portable || PORTABLE_MODULES.has(target);
    return allowed || !target.startsWith('node:') ? null : `${target} does not exist in a browser`;
  }
  const to = unitOf(target);
  if (to === unitOf(file) || unit.imports.includes(to)) return null;
  if (entry.typeOnly && unit.types?.includes(to)) return null;
  return `${unitOf(file)} must not import ${target}${entry.typeOnly ? ', not even as a type' : ''}`;
}

function platformBreach(file: string, name: string): string | null {
  if (PLATFORM_FILES.has(file)) return null;
  if (file.startsWith('src/cli/') && DISPLAY_TIMERS.has(name)) return null;
  // In AssemblyScript such a name is a function of our own: the module imports nothing.
  if (file.startsWith('assembly/')) return null;
  return `${name} belongs in ${[...PLATFORM_FILES].join(', ')}`;
}

function unitOf(file: string): string {
  if (/^src\/io\/(device|out-batch|timers)\.ts$/.test(file)) return DEVICE;
  if (/^assembly\/(abi|mib|cc\/ids)\.ts$/.test(file)) return ABI;
  return file in UNITS ? file : folderOf(file);
}

/** `src/io` of `src/io/udp.ts`, and of `src/io/linux/udp.ts`. */
function folderOf(file: string): string {
  const parts = file.split('/');
  return parts.length > 2 ? parts.slice(0, 2).join('/') : file;
}
