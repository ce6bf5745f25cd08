/** The table. */
import type { Case } from '../case.js';
import { addAddrTimeout } from './add-addr-timeout.js';
import { addAddrPorts } from './add-addr-ports.js';
import { add } from './add.js';
import { backup } from './backup.js';
import { checksum } from './checksum.js';
import { connect } from './connect.js';
import { denyJoin } from './deny-join-id0.js';
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

export const CASES: readonly Case[] = [
  ...subflows,
  ...subflowsError,
  ...signalAddress,
  ...linkFailure,
  ...addAddrTimeout,
  ...remove,
  ...add,
  ...ipv6,
  ...v4mapped,
  ...mixed,
  ...backup,
  ...addAddrPorts,
  ...syncookies,
  ...checksum,
  ...denyJoin,
  ...fullmesh,
  ...fastclose,
  ...fail,
  ...userspace,
  ...endpoint,
  ...simultFlows,
  ...connect,
  ...middlebox,
];
