/**
 * The closed set of errors that Plait raises. Each has a stable `code`; the message says what to do next.
 * Codes that node:net also uses mean the same here.
 */
export type ErrorCode =
  // connections
  | 'ECONNREFUSED' // the peer answered with RST
  | 'ECONNRESET' // the peer aborted the connection
  | 'ECONNABORTED' // this side aborted the connection
  | 'EPIPE' // written after the sending direction ended
  | 'ETIMEDOUT' // no answer within the limit
  | 'EADDRINUSE' // port or four-tuple taken
  | 'EADDRNOTAVAIL' // no path has this local address
  | 'EHOSTUNREACH' // no path leads to the peer
  | 'ENETUNREACH' // a router has no route to the peer's network
  | 'EACCES' // a router or the peer forbids the connection (ICMPv6)
  | 'ENOPROTOOPT' // the peer does not speak TCP (ICMP)
  | 'EPROTO' // a router or the peer does not understand our packets (ICMP)
  | 'ENETDOWN' // the path's interface went away
  | 'ENOTFOUND' // the name does not resolve
  | 'ENOBUFS' // a configured limit is reached, or the system's for open files
  | 'EPERM' // a privilege is missing
  | 'EINVAL' // an argument is out of its range
  | 'EEXIST' // the address is an endpoint already
  | 'EBUSY' // the endpoint ID is taken
  | 'ERANGE' // there are as many endpoints as there may be
  | 'ERR_SOCKET_CLOSED' // used after close
  | 'EAGAIN' // not yet
  | 'EOPNOTSUPP' // the connection is plain TCP
  | 'ESRCH' // no such subflow
  // ours
  | 'ERR_PLAIT_DEVICE' // a device cannot be used here; `remedy` says what to install or run
  | 'ERR_PLAIT_CORE' // the WASM core trapped: a bug of ours, this stack is closed
  | 'ERR_PLAIT_PROTOCOL' // the peer of a file transfer broke its protocol
  | 'ERR_PLAIT_INTEGRITY'; // bytes differ from their checksum

export class PlaitError extends Error {
  override readonly name = 'PlaitError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Exact command or step that removes the cause, where there is one. */
    readonly remedy?: string,
  ) {
    super(message);
  }
}

/** What it means that the system opens no more files or sockets; null for another error. */
export function filesError({ code }: { readonly code?: string | undefined }): PlaitError | null {
  if (code !== 'EMFILE' && code !== 'ENFILE') return null;
  const whose = code === 'EMFILE' ? 'this process' : 'this machine';
  return new PlaitError('ENOBUFS', `${whose} has as many files and sockets open as it may`, 'ulimit -n');
}
