/** Families of addresses: IPv6, IPv4 in IPv6 sockets, and both at once. */
import type { Case } from '../case.js';
import { mptcp, subflows, until } from '../steps.js';
import { announced } from './counts.js';

const V6 = 'dead:beef:1::1';

export const ipv6: readonly Case[] = [
  {
    family: 'ipv6',
    name: 'single subflow IPv6',
    to: V6,
    client: { subflows: 1, endpoints: ['dead:beef:3::2 dev p2 subflow'] },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
  {
    family: 'ipv6',
    name: 'unused signal address IPv6',
    to: V6,
    client: { subflows: 0 },
    server: { subflows: 1, endpoints: ['dead:beef:2::1 signal'] },
    steps: [until('server', { EchoAdd: 1 })],
    expect: announced(1),
  },
  {
    family: 'ipv6',
    name: 'single address IPv6',
    to: V6,
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['dead:beef:2::1 signal'] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'ipv6',
    name: 'single address IPv6, remove',
    to: V6,
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['dead:beef:2::1 id 2 signal'] },
    steps: [mptcp('server', 'endpoint delete id 2'), until('client', { RmAddr: 1 }), subflows('client', 1)],
    expect: {
      joins: 1,
      client: { ...announced(1).client, RmAddr: 1 },
      server: { ...announced(1).server, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family: 'ipv6',
    name: 'subflow and signal IPv6, remove',
    to: V6,
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['dead:beef:3::2 id 3 dev p2 subflow'] },
    server: { subflows: 2, endpoints: ['dead:beef:2::1 id 2 signal'] },
    steps: [
      mptcp('server', 'endpoint delete id 2'),
      mptcp('client', 'endpoint delete id 3'),
      until('client', { RmAddr: 1 }),
      until('server', { RmAddr: 1 }),
      subflows('client', 1),
    ],
    expect: {
      joins: 2,
      client: { ...announced(1).client, RmAddr: 1, RmAddrTx: 1, RmSubflow: 1 },
      server: { ...announced(1).server, RmAddr: 1, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
];

/** A socket of IPv6 that talks IPv4 hears and uses addresses of IPv4, written either way. */
const MAPPED = { to: '::ffff:10.0.1.1', listen: '::' } as const;

export const v4mapped: readonly Case[] = [
  {
    family: 'v4mapped',
    name: 'single subflow IPv4-mapped',
    ...MAPPED,
    client: { subflows: 1, endpoints: ['::ffff:10.0.3.2 subflow'] },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
  {
    family: 'v4mapped',
    name: 'signal address IPv4-mapped with IPv4 sk',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['::ffff:10.0.2.1 signal'] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'v4mapped',
    name: 'subflow v4-map-v6',
    ...MAPPED,
    client: { subflows: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
  {
    family: 'v4mapped',
    name: 'signal address v4-map-v6',
    ...MAPPED,
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'v4mapped',
    name: 'subflow v6-map-v4',
    client: { subflows: 1, endpoints: ['::ffff:10.0.3.2 subflow'] },
    server: { subflows: 1 },
    expect: { joins: 1, used: 2 },
  },
  {
    family: 'v4mapped',
    name: 'signal address v6-map-v4',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['::ffff:10.0.2.1 signal'] },
    listen: '::',
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'v4mapped',
    name: 'subflow and signal IPv4-mapped',
    ...MAPPED,
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['::ffff:10.0.3.2 subflow'] },
    server: { subflows: 2, endpoints: ['::ffff:10.0.2.1 signal'] },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family: 'v4mapped',
    name: 'no subflow IPv6 to v4 address',
    client: { subflows: 1, endpoints: ['dead:beef:2::2 subflow'] },
    server: { subflows: 1 },
    expect: {},
  },
  {
    family: 'v4mapped',
    name: 'no subflow IPv4 to v6 address',
    to: V6,
    listen: '::',
    client: { subflows: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 1 },
    expect: {},
  },
];

export const mixed: readonly Case[] = [
  {
    family: 'mixed',
    name: 'simult IPv4 and IPv6 subflows, first is IPv4',
    // The kernel keeps a socket of IPv4 to IPv4; Plait's have no family.
    pairs: [{ client: 'plait', server: 'kernel' }],
    listen: '::',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['dead:beef:2::1 signal'] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'mixed',
    name: 'simult IPv4 and IPv6 subflows, first is IPv6',
    to: V6,
    listen: '::',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'mixed',
    name: 'simult IPv4 and IPv6 subflows, fullmesh 1x1',
    to: V6,
    listen: '::',
    client: { subflows: 4, addAddrAccepted: 1, endpoints: ['dead:beef:2::2 subflow fullmesh'] },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 2, ...announced(1), used: 3 },
  },
  {
    family: 'mixed',
    name: 'simult IPv4 and IPv6 subflows, fullmesh 2x2',
    to: V6,
    listen: '::',
    client: {
      subflows: 4,
      addAddrAccepted: 2,
      endpoints: ['10.0.2.2 subflow fullmesh', 'dead:beef:2::2 subflow fullmesh'],
    },
    server: { subflows: 4, endpoints: ['10.0.2.1 signal', 'dead:beef:2::1 signal'] },
    // Those of IPv4 cannot go to the first address.
    expect: { joins: 3, ...announced(2), used: [2, 4] },
  },
];
