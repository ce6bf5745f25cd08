/**
 * setsockopt and getsockopt. Which options exist, what they take, and how a Multipath TCP socket differs was measured
 * on Linux 6.18.
 */
import * as abi from '../../../assembly/abi.js';
import type { Expr } from '../ast.js';
import { ScriptError } from '../socket-layer.js';
import { constant, errnoNumber, SOL } from './constants.js';
import { field, integer, isEllipsis, items, Mismatches, number } from './evaluate.js';
import { fail, ok, type Attempt } from './files.js';
import { maxSegment, mptcpInfo, tcpInfo } from './info.js';
import { fullInfo, SIZE_SUBFLOW_ADDRS, SIZE_TCP_INFO, subflowData } from './mptcp-options.js';
import { SocketOptions, synAckTimeouts } from './option-values.js';
import { compareBuffer } from './transfer.js';
import { AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_TCP, STATE, type Socket } from './socket.js';

/**
 * How a Multipath TCP socket treats an option: as TCP does (same); takes it without effect (ignored); reads but refuses
 * to set (read); not once it is connected (early); refuses both, with EOPNOTSUPP (none) or ENOPROTOOPT on setting (no).
 */
type Multipath = 'same' | 'ignored' | 'read' | 'early' | 'none' | 'no';
/** What values are taken: 0 or 1 out of anything (bool), anything (int), nothing (fixed), or a range. */
type Kind = 'bool' | 'int' | 'fixed' | Range;
type Range = readonly [least: number, most: number];
const isRange = (kind: Kind): kind is Range => typeof kind !== 'string';

interface Rule {
  readonly kind: Kind;
  readonly multipath: Multipath;
  readonly initial: bigint;
}

const rules = new Map<string, Rule>();
function define(level: number, names: string, kind: Kind, multipath: Multipath, initial = 0): void {
  for (const name of names.split(' '))
    rules.set(`${level}:${constant(name)}`, { kind, multipath, initial: BigInt(initial) });
}

define(
  SOL.SOCKET,
  'SO_DEBUG SO_KEEPALIVE SO_TIMESTAMP SO_TIMESTAMPNS SO_TIMESTAMP_NEW SO_TIMESTAMPNS_NEW',
  'bool',
  'same',
);
define(SOL.SOCKET, 'SO_PREFER_BUSY_POLL', 'bool', 'same');
define(SOL.SOCKET, 'SO_REUSEADDR SO_REUSEPORT', 'bool', 'early');
define(
  SOL.SOCKET,
  'SO_DONTROUTE SO_BROADCAST SO_NO_CHECK SO_RXQ_OVFL SO_WIFI_STATUS SO_NOFCS',
  'bool',
  'ignored',
);
define(SOL.SOCKET, 'SO_SELECT_ERR_QUEUE', 'bool', 'ignored');
define(SOL.SOCKET, 'SO_OOBINLINE SO_LOCK_FILTER SO_RCVMARK SO_RCVPRIORITY', 'bool', 'read');
define(SOL.SOCKET, 'SO_ZEROCOPY', [0, 1], 'read');
define(SOL.SOCKET, 'SO_BUF_LOCK', [0, 3], 'read');
define(SOL.SOCKET, 'SO_MARK SO_TIMESTAMPING SO_TIMESTAMPING_NEW SO_BUSY_POLL_BUDGET', 'int', 'same');
define(SOL.SOCKET, 'SO_PRIORITY', 'int', 'same');
define(SOL.SOCKET, 'SO_BUSY_POLL', [0, 0x7fffffff], 'same');
define(SOL.SOCKET, 'SO_BPF_EXTENSIONS', 'fixed', 'read', 64);
define(SOL.SOCKET, 'SO_BSDCOMPAT', 'bool', 'ignored');
define(SOL.SOCKET, 'SO_INCOMING_CPU', 'int', 'same', -1);
define(SOL.SOCKET, 'SO_PEEK_OFF', 'int', 'none', -1);
define(SOL.SOCKET, 'SO_MAX_PACING_RATE', 'int', 'read', -1);
define(SOL.SOCKET, 'SO_BINDTOIFINDEX', [0, 0x7fffffff], 'early');
define(SOL.SOCKET, 'SO_TXREHASH', [0, 1], 'none', 1);
define(SOL.SOCKET, 'SO_RCVLOWAT', 'int', 'same', 1);
define(SOL.SOCKET, 'SO_SNDLOWAT', 'fixed', 'read', 1);
define(
  SOL.SOCKET,
  'SO_TYPE SO_ERROR SO_ACCEPTCONN SO_PROTOCOL SO_DOMAIN SO_INCOMING_NAPI_ID SO_COOKIE',
  'fixed',
  'read',
);

define(SOL.TCP, 'TCP_NODELAY TCP_CORK', 'bool', 'same');
define(SOL.TCP, 'TCP_KEEPIDLE', [1, 32767], 'same', 7200);
define(SOL.TCP, 'TCP_KEEPINTVL', [1, 32767], 'same', 75);
define(SOL.TCP, 'TCP_KEEPCNT', [1, 127], 'same', 9);
define(SOL.TCP, 'TCP_SYNCNT', [1, 127], 'no', 6);
define(SOL.TCP, 'TCP_LINGER2', 'int', 'no', 60);
define(SOL.TCP, 'TCP_DEFER_ACCEPT', 'int', 'same');
define(SOL.TCP, 'TCP_WINDOW_CLAMP', 'int', 'no');
define(SOL.TCP, 'TCP_QUICKACK', 'int', 'no', 1);
define(SOL.TCP, 'TCP_THIN_LINEAR_TIMEOUTS TCP_THIN_DUPACK', [0, 1], 'no');
define(SOL.TCP, 'TCP_USER_TIMEOUT', [0, 0x7fffffff], 'no');
define(SOL.TCP, 'TCP_SAVE_SYN', [0, 2], 'no');
define(SOL.TCP, 'TCP_TX_DELAY', 'int', 'no');
define(SOL.TCP, 'TCP_NOTSENT_LOWAT', 'int', 'same');
define(SOL.TCP, 'TCP_INQ TCP_FASTOPEN_CONNECT TCP_FASTOPEN_NO_COOKIE', [0, 1], 'same');
define(SOL.TCP, 'TCP_FASTOPEN', [0, 0x7fffffff], 'same');
define(SOL.TCP, 'TCP_RTO_MAX_MS', [1000, 120000], 'no', 120000);
define(SOL.TCP, 'TCP_RTO_MIN_US TCP_DELACK_MAX_US', [1000, 200000], 'no', 200000);
define(SOL.TCP, 'TCP_IS_MPTCP', 'fixed', 'same');
define(SOL.TCP, 'TCP_MAXSEG', 'int', 'same', 536);

define(SOL.IP, 'IP_TOS', 'int', 'same');
define(SOL.IP, 'IP_TTL', [-1, 255], 'none', 64);
define(SOL.IP, 'IP_MTU_DISCOVER', [0, 5], 'none', 1);
define(SOL.IP, 'IP_MINTTL', [0, 255], 'none');
define(
  SOL.IP,
  'IP_RECVOPTS IP_RETOPTS IP_PKTINFO IP_RECVERR IP_RECVTTL IP_RECVTOS IP_PASSSEC',
  'bool',
  'none',
);
define(SOL.IP, 'IP_ORIGDSTADDR IP_CHECKSUM IP_RECVERR_RFC4884', 'bool', 'none');
define(SOL.IP, 'IP_FREEBIND IP_TRANSPARENT IP_BIND_ADDRESS_NO_PORT', 'bool', 'early');
define(SOL.IP, 'IP_LOCAL_PORT_RANGE', 'int', 'early');
define(SOL.IP, 'IP_HDRINCL IP_NODEFRAG IP_PROTOCOL IP_MTU', 'fixed', 'no');

define(SOL.IPV6, 'IPV6_V6ONLY IPV6_TRANSPARENT IPV6_FREEBIND', 'bool', 'early');
define(SOL.IPV6, 'IPV6_UNICAST_HOPS', [-1, 255], 'none', 64);
define(SOL.IPV6, 'IPV6_MTU_DISCOVER', [0, 5], 'none', 1);
define(SOL.IPV6, 'IPV6_TCLASS', [-1, 255], 'none');
define(SOL.IPV6, 'IPV6_MINHOPCOUNT', [0, 255], 'none');
define(SOL.IPV6, 'IPV6_AUTOFLOWLABEL', 'bool', 'none', 1);
define(
  SOL.IPV6,
  'IPV6_2292PKTINFO IPV6_RECVERR IPV6_FLOWINFO IPV6_FLOWINFO_SEND IPV6_RECVPKTINFO',
  'bool',
  'none',
);
define(SOL.IPV6, 'IPV6_RECVHOPLIMIT IPV6_RECVTCLASS IPV6_DONTFRAG', 'bool', 'none');
define(
  SOL.IPV6,
  'IPV6_2292HOPOPTS IPV6_2292RTHDR IPV6_2292HOPLIMIT IPV6_RECVHOPOPTS IPV6_RECVRTHDR IPV6_RECVDSTOPTS',
  'bool',
  'none',
);
define(SOL.IPV6, 'IPV6_RECVPATHMTU IPV6_RECVORIGDSTADDR IPV6_RECVFRAGSIZE', 'bool', 'none');
define(SOL.IPV6, 'IPV6_RECVERR_RFC4884', [0, 1], 'none');
define(SOL.IPV6, 'IPV6_MULTICAST_LOOP', [0, 1], 'no', 1);
define(SOL.IPV6, 'IPV6_MTU', 'fixed', 'none');

const option = (level: number, name: string): string => `${level}:${constant(name)}`;
const LINGER = option(SOL.SOCKET, 'SO_LINGER');
const RCVTIMEO = [option(SOL.SOCKET, 'SO_RCVTIMEO'), option(SOL.SOCKET, 'SO_RCVTIMEO_NEW')];
const SNDTIMEO = [option(SOL.SOCKET, 'SO_SNDTIMEO'), option(SOL.SOCKET, 'SO_SNDTIMEO_NEW')];
const SNDBUF = [option(SOL.SOCKET, 'SO_SNDBUF'), option(SOL.SOCKET, 'SO_SNDBUFFORCE')];
const RCVBUF = [option(SOL.SOCKET, 'SO_RCVBUF'), option(SOL.SOCKET, 'SO_RCVBUFFORCE')];
const BINDTODEVICE = option(SOL.SOCKET, 'SO_BINDTODEVICE');
const PEERNAME = option(SOL.SOCKET, 'SO_PEERNAME');
const CONGESTION = option(SOL.TCP, 'TCP_CONGESTION');
const ULP = option(SOL.TCP, 'TCP_ULP');
const TCP_INFO = option(SOL.TCP, 'TCP_INFO');
const CC_INFO = option(SOL.TCP, 'TCP_CC_INFO');
const SAVED_SYN = option(SOL.TCP, 'TCP_SAVED_SYN');
const FASTOPEN_KEY = option(SOL.TCP, 'TCP_FASTOPEN_KEY');
const TIMESTAMP = option(SOL.TCP, 'TCP_TIMESTAMP');
const MPTCP_INFO = option(SOL.MPTCP, 'MPTCP_INFO');
const MPTCP_TCPINFO = option(SOL.MPTCP, 'MPTCP_TCPINFO');
const MPTCP_SUBFLOW_ADDRS = option(SOL.MPTCP, 'MPTCP_SUBFLOW_ADDRS');
const MPTCP_FULL_INFO = option(SOL.MPTCP, 'MPTCP_FULL_INFO');

const CONGESTION_CONTROLS = new Set(['reno', 'cubic', 'bbr', 'dctcp', 'lia', 'olia', 'balia', 'wvegas']);
/** net.ipv4.tcp_rmem[2]. */
const TUNED_RCVBUF = 15728640;
/** SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF, net.core.rmem_max and wmem_max of 6.18. */
const MIN_RCVBUF = 2304;
const MIN_SNDBUF = 4608;
const MAX_BUFFER = 4194304;

/** setsockopt(fd, level, name, value, length). */
export function setOption(
  s: Socket,
  level: number,
  name: number,
  value: Expr,
  length: number | null,
): Attempt {
  const key = `${level}:${name}`;
  const mptcp = speaksMultipath(s);
  if (key === LINGER) return setLinger(s, value, length);
  if (RCVTIMEO.includes(key)) return setTimeout(s, 'receiveTimeout', value, length);
  if (SNDTIMEO.includes(key)) return setTimeout(s, 'sendTimeout', value, length);
  if (key === BINDTODEVICE) {
    s.options.device = text(value);
    return ok();
  }
  if (key === CONGESTION) return setCongestion(s, text(value));
  if (key === ULP) return fail(mptcp ? 'ENOPROTOOPT' : text(value) === 'mptcp' ? 'EPERM' : 'ENOENT');
  if (key === TIMESTAMP) return fail(mptcp ? 'ENOPROTOOPT' : 'EPERM');
  if (key === FASTOPEN_KEY) return value.kind === 'string' || value.kind === 'list' ? ok() : fail('EINVAL');
  // An octet will do for what IP keeps in one.
  const short = length !== null && length < (level === SOL.IP ? 1 : 4);
  if (short && (SNDBUF.includes(key) || RCVBUF.includes(key))) return fail('EINVAL');
  if (SNDBUF.includes(key)) return setBuffer(s, 'sendBuffer', number(value), name === constant('SO_SNDBUF'));
  if (RCVBUF.includes(key))
    return setBuffer(s, 'receiveBuffer', number(value), name === constant('SO_RCVBUF'));
  const rule = ruleOf(s, level, name);
  if (rule === undefined) {
    if (mptcp && (level === SOL.SOCKET || refusesV6(level, name))) return fail('EOPNOTSUPP');
    return fail(short && !mptcp && level < SOL.IPV6 ? 'EINVAL' : 'ENOPROTOOPT');
  }
  // Options of the socket itself stay those of Multipath TCP after a fallback.
  if (mptcp || (s.multipath && level === SOL.SOCKET)) {
    if (rule.multipath === 'none' || (rule.multipath === 'read' && level === SOL.SOCKET))
      return fail('EOPNOTSUPP');
    if (rule.multipath === 'no' || rule.multipath === 'read')
      return fail(short && level === SOL.TCP && rule.kind !== 'fixed' ? 'EINVAL' : 'ENOPROTOOPT');
    if (rule.multipath === 'ignored') return ok();
    if (rule.multipath === 'early' && s.state !== STATE.CLOSE && s.state !== STATE.LISTEN)
      return fail('EINVAL');
  }
  if (level === SOL.IP && rule.kind === 'fixed') return fail('ENOPROTOOPT');
  if (short) return fail('EINVAL');
  return setNumber(s, level, name, rule, BigInt.asIntN(64, integer(value)));
}

/** An option of IPv6 that Multipath TCP knows, on a socket of IPv4. */
const refusesV6 = (level: number, name: number): boolean =>
  level === SOL.IPV6 && rules.get(`${level}:${name}`)?.multipath === 'none';

function setNumber(s: Socket, level: number, name: number, rule: Rule, given: bigint): Attempt {
  const key = `${level}:${name}`;
  const { kind } = rule;
  if (kind === 'fixed') return fail('ENOPROTOOPT');
  if (isRange(kind) && (given < BigInt(kind[0]) || given > BigInt(kind[1]))) return fail('EINVAL');
  let value = kind === 'bool' ? BigInt(given !== 0n) : given;
  if (level === SOL.IP) {
    if (name === constant('IP_TOS')) value &= 0xfcn; // the ECN bits are TCP's own
    if (name === constant('IP_TTL') && value === 0n) return fail('EINVAL');
    if (name === constant('IP_TTL') && value === -1n) value = 64n;
  }
  if (level === SOL.TCP) {
    const errno = checkTcp(s, name, value);
    if (errno !== null) return fail(errno);
    value = storedTcp(name, value);
  }
  if (level === SOL.IPV6 && name === constant('IPV6_UNICAST_HOPS') && value === -1n) value = 64n;
  if (level === SOL.SOCKET) {
    const errno = checkSocket(s, name, value);
    if (errno !== null) return fail(errno);
    value = storedSocket(s, name, value);
  }
  const before = s.options.timestamping;
  s.options.set(level, name, value);
  const core = SocketOptions.core(level, name, s.onV6);
  if (core !== undefined) s.setOption(core, SocketOptions.coreValue(key, value));
  if (level === SOL.SOCKET && s.options.timestamping !== before) numberStamps(s);
  if (level === SOL.SOCKET && name === constant('SO_OOBINLINE'))
    s.setOption(abi.OPT_URGENT_APART, value === 1n ? 0 : 1);
  if (level === SOL.TCP && name === constant('TCP_NOTSENT_LOWAT')) s.spaceMayHaveCome();
  return ok();
}

function checkSocket(s: Socket, name: number, value: bigint): string | null {
  if (name === constant('SO_LOCK_FILTER'))
    return value === 0n && s.options.get(SOL.SOCKET, name) === 1n ? 'EPERM' : null;
  if (name === constant('SO_BUSY_POLL_BUDGET')) return value < 0n || value > 0xffffn ? 'EINVAL' : null;
  if (name !== constant('SO_TIMESTAMPING') && name !== constant('SO_TIMESTAMPING_NEW')) return null;
  const has = (flag: string): boolean => (value & BigInt(constant(`SOF_TIMESTAMPING_${flag}`))) !== 0n;
  if ((value & ~STAMP_MASK) !== 0n || (has('OPT_ID_TCP') && !has('OPT_ID'))) return 'EINVAL';
  const counts = has('OPT_ID') && (s.options.timestamping & constant('SOF_TIMESTAMPING_OPT_ID')) === 0;
  if (counts && !s.multipath && (s.state === STATE.CLOSE || s.state === STATE.LISTEN)) return 'EINVAL';
  if (has('OPT_STATS') && !has('OPT_TSONLY')) return 'EINVAL';
  return has('BIND_PHC') ? 'EOPNOTSUPP' : null;
}

/** SOF_TIMESTAMPING_* of 6.18. */
const STAMP_MASK = 0x7ffffn;

function storedSocket(s: Socket, name: number, value: bigint): bigint {
  if (name === constant('SO_BSDCOMPAT')) return 0n;
  if (name !== constant('SO_RCVLOWAT')) return value;
  // Linux' tcp_set_rcvlowat: at most half of the buffer, or of what tuning may make of it.
  const { receiveBuffer } = s.options;
  const most = BigInt((receiveBuffer ?? TUNED_RCVBUF) >> 1);
  if (value < 0n) value = 0x7fffffffn;
  return value === 0n ? 1n : value > most ? most : value;
}

/** Timestamps count from what is not acknowledged yet, or from the next octet written. */
function numberStamps(s: Socket): void {
  const fromWritten = (s.options.timestamping & constant('SOF_TIMESTAMPING_OPT_ID_TCP')) !== 0;
  s.errors.numberFrom(s.written - (fromWritten ? 0 : s.queues().unacked));
}

function checkTcp(s: Socket, name: number, value: bigint): string | null {
  const idle = s.state === STATE.CLOSE;
  switch (name) {
    case constant('TCP_MAXSEG'):
      return value !== 0n && (value < 88n || value > 32767n) ? 'EINVAL' : null;
    case constant('TCP_FASTOPEN'):
    case constant('TCP_FASTOPEN_NO_COOKIE'):
      return idle || s.listening ? null : 'EINVAL';
    case constant('TCP_FASTOPEN_CONNECT'):
      return idle ? null : 'EINVAL';
    case constant('TCP_WINDOW_CLAMP'):
      return value === 0n && !idle ? 'EINVAL' : null;
    default:
      return null;
  }
}

const SOMAXCONN = BigInt(constant('SOMAXCONN'));

function storedTcp(name: number, value: bigint): bigint {
  switch (name) {
    case constant('TCP_WINDOW_CLAMP'):
      return value === 0n || value >= BigInt(MIN_RCVBUF / 2) ? value : BigInt(MIN_RCVBUF / 2);
    case constant('TCP_LINGER2'):
      return value < 0n ? -1n : value > 120n ? 120n : value;
    case constant('TCP_DEFER_ACCEPT'):
      // Linux keeps a number of SYN/ACKs; what it gives back is the time that they take.
      return BigInt(synAckTimeouts(Number(value)).seconds);
    case constant('TCP_QUICKACK'):
      return value & 1n;
    case constant('TCP_THIN_DUPACK'): // it does nothing any more
      return 0n;
    case constant('TCP_FASTOPEN'):
      return value > SOMAXCONN ? SOMAXCONN : value;
    default:
      return value;
  }
}

function setLinger(s: Socket, value: Expr, length: number | null): Attempt {
  if (length !== null && length < 8) return fail('EINVAL');
  const on = field(value, 'onoff', 'l_onoff', '');
  const seconds = field(value, 'linger', 'l_linger');
  s.options.linger = {
    on: number(on ?? items(value)[0]) !== 0,
    seconds: seconds === undefined ? 0 : number(seconds),
  };
  return ok();
}

function setTimeout(
  s: Socket,
  which: 'sendTimeout' | 'receiveTimeout',
  value: Expr,
  length: number | null,
): Attempt {
  if (length !== null && length < 16) return fail('EINVAL');
  const seconds = field(value, 'tv_sec');
  const micro = field(value, 'tv_usec');
  const time = {
    seconds: seconds === undefined ? 0n : integer(seconds),
    microseconds: micro === undefined ? 0n : integer(micro),
  };
  if (time.microseconds < 0n || time.microseconds >= 1000000n) return fail('EDOM');
  s.options[which] = time;
  return ok();
}

function setBuffer(
  s: Socket,
  which: 'sendBuffer' | 'receiveBuffer',
  wanted: number,
  limited: boolean,
): Attempt {
  const doubled = Math.min(limited ? Math.min(wanted >>> 0, MAX_BUFFER) : wanted >>> 0, 0x3fffffff) * 2;
  s.options[which] = Math.max(doubled, which === 'sendBuffer' ? MIN_SNDBUF : MIN_RCVBUF);
  if (which === 'sendBuffer') s.spaceMayHaveCome();
  else s.setOption(abi.OPT_RCVBUF, s.options.receiveBuffer!);
  return ok();
}

function setCongestion(s: Socket, name: string): Attempt {
  if (!CONGESTION_CONTROLS.has(name)) return fail('ENOENT');
  s.options.congestion = name;
  const id = s.options.congestionId;
  if (id !== undefined) s.setOption(abi.OPT_CONGESTION, id);
  return ok();
}

function text(value: Expr): string {
  if (value.kind === 'string') return value.value.toString('latin1').replace(/\0.*$/s, '');
  if (value.kind === 'list' && value.items[0] !== undefined) return text(value.items[0]);
  throw new ScriptError('a string is needed');
}

/** A Multipath TCP socket that fell back takes what TCP takes. */
function speaksMultipath(s: Socket): boolean {
  return s.multipath && (s.connection === null || s.connection.info().fallback === null);
}

function ruleOf(s: Socket, level: number, name: number): Rule | undefined {
  if (level === SOL.IPV6 && s.family !== AF_INET6) return undefined;
  return rules.get(`${level}:${name}`);
}

/** getsockopt for an option that nobody knows. */
function missing(s: Socket, level: number): string {
  const known = level === SOL.SOCKET || level === SOL.TCP || level === SOL.IP;
  return known || s.family === AF_INET6 ? 'ENOPROTOOPT' : 'EOPNOTSUPP';
}

/** getsockopt(fd, level, name, expected value, [expected length]). */
export function getOption(
  s: Socket,
  level: number,
  name: number,
  expected: Expr,
  length: Expr | undefined,
): Attempt {
  const key = `${level}:${name}`;
  const wrong = new Mismatches();
  const size = (octets: number): void => {
    if (!isEllipsis(length)) wrong.number('optlen', length, Math.min(octets, number(length)));
  };
  const mptcp = speaksMultipath(s);
  if (key === LINGER) {
    wrong.number('onoff', field(expected, 'onoff', 'l_onoff'), BigInt(s.options.linger.on));
    wrong.number('linger', field(expected, 'linger', 'l_linger'), s.options.linger.seconds);
    size(8);
    return ok(0, wrong.text);
  }
  if (RCVTIMEO.includes(key) || SNDTIMEO.includes(key)) {
    const time = RCVTIMEO.includes(key) ? s.options.receiveTimeout : s.options.sendTimeout;
    wrong.number('tv_sec', field(expected, 'tv_sec'), time.seconds);
    wrong.number('tv_usec', field(expected, 'tv_usec'), time.microseconds);
    size(16);
    return ok(0, wrong.text);
  }
  if (key === PEERNAME) {
    const remote = s.remote();
    if (remote === null) return fail('ENOTCONN');
    wrong.address('peer', expected, remote);
    return ok(0, wrong.text);
  }
  if (key === CONGESTION || key === BINDTODEVICE || key === ULP) {
    if (key === ULP && !mptcp) return ok(0, wrong.text);
    const value =
      key === ULP ? 'mptcp' : key === CONGESTION ? (s.options.congestion ?? 'cubic') : s.options.device;
    const wanted = isEllipsis(expected) ? value : text(expected);
    if (wanted !== value) wrong.add(`expected "${wanted}", got "${value}"`);
    return ok(0, wrong.text);
  }
  const structure = mptcpStructure(s, key, expected);
  if (structure !== undefined)
    return structure === null ? fail('EINVAL') : compareFields(expected, structure);
  if (key === TCP_INFO || key === CC_INFO || key === MPTCP_INFO) return getInfo(s, key, expected);
  if (key === FASTOPEN_KEY) return ok();
  if (key === SAVED_SYN && !s.multipath) return savedSyn(s, expected, length);
  const rule = ruleOf(s, level, name);
  const buffer = SNDBUF[0] === key || RCVBUF[0] === key;
  if (level === SOL.IPV6 && mptcp && s.family === AF_INET && rules.get(key)?.multipath === 'early') {
    wrong.number('value', expected, 0n);
    return ok(0, wrong.text);
  }
  if (rule === undefined && !buffer) {
    if (level === SOL.MPTCP && !mptcp && s.family === AF_INET6) return fail('ENOPROTOOPT');
    return fail(mptcp && level !== SOL.SOCKET ? 'EOPNOTSUPP' : missing(s, level));
  }
  if (mptcp && rule !== undefined && (rule.multipath === 'none' || rule.multipath === 'no'))
    return fail('EOPNOTSUPP');
  const value = buffer ? bufferSize(s, key === SNDBUF[0]) : current(s, level, name, rule);
  if (typeof value === 'string') return fail(value);
  wrong.number('value', expected, isEllipsis(length) ? value : cut(value, number(length)));
  const short = level === SOL.IP && !isEllipsis(length) && number(length) < 4 && value >= 0n && value < 256n;
  size(short ? 1 : 4);
  return ok(0, wrong.text);
}

/** What of an int fits. */
const cut = (value: bigint, octets: number): bigint =>
  octets < 4 ? BigInt.asUintN(8 * Math.max(octets, 0), value) : value;

function bufferSize(s: Socket, sending: boolean): bigint {
  // net.ipv4.tcp_wmem[1] and tcp_rmem[1]: what tuning begins with.
  if (sending) return BigInt(s.options.sendBuffer ?? 16384);
  return BigInt(s.options.receiveBuffer ?? 131072);
}

/** A number, or an errno. */
function current(s: Socket, level: number, name: number, rule: Rule | undefined): bigint | string {
  if (level === SOL.SOCKET) {
    switch (name) {
      case constant('SO_BUF_LOCK'):
        return (
          s.options.get(level, name) ??
          BigInt((s.options.sendBuffer === null ? 0 : 1) | (s.options.receiveBuffer === null ? 0 : 2))
        );
      case constant('SO_TYPE'):
        return BigInt(constant('SOCK_STREAM'));
      case constant('SO_ERROR'): {
        const error = s.takeError();
        s.changed();
        return BigInt(error === null ? s.takeSoftError() : errnoNumber(error));
      }
      case constant('SO_ACCEPTCONN'):
        return BigInt(s.listening);
      case constant('SO_PROTOCOL'):
        return BigInt(s.protocol === IPPROTO_MPTCP ? IPPROTO_MPTCP : IPPROTO_TCP);
      case constant('SO_DOMAIN'):
        return BigInt(s.family);
      default:
    }
  }
  if (level === SOL.TCP) {
    if (name === constant('TCP_IS_MPTCP')) return BigInt(speaksMultipath(s));
    if (name === constant('TCP_MAXSEG')) return segmentSize(s);
    if (name === constant('TCP_LINGER2') && s.options.get(level, name) === 0n) return rule?.initial ?? 0n;
  }
  if (level === SOL.IP && name === constant('IP_MTU')) {
    const c = s.connection;
    if (c === null || s.state === STATE.CLOSE) return 'ENOTCONN';
    const { x } = s.stack.core;
    const subflow = x.nextSubflow(c.handle, 0);
    if (subflow > 0 && x.subflowInfo(subflow) >= 0) return BigInt(s.stack.core.scratchU32(abi.SI_MTU));
    return BigInt(s.stack.paths().find(({ id }) => id === c.initialPath)?.mtu ?? 1500);
  }
  return s.options.get(level, name) ?? rule?.initial ?? 0n;
}

function segmentSize(s: Socket): bigint {
  const size = s.established ? maxSegment(s) : null;
  if (size !== null) return BigInt(size);
  const wanted = s.options.get(SOL.TCP, constant('TCP_MAXSEG')) ?? 0n;
  return wanted === 0n ? 536n : wanted;
}

/** The headers of the SYN, once. */
function savedSyn(s: Socket, expected: Expr, length: Expr | undefined): Attempt {
  const room = isEllipsis(length) ? 512 : number(length);
  const saved = s.connection?.savedSyn(room) ?? { length: 0, octets: null };
  const wrong = new Mismatches();
  if (saved.length > room) return fail('EINVAL');
  if (!isEllipsis(length)) wrong.number('optlen', length, saved.length);
  if (!isEllipsis(expected)) compareBuffer(wrong, 'headers', expected, Buffer.from(saved.octets ?? []));
  return ok(0, wrong.text);
}

/** undefined: another option; null: its sizes are wrong. */
function mptcpStructure(s: Socket, key: string, value: Expr): Map<string, number> | null | undefined {
  if (!speaksMultipath(s) || s.listening) return undefined;
  const subflows = s.connection?.liveSubflows().length ?? 0;
  if (key === MPTCP_TCPINFO) return subflowData(value, subflows, SIZE_TCP_INFO);
  if (key === MPTCP_SUBFLOW_ADDRS) return subflowData(value, subflows, SIZE_SUBFLOW_ADDRS);
  return key === MPTCP_FULL_INFO ? fullInfo(value, subflows) : undefined;
}

function compareFields(expected: Expr, actual: ReadonlyMap<string, bigint | number>): Attempt {
  const wrong = new Mismatches();
  if (expected.kind === 'struct') {
    for (const [name, value] of expected.fields) {
      if (name === '') continue;
      const got = actual.get(name);
      if (got === undefined) throw new ScriptError(`unknown field ${name}`);
      wrong.number(name, value, got);
    }
  }
  return ok(0, wrong.text);
}

function getInfo(s: Socket, key: string, expected: Expr): Attempt {
  if (key === MPTCP_INFO && !speaksMultipath(s))
    return fail(s.family === AF_INET6 ? 'ENOPROTOOPT' : 'EOPNOTSUPP');
  const info = key === MPTCP_INFO ? mptcpInfo(s) : tcpInfo(s);
  return compareFields(expected, info);
}
