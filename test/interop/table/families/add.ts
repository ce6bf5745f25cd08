/** Endpoints are added while a connection lives. */
import type { Case } from '../case.js';
import { mptcp, until } from '../steps.js';
import { announced, joined } from './counts.js';

const family = 'add';
const later = (role: 'client' | 'server', ...endpoints: string[]) =>
  endpoints.map((endpoint) => mptcp(role, `endpoint add ${endpoint}`));
const done = (count: number) => until('server', { MPJoinAckRx: count });

export const add: readonly Case[] = [
  {
    family,
    name: 'add single subflow',
    client: { subflows: 1 },
    server: { subflows: 1 },
    steps: [...later('client', '10.0.3.2 subflow'), done(1)],
    expect: { ...joined(1), used: 2 },
  },
  {
    family,
    name: 'add signal address',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1 },
    steps: [...later('server', '10.0.2.1 signal'), done(1)],
    expect: {
      client: { ...joined(1).client, ...announced(1).client },
      server: { ...joined(1).server, ...announced(1).server },
      used: 2,
    },
  },
  {
    family,
    name: 'add multiple subflows',
    client: { subflows: 2 },
    server: { subflows: 2 },
    steps: [...later('client', '10.0.2.2 subflow', '10.0.3.2 subflow'), done(2)],
    expect: { ...joined(2), used: 3 },
  },
  {
    family,
    name: 'add multiple addresses',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { subflows: 2 },
    steps: [...later('server', '10.0.2.1 signal', '10.0.3.1 signal'), done(2)],
    expect: {
      client: { ...joined(2).client, ...announced(2).client },
      server: { ...joined(2).server, ...announced(2).server },
      used: 3,
    },
  },
];
