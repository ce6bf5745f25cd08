/** What the kernel's routing table says, without asking netlink. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { filesError, PlaitError } from '../errors.js';

/**
 * The local address that the kernel would use towards `remote` (an address, not a name; link-local ones with their
 * zone), or whether it would use `local`. Nothing is sent. Rejects with EHOSTUNREACH when no route leads there, with
 * ENOBUFS when no socket can be opened.
 */
export function sourceFor(remote: string, local?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(remote) ? 'udp6' : 'udp4');
    const fail = (error: NodeJS.ErrnoException): void => {
      socket.close();
      reject(
        filesError(error) ??
          new PlaitError(
            'EHOSTUNREACH',
            `no route leads to ${remote}${local === undefined ? '' : ` from ${local}`}: ${error.message}`,
            `ip route get ${remote}${local === undefined ? '' : ` from ${local}`}`,
          ),
      );
    };
    socket.on('error', fail);
    socket.on('connect', () => {
      const { address } = socket.address();
      socket.close();
      resolve(address.split('%', 1)[0] as string);
    });
    const connect = (): void => {
      try {
        // Connecting a UDP socket is a routing decision and no more. The port does not matter.
        socket.connect(9, remote);
      } catch (error) {
        fail(error as NodeJS.ErrnoException);
      }
    };
    if (local === undefined) connect();
    else socket.bind(0, local, connect);
  });
}
