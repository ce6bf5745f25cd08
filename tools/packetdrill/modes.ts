/** Addresses and symbols of each version of IP, as the public runners of scripts have them. */
import type { Option } from './config.js';
import { sipHash } from './siphash.js';
import type { Mode } from './socket-layer.js';
import { addressOctets } from './wire.js';

export interface ModeDefaults {
  readonly local: string;
  readonly remote: string;
  readonly mtu: number;
}

const V4: ModeDefaults = { local: '192.168.0.1', remote: '192.0.2.1', mtu: 1500 };
/** The larger MTU leaves IPv6 the MSS that scripts assert. */
const V6: ModeDefaults = { local: 'fd3d:a0b:17d6::1', remote: 'fd3d:fa7b:d17d::1', mtu: 1520 };

export const modeDefaults = (mode: Mode): ModeDefaults => (mode === 'ipv6' ? V6 : V4);

/** net.ipv4.tcp_fastopen_key of the public runners. */
export const FASTOPEN_KEY = 'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4';
const FASTOPEN_KEYS = { TFO_COOKIE: FASTOPEN_KEY, TFO_COOKIE_ZERO: '00000000-00000000-00000000-00000000' };

/** The octets of a key as the sysctl writes it: four words, each little-endian. */
export function fastOpenKey(text: string): Buffer {
  const digits = text.trim().replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) throw new Error(`${text} is no Fast Open key`);
  return Buffer.from(digits, 'hex').swap32();
}

/** Options that a runner gives beside the script's own. */
export function modeDefines(mode: Mode): Option[] {
  const define = (name: string, value: string): Option => ({ name: 'define', value: `${name}=${value}` });
  const { local, remote } = modeDefaults(mode);
  const v4 = mode === 'ipv4';
  const cookies = Object.entries(FASTOPEN_KEYS).map(([name, key]) =>
    define(name, fastOpenCookie(fastOpenKey(key), remote, local).toString('hex')),
  );
  return [
    define('CMSG_LEVEL_IP', v4 ? 'SOL_IP' : 'SOL_IPV6'),
    define('CMSG_TYPE_RECVERR', v4 ? 'IP_RECVERR' : 'IPV6_RECVERR'),
    ...cookies,
  ];
}

/** The cookie that Linux gives a client: a hash of both addresses. */
export function fastOpenCookie(key: Buffer, client: string, server: string): Buffer {
  return sipHash(key, Buffer.concat([addressOctets(client), addressOctets(server)]));
}
