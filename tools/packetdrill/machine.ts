/** What a script runs on: a host with its clock, its wire, its sockets and its shell. */
import type { Config } from './config.js';
import type { Flow } from './flow.js';
import type { Addressing, Mode, SocketLayer } from './socket-layer.js';
import type { Packet } from './wire.js';

/** Times are microseconds on the host's own clock. */
export interface Machine {
  readonly addressing: Addressing;
  readonly now: number;
  /** Events may be late by so much whatever the script says: 0 where time is virtual. */
  readonly slack: number;
  /** Packets of the host that nobody took yet, in order. */
  readonly sent: Packet[];
  /** Puts an IP packet on the wire. */
  inject(bytes: Buffer, destination: string): void;
  /** Everything that is due at this instant. */
  settle(): void;
  /** Time passes until then; a time in the past changes nothing. */
  sleepUntil(time: number): void;
  /** Time passes until the condition is true, at the latest until then. Returns whether it is true. */
  waitFor(condition: () => boolean, latest: number): boolean;
  /** Whether the host has a subflow between these ends. */
  hasFlow(flow: Flow): boolean;
  /** A port of the peer that no flow has had. */
  nextRemotePort(): number;
}

export interface ScriptShell {
  /** Runs a command of the script. Throws a `ScriptError` for a status other than 0. */
  run(text: string, line: number): void;
  /** Runs a shell script beside the script; null: there is none of this name. */
  runFile(name: string): object | null;
}

export interface Setup {
  readonly machine: Machine;
  readonly layer: SocketLayer;
  readonly shell: ScriptShell;
  close(): void;
}

export interface ScriptContext {
  readonly mode: Mode;
  readonly config: Config;
  /** The script's file. */
  readonly path: string;
  readonly warn: (line: number, message: string) => void;
}

/** A new host for one script in one mode. Throws a `ScriptError` where it cannot have one. */
export type OpenMachine = (context: ScriptContext) => Setup;

/** The addresses of a mode, unless the script has its own. */
export function addressingOf(
  mode: Mode,
  config: Config,
  defaults: { readonly local: string; readonly remote: string },
): Addressing {
  return {
    mode,
    local: config.localIp ?? defaults.local,
    remote: config.remoteIp ?? defaults.remote,
    bindPort: config.bindPort,
    connectPort: config.connectPort,
  };
}
