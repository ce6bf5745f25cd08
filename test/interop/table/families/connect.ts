/** MPTCP and TCP on either side, over IPv4, IPv6 and mapped addresses, through links and the loopback interface. */
import type { Case, Expected, Role } from '../case.js';
import { box, shell } from '../steps.js';

const SIZE = 1 << 20;

const PROTOCOLS = [
  ['MPTCP -> MPTCP', {}, {}],
  ['MPTCP -> TCP', {}, { tcp: true }],
  ['TCP -> MPTCP', { tcp: true }, {}],
] as const;

const ADDRESSES = [
  ['IPv4', '10.0.1.1', '0.0.0.0'],
  ['IPv6', 'dead:beef:1::1', '::'],
  ['v4mapped', '::ffff:10.0.1.1', '::'],
  ['loopback IPv4', '127.0.0.1', '127.0.0.1'],
  ['loopback IPv6', '::1', '::1'],
] as const;

function matrix(): Case[] {
  return ADDRESSES.flatMap(([address, to, listen]) =>
    PROTOCOLS.map(([protocols, client, server]): Case => {
      const plain = 'tcp' in client ? 'client' : 'tcp' in server ? 'server' : null;
      return {
        family: 'connect',
        name: `${address}, ${protocols}`,
        to,
        listen,
        loopback: address.startsWith('loopback'),
        client,
        server,
        expect: plain === null ? {} : plainTcp(plain),
      };
    }),
  );
}

/** The side that has MPTCP finds that the other has none. */
const plainTcp = (plain: Role): Expected => ({
  mptcp: false,
  ...(plain === 'server' && {
    client: { MPCapableFallbackSYNACK: 1 },
    fallback: { client: 'peer or network without MP_CAPABLE' },
  }),
});

const SIZES = [
  ['nothing', 0, 0],
  ['one octet', 1, 1],
  ['client sends 1 MiB', 1 << 20, 0],
  ['server sends 1 MiB', 0, 1 << 20],
  ['8 MiB both ways at once', 8 << 20, 8 << 20],
] as const;

const sizes = SIZES.map(([name, up, down]): Case => ({
  family: 'connect',
  name,
  client: { send: up },
  server: { send: down },
  expect: {},
}));

const more: readonly Case[] = [
  {
    family: 'connect',
    name: 'net.mptcp.enabled=0 at the server',
    server: { disabled: true },
    expect: plainTcp('server'),
  },
  {
    family: 'connect',
    name: 'net.mptcp.enabled=0 at the client',
    client: { disabled: true },
    expect: plainTcp('client'),
  },
  {
    family: 'connect',
    name: 'three connections in a row',
    connections: 3,
    expect: {},
  },
  {
    family: 'connect',
    name: 'disconnect',
    // connect(2) with AF_UNSPEC, and again with the same socket; aborts what has not quite ended.
    pairs: [{ client: 'kernel', server: 'plait' }],
    connections: 3,
    client: { disconnect: true },
    expect: {
      client: { MPFastcloseTx: [0, 2], MPRstTx: [0, 2] },
      server: { MPFastcloseRx: [0, 2], MPRstRx: [0, 2] },
    },
  },
];

/** Ways to send and to read that the kernel's programs have, and that cut the stream differently. */
const modes = (['sendfile', 'mmap', 'splice', 'peek'] as const).flatMap((mode): Case[] =>
  [false, true].map((checksum) => {
    const side = { ...(mode === 'peek' ? { peek: true } : { io: mode }), checksum, send: SIZE };
    const name = `${mode}${checksum ? ', checksums' : ''}`;
    return { family: 'connect', name, client: side, server: side, expect: {} };
  }),
);

/** Loss and reordering on one link, or on both. */
const unsteady = [1, 2].map((links): Case => ({
  family: 'connect',
  name: `loss and reordering, ${String(links)} of 2 links`,
  nonstop: true,
  client: { send: SIZE, subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
  server: { send: SIZE, subflows: 1 },
  before: Array.from({ length: links }, (_, i) => box(i + 1, 'unsteady')),
  expect: { joins: 1, used: [1, 2] },
}));

/** A server that takes what was meant for others. */
const transparent: Case = {
  family: 'connect',
  name: 'transparent proxy',
  // Plait's servers listen on addresses of the machine.
  pairs: [{ client: 'plait', server: 'kernel' }],
  to: '10.99.0.1',
  server: { transparent: true },
  before: [
    shell('client', 'ip route add 10.99.0.0/16 via 10.0.1.1'),
    shell('server', 'ip rule add fwmark 1 lookup 100; ip route add local default dev lo table 100'),
    shell(
      'server',
      "nft add table ip t; nft 'add chain ip t p { type filter hook prerouting priority mangle; }'; nft add rule ip t p ip daddr 10.99.0.1 tcp dport 5001 tproxy to :5001 meta mark set 1 accept",
    ),
  ],
  expect: {},
};

/** The first connection asks for a cookie, the others send data with the SYN. */
const fastOpen = (['IPv4', 'IPv6'] as const).flatMap((address): Case[] => [
  {
    family: 'connect',
    name: `MPTFO ${address}`,
    to: address === 'IPv4' ? '10.0.1.1' : 'dead:beef:1::1',
    connections: 3,
    client: { fastOpen: true },
    server: { fastOpen: true },
    expect: { client: { TCPFastOpenActive: 2 }, server: { TCPFastOpenPassive: 2, TCPFastOpenCookieReqd: 1 } },
  },
  {
    family: 'connect',
    name: `MPTFO ${address}, server without`,
    to: address === 'IPv4' ? '10.0.1.1' : 'dead:beef:1::1',
    connections: 2,
    client: { fastOpen: true },
    expect: { client: { TCPFastOpenActive: 0 }, server: { TCPFastOpenPassive: 0 } },
  },
]);

const SOME = [1, Infinity] as const;
const CE =
  "nft add table netdev t; nft 'add chain netdev t e { type filter hook egress device p0 priority 0; }'";
const marks = (['client', 'server'] as const).map((role) =>
  shell(role, `${CE}; nft add rule netdev t e ip ecn ect0 numgen inc mod 20 == 7 ip ecn set ce`),
);

/** Some packets are marked on the way: the receiver says so, and the sender slows down (RFC 3168). */
const ecn: readonly Case[] = [
  {
    family: 'connect',
    name: 'ECN asked for by the client',
    client: { ecn: true, send: SIZE },
    server: { send: SIZE },
    before: marks,
    expect: {
      ecn: true,
      client: { InCEPkts: SOME },
      server: { InCEPkts: SOME },
      kernel: { InECT0Pkts: SOME, TCPDeliveredCE: SOME },
    },
  },
  {
    family: 'connect',
    name: 'ECN not asked for',
    server: { ecn: true },
    expect: { ecn: false, kernel: { InECT0Pkts: 0 } },
  },
];

export const connect: readonly Case[] = [
  ...matrix(),
  ...sizes,
  ...modes,
  ...unsteady,
  transparent,
  ...more,
  ...fastOpen,
  ...ecn,
];
