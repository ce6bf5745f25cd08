/** Every local address to every address of the peer. */
import type { Case } from '../case.js';
import { mptcp, rest, subflows, until } from '../steps.js';
import { announced } from './counts.js';

const family = 'fullmesh';
const MESH = ['10.0.2.2 subflow fullmesh', '10.0.3.2 subflow fullmesh', '10.0.4.2 subflow fullmesh'];

export const fullmesh: readonly Case[] = [
  {
    family,
    name: 'fullmesh test 2x1',
    client: {
      subflows: 4,
      addAddrAccepted: 1,
      endpoints: ['10.0.2.2 subflow', '10.0.3.2 subflow', '10.0.4.2 subflow fullmesh'],
    },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 4, ...announced(1), used: [2, 5] },
  },
  {
    family,
    name: 'fullmesh test 2x2',
    client: { subflows: 3, addAddrAccepted: 1, endpoints: [MESH[0] as string] },
    server: { subflows: 3, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family,
    name: 'fullmesh test 2x3',
    client: { subflows: 5, addAddrAccepted: 1, endpoints: [MESH[0] as string, MESH[1] as string] },
    server: { subflows: 5, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 4, ...announced(1), used: [2, 5] },
  },
  {
    family,
    name: 'fullmesh test 2x3, limited',
    client: { subflows: 3, addAddrAccepted: 1, endpoints: [MESH[0] as string, MESH[1] as string] },
    server: { subflows: 3, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 3, ...announced(1), used: [2, 4] },
  },
  {
    family,
    name: 'set fullmesh flag test',
    client: { subflows: 4, addAddrAccepted: 1, endpoints: ['10.0.2.2 id 1 subflow'] },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal'] },
    steps: [
      until('server', { MPJoinAckRx: 2 }),
      mptcp('client', 'endpoint change id 1 fullmesh'),
      until('server', { MPJoinAckRx: 3 }),
    ],
    expect: {
      client: { ...announced(1).client, MPJoinSynTx: 3, MPJoinSynAckRx: 3, RmSubflow: 2 },
      server: { ...announced(1).server, MPJoinSynRx: 3, MPJoinAckRx: 3 },
    },
  },
  {
    family,
    name: 'set nofullmesh flag test',
    client: { subflows: 4, addAddrAccepted: 1, endpoints: ['10.0.2.2 id 1 subflow fullmesh'] },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal'] },
    steps: [
      until('server', { MPJoinAckRx: 2 }),
      mptcp('client', 'endpoint change id 1 nofullmesh'),
      until('server', { MPJoinAckRx: 3 }),
      subflows('client', 2),
    ],
    expect: {
      client: { ...announced(1).client, MPJoinSynTx: 3, MPJoinSynAckRx: 3, RmSubflow: 2 },
      server: { ...announced(1).server, MPJoinSynRx: 3, MPJoinAckRx: 3 },
    },
  },
  {
    family,
    name: 'set backup,fullmesh flags test',
    client: { subflows: 4, addAddrAccepted: 1, endpoints: ['10.0.2.2 id 1 subflow'] },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal'] },
    steps: [
      until('server', { MPJoinAckRx: 2 }),
      mptcp('client', 'endpoint change id 1 backup fullmesh'),
      until('server', { MPJoinAckRx: 3 }),
      rest(50),
    ],
    expect: {
      client: {
        ...announced(1).client,
        MPJoinSynTx: 3,
        MPJoinSynAckRx: 3,
        RmSubflow: 2,
        MPPrioTx: [0, 2],
      },
      server: {
        ...announced(1).server,
        MPJoinSynRx: 3,
        MPJoinAckRx: 3,
        MPJoinSynBackupRx: 1,
        MPPrioRx: [0, 2],
      },
    },
  },
  {
    family,
    name: 'set nobackup,nofullmesh flags test',
    client: { subflows: 4, addAddrAccepted: 1, endpoints: ['10.0.2.2 id 1 subflow backup fullmesh'] },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal'] },
    steps: [
      until('server', { MPJoinAckRx: 2 }),
      mptcp('client', 'endpoint change id 1 nobackup nofullmesh'),
      until('server', { MPJoinAckRx: 3 }),
      rest(50),
    ],
    expect: {
      client: {
        ...announced(1).client,
        MPJoinSynTx: 3,
        MPJoinSynAckRx: 3,
        RmSubflow: 2,
        MPPrioTx: [0, 2],
      },
      server: {
        ...announced(1).server,
        MPJoinSynRx: 3,
        MPJoinAckRx: 3,
        MPJoinSynBackupRx: 2,
        MPPrioRx: [0, 2],
      },
    },
  },
];
