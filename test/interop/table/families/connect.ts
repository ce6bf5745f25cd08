/** MPTCP and TCP on either side, over IPv4, IPv6 and mapped addresses, through links and the loopback interface. */
import type { Case, Expected, Role } from '../case.js';

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
];

export const connect: readonly Case[] = [...matrix(), ...sizes, ...more];
