/** HOST[:PORT] as people write it. */
import { isIPv6 } from 'node:net';
import type { Arguments } from './command.js';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Reads "name", "name:5740", "192.0.2.1:5740", "2001:db8::1" and "[2001:db8::1]:5740". */
export function parseTarget(args: Arguments, text: string, defaultPort: number): Target {
  if (isIPv6(text)) return { host: text, port: defaultPort };
  const bracketed = /^\[(.*)\](?::(.*))?$/.exec(text);
  const plain = /^([^:[\]]+)(?::(.*))?$/.exec(text);
  const [, host = '', port] = bracketed ?? plain ?? [];
  if (host === '' || (bracketed !== null && !isIPv6(host))) {
    throw args.wrong(`'${text}' is not a host; it looks like name, name:port or [address]:port`);
  }
  return { host, port: port === undefined ? defaultPort : args.parseInteger('the port', port, 1, 65535) };
}

/** An address for a line of text: IPv6 in brackets where a port follows. */
export const formatEndpoint = (address: string, port: number): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
