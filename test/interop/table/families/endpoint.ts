/** Endpoints that come by themselves, go and come back, or pair up. */
import type { Case } from '../case.js';
import { mptcp, subflows, until } from '../steps.js';
import { announced } from './counts.js';

const family = 'endpoint';

export const endpoint: readonly Case[] = [
  {
    family,
    name: 'implicit EP',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { subflows: 2, addAddrAccepted: 2, endpoints: ['10.0.2.1 signal'] },
    // The address that the join took is listed, and becomes an ordinary one when it is added.
    steps: [
      until('server', { MPJoinAckRx: 1 }),
      mptcp('client', 'endpoint show id 1'),
      mptcp('client', 'endpoint add 10.0.2.2 signal'),
      until('server', { AddAddr: 1 }),
    ],
    expect: {
      joins: 1,
      client: { ...announced(1).client, ...announced(1).server },
      server: { ...announced(1).server, ...announced(1).client },
      used: 2,
    },
  },
  {
    family,
    name: 'delete and re-add',
    client: { subflows: 3, endpoints: ['10.0.2.2 id 2 dev p1 subflow'] },
    server: { subflows: 3 },
    // Linux counts REMOVE_ADDR when it has obeyed; it takes whatever has that ID by then.
    steps: [
      mptcp('client', 'endpoint delete id 2'),
      subflows('client', 1),
      subflows('server', 1),
      until('server', { RmAddr: 1 }),
      mptcp('client', 'endpoint add 10.0.2.2 id 2 dev p1 subflow'),
      until('server', { MPJoinAckRx: 2 }),
      subflows('client', 2),
      mptcp('client', 'endpoint delete id 2'),
      subflows('client', 1),
      subflows('server', 1),
      until('server', { RmAddr: 2 }),
      mptcp('client', 'endpoint add 10.0.2.2 id 2 dev p1 subflow'),
      until('server', { MPJoinAckRx: 3 }),
      subflows('client', 2),
    ],
    expect: {
      client: { MPJoinSynTx: 3, MPJoinSynAckRx: 3, RmAddrTx: 2, RmSubflow: 2 },
      server: { MPJoinSynRx: 3, MPJoinAckRx: 3, RmAddr: 2 },
    },
  },
  {
    family,
    name: 'delete and re-add id 0',
    client: { subflows: 3, endpoints: ['10.0.1.2 id 1 dev p0 subflow', '10.0.2.2 id 2 dev p1 subflow'] },
    server: { subflows: 3 },
    steps: [
      until('server', { MPJoinAckRx: 1 }),
      mptcp('client', 'endpoint delete id 1'),
      subflows('client', 1),
      subflows('server', 1),
      until('server', { RmAddr: 1 }),
      mptcp('client', 'endpoint add 10.0.1.2 id 99 dev p0 subflow'),
      until('server', { MPJoinAckRx: 2 }),
      subflows('client', 2),
    ],
    expect: {
      client: { MPJoinSynTx: 2, MPJoinSynAckRx: 2, RmAddrTx: 1, RmSubflow: 1 },
      server: { MPJoinSynRx: 2, MPJoinAckRx: 2, RmAddr: 1 },
    },
  },
  {
    family,
    name: 'delete re-add signal',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: { subflows: 3, endpoints: ['10.0.2.1 id 1 signal'] },
    steps: [
      until('server', { MPJoinAckRx: 1 }),
      mptcp('server', 'endpoint delete id 1'),
      subflows('client', 1),
      mptcp('server', 'endpoint add 10.0.2.1 id 1 signal'),
      until('server', { MPJoinAckRx: 2 }),
      mptcp('server', 'endpoint delete id 1'),
      subflows('client', 1),
      mptcp('server', 'endpoint add 10.0.2.1 id 1 signal'),
      until('server', { MPJoinAckRx: 3 }),
    ],
    expect: {
      client: { ...announced(3).client, MPJoinSynTx: 3, MPJoinSynAckRx: 3, RmAddr: 2 },
      server: { ...announced(3).server, MPJoinSynRx: 3, MPJoinAckRx: 3, RmAddrTx: 2, RmSubflow: 2 },
    },
  },
  {
    family,
    name: 'laminar 2x2',
    // iproute2 may not know the flag: Plait's side only.
    pairs: [{ client: 'plait', server: 'kernel' }],
    client: { subflows: 4, addAddrAccepted: 2, endpoints: ['10.0.2.2 laminar', '10.0.3.2 laminar'] },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal', '10.0.3.1 signal'] },
    expect: { joins: 2, ...announced(2), used: 3 },
  },
];
