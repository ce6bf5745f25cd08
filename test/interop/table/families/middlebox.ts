/**
 * Middleboxes between the peers: those that the kernel can play (netfilter in a router), and boxes of our own. What each does
 * to Plait, and what Linux makes of it, stands in docs/middleboxes.md.
 */
import { box, mptcp, rest, router, shell, subflows as hasSubflows, until } from '../steps.js';
import { announced } from './counts.js';
import { other, type Case, type Counts, type Expected, type Pair, type Role } from '../case.js';

const PAIRS: readonly Pair[] = [
  { client: 'plait', server: 'kernel' },
  { client: 'kernel', server: 'plait' },
  { client: 'plait', server: 'plait' },
];

/** Which side notices first depends on what is under way. */
const SOME: Counts = { MPCapableDataFallback: [0, 1], DssFallback: [0, 1], DSSCorruptionFallback: [0, 1] };
const LATE: Expected = { mptcp: false, client: SOME, server: SOME };
/**
 * A changed octet that a checksum has shown: plain TCP from there on, or where octets were sent twice by then (on a busy machine
 * the data level's timer does that) the subflow is reset, and a new one carries what was sent.
 */
const FAILED: Counts = Object.fromEntries(
  [
    ...Object.keys(SOME),
    ...['DataCsumErr', 'MPFailTx', 'MPFailRx', 'InfiniteMapTx', 'InfiniteMapRx', 'MPRstTx', 'MPRstRx'],
    ...['MPJoinSynTx', 'MPJoinSynRx', 'MPJoinSynAckRx', 'MPJoinAckRx', 'DSSNoMatchTCP', 'DSSCorruptionReset'],
  ].map((name) => [name, [0, 4]]),
);
/** `noticed`: with MP_FAIL, which is for what went wrong after something was right. */
const failed =
  (by: number, noticed = true) =>
  (receiver: Role): Expected => {
    const some = (...names: string[]): Counts =>
      noticed ? Object.fromEntries(names.map((name) => [name, [1, 4] as const])) : {};
    return {
      ...{ mptcp: 'either', altered: { [receiver]: by } },
      [receiver]: { ...FAILED, ...some('DataCsumErr', 'MPFailTx') },
      [other(receiver)]: { ...FAILED, ...some('MPFailRx') },
    };
  };
const BLOCK = 64 << 10;
/**
 * Only new data carries an infinite mapping: the sender has some left when MP_FAIL comes. The receiver goes on for longer:
 * where a connection of Linux becomes plain after its own DATA_FIN, it does not see the peer's FIN (6.18).
 */
const going = (receiver: Role): Partial<Case> => ({
  [receiver]: { send: 16 * BLOCK, pace: 0.05 },
  [other(receiver)]: { send: 6 * BLOCK, pace: 0.05 },
});
const TOLD: Counts = {
  ...SOME,
  MPFailTx: [0, 1],
  MPFailRx: [0, 1],
  InfiniteMapTx: [0, 1],
  InfiniteMapRx: [0, 1],
};
const JOINED: Expected = { mptcp: 'either', client: TOLD, server: TOLD };
const NO_OPTION = 'peer or network without MP_CAPABLE';
const NO_THIRD = 'third packet of the handshake without MP_CAPABLE';

const SYN: Expected = {
  mptcp: false,
  client: { MPCapableFallbackSYNACK: 1 },
  fallback: { client: NO_OPTION },
};
const SYN_ACK: Expected = {
  mptcp: false,
  client: { MPCapableFallbackSYNACK: 1 },
  server: { MPCapableFallbackACK: 1 },
  fallback: { client: NO_OPTION, server: NO_THIRD },
};
const DATA: Expected = {
  mptcp: false,
  client: { MPCapableDataFallback: 1 },
  server: { MPCapableFallbackACK: 1 },
  fallback: { server: NO_THIRD },
};

const own = (name: string, expect: Expected, more: Partial<Case> = {}): Case => ({
  ...{ family: 'middlebox', name, nonstop: true, pairs: PAIRS, before: [box(1, name)], expect },
  ...more,
});

/** The same with DSS checksums. */
const sum = (one: Case): Case => ({
  ...one,
  name: `${one.name}, checksums`,
  client: { ...one.client, checksum: true },
  server: { ...one.server, checksum: true },
});

const ways = (
  name: string,
  expect: (receiver: Role) => Expected,
  more: (receiver: Role) => Partial<Case> = () => ({}),
): Case[] =>
  (['server', 'client'] as const).map((receiver) =>
    own(`${name} ${receiver === 'server' ? 'up' : 'down'}`, expect(receiver), more(receiver)),
  );

const routed = (name: string, command: string, expect: Expected, more: Partial<Case> = {}): Case => ({
  ...{ family: 'middlebox', name, pairs: PAIRS, before: [router(1, command)], expect },
  ...more,
});

const STRIP = 'TCPOPTSTRIP --strip-options 30';
const MANGLE = 'iptables -t mangle -A FORWARD -p tcp';
const natOn = (address: string): string[] => [
  `ip route add ${address} dev up`,
  `iptables -t nat -A POSTROUTING -o down -p tcp -j SNAT --to-source ${address}:40000-40999`,
];
const NAT = natOn('10.0.1.9');
/** The server's first address is behind it, too. */
const NAT_2 = ['ip route add 10.0.1.1 dev down', ...natOn('10.0.2.9')];
/** The router sees its subflow for the last time two seconds before the rest of the data comes. */
const FORGETS = [
  ...NAT,
  'sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 net.netfilter.nf_conntrack_tcp_timeout_established=1',
];

export const middlebox: readonly Case[] = [
  own('nothing', {}),
  // ---- options ----
  routed('netfilter strips SYN', `${MANGLE} -i up --syn -j ${STRIP}`, SYN),
  routed('netfilter strips SYN/ACK', `${MANGLE} -i down --tcp-flags SYN,ACK SYN,ACK -j ${STRIP}`, SYN_ACK),
  routed('netfilter strips all but SYN', `${MANGLE} --tcp-flags SYN NONE -j ${STRIP}`, DATA),
  routed('netfilter drops SYN with the option', 'iptables -A FORWARD -p tcp --syn --tcp-option 30 -j DROP', {
    mptcp: false,
    client: { MPCapableFallbackSYNACK: [0, 1] },
    fallback: { client: 'SYN with MP_CAPABLE was not answered', server: NO_OPTION },
  }),
  own('strip SYN', SYN),
  own('strip SYN/ACK', SYN_ACK),
  own('strip all but SYN', DATA),
  own('strip all but SYN up', DATA),
  own('strip all but SYN down', { ...LATE, client: { MPCapableDataFallback: 1 } }),
  own('strip later', LATE),
  ...ways('strip later', () => LATE),
  own('echo options', { ...SYN, fallback: { client: NO_OPTION } }, { server: { tcp: true } }),
  own('repeat SYN', {}),
  ...ways('options ahead', () => ({ ...LATE, mptcp: 'either' })),
  // ---- segments ----
  ...ways('split', () => ({})).flatMap((one) => [one, sum(one)]),
  ...['up', 'down']
    .map((way) => own(`split, options on the first half ${way}`, {}))
    .flatMap((one) => [one, sum(one)]),
  own('rewrite ISN', {}),
  ...ways('resegment', () => ({})),
  ...ways('rechunk', () => ({})).flatMap((one) => [one, sum(one)]),
  // Where the mapping of the second segment is missed the connection becomes plain, which MP_FAIL may have to tell.
  ...ways('coalesce', () => JOINED),
  ...ways('coalesce', () => JOINED, going).map(sum),
  ...ways('in order only', () => ({})),
  ...ways('shrink window', () => ({})),
  // ---- another way there than back ----
  own('ways apart, holes up, pieces down', {}),
  own('ways apart, pieces up, holes down', {}),
  // Plain data is what tells the side whose mappings are lost.
  own('ways apart, stripped up, halves down', LATE, going('server')),
  own('ways apart, halves up, stripped down', LATE, going('client')),
  // A route of the kernel's leads its packets to the first address of the peer through the second link.
  {
    family: 'middlebox',
    name: 'ways apart, server to client by the other link',
    pairs: [{ client: 'plait', server: 'kernel' }],
    before: [shell('server', 'ip route add 10.0.1.2 dev p1 src 10.0.1.1')],
    expect: {},
  },
  {
    family: 'middlebox',
    name: 'ways apart, client to server by the other link',
    pairs: [{ client: 'kernel', server: 'plait' }],
    before: [shell('client', 'ip route add 10.0.1.1 dev p1 src 10.0.1.2')],
    expect: {},
  },
  // ---- payload ----
  ...ways('change', (receiver) => ({ altered: { [receiver]: 0 } })),
  ...ways('change first', failed(0, false), going).map(sum),
  ...ways('change', failed(0), going).map(sum),
  ...ways('lengthen', failed(2), going).map(sum),
  ...ways('shorten', failed(-2), going).map(sum),
  // ---- ACKs, addresses ----
  // Before the first answer of the other side a plain ACK means that it is plain.
  ...ways('acknowledge', () => ({ ...LATE, mptcp: 'either' })),
  // On the same subflow the hole stays for ever; only another can fill it, and Plait ends the one with the hole.
  own(
    'acknowledge and lose down',
    { joins: 1, client: { MPRstRx: [0, 1] }, server: { MPRstTx: [0, 1] } },
    {
      nonstop: false,
      client: { subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
      server: { subflows: 1 },
    },
  ),
  routed(
    'NAT',
    'true',
    { joins: 1 },
    {
      before: [router(1, ...NAT)],
      client: { subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
      server: { subflows: 1 },
    },
  ),
  // The client's further address is another one for the server; REMOVE_ADDR goes by ID.
  {
    family: 'middlebox',
    name: 'NAT, join through it',
    pairs: PAIRS,
    before: [router(2, ...NAT_2)],
    client: { subflows: 1, endpoints: ['10.0.2.2 id 2 dev p1 subflow'] },
    server: { subflows: 1 },
    steps: [
      mptcp('client', 'endpoint delete id 2'),
      until('server', { RmAddr: 1 }),
      hasSubflows('server', 1),
    ],
    expect: { joins: 1, client: { RmAddrTx: 1, RmSubflow: 1 }, server: { RmAddr: 1 } },
  },
  {
    family: 'middlebox',
    name: 'NAT, join through it to an announced address',
    pairs: PAIRS,
    before: [router(2, ...NAT_2)],
    client: { subflows: 1, addAddrAccepted: 1 },
    server: { subflows: 1, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 1, ...announced(1), used: 2 },
  },
  {
    family: 'middlebox',
    name: 'NAT on every path, fullmesh',
    pairs: PAIRS,
    before: [router(1, ...NAT), router(2, ...NAT_2)],
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.2.2 dev p1 subflow fullmesh'] },
    server: { subflows: 2, endpoints: ['10.0.2.1 signal'] },
    expect: { joins: 2, ...announced(1), used: [2, 3] },
  },
  ...(['falls silent', 'answers with resets'] as const).map((name) =>
    routed(
      `NAT forgets and ${name}`,
      'true',
      { joins: 1, client: { MPRstRx: [0, 1] }, server: { MPRstRx: [0, 1] } },
      {
        before: [
          router(
            1,
            ...FORGETS,
            `iptables -A FORWARD -p tcp -m conntrack --ctstate INVALID -j ${name === 'falls silent' ? 'DROP' : 'REJECT --reject-with tcp-reset'}`,
            'iptables -A FORWARD -p tcp ! --syn -m conntrack --ctstate NEW -j DROP',
          ),
        ],
        client: { subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
        server: { subflows: 1 },
        steps: [hasSubflows('client', 2), rest(2500)],
      },
    ),
  ),
];
