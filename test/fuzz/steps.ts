/**
 * A fuzz case: the stack's configuration and a list of steps. A step is a verb and six 32-bit genes; any genes make
 * a valid step, so cases can be drawn, mutated, shortened and written to a file without knowing what they mean.
 */
import fc from 'fast-check';

export const VERBS = [
  'segment', // one segment of a flow, each number right or at an edge
  'broken', // a good segment with one field broken
  'octets', // random octets, or random octets behind a good header
  'open', // a handshake of the attacker, good or bad
  'join', // MP_JOIN, good or bad
  'dial', // the stack opens a connection to the attacker
  'answer', // the attacker answers a SYN of the stack
  'time', // time passes
  'app', // the stack's application does something
  'holes', // a flood of small segments out of order
  'maps', // a flood of mappings without data
  'unmapped', // a flood of data without mappings
  'signals', // ADD_ADDR, REMOVE_ADDR, MP_PRIO, with right proofs
  'acks', // acknowledgements of everything and nothing, SACK blocks
  'blind', // packets that pretend to belong to the honest connections
  'flood', // SYNs from everywhere
  'close', // FIN, DATA_FIN, RST, MP_FASTCLOSE, MP_FAIL, infinite mapping
  'foreign', // not TCP, fragments, extension headers
  'path', // a local address goes and comes back
  'talk', // the attacker behaves well for a moment
  'device', // the queue of a device is full, or was; the interface goes down; ICMP messages about what was sent
  'option', // options of connections: buffers, windows, pacing, timeouts; writes that borrow
] as const;
export type Verb = (typeof VERBS)[number];

/** The seed's lower 16 bits draw numbers, those above choose the configuration (arena.ts). */
export const LARGEST_SEED = 0x7ffff;

export const GENES = 6;
/** The verb's number and its genes. */
export type Step = readonly number[];

export interface Case {
  readonly target: string;
  /** Of the stack's own randomness and of everything that the genes leave open. */
  readonly seed: number;
  readonly steps: readonly Step[];
}

type Weights = Partial<Record<Verb, number>>;

/** How often a target draws each verb. */
export const PROFILES: Readonly<Record<string, Weights>> = {
  stack: {
    ...{ segment: 10, broken: 6, octets: 4, open: 5, join: 3, dial: 2, answer: 3, time: 3, app: 6, holes: 1 },
    ...{
      maps: 1,
      unmapped: 1,
      signals: 2,
      acks: 2,
      blind: 2,
      flood: 1,
      close: 2,
      foreign: 1,
      path: 1,
      talk: 5,
      device: 3,
      option: 3,
    },
  },
  handshake: {
    ...{
      open: 10,
      join: 8,
      dial: 5,
      answer: 8,
      segment: 4,
      broken: 4,
      time: 4,
      app: 3,
      signals: 2,
      flood: 1,
    },
    ...{ close: 2, path: 1, talk: 1, device: 1, option: 1 },
  },
  data: {
    ...{ segment: 12, broken: 3, holes: 3, maps: 3, unmapped: 3, acks: 5, talk: 6, app: 6, time: 3, open: 2 },
    ...{ join: 2, close: 2, signals: 2, device: 4, option: 4 },
  },
};

const geneArbitrary = fc.oneof(
  { arbitrary: fc.nat(63), weight: 2 },
  { arbitrary: fc.integer({ min: 0, max: 0xffffffff }), weight: 3 },
);

/** One step of a target. */
export function stepArbitrary(target: string): fc.Arbitrary<Step> {
  const weights = PROFILES[target];
  if (weights === undefined) throw new Error(`no steps for target ${target}`);
  const verb = fc.oneof(
    ...Object.entries(weights).map(([name, weight]) => ({
      arbitrary: fc.constant(VERBS.indexOf(name as Verb)),
      weight,
    })),
  );
  const genes = Array.from({ length: GENES }, () => geneArbitrary);
  return fc.tuple(verb, ...(genes as [fc.Arbitrary<number>]));
}

/** A whole case; it shrinks to fewer steps with smaller genes. */
export const caseArbitrary = (target: string, most: number): fc.Arbitrary<Case> =>
  fc.record({
    target: fc.constant(target),
    seed: fc.nat(LARGEST_SEED),
    steps: fc.array(stepArbitrary(target), { minLength: 4, maxLength: most, size: 'max' }),
  });

// ---- as text ------------------------------------------------------------------------------------------------------

export function formatCase(one: Case, note = ''): string {
  const lines = note === '' ? [] : note.split('\n').map((line) => `# ${line}`.trimEnd());
  lines.push(`target ${one.target}`, `seed ${one.seed}`);
  for (const [verb, ...genes] of one.steps) lines.push(`${VERBS[verb ?? 0]} ${genes.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** Reads what `formatCase` wrote. Throws on anything else. */
export function parseCase(text: string): Case {
  let target = '';
  let seed = 0;
  const steps: Step[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [word = '', ...rest] = line.split(' ');
    const genes = rest.map(Number);
    if (word === 'target') target = rest[0] ?? '';
    else if (word === 'seed') seed = genes[0] ?? 0;
    else {
      const verb = VERBS.indexOf(word as Verb);
      const legal = genes.every((gene) => Number.isInteger(gene) && gene >= 0 && gene <= 0xffffffff);
      if (verb < 0 || genes.length !== GENES || !legal) throw new Error(`not a step: ${line}`);
      steps.push([verb, ...genes]);
    }
  }
  if (PROFILES[target] === undefined) throw new Error(`no target called "${target}"`);
  return { target, seed, steps };
}
