/** Octets are changed on the way although checksums are in use (RFC 8684 section 3.7). */
import type { Case, Step } from '../case.js';
import { shell } from '../steps.js';

const family = 'fail';
const SIZE = 1 << 20;
const BLOCK = 64 << 10;

/**
 * Of what the client sends on link 1 after so many octets, one full segment gets two octets of its payload exchanged with the urgent pointer,
 * which nobody reads: the TCP checksum stays right, and only that of the DSS mapping can tell. Data moves by 16 bits of
 * the TCP header: the options of a segment with DSS checksum and timestamps are 40 octets.
 */
const spoil = (after: number): Step => ({
  title: 'link 1 changes a segment of the client',
  act: async ({ place }) => {
    const chain = '{ type filter hook egress device p0 priority 0; }';
    const rule = `ip protocol tcp meta length > 1000 quota over ${String(after)} bytes numgen inc mod 99999 == 0`;
    const swap = '@th,144,16 set @th,960,16 @th,960,16 set 0';
    await place.client.run(
      'sh',
      '-c',
      `nft add table netdev t; nft 'add chain netdev t e ${chain}'; nft 'add rule netdev t e ${rule} ${swap}'`,
    );
  },
});

export const fail: readonly Case[] = [
  {
    family,
    name: 'Infinite map',
    nonstop: true,
    // Only new data carries an infinite mapping: the client must have room for some while older data waits.
    client: { checksum: true, send: 6 * BLOCK, pace: 0.05 },
    server: { checksum: true, send: 6 * BLOCK, pace: 0.05 },
    before: [
      ...(['client', 'server'] as const).map((role) =>
        shell(role, "sysctl -qw net.ipv4.tcp_wmem='4096 1048576 4194304'"),
      ),
      spoil(70_000),
    ],
    // Linux against itself goes on with mappings here, and often stalls.
    pairs: [{ client: 'plait', server: 'kernel' }],
    expect: {
      mptcp: false,
      corrupt: 'server',
      client: { MPFailRx: 1, MPFailTx: [0, 1], InfiniteMapTx: 1 },
      server: { MPFailTx: 1, MPFailRx: [0, 1], DataCsumErr: 1, InfiniteMapRx: [0, 1], DssFallback: [0, 1] },
    },
  },
  {
    family,
    name: 'MP_FAIL MP_RST',
    client: { checksum: true, send: SIZE, subflows: 1, endpoints: ['10.0.2.2 dev p1 subflow'] },
    server: { checksum: true, subflows: 1 },
    steps: [spoil(0)],
    expect: {
      joins: 1,
      client: { MPFailRx: 1, MPRstRx: 1 },
      server: { MPFailTx: 1, DataCsumErr: 1, MPRstTx: 1 },
    },
  },
];
