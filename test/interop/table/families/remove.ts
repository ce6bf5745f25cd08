/** Endpoints are deleted while a connection uses them: REMOVE_ADDR, and the subflows close. */
import type { Case } from '../case.js';
import { mptcp, subflows, until } from '../steps.js';
import { announced } from './counts.js';

const family = 'remove';

export const remove: readonly Case[] = [
  {
    family,
    name: 'remove single subflow',
    client: { subflows: 1, endpoints: ['10.0.3.2 id 3 subflow'] },
    server: { subflows: 1 },
    steps: [mptcp('client', 'endpoint delete id 3'), until('server', { RmAddr: 1 }), subflows('client', 1)],
    expect: {
      joins: 1,
      client: { RmAddrTx: 1, RmSubflow: 1 },
      server: { RmAddr: 1 },
    },
  },
  {
    family,
    name: 'remove multiple subflows',
    client: { subflows: 2, endpoints: ['10.0.2.2 id 2 subflow', '10.0.3.2 id 3 subflow'] },
    server: { subflows: 2 },
    steps: [
      mptcp('client', 'endpoint delete id 2'),
      until('server', { RmAddr: 1 }),
      mptcp('client', 'endpoint delete id 3'),
      until('server', { RmAddr: 2 }),
      subflows('client', 1),
    ],
    expect: {
      joins: 2,
      client: { RmAddrTx: 2, RmSubflow: 2 },
      server: { RmAddr: 2 },
    },
  },
  {
    family,
    name: 'remove single address',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 id 2 signal'] },
    steps: [mptcp('server', 'endpoint delete id 2'), until('client', { RmAddr: 1 }), subflows('server', 1)],
    expect: {
      joins: 1,
      client: { ...announced(1).client, RmAddr: 1 },
      server: { ...announced(1).server, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'remove subflow and signal',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 id 3 subflow'] },
    server: { subflows: 2, endpoints: ['10.0.2.1 id 2 signal'] },
    steps: [
      mptcp('server', 'endpoint delete id 2'),
      mptcp('client', 'endpoint delete id 3'),
      until('client', { RmAddr: 1 }),
      until('server', { RmAddr: 1 }),
      subflows('server', 1),
    ],
    expect: {
      joins: 2,
      client: { ...announced(1).client, RmAddr: 1, RmAddrTx: 1, RmSubflow: 1 },
      server: { ...announced(1).server, RmAddr: 1, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'remove addresses',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: {
      subflows: 3,
      endpoints: ['10.0.2.1 id 10 signal', '10.0.3.1 id 11 signal', '10.0.4.1 id 12 signal'],
    },
    steps: [10, 11, 12].flatMap((id, i) => [
      mptcp('server', `endpoint delete id ${String(id)}`),
      until('client', { RmAddr: i + 1 }),
    ]),
    expect: {
      joins: 3,
      client: { ...announced(3).client, RmAddr: 3 },
      server: { ...announced(3).server, RmAddrTx: 3, RmSubflow: 3 },
    },
  },
  {
    family,
    name: 'remove invalid addresses',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: {
      subflows: 3,
      endpoints: ['10.0.12.1 id 10 signal', '10.0.3.1 id 11 signal', '10.0.14.1 id 12 signal'],
    },
    steps: [
      until('server', { EchoAdd: 3, MPJoinAckRx: 1 }),
      ...[10, 11, 12].flatMap((id, i) => [
        mptcp('server', `endpoint delete id ${String(id)}`),
        until('client', { RmAddr: i + 1 }),
      ]),
    ],
    expect: {
      client: { ...announced(3).client, MPJoinSynTx: 3, MPJoinSynAckRx: 1, RmAddr: 3 },
      server: { ...announced(3).server, MPJoinSynRx: 1, MPJoinAckRx: 1, RmAddrTx: 3, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'flush subflows and signal',
    client: { subflows: 3, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow', '10.0.4.2 subflow'] },
    server: { subflows: 3, endpoints: ['10.0.2.1 signal'] },
    steps: [
      mptcp('server', 'endpoint flush'),
      until('client', { RmAddr: 1 }),
      mptcp('client', 'endpoint flush'),
      subflows('server', 1),
    ],
    // Only what was announced is withdrawn; other subflows just close.
    expect: {
      joins: 3,
      client: { ...announced(1).client, RmAddr: 1, RmSubflow: 2 },
      server: { ...announced(1).server, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'flush subflows',
    client: { subflows: 3, endpoints: ['10.0.2.2 id 150 subflow', '10.0.3.2 subflow', '10.0.4.2 subflow'] },
    server: { subflows: 3 },
    steps: [mptcp('client', 'endpoint flush'), subflows('server', 1)],
    expect: { joins: 3, client: { RmSubflow: 3 } },
  },
  {
    family,
    name: 'flush addresses',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: { subflows: 3, endpoints: ['10.0.2.1 id 250 signal', '10.0.3.1 signal', '10.0.4.1 signal'] },
    steps: [mptcp('server', 'endpoint flush'), until('client', { RmAddr: 3 }), subflows('client', 1)],
    expect: {
      joins: 3,
      client: { ...announced(3).client, RmAddr: 3 },
      server: { ...announced(3).server, RmAddrTx: [1, 3], RmSubflow: 3 },
    },
  },
  {
    family,
    name: 'flush invalid addresses',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: { subflows: 3, endpoints: ['10.0.12.1 signal', '10.0.3.1 signal', '10.0.14.1 signal'] },
    steps: [
      until('server', { EchoAdd: 3, MPJoinAckRx: 1 }),
      mptcp('server', 'endpoint flush'),
      until('client', { RmAddr: 3 }),
    ],
    expect: {
      client: { ...announced(3).client, MPJoinSynTx: 3, MPJoinSynAckRx: 1, RmAddr: 3 },
      server: { ...announced(3).server, MPJoinSynRx: 1, MPJoinAckRx: 1, RmAddrTx: [1, 3], RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'remove id 0 subflow',
    client: { subflows: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 1 },
    steps: [
      mptcp('client', 'endpoint delete id 0 10.0.1.2'),
      until('server', { RmAddr: 1 }),
      subflows('client', 1),
    ],
    expect: {
      joins: 1,
      client: { RmAddrTx: 1, RmSubflow: 1 },
      server: { RmAddr: 1 },
    },
  },
  {
    family,
    name: 'remove id 0 address',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 signal'] },
    steps: [
      mptcp('server', 'endpoint delete id 0 10.0.1.1'),
      until('client', { RmAddr: 1 }),
      subflows('client', 1),
    ],
    expect: {
      joins: 1,
      client: { ...announced(1).client, RmAddr: 1 },
      server: { ...announced(1).server, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
];
