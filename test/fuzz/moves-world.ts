/** Time, the application of the attacked stack, its paths; the ends of connections; and good behaviour. */
import { addressId } from '../../src/stack/path-table.js';
import { ATTACK_PATHS } from './arena.js';
import type { Attacker } from './attacker.js';
import { edge64 } from './flow.js';
import { ACK, FIN, RST } from './packet.js';

type Genes = readonly number[];

const WAITS = [
  1e3, 1e3, 5e3, 41e3, 41e3, 201e3, 201e3, 1.1e6, 1.1e6, 3.1e6, 7e6, 20e6, 61e6, 130e6, 1e3, 500e3,
];

export function time(a: Attacker, [how = 0]: Genes): void {
  a.arena.wait(WAITS[how & 15] ?? 1e3);
}

/** Genes: whose, what, how much, rest. */
export function app(a: Attacker, [who = 0, what = 0, much = 0, rest = 0]: Genes): void {
  const { arena } = a;
  const { victims, stack } = arena;
  if (victims.length === 0) return;
  const at = who % victims.length;
  const victim = victims[at]!;
  const { connection } = victim;
  const gone = connection.handle === 0 || victim.closed;
  if (gone && (what & 15) !== 15) {
    connection.release();
    victims.splice(at, 1);
    return;
  }
  switch (what & 15) {
    case 0:
    case 1:
    case 2:
      victim.write(much % ((much & 0x1000) === 0 ? 3000 : 300000));
      break;
    case 3:
      victim.reading = !victim.reading;
      if (victim.reading) victim.read(Infinity);
      break;
    case 4:
      victim.read(much % 3000);
      break;
    case 5:
      connection.shutdown();
      break;
    case 6:
      if ((rest & 3) === 0) connection.abort();
      break;
    case 7:
      if ((rest & 3) !== 0) break;
      connection.release();
      victims.splice(at, 1);
      break;
    case 8:
      connection.setNoDelay((much & 1) === 0);
      break;
    case 9:
      connection.setKeepAlive((much & 1) === 0);
      break;
    case 10:
      connection.announcer.announce(
        much & 255,
        ATTACK_PATHS[rest & 1]!.info.address,
        (rest & 2) === 0 ? 0 : rest >>> 16,
        () => undefined,
      );
      break;
    case 11:
      stack.withdraw(connection, [much & 255]);
      break;
    case 12:
    case 13: {
      const live = connection.liveSubflows();
      const subflow = live[much % Math.max(live.length, 1)];
      if (subflow === undefined) break;
      if ((what & 15) === 12) stack.core.x.setBackup(subflow.id, rest & 1);
      else stack.closeSubflow(subflow.id, rest & 7, (rest & 8) !== 0);
      stack.kick();
      break;
    }
    case 14:
      join(a, at, much, rest);
      break;
    default:
      for (const [i, one] of [...victims.entries()].reverse()) {
        if (!one.closed) continue;
        one.connection.release();
        victims.splice(i, 1);
      }
  }
  arena.flush();
}

/** The stack joins towards the attacker. */
function join(a: Attacker, at: number, much: number, rest: number): void {
  const { arena } = a;
  const { connection } = arena.victims[at]!;
  const path = arena.paths[much & 1];
  if (path === undefined) return;
  const ids = {
    local: (rest & 16) === 0 ? addressId(path.id) : rest & 15,
    remote: much & 7,
    backup: (rest & 1) !== 0,
  };
  const remote = (much & 1) === 0 ? '10.9.0.2' : 'fd09::2';
  arena.stack.join(connection, path.id, remote, 7000 + ((much >>> 3) & 63), ids, () => {});
}

/** A local address goes away, or comes back. */
export function path(a: Attacker, [which = 0]: Genes): void {
  const { arena } = a;
  const i = which & 1;
  const one = arena.paths[i];
  if (one === undefined) return;
  arena.stack.removePath(one.id);
  arena.flush();
  if ((which & 2) !== 0) arena.wait(300e3);
  arena.paths[i] = arena.stack.addPath(arena.device, ATTACK_PATHS[i]!.info);
  arena.flush();
}

/** Ends of every kind. Genes: flow, kind, number, rest. */
export function close(a: Attacker, [which = 0, kind = 0, number = 0]: Genes): void {
  const flow = a.flow(which);
  if (flow === null) return;
  const { session } = flow;
  const dsn = session === null ? 0n : edge64(number, session.dsn, session.acked, session.edge);
  const dack = session?.dack ?? 0n;
  const ssn = (flow.seq - flow.isn) >>> 0;
  const sum = (at: bigint, said: number): number =>
    session?.checksum === true ? a.checksum(at, said === 1 ? 0 : ssn, said, 0, 0) : -1;
  switch (kind & 15) {
    case 0:
    case 1:
      a.send(flow, { flags: FIN | ACK }, session === null ? null : (p) => p.dss(3, dack, 0n, 0, 0, -1));
      flow.seq = (flow.seq + 1) >>> 0;
      flow.finSent = true;
      break;
    case 2:
    case 3:
      a.send(flow, {}, (p) => p.dss(0x1f, dack, dsn, 0, 1, sum(dsn, 1)));
      break;
    case 4: // data and DATA_FIN
      a.send(flow, {}, (p) => p.dss(0x1f, dack, dsn, ssn, 11, -1), 10);
      flow.seq = (flow.seq + 10) >>> 0;
      break;
    case 5:
      a.send(flow, { flags: RST, seq: flow.seq }, (p) => p.reset((number & 1) !== 0, number & 255));
      break;
    case 6:
      a.send(flow, { flags: RST | ACK }, (p) => p.fastclose(session?.stackKey ?? 0n).reset(false, 0));
      break;
    case 7:
      if ((number & 3) === 0) a.send(flow, {}, (p) => p.fastclose(session?.stackKey ?? 0n));
      break;
    case 8:
    case 9:
      a.send(flow, {}, (p) => p.dss(3, dack, 0n, 0, 0, -1).fail(edge64(number, dack, 0n, 0n)));
      break;
    case 10:
    case 11: // infinite mapping
      a.send(flow, {}, (p) => p.dss(0x0f, dack, dsn, ssn, 0, session?.checksum === true ? 0 : -1), 20);
      flow.seq = (flow.seq + 20) >>> 0;
      break;
    case 12:
      a.send(flow, { flags: RST | ACK, seq: (flow.seq + (number % 1000)) >>> 0 }, null);
      break;
    default: // FIN beyond a hole
      a.send(flow, { flags: FIN | ACK, seq: (flow.seq + 1 + (number % 500)) >>> 0 }, null, number % 50);
  }
  a.arena.flush();
}

/** Data in order both ways, everything acknowledged. Genes: flow, how much, size. */
export function talk(a: Attacker, [which = 0, much = 0, size = 0]: Genes): void {
  const flow = a.flow(which);
  if (flow === null || flow.phase !== 'open') return;
  for (let i = 0; i <= much % 40; i++) {
    if ((much & 0x100) === 0) a.data(flow, 1 + (size % 1400));
    if ((i & 7) === 7) a.arena.flush();
    if ((i & 3) === 3) a.acknowledge(flow);
  }
  a.acknowledge(flow);
  a.arena.flush();
  a.acknowledge(flow);
  a.arena.flush();
}
