/** Control messages of recvmsg and sendmsg: as octets, and compared with what a script says about them. */
import type { Expr } from '../ast.js';
import { constant, SOL } from './constants.js';
import { field, integer, isEllipsis, items, type Mismatches } from './evaluate.js';

export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: Buffer;
}

/** What times in control messages count from, and how far they may be off; microseconds. */
export interface StampClock {
  readonly origin: number;
  readonly tolerance: number;
}

const SCM_TIMESTAMPING = constant('SCM_TIMESTAMPING');
const SCM_TIMESTAMP = constant('SCM_TIMESTAMP');
const SCM_TIMESTAMPNS = constant('SCM_TIMESTAMPNS');

/** struct timespec or timeval; `unit`: nanoseconds of one step. */
function timePair(usecs: number, unit: 1 | 1000): Buffer {
  const octets = Buffer.alloc(16);
  octets.writeBigInt64LE(BigInt(Math.floor(usecs / 1e6)), 0);
  octets.writeBigInt64LE(BigInt(Math.round((usecs % 1e6) * 1e3)) / BigInt(unit), 8);
  return octets;
}

/** struct scm_timestamping with its software stamp. */
export const timestamping = (usecs: number): ControlMessage => ({
  ...{ level: SOL.SOCKET, type: SCM_TIMESTAMPING },
  data: Buffer.concat([timePair(usecs, 1), Buffer.alloc(32)]),
});

export const timestamp = (usecs: number, nanoseconds: boolean): ControlMessage => ({
  level: SOL.SOCKET,
  type: nanoseconds ? SCM_TIMESTAMPNS : SCM_TIMESTAMP,
  data: timePair(usecs, nanoseconds ? 1 : 1000),
});

/** An octet of struct sock_extended_err, and where it lies: errno, origin, type, code, info, data. */
const EXTENDED: readonly (readonly [name: string, at: number, size: 1 | 4])[] = [
  ['ee_errno', 0, 4],
  ['ee_origin', 4, 1],
  ['ee_type', 5, 1],
  ['ee_code', 6, 1],
  ['ee_info', 8, 4],
  ['ee_data', 12, 4],
];

export type ExtendedError = Readonly<Record<'errno' | 'origin' | 'type' | 'code' | 'info' | 'data', number>>;

/** struct sock_extended_err in the message that a socket of this family gets. */
export function extendedError(v6: boolean, error: ExtendedError): ControlMessage {
  // The address of the offender stands behind it: sockaddr_in or sockaddr_in6.
  const data = Buffer.alloc(16 + (v6 ? 28 : 16));
  for (const [name, at, size] of EXTENDED)
    data.writeUIntLE(error[name.slice(3) as keyof ExtendedError] >>> 0, at, size);
  return {
    level: v6 ? SOL.IPV6 : SOL.IP,
    type: constant(v6 ? 'IPV6_RECVERR' : 'IP_RECVERR'),
    data,
  };
}

/** A message of one number. */
export function numberMessage(level: number, type: number, value: number): ControlMessage {
  const data = Buffer.alloc(4);
  data.writeInt32LE(value | 0);
  return { level, type, data };
}

/** `msg_control=[{cmsg_level=..., cmsg_type=..., cmsg_data=...}, ...]`; `...` is not compared. */
export function compareControl(
  wrong: Mismatches,
  expected: Expr | undefined,
  actual: readonly ControlMessage[],
  clock: StampClock,
): void {
  if (isEllipsis(expected)) return;
  const list = items(expected);
  if (list.some((item) => item.kind === 'ellipsis')) return;
  if (list.length !== actual.length)
    wrong.add(`msg_control: expected ${list.length} messages, got ${actual.length}`);
  list.forEach((message, i) => {
    const got = actual[i];
    if (got === undefined) return;
    wrong.number(`cmsg_level of ${i}`, field(message, 'cmsg_level'), got.level);
    wrong.number(`cmsg_type of ${i}`, field(message, 'cmsg_type'), got.type);
    const data = field(message, 'cmsg_data');
    if (isEllipsis(data)) return;
    if (data?.kind !== 'struct') {
      wrong.number(
        `cmsg_data of ${i}`,
        data,
        got.data.length < 4 ? (got.data[0] ?? 0) : got.data.readInt32LE(0),
      );
      return;
    }
    compareStamp(wrong, data, got, clock);
    for (const [name, at, size] of EXTENDED) {
      const value = field(data, name);
      if (value !== undefined) wrong.number(name, value, got.data.readUIntLE(at, size));
    }
  });
}

/** `{scm_sec=0, scm_nsec=50000000}`: since the start of the script. */
function compareStamp(wrong: Mismatches, data: Expr, got: ControlMessage, clock: StampClock): void {
  const seconds = field(data, 'scm_sec', 'tv_sec');
  const fraction = field(data, 'scm_nsec', 'tv_nsec');
  const micro = field(data, 'tv_usec', 'scm_usec');
  if (isEllipsis(seconds) || (isEllipsis(fraction) && isEllipsis(micro))) return;
  const unit = got.type === SCM_TIMESTAMP ? 1 : 1000;
  const actual =
    Number(got.data.readBigInt64LE(0)) * 1e6 + Number(got.data.readBigInt64LE(8)) / unit - clock.origin;
  const wanted =
    Number(integer(seconds)) * 1e6 +
    (isEllipsis(micro) ? Number(integer(fraction)) / 1e3 : Number(integer(micro)));
  if (Math.abs(actual - wanted) <= clock.tolerance) return;
  wrong.add(`timestamp: expected ${(wanted / 1e6).toFixed(6)}, got ${(actual / 1e6).toFixed(6)}`);
}
