/** Plait: Multipath TCP (RFC 8684) in userspace. */
export { createHost } from './net/host.js';
export type {
  CongestionName,
  ConnectOptions,
  ConnectionEvent,
  DeviceName,
  Host,
  FlowOptions,
  HostOptions,
  PathManagerName,
  SchedulerName,
  Server,
  Socket,
} from './net/types.js';
export { applyIpMptcp, parseEndpoint, type EndpointControl } from './path/ip-mptcp.js';
export type {
  EndpointChange,
  EndpointName,
  EndpointSpec,
  PathEndpoint,
  PathLimits,
} from './path/endpoints.js';
export type { AnnounceOptions, OpenSubflowOptions, SubflowName } from './stack/control.js';
export type { PathEvent, PathEventKind } from './stack/monitor.js';
export type { PathEventStream } from './net/path-events.js';
export type { SocketPaths } from './net/socket-paths.js';
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
export type { DeviceStats, Path, PathStats } from './io/device.js';
export { PlaitError, type ErrorCode } from './errors.js';
