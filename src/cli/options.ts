/** Options of every command that opens connections, and what they mean to a host. */
import { isIP } from 'node:net';
import type {
  CongestionName,
  DeviceName,
  FlowOptions,
  HostOptions,
  PathManagerName,
  SchedulerName,
} from '../net/types.js';
import type { EndpointSpec, PathLimits } from '../path/endpoints.js';
import { parseEndpoint, parseLimits } from '../path/ip-mptcp.js';
import type { Arguments, OptionSpec } from './command.js';

const DEVICES: readonly DeviceName[] = ['auto', 'packet', 'raw', 'udp'];
const PATH_MANAGER = /^(laminar|fullmesh|none|endpoints|ndiffports(:[1-8])?)$/;
const CONGESTION: readonly CongestionName[] = ['cubic', 'reno', 'lia', 'olia', 'balia', 'wvegas'];
const SCHEDULERS: readonly SchedulerName[] = ['minrtt'];

export const HOST_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'device',
    value: 'NAME',
    choices: DEVICES,
    help: 'how packets travel: raw is TCP on the wire and needs a privilege, udp needs none but plait at both ends, auto takes the first that works',
  },
  {
    name: 'path',
    value: 'ADDR',
    multiple: true,
    help: 'local address to use as a path; without this option every usable one',
  },
  { name: 'bind', value: 'ADDR', help: 'local address of the first subflow, or to listen on' },
  {
    name: 'pm',
    value: 'NAME',
    help: 'which subflows to open: laminar pairs each local address with one of the peer, fullmesh with all of them, ndiffports:N opens N over one pair, endpoints goes by --endpoint, none opens the first only',
  },
  {
    name: 'endpoint',
    value: 'SPEC',
    multiple: true,
    help: 'what to do with a local address, as ip mptcp endpoint add takes it: "10.0.1.1 dev eth0 signal,subflow backup id 3"',
  },
  {
    name: 'limits',
    value: 'SPEC',
    help: 'as ip mptcp limits set takes them: "subflows 4 add_addr_accepted 2"',
  },
  {
    name: 'endpoints-file',
    value: 'FILE',
    help: 'a line per endpoint or limits; SIGHUP has it read again',
  },
  {
    name: 'events',
    value: 'FILE',
    help: 'write what happens to subflows and addresses there, a JSON object per line; - is standard output',
  },
  {
    name: 'cc',
    value: 'NAME',
    choices: CONGESTION,
    help: 'congestion control; without this option cubic on one path and lia on several',
  },
  { name: 'scheduler', value: 'NAME', choices: SCHEDULERS, help: 'which subflow sends next' },
  {
    name: 'pacing',
    value: 'RATE',
    help: 'send evenly: at most so many Mbit/s on each subflow, or auto for as fast as the path takes it',
  },
  {
    name: 'buffer',
    value: 'MIB',
    help: 'MiB that wait to be sent or read at most, each (default 16); fast paths with long round trips want more',
  },
  { name: 'checksum', help: 'ask for checksums of the data (DSS checksums)' },
  { name: 'pcap', value: 'FILE', help: 'write every packet to this file (pcapng)' },
  { name: 'stats', help: 'print one JSON object on stderr at the end' },
];

export const QUIET: OptionSpec = { name: 'quiet', short: 'q', help: 'print errors only' };

export interface CommonOptions {
  readonly host: HostOptions;
  readonly endpoints: readonly EndpointSpec[];
  readonly limits: Partial<PathLimits>;
  readonly endpointsFile: string | undefined;
  readonly events: string | undefined;
  readonly bind: string | undefined;
  readonly stats: boolean;
  readonly quiet: boolean;
}

export function commonOptions(args: Arguments): CommonOptions {
  const bind = args.text('bind');
  for (const address of [...args.texts('path'), ...(bind === undefined ? [] : [bind])]) {
    if (isIP(address) === 0) throw args.wrong(`'${address}' is not an IP address`);
  }
  const paths = args.texts('path');
  const [device, pathManager] = [args.text('device'), args.text('pm')];
  const [congestion, scheduler, pcap] = [args.text('cc'), args.text('scheduler'), args.text('pcap')];
  if (pathManager !== undefined && !PATH_MANAGER.test(pathManager)) {
    const names = 'laminar, fullmesh, ndiffports:N (1 to 8), endpoints, none';
    throw args.wrong(`--pm cannot be '${pathManager}'; it is one of ${names}`);
  }
  const endpointsFile = args.text('endpoints-file');
  return {
    endpoints: args.texts('endpoint').map((text) => checked(args, () => parseEndpoint(text))),
    limits: checked(args, () => parseLimits(args.text('limits') ?? '')),
    endpointsFile,
    events: args.text('events'),
    host: {
      // The casts follow from the tables of choices above.
      ...(device !== undefined && { device: device as DeviceName }),
      ...(paths.length > 0 && { paths }),
      ...(endpointsFile !== undefined && { pathManager: 'endpoints' as const }),
      ...(pathManager !== undefined && { pathManager: pathManager as PathManagerName }),
      ...(congestion !== undefined && { congestion: congestion as CongestionName }),
      ...(scheduler !== undefined && { scheduler: scheduler as SchedulerName }),
      ...flowOptions(args),
      ...(args.flag('checksum') && { checksum: true }),
      ...(pcap !== undefined && { pcap }),
    },
    bind,
    stats: args.flag('stats'),
    quiet: args.flag('quiet'),
  };
}

function flowOptions(args: Arguments): FlowOptions {
  const rate = args.text('pacing') === 'auto' ? true : args.integer('pacing', 1, MOST_RATE);
  const buffer = args.integer('buffer', 1, MOST_BUFFER);
  return {
    ...(rate !== undefined && { pacing: rate === true || rate * OCTETS_PER_MBIT }),
    ...(buffer !== undefined && { sendBuffer: buffer * MIB, receiveBuffer: buffer * MIB }),
  };
}

/** What `read` returns; an error in it is one of the command line. */
function checked<T>(args: Arguments, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw args.wrong((error as Error).message.replace('ip mptcp: ', ''));
  }
}

/** Mbit/s and MiB. */
const MOST_RATE = 10_000;
const MOST_BUFFER = 256;
const OCTETS_PER_MBIT = 125_000;
const MIB = 2 ** 20;
