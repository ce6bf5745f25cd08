/** The server announces addresses. */
import type { Case } from '../case.js';
import { until } from '../steps.js';
import { announced } from './counts.js';

const family = 'signal_address';
const SIGNAL_2 = '10.0.2.1 signal';
const SIGNAL_3 = '10.0.3.1 signal';
const SOME = [0, 3] as const;
const RACE = Object.fromEntries(
  [
    'MPJoinSynTx',
    'MPJoinSynRx',
    'MPJoinSynAckRx',
    'MPJoinAckRx',
    'AddAddr',
    'AddAddrTx',
    'EchoAdd',
    'EchoAddTx',
    'AddAddrDrop',
  ].map((name) => [name, name.startsWith('MPJoin') ? ([0, 4] as const) : SOME]),
);

export const signalAddress: readonly Case[] = [
  {
    family,
    name: 'unused signal address',
    client: { subflows: 0, addAddrAccepted: 0 },
    server: { subflows: 1, endpoints: [SIGNAL_2] },
    steps: [until('server', { EchoAdd: 1 })],
    expect: announced(1),
  },
  {
    family,
    name: 'accept signal address',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: [SIGNAL_2] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family,
    name: 'subflow and signal',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 2, endpoints: [SIGNAL_2] },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family,
    name: 'multiple subflows and signal',
    client: { subflows: 3, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow', '10.0.4.2 subflow'] },
    server: { subflows: 3, endpoints: [SIGNAL_2] },
    expect: { joins: 3, ...announced(1), used: [2, 4] },
  },
  {
    family,
    name: 'signal addresses',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: { subflows: 3, endpoints: [SIGNAL_2, SIGNAL_3, '10.0.4.1 signal'] },
    expect: { joins: 3, ...announced(3), used: [2, 4] },
  },
  {
    family,
    name: 'signal invalid addresses',
    client: { subflows: 3, addAddrAccepted: 3 },
    server: { subflows: 3, endpoints: ['10.0.12.1 signal', SIGNAL_3, '10.0.14.1 signal'] },
    steps: [until('server', { EchoAdd: 3 })],
    expect: {
      client: { ...announced(3).client, MPJoinSynTx: 3, MPJoinSynAckRx: 1 },
      server: { ...announced(3).server, MPJoinSynRx: 1, MPJoinAckRx: 1 },
    },
  },
  {
    family,
    name: 'signal addresses race test',
    client: {
      subflows: 4,
      addAddrAccepted: 4,
      endpoints: ['10.0.1.2 signal', '10.0.2.2 signal', '10.0.3.2 signal'],
    },
    server: { subflows: 4, addAddrAccepted: 4, endpoints: ['10.0.1.1 signal', SIGNAL_2, SIGNAL_3] },
    steps: [until('server', { EchoAdd: 2 }), until('client', { EchoAdd: 2 })],
    // Whoever is first decides how many of the others' addresses there is room for.
    expect: { client: RACE, server: RACE },
  },
];
