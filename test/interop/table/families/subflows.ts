/** The client joins from further addresses. */
import type { Case } from '../case.js';
import { shell, until } from '../steps.js';

const family = 'subflows';
const FROM_2 = '10.0.2.2 subflow';
const FROM_3 = '10.0.3.2 subflow';
/** The kernel refuses the third ACK and counts its RST at neither end; Plait refuses the SYN. */
const RESETS = { MPRstTx: [0, 1], MPRstRx: [0, 1] } as const;

export const subflows: readonly Case[] = [
  { family, name: 'no JOIN', expect: {} },
  {
    family,
    name: 'single subflow, limited by client',
    client: { subflows: 0, endpoints: [FROM_3] },
    server: { subflows: 1 },
    expect: {},
  },
  {
    family,
    name: 'single subflow, limited by server',
    client: { subflows: 1, endpoints: [FROM_3] },
    server: { subflows: 0 },
    steps: [until('server', { MPJoinRejected: 1 })],
    expect: {
      client: { MPJoinSynTx: 1, MPJoinSynAckRx: [0, 1], ...RESETS },
      server: { MPJoinSynRx: 1, MPJoinRejected: [0, 1], ...RESETS },
    },
  },
  {
    family,
    name: 'single subflow',
    client: { subflows: 1, endpoints: [FROM_3] },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
  {
    family,
    name: 'multiple subflows',
    client: { subflows: 2, endpoints: [FROM_3, FROM_2] },
    server: { subflows: 2 },
    expect: { joins: 2, used: 3 },
  },
  {
    family,
    name: 'multiple subflows, limited by server',
    client: { subflows: 2, endpoints: [FROM_3, FROM_2] },
    server: { subflows: 1 },
    steps: [until('server', { MPJoinRejected: 1 })],
    expect: {
      client: { MPJoinSynTx: 2, MPJoinSynAckRx: [1, 2], ...RESETS },
      server: { MPJoinSynRx: 2, MPJoinAckRx: 1, MPJoinRejected: [0, 1], ...RESETS },
      used: 2,
    },
  },
  {
    family,
    name: 'single subflow, dev',
    client: { subflows: 1, endpoints: ['10.0.3.2 dev p2 subflow'] },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
];

const error = 'subflows_error';
const FILTER =
  'nft add table ip t; nft "add chain ip t in { type filter hook input priority 0; }"; nft add rule ip t in';

export const subflowsError: readonly Case[] = [
  {
    family: error,
    name: 'no MPC reuse with single endpoint',
    client: { subflows: 1, endpoints: ['10.0.1.2 subflow'] },
    server: { subflows: 1 },
    expect: {},
  },
  {
    family: error,
    name: 'multi subflows, with failing subflow',
    client: { subflows: 2, endpoints: [FROM_3, FROM_2] },
    server: { subflows: 2, device: 'raw' },
    before: [shell('server', `${FILTER} ip saddr 10.0.3.2 tcp flags syn reject with tcp reset`)],
    steps: [until('server', { MPJoinAckRx: 1 })],
    expect: {
      client: { MPJoinSynTx: 2, MPJoinSynAckRx: 1 },
      server: { MPJoinSynRx: 1, MPJoinAckRx: 1 },
      used: 2,
    },
  },
  {
    family: error,
    name: 'multi subflows, with subflow timeout',
    client: { subflows: 2, endpoints: [FROM_3, FROM_2] },
    server: { subflows: 2, device: 'raw' },
    before: [shell('server', `${FILTER} ip saddr 10.0.3.2 tcp flags syn drop`)],
    steps: [until('server', { MPJoinAckRx: 1 })],
    expect: {
      client: { MPJoinSynTx: 2, MPJoinSynAckRx: 1 },
      server: { MPJoinSynRx: 1, MPJoinAckRx: 1 },
      used: 2,
    },
  },
  {
    family: error,
    name: 'multi subflows, fair usage on close',
    client: { subflows: 1, endpoints: [FROM_3, FROM_2] },
    server: { subflows: 1, device: 'raw' },
    before: [shell('server', `${FILTER} ip saddr 10.0.3.2 tcp flags syn reject with tcp reset`)],
    steps: [until('server', { MPJoinAckRx: 1 })],
    expect: {
      client: { MPJoinSynTx: 2, MPJoinSynAckRx: 1 },
      server: { MPJoinSynRx: 1, MPJoinAckRx: 1 },
      used: 2,
    },
  },
];
