/** The exports of assembly/index.ts as TypeScript sees them: numbers in, numbers out. */
export interface CoreExports {
  init(): number;
  start(): void;
  randomRefilled(): void;
  randomUsed(): number;
  configure(key: number, value: number): number;
  setPath(path: number, mtu: number, overhead: number, traits: number, addressId: number): number;
  setPathOffload(path: number, maxOctets: number): number;
  setPathEndpoint(path: number, addressId: number, backup: number): number;
  setNextId(id: number): void;
  setPathBlocked(path: number, on: number): void;
  setPathMtu(path: number, mtu: number): number;
  queueFull(localPort: number, remotePort: number): void;
  input(now: number, from: number, n: number): number;
  isMisplaced(): number;
  placedUses(): number;
  inputDone(area: number): number;
  receiverBehind(on: number): void;
  poll(now: number): number;
  deadline(): number;
  blocked(): number;
  txPending(): number;
  txFirst(): number;
  txDone(n: number): void;
  txPack(from: number): number;
  packAt(): number;
  packOctets(): number;
  packPackets(): number;
  rxUnpack(from: number, at: number, size: number, path: number, checksum: number): void;
  eventsFirst(): number;
  eventsPending(): number;
  eventsClear(): void;
  eventsHandled(): void;
  create(): number;
  connect(now: number, conn: number, path: number, localPort: number, remotePort: number): number;
  fastOpenReady(): number;
  setFastOpenKeys(backup: number): void;
  join(
    now: number,
    conn: number,
    path: number,
    localPort: number,
    remotePort: number,
    localId: number,
    remoteId: number,
    backup: number,
  ): number;
  listen(port: number, like: number): number;
  listenForJoins(port: number, addressId: number, backup: number): number;
  unlisten(port: number): number;
  accepted(conn: number): number;
  savedSyn(conn: number, most: number): number;
  writeSpace(conn: number): number;
  writePointer(conn: number): number;
  writeCommit(conn: number, n: number, more: number): number;
  lend(conn: number, octets: number): number;
  loanEnd(): void;
  repayNext(): number;
  repayAt(): number;
  repayFrom(): number;
  readSpace(conn: number, skip: number): number;
  readAt(conn: number, skip: number): number;
  readCommit(conn: number, n: number): number;
  shutdown(conn: number): number;
  close(now: number, conn: number): number;
  abort(now: number, conn: number): number;
  release(now: number, conn: number): number;
  setOption(now: number, conn: number, option: number, value: number): number;
  announce(conn: number, id: number, port: number): number;
  removeAddress(conn: number, id: number): number;
  closeSubflow(now: number, subflow: number, reason: number, transient: number): number;
  takeSoftError(subflow: number): number;
  finishSubflow(now: number, subflow: number): number;
  suspectSubflow(subflow: number): number;
  reviveSubflow(now: number, subflow: number): number;
  setBackup(subflow: number, backup: number): number;
  connectionInfo(conn: number): number;
  nextSubflow(conn: number, subflow: number): number;
  subflowInfo(subflow: number): number;
  memoryUsed(): number;
  connections(): number;
  subflows(): number;
}
