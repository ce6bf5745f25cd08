/** Announcements with a port of their own, on which the announcing side listens. */
import type { Case, Counts } from '../case.js';
import { mptcp, shell, subflows, until } from '../steps.js';
import { announced } from './counts.js';

const family = 'add_addr_ports';
const SIGNAL = '10.0.2.1 id 2 port 10100 signal';

/** `count` announcements with a port, and as many joins to them. */
const ports = (count: number): { client: Counts; server: Counts } => {
  const PortAdd = announced(count).client.AddAddr;
  return {
    client: { ...announced(count).client, PortAdd, MPJoinPortSynAckRx: count },
    // The echo repeats the port.
    server: { ...announced(count).server, PortAdd, MPJoinPortSynRx: count, MPJoinPortAckRx: count },
  };
};

export const addAddrPorts: readonly Case[] = [
  {
    family,
    name: 'signal address with port',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: [SIGNAL] },
    expect: { joins: 1, ...ports(1), used: 2 },
  },
  {
    family,
    name: 'signal address with port, IPv6',
    // Beside timestamps there is no room for the longest form; Linux then says nothing, Plait leaves the timestamps out.
    pairs: [{ client: 'kernel', server: 'plait' }],
    to: 'dead:beef:1::1',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['dead:beef:2::1 port 10100 signal'] },
    expect: { joins: 1, ...ports(1), used: 2 },
  },
  {
    family,
    name: 'signal address with port, IPv6, no timestamps',
    to: 'dead:beef:1::1',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['dead:beef:2::1 port 10100 signal'] },
    before: [
      shell('client', 'sysctl -qw net.ipv4.tcp_timestamps=0'),
      shell('server', 'sysctl -qw net.ipv4.tcp_timestamps=0'),
    ],
    expect: { joins: 1, ...ports(1), used: 2 },
  },
  {
    family,
    name: 'subflow and signal with port',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 2, endpoints: [SIGNAL] },
    expect: { joins: 2, ...ports(1), used: 3 },
  },
  {
    family,
    name: 'remove single address with port',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: [SIGNAL] },
    steps: [mptcp('server', 'endpoint delete id 2'), until('client', { RmAddr: 1 }), subflows('client', 1)],
    expect: {
      joins: 1,
      client: { ...ports(1).client, RmAddr: 1 },
      server: { ...ports(1).server, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'remove subflow and signal with port',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 id 3 subflow'] },
    server: { subflows: 2, endpoints: [SIGNAL] },
    steps: [
      mptcp('server', 'endpoint delete id 2'),
      mptcp('client', 'endpoint delete id 3'),
      until('client', { RmAddr: 1 }),
      until('server', { RmAddr: 1 }),
      subflows('client', 1),
    ],
    expect: {
      joins: 2,
      client: { ...ports(1).client, RmAddr: 1, RmAddrTx: 1, RmSubflow: 1 },
      server: { ...ports(1).server, RmAddr: 1, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'flush subflows and signal with port',
    client: { subflows: 3, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow', '10.0.4.2 subflow'] },
    server: { subflows: 3, endpoints: [SIGNAL] },
    steps: [
      mptcp('server', 'endpoint flush'),
      until('client', { RmAddr: 1 }),
      mptcp('client', 'endpoint flush'),
      subflows('client', 1),
    ],
    expect: {
      joins: 3,
      client: { ...ports(1).client, RmAddr: 1, RmSubflow: 2 },
      server: { ...ports(1).server, RmAddrTx: 1, RmSubflow: 1 },
    },
  },
  {
    family,
    name: 'multiple addresses with port',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { subflows: 2, endpoints: [SIGNAL, '10.0.3.1 id 3 port 10100 signal'] },
    expect: { joins: 2, ...ports(2), used: 3 },
  },
  {
    family,
    name: 'multiple addresses with ports',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { subflows: 2, endpoints: [SIGNAL, '10.0.3.1 id 3 port 10101 signal'] },
    expect: { joins: 2, ...ports(2), used: 3 },
  },
];
