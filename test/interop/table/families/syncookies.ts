/** The server keeps nothing of a SYN (net.ipv4.tcp_syncookies=2). */
import type { Case } from '../case.js';
import { until } from '../steps.js';
import { announced } from './counts.js';

const family = 'syncookies';
const cookies = true;

export const syncookies: readonly Case[] = [
  {
    family,
    name: 'no JOIN with syn cookies',
    server: { cookies },
    expect: {},
  },
  {
    family,
    name: 'single subflow with syn cookies',
    client: { subflows: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 1, cookies },
    expect: { joins: 1, used: 2 },
  },
  {
    family,
    name: 'multiple subflows with syn cookies',
    client: { subflows: 2, endpoints: ['10.0.3.2 subflow', '10.0.2.2 subflow'] },
    server: { subflows: 2, cookies },
    expect: { joins: 2, used: 3 },
  },
  {
    family,
    name: 'subflows limited by server with cookies',
    client: { subflows: 2, endpoints: ['10.0.3.2 subflow', '10.0.2.2 subflow'] },
    server: { subflows: 1, cookies },
    steps: [until('server', { MPJoinAckRx: 1 })],
    expect: {
      client: { MPJoinSynTx: 2, MPJoinSynAckRx: [1, 2], MPRstTx: [0, 1], MPRstRx: [0, 1] },
      server: { MPJoinSynRx: 2, MPJoinAckRx: 1, MPJoinRejected: [0, 1], MPRstTx: [0, 1], MPRstRx: [0, 1] },
      used: 2,
    },
  },
  {
    family,
    name: 'signal address with syn cookies',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 signal'], cookies },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family,
    name: 'subflow and signal with syn cookies',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 2, endpoints: ['10.0.2.1 signal'], cookies },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family,
    name: 'checksum with syn cookies',
    client: { checksum: true },
    server: { cookies },
    expect: {},
  },
];
