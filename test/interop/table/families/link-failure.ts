/** Links fail while data flows; what was held back has to find another way. */
import { type Case, type Expected, type Side, type Step } from '../case.js';
import { link } from '../steps.js';
import { announced } from './counts.js';

const family = 'link_failure';
const SIZE = 1 << 20;

/** Packets of link N vanish; no interface knows of it. */
const silent = (n: number): Step => ({
  title: `link ${String(n)} swallows everything`,
  act: async ({ place }) => {
    const chain = `{ type filter hook egress device p${String(n - 1)} priority 0; policy drop; }`;
    for (const role of ['client', 'server'] as const) {
      await place[role].run(
        'sh',
        '-c',
        `nft add table netdev t; nft 'add chain netdev t e${String(n)} ${chain}'`,
      );
    }
  },
});

const client = (send: number, flags: string): Side => ({
  subflows: 2,
  addAddrAccepted: 1,
  send,
  endpoints: [`10.0.3.2 dev p2 subflow${flags}`],
});
const server = (send: number): Side => ({ subflows: 3, send, endpoints: ['10.0.2.1 dev p1 signal'] });
const BACKUP = { MPJoinSynBackupRx: 1 };

/** Plait's client sees its interface go; Linux and Plait's server find out by timeouts. */
const STALE = { SubflowStale: [0, 9] } as const;

interface Shape {
  readonly name: string;
  readonly up: number;
  readonly down: number;
  readonly backup?: boolean;
  readonly links: readonly number[];
  readonly used: Pick<Expected, 'used' | 'sentOn'>;
}

const SHAPES: readonly Shape[] = [
  { name: 'multiple flows, signal, link failure', up: SIZE, down: 0, links: [1, 3], used: { used: [2, 3] } },
  {
    name: 'multi flows, signal, bidi, link fail',
    up: SIZE,
    down: SIZE,
    links: [1, 3],
    used: { used: [2, 3] },
  },
  {
    name: 'backup subflow unused, link failure',
    up: SIZE,
    down: SIZE,
    backup: true,
    links: [1],
    // What Linux finds unanswered on the others it repeats on the backup, too.
    used: { sentOn: [1, 2] },
  },
  {
    name: 'backup flow used, multi links fail',
    up: SIZE,
    down: 0,
    backup: true,
    links: [1, 2],
    used: { used: [2, 3] },
  },
  {
    name: 'backup flow used, bidi, link failure',
    up: SIZE,
    down: SIZE,
    backup: true,
    links: [1, 2],
    used: { used: [2, 3] },
  },
];

export const linkFailure: readonly Case[] = SHAPES.flatMap(
  ({ name, up, down, backup = false, links, used }) => {
    const common = {
      family,
      client: client(up, backup ? ' backup' : ''),
      server: server(down),
    };
    const counts = (more: object): Expected => ({
      joins: 2,
      client: { ...announced(1).client, ...more },
      server: { ...announced(1).server, ...(backup ? BACKUP : {}), ...more },
      ...used,
    });
    return [
      {
        ...common,
        name,
        steps: links.map((n) => link('client', n, 'down')),
        expect: counts(STALE),
      },
      {
        ...common,
        name: `${name}, silent`,
        steps: links.map(silent),
        // Linux repeats the data of a dead subflow piece by piece, one for each timeout of it, and these double.
        within: 120,
        expect: counts(STALE),
      },
    ] satisfies Case[];
  },
);
