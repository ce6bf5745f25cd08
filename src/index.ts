/** Plait: Multipath TCP (RFC 8684) in userspace. */
export { createHost } from './net/host.js';
export type {
  CongestionName,
  ConnectOptions,
  ConnectionEvent,
  DeviceName,
  Host,
  HostOptions,
  PathManagerName,
  SchedulerName,
  Server,
  Socket,
} from './net/types.js';
export type { ConnectionInfo, Counters, Endpoint, SubflowInfo } from './stack/info.js';
export type { Path } from './io/device.js';
export { PlaitError, type ErrorCode } from './errors.js';
