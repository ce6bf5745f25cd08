/**
 * The wire format of a file transfer: one hello in each direction, then frames. All integers are big-endian.
 *
 *     hello     magic "PLTX" | version u16 | extension length u16 | flags u32 | extension octets
 *     frame     type u8 | length u32 | payload
 *
 * The sender speaks first and waits for the receiver's hello. The low 16 flags are demands: who does not know
 * one refuses. The high 16 are offers: who does not know one answers with the bit cleared. Version 1 defines
 * none; key exchange and resumption will each be a flag with data in the extension.
 *
 *     sender                                       receiver
 *     hello                       ->
 *                                 <-               hello
 *     Offer (entries, octets)     ->
 *     Directory | File            ->
 *     Data ... End (SHA-256)      ->
 *       or Cancel (reason)        ->
 *                                 <-               Result, one per entry, in order
 *     Finish                      ->
 *                                 <-               Done (entries in place)
 *     end of stream               ->
 *                                 <-               end of stream
 *
 * A Result may come before its file has ended: the receiver cannot store it, and the sender cancels it.
 */
import { PlaitError } from '../errors.js';

export const Frame = {
  Offer: 1,
  Directory: 2,
  File: 3,
  Data: 4,
  End: 5,
  Cancel: 6,
  Finish: 7,
  Result: 16,
  Done: 17,
  /** Either side gives up on the whole transfer; the payload is a problem. */
  Abort: 32,
} as const;

export interface Hello {
  readonly version: number;
  readonly flags: number;
  readonly extensionLength: number;
}

/** A file's or directory's head line. `size` is 0 for a directory. */
export interface EntryHead {
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly mtime: number;
  /** Relative, with "/" between components. */
  readonly name: string;
}

/** What went wrong with one entry: a stable code ("ENOSPC") and words for people. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** The fate of one entry. `problem` is null when it is in place. */
export interface Outcome {
  readonly index: number;
  readonly problem: Problem | null;
}

export function encodeHello(version = VERSION, flags = 0): Buffer {
  const out = Buffer.alloc(HELLO_LENGTH);
  out.write(MAGIC, 0, 'latin1');
  out.writeUInt16BE(version, 4);
  out.writeUInt32BE(flags, 8);
  return out;
}

export function decodeHello(bytes: Buffer): Hello {
  if (bytes.toString('latin1', 0, 4) !== MAGIC) {
    throw new PlaitError(
      'ERR_PLAIT_PROTOCOL',
      'the peer does not speak the file transfer protocol',
      USE_PAIR,
    );
  }
  return {
    version: bytes.readUInt16BE(4),
    extensionLength: bytes.readUInt16BE(6),
    flags: bytes.readUInt32BE(8),
  };
}

/** A frame's head for a payload that follows separately. */
export function encodeHead(type: number, length: number): Buffer {
  const out = Buffer.allocUnsafe(HEAD_LENGTH);
  out.writeUInt8(type, 0);
  out.writeUInt32BE(length, 1);
  return out;
}

export function encodeOffer(entries: number, octets: number): Buffer {
  const out = Buffer.allocUnsafe(12);
  out.writeUInt32BE(entries, 0);
  writeU64(out, octets, 4);
  return out;
}

export function decodeOffer(payload: Buffer): { entries: number; octets: number } {
  need(payload, 12);
  return { entries: payload.readUInt32BE(0), octets: readU64(payload, 4) };
}

export function encodeEntry(head: EntryHead): Buffer {
  const name = Buffer.from(head.name, 'utf8');
  const out = Buffer.allocUnsafe(ENTRY_FIXED + name.length);
  writeU64(out, head.size, 0);
  out.writeUInt32BE(head.mode, 8);
  out.writeDoubleBE(head.mtime, 12);
  name.copy(out, ENTRY_FIXED);
  return out;
}

export function decodeEntry(payload: Buffer): EntryHead {
  if (payload.length <= ENTRY_FIXED || payload.length > ENTRY_FIXED + MAX_NAME) throw malformed('an entry');
  const mtime = payload.readDoubleBE(12);
  if (!Number.isFinite(mtime)) throw malformed('a file time');
  return {
    size: readU64(payload, 0),
    mode: payload.readUInt32BE(8),
    mtime,
    name: decodeText(payload.subarray(ENTRY_FIXED)),
  };
}

export function encodeProblem(problem: Problem): Buffer {
  const code = Buffer.from(problem.code.slice(0, MAX_CODE), 'latin1');
  const message = Buffer.from(problem.message.slice(0, MAX_MESSAGE), 'utf8');
  return Buffer.concat([Buffer.of(code.length), code, message]);
}

export function decodeProblem(payload: Buffer): Problem {
  const length = payload[0];
  if (length === undefined || 1 + length > payload.length) throw malformed('a problem');
  return {
    code: payload.toString('latin1', 1, 1 + length),
    message: payload.toString('utf8', 1 + length),
  };
}

export function encodeOutcome(outcome: Outcome): Buffer {
  const out = Buffer.allocUnsafe(4);
  out.writeUInt32BE(outcome.index, 0);
  return outcome.problem === null ? out : Buffer.concat([out, encodeProblem(outcome.problem)]);
}

export function decodeOutcome(payload: Buffer): Outcome {
  if (payload.length < 4) throw malformed('a result');
  return {
    index: payload.readUInt32BE(0),
    problem: payload.length === 4 ? null : decodeProblem(payload.subarray(4)),
  };
}

export function encodeDone(inPlace: number): Buffer {
  const out = Buffer.allocUnsafe(4);
  out.writeUInt32BE(inPlace, 0);
  return out;
}

export function decodeDone(payload: Buffer): number {
  need(payload, 4);
  return payload.readUInt32BE(0);
}

export const malformed = (what: string): PlaitError =>
  new PlaitError('ERR_PLAIT_PROTOCOL', `the peer sent ${what} that is not well-formed`, USE_PAIR);

export const otherVersion = (theirs: number): PlaitError =>
  new PlaitError(
    'ERR_PLAIT_PROTOCOL',
    `the peer speaks version ${theirs} of the file transfer protocol, this is version ${VERSION}`,
    'install the same version of plait at both ends',
  );

function need(payload: Buffer, length: number): void {
  if (payload.length !== length) throw malformed('a frame');
}

function writeU64(out: Buffer, value: number, at: number): void {
  out.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  out.writeUInt32BE(value % 2 ** 32, at + 4);
}

function readU64(bytes: Buffer, at: number): number {
  const value = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
  if (!Number.isSafeInteger(value)) throw malformed('a size');
  return value;
}

function decodeText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('a name');
  }
}

const MAGIC = 'PLTX';
export const VERSION = 1;
export const HELLO_LENGTH = 12;
export const HEAD_LENGTH = 5;
/** Demands among the flags; offers are the other half. */
export const DEMANDS = 0xffff;
/** Longest name in octets. */
export const MAX_NAME = 4096;
/** Longest payload of a Data frame. */
export const MAX_DATA = 1 << 20;
/** Longest payload of any other frame. */
export const MAX_CONTROL = 8192;
export const DIGEST_LENGTH = 32;
const ENTRY_FIXED = 20;
const MAX_CODE = 40;
const MAX_MESSAGE = 1000;
const USE_PAIR = 'run "plait recv" at one end and "plait send" at the other, in versions that match';
