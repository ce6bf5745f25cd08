/**
 * The builds of the core that are fuzzed: the one that ships, and `audit`, the debug build that can look at all of
 * itself (assembly/audit.ts).
 */
import { readFile } from 'node:fs/promises';
import type { Core } from '../../src/core/core.js';
import type { CoreModule } from '../../src/core/load.js';
import { root } from '../support/root.js';

export type Build = 'release' | 'audit';

const FILES: Readonly<Record<Build, string>> = { release: 'dist/core.wasm', audit: 'dist/audit.debug.wasm' };

export async function loadBuild(build: Build): Promise<CoreModule> {
  return WebAssembly.compile(await readFile(new URL(FILES[build], root)));
}

interface AuditExports {
  audit(): number;
  auditCulprit(): number;
  auditedBytes(): number;
  sackedWork(): number;
  memoryUsed(): number;
  pinNumbers(sequence: number, dataHigh: number, dataLow: number): void;
}

/** Where sequence numbers begin. */
export interface Numbers {
  /** Of every subflow. */
  readonly sequence: number;
  /** Of the data. */
  readonly data: bigint;
}

/** Sequence numbers of a core of build `audit` begin there from now on. */
export function pinNumbers(core: Core, { sequence, data }: Numbers): void {
  const low = Number(data & 0xffffffffn);
  (core.x as unknown as AuditExports).pinNumbers(sequence, Number(data >> 32n), low);
}

/** Records that a core of build `audit` has looked at for SACK blocks that report what is known. */
export function sackedWork(core: Core): number {
  return (core.x as unknown as AuditExports).sackedWork();
}

/** What is wrong with a core, null: nothing, or the build cannot tell. */
export function auditCore(core: Core): string | null {
  const x = core.x as unknown as Partial<AuditExports>;
  if (x.audit === undefined) return null;
  const code = x.audit();
  if (code === 0) return null;
  const bytes = `${x.memoryUsed?.() ?? 0} octets in use, ${x.auditedBytes?.() ?? 0} accounted for`;
  return `number ${code}, handle ${x.auditCulprit?.() ?? 0}; ${bytes}`;
}
