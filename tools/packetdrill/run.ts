/** One script in one mode: walks through its events as packetdrill does; the machine says whose time it is. */
import type { Dissector } from '../../src/inspect/dissector.js';
import type { SocketCall } from './ast.js';
import { CodeRunner } from './code.js';
import type { Config } from './config.js';
import type { Machine, OpenMachine, Setup } from './machine.js';
import { ScriptPeer } from './peer.js';
import { CONSTANTS } from './posix/constants.js';
import { integer, isEllipsis } from './posix/evaluate.js';
import type { PacketSpec, Script, ScriptEvent } from './script.js';
import { ScriptError, type CallOutcome, type Mode, type RunningCall } from './socket-layer.js';

export interface Failure {
  readonly line: number | null;
  /** One or more lines of text. */
  readonly message: string;
  /** Everything came as expected so far, but not when. */
  readonly late?: boolean;
}

class TimeError extends ScriptError {}

export interface RunResult {
  readonly failure: Failure | null;
  /** What the script asked for and does not have, and its failures that are not fatal. */
  readonly warnings: readonly Failure[];
  /** Packets and calls, when verbose. */
  readonly log: readonly string[];
}

export interface Environment {
  readonly dissector: Dissector;
  readonly open: OpenMachine;
}

export function runScript(script: Script, mode: Mode, config: Config, environment: Environment): RunResult {
  const run = new Run(script, mode, config, environment);
  try {
    const failure = failureOf(() => run.all());
    run.noteTheRest();
    const unclean = failureOf(() => run.cleanUp());
    return { failure: failure ?? unclean ?? run.code(), warnings: run.warnings, log: run.log };
  } finally {
    run.close();
  }
}

function failureOf(action: () => void): Failure | null {
  try {
    action();
    return null;
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return { line: error.line, message: error.message, late: error instanceof TimeError };
  }
}

/** A packet may be late by this much before its absence is an error; packetdrill's own constant. */
const PATIENCE = 2e6;
/** A call waits this long for an earlier one that blocks; packetdrill's own constant. */
const CALL_PATIENCE = 1e6;
/** The longest that anything without a time of its own may take. */
const FOREVER = 600e6;

/** How long packets are listened for after a failure. */
const AFTERMATH = 0.3e6;

/** An event with its times on the clock of the script. */
interface Timed {
  readonly event: ScriptEvent;
  /** The time that relative ones count from. */
  readonly offset: number;
  readonly at: number;
  readonly end: number | null;
}

/** A call that blocks. */
interface Pending {
  readonly call: SocketCall;
  readonly running: RunningCall;
  readonly begun: number;
  readonly end: number;
}

class Run {
  readonly warnings: Failure[] = [];
  readonly log: string[] = [];
  readonly #script: Script;
  readonly #config: Config;
  readonly #setup: Setup;
  readonly #machine: Machine;
  readonly #peer: ScriptPeer;
  readonly #code: CodeRunner;
  #start = 0;
  #last: Timed | null = null;
  #pending: Pending | null = null;

  constructor(script: Script, mode: Mode, config: Config, environment: Environment) {
    this.#script = script;
    this.#config = config;
    const warn = (line: number, message: string): void => void this.warnings.push({ line, message });
    this.#setup = environment.open({ mode, config, path: script.path, warn });
    const { machine, layer } = this.#setup;
    this.#machine = machine;
    this.#peer = new ScriptPeer(machine, config, environment.dissector, (fd) => layer.endpoints(fd));
    this.#code = new CodeRunner(config.codeCommand);
  }

  all(): void {
    const { init, events } = this.#script;
    for (const file of this.#config.initScripts) {
      if (this.#setup.shell.runFile(file) === null) throw new ScriptError(`no init script ${file}`);
    }
    if (init !== null) this.#setup.shell.run(init.text, init.line);
    this.#start = this.#machine.now;
    this.#setup.layer.start();
    const first = events[0]!;
    if ('at' in first.time && first.time.at !== 0) {
      throw new ScriptError('the first event has to be at time 0', first.line);
    }
    for (const event of events) this.#event(event);
    this.#awaitCall(null);
  }

  /** What came, and comes soon, that no event took. */
  noteTheRest(): void {
    if (!this.#config.verbose) return;
    const { sent } = this.#machine;
    this.#machine.sleepUntil(this.#machine.now + AFTERMATH);
    for (const packet of sent.splice(0)) {
      const text = this.#peer.describe(packet);
      if (text !== null) this.#note(`> ${text}  (not looked at)`, packet.time - this.#start);
    }
  }

  cleanUp(): void {
    const { cleanup } = this.#script;
    if (cleanup !== null) this.#setup.shell.run(cleanup.text, cleanup.line);
  }

  /** Runs the code of the script. */
  code(): Failure | null {
    return this.#code.execute();
  }

  close(): void {
    this.#setup.close();
  }

  get #now(): number {
    return this.#machine.now - this.#start;
  }

  #event(event: ScriptEvent): void {
    const timed = this.#timed(event);
    const { action, line } = event;
    switch (action.kind) {
      case 'packet':
        if (action.packet.direction === 'in') this.#inbound(timed, action.packet);
        else this.#outbound(timed, action.packet);
        break;
      case 'call':
        this.#call(timed, action.call, action.end);
        break;
      case 'command':
        this.#waitFor(timed, 'the command');
        this.#setup.shell.run(action.text, line);
        break;
      case 'code':
        this.#waitFor(timed, 'the code');
        this.#code.add(action.text, line, this.#snapshot());
        break;
    }
    this.#checkCall();
    this.#last = timed;
  }

  // ---- time ---------------------------------------------------------------------------------------------------

  /** Packets to the stack count from the packet before, everything else from the present. */
  #timed(event: ScriptEvent): Timed {
    const { time, line } = event;
    const last = this.#last;
    if (time.kind === 'absolute' || time.kind === 'absolute-range') {
      if (last !== null && last.event.time.kind.startsWith('absolute') && time.at < last.at) {
        throw new ScriptError('time goes backwards', line);
      }
      return { event, offset: 0, at: time.at, end: 'end' in time ? time.end : null };
    }
    const offset = last !== null && isInbound(last.event) && isInbound(event) ? last.at : this.#now;
    if (time.kind === 'any') return { event, offset, at: offset, end: null };
    return { event, offset, at: offset + time.at, end: 'end' in time ? offset + time.end : null };
  }

  #waitFor(timed: Timed, what: string): void {
    this.#sleepUntil(this.#start + timed.at);
    if (this.#last === null) return;
    const error = this.#timeError(timed, this.#now, what);
    if (error !== null) throw new TimeError(error, timed.event.line);
  }

  /** Lets time pass. A call that returns meanwhile is looked at when it does. */
  #sleepUntil(time: number): void {
    while (this.#pending !== null && this.#machine.now < time) {
      const { running } = this.#pending;
      this.#machine.waitFor(() => running.outcome !== null, time);
      this.#checkCall();
    }
    this.#machine.sleepUntil(time);
  }

  /** null: the time is right. */
  #timeError(timed: Timed, actual: number, what: string): string | null {
    const { at, end, event, offset } = timed;
    if (event.time.kind === 'any') return null;
    const sinceLast = at - (this.#last?.at ?? at);
    const tolerance = this.#tolerance(sinceLast);
    if (actual >= at - tolerance && actual <= (end ?? at) + tolerance) return null;
    const relative = event.time.kind.startsWith('relative');
    const show = (time: number): string =>
      relative ? `+${seconds(time - offset)} (${seconds(time)})` : seconds(time);
    const expected = end === null ? show(at) : `${show(at)}~${show(end)}`;
    return `${what}: expected at ${expected} s, happened at ${show(actual)} s; tolerance ${seconds(tolerance)} s`;
  }

  /** How far an event may be off that is so long after the one before. */
  #tolerance(since: number): number {
    const { toleranceUsecs, tolerancePercent } = this.#config;
    return Math.max(this.#machine.slack, toleranceUsecs, (tolerancePercent / 100) * since);
  }

  // ---- packets ------------------------------------------------------------------------------------------------

  #inbound(timed: Timed, packet: PacketSpec): void {
    this.#waitFor(timed, 'inbound packet');
    const text = this.#peer.send(packet);
    this.#note(`< ${text}`);
  }

  #outbound(timed: Timed, packet: PacketSpec): void {
    const { event, at, end } = timed;
    const lastAt = this.#last?.at ?? 0;
    const patience = Math.floor(Math.max(at - lastAt, (end ?? at) - lastAt) / 1e6) * 1e6 + PATIENCE;
    const latest = this.#machine.now + (event.time.kind === 'any' ? FOREVER : patience);
    const { packet: live, mismatch, actual } = this.#peer.receive(packet, latest, at);
    if (live === null) {
      throw new ScriptError(`no packet came\n  expected: ${seconds(at)} ${packet.text}`, packet.line);
    }
    const when = live.time - this.#start;
    this.#note(`> ${actual}`, when);
    const late = mismatch === null ? this.#timeError(timed, when, 'outbound packet') : null;
    const error = mismatch ?? late;
    if (error === null) return;
    const message = `${error}\n  expected: ${seconds(at)} ${packet.text}\n  actual:   ${seconds(when)} > ${actual}`;
    if (!this.#config.nonFatalPacket)
      throw late === null ? new ScriptError(message, packet.line) : new TimeError(message, packet.line);
    this.warnings.push({ line: packet.line, message });
  }

  // ---- calls --------------------------------------------------------------------------------------------------

  #call(timed: Timed, call: SocketCall, end: number | null): void {
    this.#awaitCall(call.line);
    this.#waitFor(timed, 'system call');
    const running = this.#begin(call);
    this.#machine.settle();
    if (end !== null) {
      const relative = timed.event.time.kind === 'relative';
      this.#pending = { call, running, begun: timed.at, end: end + (relative ? timed.offset : 0) };
      return;
    }
    const { now } = this.#machine;
    if (!this.#machine.waitFor(() => running.outcome !== null, now + FOREVER)) {
      throw new ScriptError(`${call.name} does not return`, call.line);
    }
    this.#compare(call, running.outcome!);
  }

  #begin(call: SocketCall): RunningCall {
    try {
      return this.#setup.layer.begin(call);
    } catch (error) {
      if (error instanceof ScriptError) throw new ScriptError(error.message, error.line ?? call.line);
      throw error;
    }
  }

  /** A call can begin, or the script end, when the one before has returned. */
  #awaitCall(line: number | null): void {
    if (this.#pending === null) return;
    const { call, running } = this.#pending;
    this.#machine.waitFor(() => running.outcome !== null, this.#machine.now + CALL_PATIENCE);
    this.#checkCall();
    if (this.#pending !== null)
      throw new ScriptError(`${call.name} of line ${call.line} still blocks`, line ?? call.line);
  }

  #checkCall(): void {
    const pending = this.#pending;
    const outcome = pending?.running.outcome ?? null;
    if (pending === null || outcome === null) return;
    this.#pending = null;
    const { call, begun, end } = pending;
    this.#compare(call, outcome);
    const actual = outcome.time - this.#start;
    const tolerance = this.#tolerance(end - begun);
    if (Math.abs(actual - end) <= tolerance) return;
    const message = `${call.name} returned at ${seconds(actual)} s, expected at ${seconds(end)} s; tolerance ${seconds(tolerance)} s`;
    throw new TimeError(message, call.line);
  }

  #compare(call: SocketCall, outcome: CallOutcome): void {
    this.#note(`${call.name}(...) = ${outcome.result} ${outcome.errno ?? ''}`.trimEnd());
    const error = wrongResult(call, outcome) ?? outcome.mismatch;
    if (error === null) return;
    const message = `${call.name}: ${error}`;
    if (!this.#config.nonFatalSyscall) throw new ScriptError(message, call.line);
    this.warnings.push({ line: call.line, message });
  }

  // ---- the rest -------------------------------------------------------------------------------------------------

  /** What code may ask for: TCP_INFO and MPTCP_INFO of the socket used last. */
  #snapshot(): Map<string, bigint> {
    const fd = this.#setup.layer.lastUsed;
    if (fd === null) return new Map();
    return new Map([...(this.#setup.layer.tcpInfo(fd) ?? []), ...(this.#setup.layer.mptcpInfo(fd) ?? [])]);
  }

  #note(text: string, time = this.#now): void {
    if (this.#config.verbose) this.log.push(`${seconds(time)} ${text}`);
  }
}

const errnoNumber = (name: string): bigint | string => CONSTANTS.get(name) ?? name;

const isInbound = ({ action }: ScriptEvent): boolean =>
  action.kind === 'packet' && action.packet.direction === 'in';

const seconds = (usecs: number): string => (usecs / 1e6).toFixed(6);

/** `...` is any result. Names of one errno are the same: EWOULDBLOCK is EAGAIN. */
function wrongResult(call: SocketCall, outcome: CallOutcome): string | null {
  const got = outcome.errno === null ? String(outcome.result) : `${outcome.result} ${outcome.errno}`;
  const wanted = isEllipsis(call.result) ? outcome.result : integer(call.result);
  if (wanted !== outcome.result) {
    return `expected ${wanted}${call.errno === null ? '' : ` ${call.errno.name}`}, got ${got}`;
  }
  if (call.errno === null || call.errno.name === outcome.errno) return null;
  const same = outcome.errno !== null && errnoNumber(call.errno.name) === errnoNumber(outcome.errno);
  return same ? null : `expected ${call.errno.name}, got ${got}`;
}
