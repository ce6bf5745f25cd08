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
export { loadDissector, type Dissector } from './inspect/dissector.js';
export type {
  ChecksumState,
  Dissection,
  DssMapping,
  IpHeader,
  Problem,
  Standing,
  TcpOption,
  TcpSegment,
} from './inspect/dissection.js';
export { formatPacketdrill, type Origins } from './inspect/packetdrill.js';
export type { Path } from './io/device.js';
export { PlaitError, type ErrorCode } from './errors.js';
