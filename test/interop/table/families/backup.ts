/** Backup subflows: asked for in the join, for the first subflow with MP_PRIO, changed while data flows. */
import type { Case } from '../case.js';
import { mptcp, rest, until } from '../steps.js';
import { announced } from './counts.js';

const family = 'backup';

export const backup: readonly Case[] = [
  {
    family,
    name: 'single subflow, backup',
    client: { subflows: 1, endpoints: ['10.0.3.2 id 3 subflow backup'] },
    server: { subflows: 1 },
    steps: [mptcp('client', 'endpoint change id 3 nobackup'), until('server', { MPPrioRx: 1 })],
    expect: {
      joins: 1,
      client: { MPPrioTx: 1 },
      server: { MPJoinSynBackupRx: 1, MPPrioRx: 1 },
      used: [1, 2],
    },
  },
  {
    family,
    name: 'single subflow, backup, unused',
    client: { subflows: 1, endpoints: ['10.0.3.2 id 3 subflow backup'] },
    server: { subflows: 1 },
    expect: { joins: 1, server: { MPJoinSynBackupRx: 1 }, used: 1 },
  },
  {
    family,
    name: 'single address, backup',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 id 2 signal backup'] },
    steps: [mptcp('server', 'endpoint change id 2 nobackup'), until('client', { MPPrioRx: 1 })],
    expect: {
      joins: 1,
      client: { ...announced(1).client, MPJoinSynAckBackupRx: 1, MPPrioRx: 1 },
      server: { ...announced(1).server, MPPrioTx: 1 },
      used: [1, 2],
    },
  },
  {
    family,
    name: 'single address with port, backup',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 id 2 port 10100 signal backup'] },
    steps: [mptcp('server', 'endpoint change id 2 nobackup'), until('client', { MPPrioRx: 1 })],
    expect: {
      joins: 1,
      client: {
        ...announced(1).client,
        PortAdd: 1,
        MPJoinSynAckBackupRx: 1,
        MPJoinPortSynAckRx: 1,
        MPPrioRx: 1,
      },
      server: { ...announced(1).server, PortAdd: 1, MPJoinPortSynRx: 1, MPJoinPortAckRx: 1, MPPrioTx: 1 },
      used: [1, 2],
    },
  },
  {
    family,
    name: 'mpc backup',
    client: { subflows: 1, endpoints: ['10.0.1.2 subflow backup'] },
    steps: [until('server', { MPPrioRx: 1 })],
    expect: { client: { MPPrioTx: 1 }, server: { MPPrioRx: 1 } },
  },
  {
    family,
    name: 'mpc backup both sides',
    client: { subflows: 1, endpoints: ['10.0.1.2 subflow backup', '10.0.2.2 subflow'] },
    server: { subflows: 1, endpoints: ['10.0.1.1 signal backup'] },
    steps: [until('server', { MPPrioRx: 1 }), until('client', { MPPrioRx: 1 })],
    expect: {
      joins: 1,
      client: { MPPrioTx: 1, MPPrioRx: 1, MPJoinSynAckBackupRx: 1 },
      server: { MPPrioTx: 1, MPPrioRx: 1 },
      used: [1, 2],
    },
  },
  {
    family,
    name: 'mpc switch to backup',
    client: { subflows: 0, endpoints: ['10.0.1.2 id 1 subflow'] },
    steps: [mptcp('client', 'endpoint change id 1 backup'), until('server', { MPPrioRx: 1 })],
    expect: { client: { MPPrioTx: 1 }, server: { MPPrioRx: 1 } },
  },
  {
    family,
    name: 'mpc switch to backup both sides',
    client: { subflows: 0, endpoints: ['10.0.1.2 id 1 subflow'] },
    server: { subflows: 0, endpoints: ['10.0.1.1 id 1 signal'] },
    steps: [
      mptcp('client', 'endpoint change id 1 backup'),
      until('server', { MPPrioRx: 1 }),
      mptcp('server', 'endpoint change id 1 backup'),
      until('client', { MPPrioRx: 1 }),
    ],
    expect: { client: { MPPrioTx: 1, MPPrioRx: 1 }, server: { MPPrioTx: 1, MPPrioRx: 1 } },
  },
  {
    family,
    name: 'endpoint with several subflows, switch to backup',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 id 3 subflow fullmesh'] },
    server: { subflows: 2, endpoints: ['10.0.2.1 signal'] },
    steps: [
      mptcp('client', 'endpoint change id 3 backup fullmesh'),
      until('server', { MPPrioRx: 1 }),
      rest(100),
    ],
    expect: {
      joins: 2,
      client: { ...announced(1).client, MPPrioTx: 1 },
      server: { ...announced(1).server, MPPrioRx: 1 },
    },
  },
];
