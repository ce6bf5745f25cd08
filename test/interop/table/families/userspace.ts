/** Subflows and addresses by hand: the kernel's `userspace` path manager, and Plait's `socket.mptcp`. */
import type { Case, Pair } from '../case.js';
import { byHand, mptcp, rest, subflows, until } from '../steps.js';
import { announced, joined } from './counts.js';

const family = 'userspace';
/** What only the kernel does, on the side that has a path manager by hand. */
const KERNEL_CLIENT: readonly Pair[] = [{ client: 'kernel', server: 'plait' }];

export const userspace: readonly Case[] = [
  {
    family,
    name: 'userspace pm add & remove address',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { byHand: true },
    steps: [
      byHand('server', 'announce 10.0.2.1 id 10'),
      until('server', { MPJoinAckRx: 1, EchoAdd: 1 }),
      byHand('server', 'announce 10.0.3.1 id 11'),
      until('server', { MPJoinAckRx: 2, EchoAdd: 2 }),
      byHand('server', 'remove id 10'),
      until('client', { RmAddr: 1 }),
      subflows('client', 2),
      byHand('server', 'remove id 11'),
      until('client', { RmAddr: 2 }),
      subflows('client', 1),
    ],
    expect: {
      client: { ...joined(2).client, ...announced(2).client, RmAddr: 2 },
      server: { ...joined(2).server, ...announced(2).server, RmAddrTx: 2, RmSubflow: [0, 2] },
    },
  },
  {
    family,
    name: 'userspace pm create destroy subflow',
    client: { byHand: true },
    server: { subflows: 1 },
    steps: [
      byHand('client', 'create 10.0.3.2 id 20 to 10.0.1.1 port 5001'),
      until('server', { MPJoinAckRx: 1 }),
      byHand('client', 'destroy 10.0.3.2 to 10.0.1.1'),
      subflows('client', 1),
      subflows('server', 1),
    ],
    expect: {
      client: { ...joined(1).client, RmSubflow: 1 },
      server: joined(1).server,
    },
  },
  {
    family,
    name: 'userspace pm create destroy subflow v4-mapped',
    to: '::ffff:10.0.1.1',
    listen: '::',
    client: { byHand: true },
    server: { subflows: 1 },
    steps: [
      byHand('client', 'create ::ffff:10.0.3.2 id 20 to ::ffff:10.0.1.1 port 5001'),
      until('server', { MPJoinAckRx: 1 }),
      byHand('client', 'destroy ::ffff:10.0.3.2 to ::ffff:10.0.1.1'),
      subflows('client', 1),
    ],
    expect: {
      client: { ...joined(1).client, RmSubflow: 1 },
      server: joined(1).server,
    },
  },
  {
    family,
    name: 'userspace pm create id 0 subflow',
    client: { byHand: true },
    server: { subflows: 1 },
    steps: [
      byHand('client', 'create 10.0.3.2 id 0 to 10.0.1.1 port 5001'),
      until('server', { MPJoinAckRx: 1 }),
      subflows('client', 2),
    ],
    expect: { ...joined(1), used: 2 },
  },
  {
    family,
    name: 'userspace pm remove initial subflow',
    client: { byHand: true },
    server: { subflows: 1 },
    steps: [
      byHand('client', 'create 10.0.3.2 id 20 to 10.0.1.1 port 5001'),
      until('server', { MPJoinAckRx: 1 }),
      byHand('client', 'destroy 10.0.1.2 to 10.0.1.1'),
      subflows('client', 1),
      subflows('server', 1),
    ],
    expect: {
      client: { ...joined(1).client, RmSubflow: 1 },
      server: joined(1).server,
    },
  },
  {
    family,
    name: 'userspace pm send RM_ADDR for ID 0',
    client: { byHand: true },
    server: { subflows: 1 },
    steps: [
      byHand('client', 'create 10.0.3.2 id 20 to 10.0.1.1 port 5001'),
      until('server', { MPJoinAckRx: 1 }),
      byHand('client', 'remove id 0'),
      until('server', { RmAddr: 1 }),
      subflows('client', 1),
    ],
    expect: {
      client: { ...joined(1).client, RmAddrTx: 1, RmSubflow: [0, 1] },
      server: { ...joined(1).server, RmAddr: 1 },
    },
  },
  {
    family,
    name: 'userspace pm backup subflow, prio',
    client: { byHand: true },
    server: { subflows: 1 },
    steps: [
      byHand('client', 'create 10.0.3.2 id 20 to 10.0.1.1 port 5001 backup'),
      until('server', { MPJoinAckRx: 1 }),
      byHand('client', 'prio 10.0.3.2 to 10.0.1.1'),
      until('server', { MPPrioRx: 1 }),
      byHand('client', 'prio 10.0.3.2 to 10.0.1.1 backup'),
      until('server', { MPPrioRx: 2 }),
    ],
    expect: {
      client: { ...joined(1).client, MPPrioTx: 2 },
      server: { ...joined(1).server, MPJoinSynBackupRx: 1, MPPrioRx: 2 },
    },
  },
  {
    family,
    name: 'userspace pm type does not send join',
    client: { byHand: true, subflows: 1, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 1, endpoints: ['10.0.2.1 signal'] },
    pairs: KERNEL_CLIENT,
    steps: [until('server', { EchoAdd: 1 }), rest(100)],
    expect: announced(1),
  },
  {
    family,
    name: 'userspace pm type prevents mp_prio',
    client: { byHand: true, subflows: 1, endpoints: ['10.0.1.2 id 1 subflow'] },
    server: { subflows: 1 },
    pairs: KERNEL_CLIENT,
    steps: [mptcp('client', 'endpoint change id 1 backup'), rest(100)],
    expect: {},
  },
  {
    family,
    name: 'userspace pm type prevents rm_addr',
    client: { byHand: true, subflows: 1, endpoints: ['10.0.3.2 id 3 subflow'] },
    server: { subflows: 1 },
    pairs: KERNEL_CLIENT,
    steps: [
      byHand('client', 'create 10.0.3.2 id 20 to 10.0.1.1 port 5001'),
      until('server', { MPJoinAckRx: 1 }),
      mptcp('client', 'endpoint delete id 3'),
      rest(100),
    ],
    expect: joined(1),
  },
];
