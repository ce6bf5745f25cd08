/**
 * The package raw-socket, as far as Plait uses it. It is an optional dependency without types, so it is described
 * here and loaded when asked for.
 */
import { readdirSync } from 'node:fs';
import { PlaitError } from '../errors.js';
import { SOCK_RAW, SO_PROTOCOL, SO_TYPE, SOL_SOCKET, firstLine, type Native } from './native.js';

export interface RawSocketModule {
  createSocket(options: { protocol: number; addressFamily: 1 | 2 }): RawSocket;
}

/** Garbage-collected, and closed without a word, unless it stays referenced. */
export interface RawSocket {
  pauseRecv(): this;
  /** Asks for `sendReady` events; without queued requests the package stops them after the first. */
  resumeSend(): this;
  on(event: 'error', listener: (error: Error) => void): this;
  close(): this;
  readonly wrap: RawSocketHandle;
}

/**
 * The native half. Its `send` and `recv` are the system calls themselves: the queue and the events around them
 * cost twice as much again per packet. Both throw the errno's text and call `done` before they return.
 */
export interface RawSocketHandle {
  send(packet: Uint8Array, offset: number, length: number, address: string, done: () => void): void;
  recv(target: Uint8Array, done: (target: Uint8Array, length: number, source: string) => void): void;
  /** Returns the length of the value; throws the text of the errno. */
  getOption(level: number, option: number, value: Uint8Array, length: number): number;
  on(event: 'recvReady' | 'sendReady', listener: () => void): this;
  removeAllListeners(event: 'recvReady'): this;
}

export const IPV4 = 1;
export const IPV6 = 2;

/** Rejects with ERR_PLAIT_DEVICE and what to install. */
export async function loadRawSocket(): Promise<RawSocketModule> {
  // The name is no literal because the package has no types.
  const name: string = 'raw-socket';
  try {
    const module = (await import(name)) as { default: RawSocketModule };
    return module.default;
  } catch (error) {
    throw new PlaitError(
      'ERR_PLAIT_DEVICE',
      `raw-socket cannot be loaded: ${firstLine(error)}`,
      'npm install raw-socket (it compiles: install g++, make and python3 first)',
    );
  }
}

/** Opens and closes a raw socket. Null, or why this process may not: EPERM or ERR_PLAIT_DEVICE. */
export function tryRawSocket(module: RawSocketModule): PlaitError | null {
  try {
    module.createSocket({ protocol: IPPROTO_TCP, addressFamily: IPV4 }).close();
    return null;
  } catch (error) {
    return rawSocketError(error);
  }
}

/**
 * Opens a raw socket and finds its descriptor, which the package keeps to itself. Throws PlaitError: EPERM or
 * ERR_PLAIT_DEVICE.
 */
export function openRawSocket(
  module: RawSocketModule,
  native: Native,
  protocol: number,
  addressFamily: 1 | 2,
): { socket: RawSocket; fd: number } {
  try {
    const before = new Set(descriptors(native, protocol));
    const socket = module.createSocket({ protocol, addressFamily });
    const fd = descriptors(native, protocol).find((one) => !before.has(one));
    if (fd !== undefined) return { socket, fd };
    socket.close();
  } catch (error) {
    throw rawSocketError(error);
  }
  throw new PlaitError('ERR_PLAIT_DEVICE', 'the raw socket is not to be found in /proc/self/fd');
}

/** This process's raw sockets of a protocol. */
function descriptors(native: Native, protocol: number): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter(
      (fd) =>
        native.getOption(fd, SOL_SOCKET, SO_TYPE) === SOCK_RAW &&
        native.getOption(fd, SOL_SOCKET, SO_PROTOCOL) === protocol,
    );
}

/** What an exception of the package means. */
function rawSocketError(error: unknown): PlaitError {
  const text = firstLine(error);
  return text === 'Operation not permitted' || text === 'Permission denied'
    ? new PlaitError('EPERM', 'raw sockets need the privilege CAP_NET_RAW', RAW_PRIVILEGE_REMEDY)
    : new PlaitError('ERR_PLAIT_DEVICE', `no raw socket: ${text}`);
}

/** How to get CAP_NET_RAW. */
export const RAW_PRIVILEGE_REMEDY =
  'run with sudo; or give the privilege to a copy of node: ' +
  'cp "$(command -v node)" ./node-raw && sudo setcap cap_net_raw+ep ./node-raw; ' +
  'or try it in a network namespace of your own: unshare -Urn';

export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_ICMPV6 = 58;
/** Takes whole packets to send and receives nothing. */
export const IPPROTO_RAW = 255;
