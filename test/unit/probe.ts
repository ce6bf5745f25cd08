/** Loads probe.wasm, the unit-test face of the core (assembly/probe.ts), in both builds. */
import { readFileSync } from 'node:fs';

/** What assembly/probe.ts exports and the tests use. 64-bit values are BigInt; u32 comes back signed. */
export interface ProbeExports {
  scratch(): number;
  // checksum, hashes, keys, data sequence numbers
  sum16(ptr: number, len: number, acc: bigint): bigint;
  fold(acc: bigint): number;
  checksum(acc: bigint): number;
  swap16(acc: bigint): bigint;
  pseudo4(src: number, dst: number, len: number): bigint;
  pseudo6(src: number, dst: number, len: number): bigint;
  dssChecksum(dsn: bigint, ssn: number, len: number, payloadSum: bigint): number;
  sha256(ptr: number, len: number, out: number): void;
  siphash(key: number, ptr: number, len: number): bigint;
  hmac(key: number, keyLen: number, msg: number, msgLen: number, out: number): void;
  equal(a: number, b: number, len: number): number;
  tokenOf(key: bigint): number;
  idsnOf(key: bigint): bigint;
  joinHmac(keyA: bigint, keyB: bigint, nonceA: number, nonceB: number, out: number): void;
  addAddrHmac(
    keySender: bigint,
    keyReceiver: bigint,
    id: number,
    addr: number,
    addrLen: number,
    port: number,
  ): bigint;
  dsnExpand(reference: bigint, low: number): bigint;
  // intervals beyond a hole; `intervals` is the one vector, whose last word counts them
  intervals(): number;
  intervalsAdd(v: number, start: bigint, end: bigint, most: number): number;
  intervalsCover(v: number, start: bigint, end: bigint): number;
  intervalsReach(v: number, number: bigint): bigint;
  intervalsFree(v: number): void;
  intervalsBytes(v: number): number;
  startOf(v: number, i: number): bigint;
  endOf(v: number, i: number): bigint;
  // options, written
  writeCapableSyn(at: number, flags: number): number;
  writeCapableSynAck(at: number, flags: number, key: bigint): number;
  writeCapableAck(at: number, flags: number, sender: bigint, receiver: bigint): number;
  writeCapableData(
    at: number,
    flags: number,
    sender: bigint,
    receiver: bigint,
    dataLength: number,
    checksum: number,
  ): number;
  writeJoinSyn(at: number, backup: number, id: number, token: number, nonce: number): number;
  writeJoinSynAck(at: number, backup: number, id: number, hmac: number, nonce: number): number;
  writeJoinAck(at: number, hmac: number): number;
  writeDss(
    at: number,
    flags: number,
    dataAck: bigint,
    dsn: bigint,
    ssn: number,
    length: number,
    checksum: number,
  ): number;
  writeAddAddr(
    at: number,
    echo: number,
    id: number,
    family: number,
    address: number,
    port: number,
    hmac: bigint,
  ): number;
  writeRmAddr(at: number, ids: number, count: number): number;
  writePrio(at: number, backup: number): number;
  writeFail(at: number, dsn: bigint): number;
  writeFastclose(at: number, key: bigint): number;
  writeTcpRst(at: number, transient: number, reason: number): number;
  // options, parsed
  parse(tcp: number, length: number): number;
  options(): number;
  payloadLength(): number;
  capLength(): number;
  capVersion(): number;
  capFlags(): number;
  capSenderKey(): bigint;
  capReceiverKey(): bigint;
  capDataLength(): number;
  capChecksum(): number;
  joinLength(): number;
  joinBackup(): number;
  joinId(): number;
  joinToken(): number;
  joinNonce(): number;
  joinHmacAt(): number;
  dssFlags(): number;
  dssAck(): bigint;
  dssDsn(): bigint;
  dssSsn(): number;
  dssDataLength(): number;
  dssHasChecksum(): number;
  dssChecksumField(): number;
  addEcho(): number;
  addId(): number;
  addFamily(): number;
  addAt(): number;
  addPort(): number;
  addHmac(): bigint;
  rmAt(): number;
  rmCount(): number;
  prioBackup(): number;
  failDsn(): bigint;
  fastcloseKey(): bigint;
  rstFlags(): number;
  rstReason(): number;
  // congestion control
  ccPaths(count: number, algorithm: number, mss: number): void;
  ccPlace(i: number, cwnd: number, srtt: number): void;
  ccCwnd(i: number): number;
  ccWindow(i: number): number;
  ccSsthresh(i: number): number;
  ccInRecovery(i: number): number;
  ccSetCwnd(i: number, cwnd: number): void;
  ccSetSsthresh(i: number, ssthresh: number): void;
  ccSetSrtt(i: number, srtt: number): void;
  ccSetMss(i: number, mss: number): void;
  ccSetUsable(i: number, usable: number): void;
  ccSetLimited(i: number, limited: number): void;
  ccAck(i: number, segments: number, octets: number, rtt: number, inFlight: number, now: number): void;
  ccLoss(i: number): void;
  ccRto(i: number): void;
  ccRecoveryExit(i: number): void;
  ccUndo(i: number): void;
  ccIdle(i: number, idle: number): void;
  ccIncrease(i: number): number;
  ccAlpha(i: number): number;
  ccLinked(i: number): number;
  baliaDecrease(window: number, alpha: number): number;
  cubicK(wMax: number, cwnd: number): number;
  vegasPlace(i: number, baseRtt: number, alpha: number, queueDelay: number): void;
  vegasSetRate(i: number, rate: number): void;
  vegasRound(i: number, rtt: number): void;
  vegasAlpha(i: number): number;
  vegasRate(i: number): number;
  vegasQueueDelay(i: number): number;
  wvegasQueued(cwnd: number, base: number, rtt: number): number;
}

/** The part of WebAssembly used here: it is declared in the DOM library, which this project does not load. */
interface Wasm {
  Memory: new (descriptor: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (octets: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

/** One instance with its memory; pointers are offsets into scratch memory. */
export class Probe {
  readonly x: ProbeExports;
  readonly base: number;
  readonly #memory = new wasm.Memory({ initial: 64, maximum: 32768 });

  constructor(file: string) {
    const module = new wasm.Module(readFileSync(new URL(`../../${file}`, import.meta.url)));
    const instance = new wasm.Instance(module, { env: { memory: this.#memory } });
    this.x = instance.exports as ProbeExports;
    this.base = this.x.scratch();
  }

  /** Copies octets to scratch memory; returns their address. */
  put(octets: Uint8Array, offset = 0): number {
    new Uint8Array(this.#memory.buffer).set(octets, this.base + offset);
    return this.base + offset;
  }

  /** A copy of `length` octets at an address. */
  get(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer).slice(address, address + length);
  }

  fill(address: number, length: number, value: number): void {
    new Uint8Array(this.#memory.buffer).fill(value, address, address + length);
  }
}

/** Runs the same tests on the release and the debug build. */
export function onBothBuilds(title: string, tests: (probe: () => Probe) => void): void {
  for (const [build, file] of [
    ['release', 'probe.wasm'],
    ['debug', 'probe.debug.wasm'],
  ] as const) {
    describe(`${title} (${build})`, () => {
      let probe: Probe | undefined;
      before(() => {
        probe = new Probe(file);
      });
      tests(() => {
        if (probe === undefined) throw new Error('used before the module is loaded');
        return probe;
      });
    });
  }
}
