/** A side forbids joins to its initial address (RFC 8684 section 3.1, flag C). */
import type { Case } from '../case.js';
import { rest, until } from '../steps.js';
import { announced } from './counts.js';

const family = 'deny_join_id0';
const denyJoinId0 = true;
const SUBFLOW = ['10.0.3.2 subflow'];
const SIGNAL = ['10.0.2.1 signal'];

export const denyJoin: readonly Case[] = [
  {
    family,
    name: 'single subflow allow join id0 ns1',
    client: { subflows: 1, endpoints: SUBFLOW, denyJoinId0 },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
  {
    family,
    name: 'single subflow allow join id0 ns2',
    client: { subflows: 1, endpoints: SUBFLOW },
    server: { subflows: 1, denyJoinId0 },
    steps: [rest(100)],
    expect: {},
  },
  {
    family,
    name: 'signal address allow join id0 ns1',
    client: { subflows: 1, addAddrAccepted: 1, denyJoinId0 },
    server: { subflows: 1, endpoints: SIGNAL },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family,
    name: 'signal address allow join id0 ns2',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: SIGNAL, denyJoinId0 },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family,
    name: 'signal address allow join id0 ns2, default limits',
    client: { subflows: 2, addAddrAccepted: 0, endpoints: ['10.0.3.2 subflow', '10.0.4.2 subflow'] },
    server: { subflows: 2, endpoints: SIGNAL, denyJoinId0 },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family,
    name: 'subflow and address allow join id0 1',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: SUBFLOW, denyJoinId0 },
    server: { subflows: 2, endpoints: SIGNAL },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family,
    name: 'subflow and address allow join id0 2',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: SUBFLOW },
    server: { subflows: 2, endpoints: SIGNAL, denyJoinId0 },
    steps: [until('server', { EchoAdd: 1 })],
    expect: { joins: 1, ...announced(1), used: 2 },
  },
];
