/** Links go down while data flows; data that was held back has to find another way. */
import type { Case, Expected } from '../case.js';
import { link, rest } from '../steps.js';
import { announced } from './signal-address.js';

const family = 'link_failure';
const SIZE = 1 << 20;
const BACKUP: Expected = {
  joins: 2,
  client: announced(1).client,
  server: { ...announced(1).server, MPJoinSynBackupRx: 1 },
};

export const linkFailure: readonly Case[] = [
  {
    family,
    name: 'multiple flows, signal, link failure',
    client: { subflows: 2, addAddrAccepted: 1, send: SIZE, endpoints: ['10.0.3.2 dev p2 subflow'] },
    server: { subflows: 3, send: 0, endpoints: ['10.0.2.1 dev p1 signal'] },
    steps: [link('client', 1, 'down'), link('client', 2, 'down')],
    expect: { joins: 2, ...announced(1), used: [2, 3] },
  },
  {
    family,
    name: 'multi flows, signal, bidi, link fail',
    client: { subflows: 2, addAddrAccepted: 1, send: SIZE, endpoints: ['10.0.3.2 dev p2 subflow'] },
    server: { subflows: 3, send: SIZE, endpoints: ['10.0.2.1 dev p1 signal'] },
    steps: [link('client', 1, 'down'), link('client', 2, 'down')],
    expect: { joins: 2, ...announced(1), used: [2, 3] },
  },
  {
    family,
    name: 'backup subflow unused, link failure',
    client: { subflows: 2, addAddrAccepted: 1, send: SIZE, endpoints: ['10.0.3.2 dev p2 subflow backup'] },
    server: { subflows: 3, send: SIZE, endpoints: ['10.0.2.1 dev p1 signal'] },
    steps: [link('client', 1, 'down')],
    expect: { ...BACKUP, used: 2 },
  },
  {
    family,
    name: 'backup flow used, multi links fail',
    client: { subflows: 2, addAddrAccepted: 1, send: SIZE, endpoints: ['10.0.3.2 dev p2 subflow backup'] },
    server: { subflows: 3, send: 0, endpoints: ['10.0.2.1 dev p1 signal'] },
    steps: [link('client', 1, 'down'), link('client', 2, 'down')],
    expect: { ...BACKUP, used: [2, 3] },
  },
  {
    family,
    name: 'backup flow used, bidi, link failure',
    client: { subflows: 2, addAddrAccepted: 1, send: SIZE, endpoints: ['10.0.3.2 dev p2 subflow backup'] },
    server: { subflows: 3, send: SIZE, endpoints: ['10.0.2.1 dev p1 signal'] },
    steps: [link('client', 1, 'down'), link('client', 2, 'down'), rest(50)],
    expect: { ...BACKUP, used: [2, 3] },
  },
];
