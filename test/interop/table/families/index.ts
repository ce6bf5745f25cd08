/** The table. */
import { overIpv6, type Case } from '../case.js';
import { addAddrTimeout } from './add-addr-timeout.js';
import { addAddrPorts } from './add-addr-ports.js';
import { add } from './add.js';
import { backup } from './backup.js';
import { checksum } from './checksum.js';
import { connect } from './connect.js';
import { denyJoin } from './deny-join-id0.js';
import { diag } from './diag.js';
import { endpoint } from './endpoint.js';
import { fail } from './fail.js';
import { fastclose } from './fastclose.js';
import { fullmesh } from './fullmesh.js';
import { ipv6, mixed, v4mapped } from './ipv6.js';
import { linkFailure } from './link-failure.js';
import { middlebox } from './middlebox.js';
import { remove } from './remove.js';
import { signalAddress } from './signal-address.js';
import { simultFlows } from './simult-flows.js';
import { subflows, subflowsError } from './subflows.js';
import { syncookies } from './syncookies.js';
import { userspace } from './userspace.js';

/** These are about addresses: once with those of IPv4, once with those of IPv6. */
const OF_EITHER_FAMILY: readonly Case[] = [
  ...subflows,
  ...signalAddress,
  ...remove,
  ...add,
  ...backup,
  ...syncookies,
  ...checksum,
  ...denyJoin,
  ...fullmesh,
  ...fastclose,
  ...userspace,
  ...endpoint,
  ...diag,
];

export const CASES: readonly Case[] = [
  ...OF_EITHER_FAMILY,
  ...OF_EITHER_FAMILY.filter(canBeIpv6).map(overIpv6),
  ...subflowsError,
  ...linkFailure,
  // IPv6 addresses go with their interface.
  ...linkFailure.filter(({ name }) => name.endsWith('silent')).map(overIpv6),
  ...addAddrTimeout,
  ...ipv6,
  ...v4mapped,
  ...mixed,
  ...addAddrPorts,
  ...fail,
  ...simultFlows,
  ...connect,
  ...middlebox,
];

/** Beside timestamps, Linux has no room for ADD_ADDR with an IPv6 address and a port. */
function canBeIpv6({ to, client, server }: Case): boolean {
  const ports = [client, server].some((side) =>
    side?.endpoints?.some((endpoint) => endpoint.includes(' port ')),
  );
  return to === undefined && !ports;
}
