/** Events of the core, handed to whom they concern: application, path manager, monitor. */
import * as abi from '../../assembly/abi.js';
import { addressText } from '../core/address.js';
import type { CoreEvent } from '../core/core.js';
import type { Connection } from './connection.js';
import type { Monitor } from './monitor.js';
import { closeError, closeName, fallbackName } from './names.js';
import type { PathPolicy } from './policy.js';

/** What it needs of the stack. */
export interface DispatchHost {
  readonly policy: PathPolicy | null;
  readonly monitor: Monitor;
  connection(handle: number): Connection | undefined;
  accepted(event: CoreEvent): void;
  /** A subflow is gone: its port is free in a while. */
  portDone(connection: Connection, subflow: number): void;
}

export function dispatch(host: DispatchHost, event: CoreEvent): void {
  if (event.type === abi.EVENT_ACCEPT) {
    host.accepted(event);
    return;
  }
  if (event.type === abi.EVENT_LOCAL_ID) {
    host.policy?.localIdTaken(event.b, event.a);
    return;
  }
  const connection = host.connection(event.connection);
  if (connection === undefined) return;
  const { handler } = connection;
  switch (event.type) {
    case abi.EVENT_CONNECTED:
      if (event.a === 1) created(host, connection);
      handler?.onConnected();
      handler?.onEvent({ type: 'created' });
      break;
    case abi.EVENT_ESTABLISHED:
      host.monitor.established(connection);
      handler?.onEvent({ type: 'established' });
      host.policy?.established(connection);
      break;
    case abi.EVENT_READABLE:
      handler?.onReadable();
      break;
    case abi.EVENT_WRITABLE:
      handler?.onWritable();
      break;
    case abi.EVENT_END:
      handler?.onEnd();
      break;
    case abi.EVENT_CLOSED:
      connection.finish(event.a);
      host.monitor.closed(connection);
      handler?.onEvent({ type: 'closed', reason: closeName(event.a) });
      handler?.onClosed(connection.error);
      break;
    case abi.EVENT_FALLBACK:
      handler?.onEvent({ type: 'fallback', reason: fallbackName(event.a) ?? '' });
      break;
    default:
      pathEvent(host, connection, event);
  }
}

/** The connection speaks Multipath TCP. */
export function created(host: DispatchHost, connection: Connection): void {
  connection.token = connection.localToken();
  host.monitor.created(connection);
}

function pathEvent(host: DispatchHost, connection: Connection, event: CoreEvent): void {
  const { handler } = connection;
  const { subflow } = event;
  switch (event.type) {
    case abi.EVENT_SUBFLOW_UP:
      host.monitor.subflowEstablished(connection, subflow);
      handler?.onEvent({ type: 'subflow-established', subflow, addressId: event.b });
      connection.subflowUp(subflow);
      host.policy?.subflowUp(connection, subflow);
      break;
    case abi.EVENT_SUBFLOW_DOWN:
      subflowDown(host, connection, event);
      break;
    case abi.EVENT_ADD_ADDR: {
      const address = addressText(event.address);
      const port = event.c === 0 ? connection.remotePort : event.c;
      host.monitor.announced(connection, event.a, address, port);
      handler?.onEvent({ type: 'announced', addressId: event.a, address, port: event.c });
      host.policy?.addressAdded(connection, event.a, address, event.c);
      break;
    }
    case abi.EVENT_ADD_ADDR_ECHO:
      connection.announcer.echoed(event.a, addressText(event.address), event.c);
      break;
    case abi.EVENT_RM_ADDR:
      host.monitor.removed(connection, event.a);
      handler?.onEvent({ type: 'removed', addressId: event.a });
      host.policy?.addressRemoved(connection, event.a);
      break;
    case abi.EVENT_UNREACHABLE: {
      const reason = closeError(event.a)?.code ?? '';
      handler?.onEvent({ type: 'unreachable', subflow, reason });
      break;
    }
    case abi.EVENT_PRIO:
      host.monitor.priority(connection, subflow);
      handler?.onEvent({ type: 'priority', subflow, reason: event.a ? 'backup' : 'regular' });
      break;
  }
}

function subflowDown(host: DispatchHost, connection: Connection, event: CoreEvent): void {
  const info = connection.subflow(event.subflow);
  host.portDone(connection, event.subflow);
  const down = {
    subflow: event.subflow,
    path: info.path,
    remote: info.remote.address,
    remotePort: info.remote.port,
    established: info.srtt > 0,
    reason: event.a,
    resetReason: event.b,
    transient: event.c === 1,
  };
  // As in Linux, subflows of a connection that closes end without a word.
  if (connection.isOpen) host.monitor.subflowClosed(connection, info, down);
  connection.handler?.onEvent({ type: 'subflow-closed', subflow: event.subflow, reason: closeName(event.a) });
  connection.subflowDown(down);
  host.policy?.subflowDown(connection, down);
}
