/** Scripts in files: found, run in each of their modes, reported. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { configure, scriptOptions, type Config, type Option } from './config.js';
import { modeDefines } from './modes.js';
import { parseScript } from './parser.js';
import { runScript, type Environment, type Failure, type RunResult } from './run.js';
import type { Script } from './script.js';
import { ScriptError, type Mode } from './socket-layer.js';

export interface Report {
  readonly path: string;
  /** null: the script was not understood. */
  readonly mode: Mode | null;
  readonly failure: Failure | null;
  readonly warnings: readonly Failure[];
  readonly log: readonly string[];
}

/** Runs a script in every mode that it and the command line allow; in none where it is not for this host. */
export function runFile(path: string, options: readonly Option[], environment: Environment): Report[] {
  const quiet = { warnings: [], log: [] };
  let modes: readonly Mode[] = [];
  try {
    const text = readFileSync(path, 'utf8');
    const own = scriptOptions(text).options;
    const general = configOf(own, options, null);
    if (general.only === (general.kernel ? 'stack' : 'kernel')) return [];
    modes = modesOf(general);
    return modes.map((mode): Report => {
      const config = configOf(own, options, mode);
      const script = parseScript(path, text, config.defines);
      if (config.dryRun) return { path, mode, failure: null, ...quiet };
      return { path, mode, ...run(script, mode, config, environment) };
    });
  } catch (error) {
    const { message } = error as Error;
    const line = error instanceof ScriptError ? error.line : null;
    const known = error instanceof ScriptError || 'code' in (error as Error);
    if (!known) throw error;
    const failure = { line, message };
    return modes.length === 0
      ? [{ path, mode: null, failure, ...quiet }]
      : modes.map((mode) => ({ path, mode, failure, ...quiet }));
  }
}

/** In real time a script may fail because the machine had other things to do: what was only late is tried again. */
const ATTEMPTS = 4;

function run(script: Script, mode: Mode, config: Config, environment: Environment): RunResult {
  let result = runScript(script, mode, config, environment);
  for (let tries = 1; config.kernel && result.failure?.late === true && tries < ATTEMPTS; tries++)
    result = runScript(script, mode, config, environment);
  return result;
}

/** The mode's own definitions, then the script's options, then the command line's. */
function configOf(own: readonly Option[], options: readonly Option[], mode: Mode | null): Config {
  const defines = mode === null ? [] : modeDefines(mode);
  return configure([...defines, ...own, ...options]);
}

/** Addresses that are given decide on the version as well. */
function modesOf({ modes, localIp, remoteIp }: Config): readonly Mode[] {
  const given = localIp ?? remoteIp;
  if (given === null) return modes;
  return modes.filter((mode) => (mode === 'ipv6') === given.includes(':'));
}

/** Scripts of the arguments; directories are walked. */
export function findScripts(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.pkt'))
      .sort()
      .map((name) => join(path, name));
  });
}

export function formatReport(report: Report, verbose: boolean): string {
  const { path, mode, failure, warnings, log } = report;
  const lines: string[] = [];
  if (verbose) lines.push(...log.map((line) => `  ${line}`));
  for (const { line, message } of warnings) lines.push(`  warning: line ${line ?? 0}: ${message}`);
  lines.push(`${failure === null ? 'ok  ' : 'FAIL'}  ${path} ${mode ?? ''}`.trimEnd());
  if (failure !== null) {
    const where = failure.line === null ? '' : `line ${failure.line}: `;
    lines.push(...`${where}${failure.message}`.split('\n').map((line) => `      ${line}`));
  }
  return lines.join('\n');
}
