/** What the kernel tells of a connection with Plait: socket options, `ss`, the count of connections. */
import type { Case } from '../case.js';
import { viewsAgree } from '../kernel-view.js';
import { until } from '../steps.js';
import { announced } from './counts.js';

const family = 'diag';

export const diag: readonly Case[] = [
  { family, name: 'one subflow', steps: [viewsAgree()], expect: {} },
  {
    family,
    name: 'one subflow, checksums',
    client: { checksum: true },
    steps: [viewsAgree(true)],
    expect: {},
  },
  {
    family,
    name: 'three subflows',
    client: { subflows: 2, addAddrAccepted: 1, endpoints: ['10.0.3.2 subflow'] },
    server: { subflows: 2, endpoints: ['10.0.2.1 id 7 signal'] },
    steps: [until('client', { EchoAddTx: 1 }), viewsAgree()],
    expect: { joins: 2, ...announced(1) },
  },
];
