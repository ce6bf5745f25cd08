/** What devices do: full queues, interfaces that go down, ICMP messages. And options that programs set. */
import {
  OPT_CONGESTION,
  OPT_CORK,
  OPT_FIN_TIMEOUT,
  OPT_KEEPALIVE,
  OPT_KEEPALIVE_COUNT,
  OPT_KEEPALIVE_IDLE,
  OPT_KEEPALIVE_INTERVAL,
  OPT_MAX_PACING_RATE,
  OPT_NODELAY,
  OPT_QUICKACK,
  OPT_RCVBUF,
  OPT_RCVBUF_MAX,
  OPT_READ_SHUT,
  OPT_SNDBUF_MAX,
  OPT_TOS,
  OPT_USER_TIMEOUT,
  OPT_WATCH,
  OPT_WINDOW_CLAMP,
} from '../../assembly/abi.js';
import { ATTACK_PATHS } from './arena.js';
import type { Attacker } from './attacker.js';

type Genes = readonly number[];

/** Genes: what, how much, path, rest. */
export function device(a: Attacker, [what = 0, much = 0, which = 0, rest = 0]: Genes): void {
  const { arena } = a;
  const { device } = arena;
  const path = arena.paths[which & 1];
  switch (what & 7) {
    case 0:
    case 1:
    case 2: // full for so many packets, and then for so many milliseconds
      device.refuse = much % 40;
      device.tells = (rest & 1) === 0;
      arena.victims[which % Math.max(arena.victims.length, 1)]?.write(rest % 100_000);
      arena.wait(1000 << (rest & 7));
      device.refuse = 0;
      arena.stack.writable();
      break;
    case 3: // writable although it was not full, or is still
      device.refuse = much & 3;
      arena.stack.writable();
      break;
    case 4: // full, it says, of what left before
      if (device.last.length > 0) arena.stack.congested(device.last);
      break;
    case 5: // and of packets of nobody
      if (device.last.length > 0) {
        const other = device.last.slice();
        const at = ((other[0] ?? 0) >> 4 === 4 ? 12 : 8) + (much % 12);
        other[at] = (other[at] ?? 0) ^ (rest & 255);
        arena.stack.congested(other);
      }
      break;
    case 6:
      if (path === undefined) break;
      arena.stack.pathState(path.id, (rest & 1) === 0);
      if ((rest & 2) !== 0) arena.wait(300e3);
      if ((rest & 4) !== 0) arena.stack.pathState(path.id, true);
      break;
    default:
      message(a, much, which, rest);
  }
  arena.flush();
}

/** An ICMP error about the packet that the stack has sent last, or about one that is like it. */
function message(a: Attacker, kind: number, where: number, mtu: number): void {
  const { arena, dice } = a;
  const { last } = arena.device;
  if (last.length < 40) return;
  const v4 = (last[0] ?? 0) >> 4 === 4;
  const path = v4 ? 0 : 1;
  const { prefix, stack } = ATTACK_PATHS[path]!;
  const ip = v4 ? 20 : 40;
  const tcp = v4 ? 20 : 40;
  const quoted = Math.min(last.length, tcp + (dice.once(8) ? dice.below(9) : 8 + dice.below(60)));
  const bytes = new Uint8Array(ip + 8 + quoted);
  const view = new DataView(bytes.buffer);
  bytes.set(last.subarray(0, quoted), ip + 8);
  const sequence = ip + 8 + tcp + 4;
  if ((kind & 3) === 3 && sequence + 4 <= bytes.length) view.setUint32(sequence, dice.u32());
  if ((kind & 12) === 12) bytes[ip + 8 + dice.below(quoted)] = dice.below(256);
  if (v4) {
    bytes[ip] = dice.of([3, 3, 3, 11, 12, where & 255]);
    bytes[ip + 1] = dice.of([4, 4, 0, 1, 2, 3, where >>> 8]);
    view.setUint16(ip + 6, dice.once(2) ? mtu : dice.of([0, 1, 551, 552, 576, 1280, 1400, 1500, 65535]));
    view.setUint16(ip + 2, sum(bytes, ip));
    bytes.set([0x45, 0, bytes.length >> 8, bytes.length & 255, 0, 0, 0, 0, 64, 1]);
    bytes.set(prefix, 12);
    bytes.set(stack, 16);
    view.setUint16(10, sum(bytes.subarray(0, ip), 0));
  } else {
    bytes[ip] = dice.of([2, 2, 1, 3, where & 255]);
    bytes[ip + 1] = dice.of([0, 0, 1, 3, 4, where >>> 8]);
    view.setUint32(ip + 4, dice.once(2) ? mtu : dice.of([0, 1279, 1280, 1400, 1500, 0xffffffff]));
    bytes[0] = 0x60;
    view.setUint16(4, bytes.length - ip);
    bytes.set([58, 64], 6);
    bytes.set(prefix, 8);
    bytes.set(stack, 24);
    const pseudo = new Uint8Array(40 + bytes.length - ip);
    pseudo.set(bytes.subarray(8, 40));
    new DataView(pseudo.buffer).setUint32(32, bytes.length - ip);
    pseudo[39] = 58;
    pseudo.set(bytes.subarray(ip), 40);
    view.setUint16(ip + 2, sum(pseudo, 0));
  }
  arena.inject(path, bytes);
}

/** Internet checksum of the octets from `from` on, whose checksum field is 0. */
function sum(bytes: Uint8Array, from: number): number {
  let total = 0;
  for (let i = from; i < bytes.length; i++) total += (bytes[i] ?? 0) << (((i - from) & 1) === 0 ? 8 : 0);
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 65536);
  return ~total & 0xffff;
}

const OPTIONS = [
  ...[OPT_RCVBUF, OPT_RCVBUF, OPT_RCVBUF_MAX, OPT_SNDBUF_MAX, OPT_WINDOW_CLAMP, OPT_MAX_PACING_RATE],
  ...[OPT_CORK, OPT_QUICKACK, OPT_USER_TIMEOUT, OPT_CONGESTION, OPT_KEEPALIVE, OPT_KEEPALIVE_IDLE],
  ...[OPT_KEEPALIVE_INTERVAL, OPT_KEEPALIVE_COUNT, OPT_TOS, OPT_READ_SHUT, OPT_WATCH, OPT_FIN_TIMEOUT],
  OPT_NODELAY,
];
const VALUES = [
  ...[0, 1, 2, 3, 5, 40, 536, 1460, 2304, 4608, 65535, 65536, 100_000, 1 << 20, 6 << 20, 16 << 20],
  ...[-1, 0.5, 2 ** 31, 2 ** 32, 1e12, Infinity, NaN],
];
/** Writes of half a megabyte and more may borrow. */
const LOAN = new Uint8Array(3 << 19);

/** Genes: whose, option, value, rest. */
export function option(a: Attacker, [who = 0, which = 0, value = 0, rest = 0]: Genes): void {
  const { arena } = a;
  const victim = arena.victims[who % Math.max(arena.victims.length, 1)];
  if (victim === undefined || victim.closed || victim.connection.handle === 0) return;
  const { connection } = victim;
  if ((which & 3) !== 0) {
    const number = OPTIONS[which % OPTIONS.length] ?? 0;
    connection.setOption(number, (rest & 1) === 0 ? value : (VALUES[value % VALUES.length] ?? 0));
  } else {
    // The peer's window is large, as it has to be; some of the answers come while the write lasts.
    for (const flow of a.flows) if (flow.phase === 'open') a.acknowledge(flow, 0xffff);
    arena.flush();
    arena.onCollect = () => {
      for (const flow of a.flows)
        if (flow.phase === 'open' && a.dice.once(2))
          a.acknowledge(flow, a.dice.once(4) ? a.dice.below(65536) : 0xffff);
    };
    arena.device.refuse = (rest & 6) === 0 ? value % 40 : 0;
    victim.borrow(LOAN.subarray(0, (1 << 20) + (value % (1 << 19))));
    arena.device.refuse = 0;
    arena.onCollect = () => {};
    arena.stack.writable();
  }
  arena.flush();
}
