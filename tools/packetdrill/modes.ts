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

/** net.ipv4.tcp_fastopen_key of the public runners, and a key of zeros. */
const FASTOPEN_KEYS = { TFO_COOKIE: 'a1a1a1a1b2b2b2b2c3c3c3c3d4d4d4d4', TFO_COOKIE_ZERO: '0'.repeat(32) };

/** Options that a runner gives beside the script's own. */
export function modeDefines(mode: Mode): Option[] {
  const define = (name: string, value: string): Option => ({ name: 'define', value: `${name}=${value}` });
  const { local, remote } = modeDefaults(mode);
  const v4 = mode === 'ipv4';
  const cookies = Object.entries(FASTOPEN_KEYS).map(([name, key]) =>
    define(name, fastOpenCookie(Buffer.from(key, 'hex'), remote, local).toString('hex')),
  );
  return [
    define('CMSG_LEVEL_IP', v4 ? 'SOL_IP' : 'SOL_IPV6'),
    define('CMSG_TYPE_RECVERR', v4 ? 'IP_RECVERR' : 'IPV6_RECVERR'),
    ...cookies,
  ];
}

/** The cookie that Linux gives a client: a hash of both addresses. The key is the sysctl's four words, each little-endian. */
export function fastOpenCookie(words: Buffer, client: string, server: string): Buffer {
  const key = Buffer.from(words).swap32();
  return sipHash(key, Buffer.concat([addressOctets(client), addressOctets(server)]));
}
