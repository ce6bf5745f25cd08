/** The answers to announcements are lost: they are repeated, three times at most. */
import type { Case } from '../case.js';
import { shell, until } from '../steps.js';

const family = 'add_addr_timeout';
/** Drops the client's echoes: pure ACKs that carry ADD_ADDR (MPTCP subtype 3). */
const drop = (version: 'ip' | 'ip6'): string =>
  [
    `nft add table ${version} t`,
    `nft 'add chain ${version} t in { type filter hook input priority 0; }'`,
    `nft add rule ${version} t in tcp option mptcp subtype 3 drop`,
  ].join('; ');

const quick = { addAddrTimeout: 1, device: 'raw' } as const;
const four = [until('client', { AddAddr: 4 })];

export const addAddrTimeout: readonly Case[] = [
  {
    family,
    name: 'signal address, ADD_ADDR timeout',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { ...quick, subflows: 1, endpoints: ['10.0.2.1 signal'] },
    before: [shell('server', drop('ip'))],
    steps: four,
    expect: { joins: 1, client: { AddAddr: 4, EchoAddTx: 4 }, server: { AddAddrTx: 4 } },
  },
  {
    family,
    name: 'signal address, ADD_ADDR6 timeout',
    to: 'dead:beef:1::1',
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { ...quick, subflows: 1, endpoints: ['dead:beef:2::1 signal'] },
    before: [shell('server', drop('ip6'))],
    steps: four,
    expect: { joins: 1, client: { AddAddr: 4, EchoAddTx: 4 }, server: { AddAddrTx: 4 } },
  },
  {
    family,
    name: 'signal addresses, ADD_ADDR timeout',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { ...quick, subflows: 2, endpoints: ['10.0.2.1 signal', '10.0.3.1 signal'] },
    before: [shell('server', drop('ip'))],
    steps: [until('client', { AddAddr: 8 })],
    expect: { joins: 2, client: { AddAddr: 8, EchoAddTx: 8 }, server: { AddAddrTx: 8 } },
  },
  {
    family,
    name: 'invalid address, ADD_ADDR timeout',
    client: { subflows: 2, addAddrAccepted: 2 },
    server: { ...quick, subflows: 2, endpoints: ['10.0.12.1 signal', '10.0.3.1 signal'] },
    before: [shell('server', drop('ip'))],
    steps: [until('server', { AddAddrTx: 8 })],
    expect: {
      // The kernel drops an announcement that comes while it deals with another.
      client: { AddAddr: [7, 8], EchoAddTx: [7, 8], AddAddrDrop: [0, 1], MPJoinSynTx: 2, MPJoinSynAckRx: 1 },
      server: { AddAddrTx: 8, MPJoinSynRx: 1, MPJoinAckRx: 1 },
    },
  },
];
