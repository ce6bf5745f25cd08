/** The few calls without which no script runs, until posix/ has all of them. */
import type { Connection, ConnectionHandler } from '../../src/stack/connection.js';
import type { Expr, SocketCall } from './ast.js';
import {
  ScriptError,
  type CallOutcome,
  type CreateSocketLayer,
  type LayerContext,
  type RunningCall,
  type SocketLayer,
} from './socket-layer.js';

class Socket implements ConnectionHandler {
  connection: Connection | null = null;
  nonBlocking = false;
  connected = false;
  ended = false;
  closed = false;
  error: string | null = null;
  readonly queue: Connection[] = [];
  constructor(readonly wake: () => void) {}
  attach(connection: Connection): void {
    this.connection = connection;
    connection.handler = this;
  }
  onConnected(): void {
    this.connected = true;
    this.wake();
  }
  onReadable(): void {
    this.wake();
  }
  onWritable(): void {
    this.wake();
  }
  onEnd(): void {
    this.ended = true;
    this.wake();
  }
  onClosed(error: { code?: string } | null): void {
    this.closed = true;
    this.error = error?.code ?? null;
    this.wake();
  }
  onEvent(): void {}
}

type Attempt = () => readonly [result: number, errno: string | null] | null;

class BasicLayer implements SocketLayer {
  lastUsed: number | null = null;
  readonly #context: LayerContext;
  readonly #sockets = new Map<number, Socket>();
  readonly #waiting = new Set<() => void>();

  constructor(context: LayerContext) {
    this.#context = context;
  }

  begin(call: SocketCall): RunningCall {
    const running: { outcome: CallOutcome | null } = { outcome: null };
    const attempt = this.#attempt(call);
    const poll = (): void => {
      const done = attempt();
      if (done === null) return;
      this.#waiting.delete(poll);
      const [result, errno] = done;
      running.outcome = { result: BigInt(result), errno, mismatch: null, time: this.#context.world.now() };
      this.#context.changed();
    };
    this.#waiting.add(poll);
    poll();
    return running;
  }

  #wake = (): void => {
    for (const poll of [...this.#waiting]) poll();
  };

  #attempt(call: SocketCall): Attempt {
    const fd = number(call.args[0]);
    const socket = this.#sockets.get(fd);
    const { stack, addressing } = this.#context;
    const done =
      (result = 0, errno: string | null = null): Attempt =>
      () => [result, errno];
    if (call.name === 'socket') {
      const created = number(call.result);
      this.#sockets.set(created, new Socket(this.#wake));
      this.lastUsed = created;
      return done(created);
    }
    if (socket === undefined) throw new ScriptError(`no socket ${fd}`, call.line);
    this.lastUsed = fd;
    switch (call.name) {
      case 'bind':
      case 'setsockopt':
      case 'getsockopt':
        return done();
      case 'fcntl':
        if (JSON.stringify(call.args[1]).includes('F_SETFL')) {
          socket.nonBlocking = JSON.stringify(call.args[2]).includes('O_NONBLOCK');
          return done();
        }
        return done(number(call.result));
      case 'listen':
        stack
          .listen(addressing.bindPort, null, (connection) => {
            socket.queue.push(connection);
            this.#wake();
          })
          .start(() => undefined);
        return done();
      case 'accept':
        return () => {
          const connection = socket.queue.shift();
          if (connection === undefined) return socket.nonBlocking ? [-1, 'EAGAIN'] : null;
          const created = number(call.result);
          const accepted = new Socket(this.#wake);
          accepted.attach(connection);
          accepted.connected = true;
          this.#sockets.set(created, accepted);
          this.lastUsed = created;
          return [created, null];
        };
      case 'connect': {
        const [path] = stack.paths();
        stack.connect(path!.id, 0, addressing.remote, addressing.connectPort, (_, connection) =>
          socket.attach(connection!),
        );
        if (socket.nonBlocking) return done(-1, 'EINPROGRESS');
        return () => (socket.closed ? [-1, 'ECONNREFUSED'] : socket.connected ? [0, null] : null);
      }
      case 'write': {
        const length = number(call.args[2]);
        socket.connection!.write(Buffer.alloc(length));
        return done(length);
      }
      case 'read':
        return () => {
          const taken = socket.connection!.readInto(new Uint8Array(number(call.args[2])));
          if (taken > 0 || socket.ended) return [taken, null];
          return socket.nonBlocking ? [-1, 'EAGAIN'] : null;
        };
      case 'shutdown':
        socket.connection!.shutdown();
        return done();
      case 'close':
        socket.connection?.shutdown();
        this.#sockets.delete(fd);
        return done();
    }
    throw new ScriptError(`no call ${call.name}`, call.line);
  }

  endpoints(fd: number): ReturnType<SocketLayer['endpoints']> {
    const connection = this.#sockets.get(fd)?.connection ?? null;
    if (connection === null) return null;
    return {
      local: { address: connection.localAddress, port: connection.localPort },
      remote: { address: connection.remoteAddress, port: connection.remotePort },
    };
  }
  tcpInfo(): null {
    return null;
  }
  mptcpInfo(): null {
    return null;
  }
  close(): void {
    this.#waiting.clear();
  }
}

function number(expr: Expr | undefined): number {
  return expr?.kind === 'integer' ? Number(expr.value) : 0;
}

export const createSocketLayer: CreateSocketLayer = (context) => new BasicLayer(context);
