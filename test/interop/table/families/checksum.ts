/** DSS checksums, asked for by either side (RFC 8684 section 3.1, flag A). */
import type { Case } from '../case.js';

export const checksum: readonly Case[] = [false, true].flatMap((server) =>
  [false, true].map((client): Case => ({
    family: 'checksum',
    name: `checksum test ${Number(server)} ${Number(client)}`,
    client: { checksum: client },
    server: { checksum: server },
    expect: {},
  })),
);
