/** Options of the command line and of a script's first lines. */
import { ScriptError, type Mode } from './socket-layer.js';

export interface Config {
  /** Versions that the script is run in. */
  readonly modes: readonly Mode[];
  readonly bindPort: number;
  readonly connectPort: number;
  /** null: the mode's own. */
  readonly localIp: string | null;
  readonly remoteIp: string | null;
  readonly gatewayIp: string | null;
  readonly mtu: number | null;
  /** An event may be off by so many microseconds, or by this part of the time since the event before. */
  readonly toleranceUsecs: number;
  readonly tolerancePercent: number;
  /** Outgoing TS val is compared when its tick is known. */
  readonly tsTickUsecs: number;
  readonly tsEcrScaled: boolean;
  readonly strictSegments: boolean;
  readonly strictOptions: boolean;
  readonly nonFatalPacket: boolean;
  readonly nonFatalSyscall: boolean;
  readonly verbose: boolean;
  readonly dryRun: boolean;
  /** On the kernel of this machine instead of this stack. */
  readonly kernel: boolean;
  /** The only one of both that the script is for; null: either. */
  readonly only: 'kernel' | 'stack' | null;
  readonly initScripts: readonly string[];
  readonly defines: ReadonlyMap<string, string>;
  readonly codeCommand: string;
}

export const MODES: readonly Mode[] = ['ipv4', 'ipv6', 'ipv4-mapped-ipv6'];

export const DEFAULTS: Config = {
  modes: MODES,
  bindPort: 8080,
  connectPort: 8080,
  localIp: null,
  remoteIp: null,
  gatewayIp: null,
  mtu: null,
  toleranceUsecs: 4000,
  tolerancePercent: 12.5,
  tsTickUsecs: 0,
  tsEcrScaled: false,
  strictSegments: false,
  strictOptions: false,
  nonFatalPacket: false,
  nonFatalSyscall: false,
  verbose: false,
  dryRun: false,
  kernel: false,
  only: null,
  initScripts: [],
  defines: new Map(),
  codeCommand: 'python3',
};

export interface Option {
  readonly name: string;
  readonly value: string | null;
}

/** The options in the first lines of a script, and where the rest begins. */
export function scriptOptions(text: string): { options: Option[]; offset: number; line: number } {
  const options: Option[] = [];
  let offset = 0;
  for (;;) {
    BLANK.lastIndex = offset;
    offset += BLANK.exec(text)?.[0].length ?? 0;
    OPTION.lastIndex = offset;
    const match = OPTION.exec(text);
    if (match === null) break;
    options.push({ name: match[1]!, value: match[2] === undefined ? null : unquoted(match[2]) });
    offset += match[0].length;
  }
  return { options, offset, line: text.slice(0, offset).split('\n').length };
}

/** `--name=value`, `--name value` and `-D value` of the command line. Returns the rest. */
export function commandLine(args: readonly string[]): { options: Option[]; rest: string[] } {
  const options: Option[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const match = /^--([A-Za-z0-9_]+)(?:=([^]*))?$/.exec(arg);
    if (arg === '-v') options.push({ name: 'verbose', value: null });
    else if (arg.startsWith('-D')) {
      options.push({ name: 'define', value: arg.length > 2 ? arg.slice(2) : (args[++i] ?? null) });
    } else if (match !== null) {
      const name = match[1]!;
      const wants = typeof KNOWN[name] === 'function' && match[2] === undefined;
      options.push({ name, value: wants ? (args[++i] ?? null) : (match[2] ?? null) });
    } else if (arg.startsWith('-')) throw new ScriptError(`unknown option ${arg}`);
    else rest.push(arg);
  }
  return { options, rest };
}

/** Later options win. */
export function configure(options: readonly Option[], base: Config = DEFAULTS): Config {
  let config = base;
  for (const { name, value } of options) {
    const known = KNOWN[name];
    if (known === undefined) throw new ScriptError(`unknown option --${name}`);
    if (typeof known === 'function') {
      if (value === null) throw new ScriptError(`--${name} needs a value`);
      config = { ...config, ...known(value, config) };
    } else {
      if (value !== null) throw new ScriptError(`--${name} takes no value`);
      config = { ...config, ...known };
    }
  }
  return config;
}

type Setting = Partial<Config> | ((value: string, config: Config) => Partial<Config>);

const number = (text: string, low: number, high: number): number => {
  const value = Number(text);
  if (!(value >= low && value <= high)) throw new ScriptError(`${text} is out of range`);
  return value;
};
const port = (text: string): number => number(text, 1, 0xffff);
const nothing = (): Partial<Config> => ({});

function version(text: string): Partial<Config> {
  const mode = MODES.find((known) => known === text);
  if (mode === undefined) throw new ScriptError(`--ip_version is ${MODES.join(', ')}; not ${text}`);
  return { modes: [mode] };
}

function only(text: string): Partial<Config> {
  if (text !== 'kernel' && text !== 'stack') throw new ScriptError(`--only is kernel or stack; not ${text}`);
  return { only: text };
}

function define(text: string, config: Config): Partial<Config> {
  const match = /^(\w+)=([^]*)$/.exec(text);
  if (match === null) throw new ScriptError(`--define takes NAME=VALUE; not ${text}`);
  return { defines: new Map([...config.defines, [match[1]!, match[2]!]]) };
}

const KNOWN: Readonly<Record<string, Setting>> = {
  ip_version: version,
  bind_port: (value) => ({ bindPort: port(value) }),
  connect_port: (value) => ({ connectPort: port(value) }),
  local_ip: (value) => ({ localIp: value }),
  // A prefix may follow, for the route to it.
  remote_ip: (value) => ({ remoteIp: value.replace(/\/\d+$/, '') }),
  gateway_ip: (value) => ({ gatewayIp: value }),
  netmask_ip: nothing,
  mtu: (value) => ({ mtu: number(value, 256, 65535) }),
  speed: nothing,
  mss: nothing,
  tolerance_usecs: (value) => ({ toleranceUsecs: number(value, 0, 1e12) }),
  tolerance_percent: (value) => ({ tolerancePercent: number(value, 0, 1e6) }),
  tcp_ts_tick_usecs: (value) => ({ tsTickUsecs: number(value, 0, 1e6) }),
  tcp_ts_ecr_scaled: { tsEcrScaled: true },
  strict_segments: { strictSegments: true },
  strict_options: { strictOptions: true },
  non_fatal: (value, config) => ({
    nonFatalPacket: config.nonFatalPacket || /\bpacket\b/.test(value),
    nonFatalSyscall: config.nonFatalSyscall || /\bsyscall\b/.test(value),
  }),
  init_scripts: (value) => ({ initScripts: value.split(',').filter((name) => name !== '') }),
  define,
  code_command: (value) => ({ codeCommand: value }),
  code_format: nothing,
  code_sockopt: nothing,
  dry_run: { dryRun: true },
  kernel: { kernel: true },
  only,
  is_anyip: {},
  send_omit_free: {},
  // Of the machine that packetdrill runs on: its TUN device, a library of socket calls, a second machine.
  persistent_tun_dev: {},
  tun_dev: nothing,
  no_cleanup: {},
  so_filename: nothing,
  so_flags: nothing,
  wire_client_dev: nothing,
  wire_server_dev: nothing,
  wire_server_ip: nothing,
  wire_server_port: nothing,
  debug: { verbose: true },
  verbose: { verbose: true },
};

const BLANK = /(?:\s+|\/\/[^\n]*|\/\*[^]*?\*\/|#[^\n]*)*/y;
const OPTION = /--([A-Za-z0-9_]+)(?:=((?:[A-Za-z0-9_]+=)?(?:"(?:\\[^]|[^"])*"|`[^`]*`|[^\s"`]*)))?/y;

/** Quotes around a whole value; within NAME="value" they tell that it is a string. */
const unquoted = (text: string): string => (/^"[^]*"$/.test(text) ? text.slice(1, -1) : text);
