/** The boxes that need a program of their own, by name. `up` is from the client to the server. */
import {
  alter,
  apart,
  coalesce,
  echoOptions,
  inOrderOnly,
  isSyn,
  optionsAhead,
  proxyAcks,
  rechunk,
  repeatSyn,
  resegment,
  rewriteIsn,
  shrinkWindow,
  split,
  strip,
  unsteady,
  type Direction,
  type Script,
} from './scripts.js';

export const invert = (data: Buffer): Buffer => {
  const changed = Buffer.from(data);
  changed.writeUInt8(~data.readUInt8(7) & 255, 7);
  return changed;
};
export const longer = (data: Buffer): Buffer =>
  Buffer.concat([data.subarray(0, 7), Buffer.from('++'), data.subarray(7)]);
export const shorter = (data: Buffer): Buffer => Buffer.concat([data.subarray(0, 7), data.subarray(9)]);

/** The segment with data that is changed, counted from 0: in the middle of a transfer. */
const MIDDLE = 60;

/** Takes the options away from the `n`-th segment with data on. */
function stripFrom(n: number, where: Direction | 'both'): Script {
  let count = 0;
  return strip((segment, direction) => {
    if (segment.data.length > 0) count++;
    return count > n && (where === 'both' || where === direction);
  });
}

const both = (make: (which: Direction) => Script, which: Direction) => (): Script => make(which);

export const BOXES: Readonly<Record<string, () => Script>> = {
  nothing: () => (segment, direction) => [{ segment, direction }],
  'strip SYN': () => strip((segment, direction) => isSyn(segment) && direction === 'up'),
  'strip SYN/ACK': () => strip((segment, direction) => isSyn(segment) && direction === 'down'),
  'strip all but SYN': () => strip((segment) => !isSyn(segment)),
  'strip all but SYN up': () => strip((segment, direction) => !isSyn(segment) && direction === 'up'),
  'strip all but SYN down': () => strip((segment, direction) => !isSyn(segment) && direction === 'down'),
  'strip later': () => stripFrom(MIDDLE, 'both'),
  'strip later up': () => stripFrom(MIDDLE, 'up'),
  'strip later down': () => stripFrom(MIDDLE, 'down'),
  'split up': both((which) => split(which, true), 'up'),
  'split down': both((which) => split(which, true), 'down'),
  'split, options on the first half up': both((which) => split(which, false), 'up'),
  'split, options on the first half down': both((which) => split(which, false), 'down'),
  'coalesce up': both((which) => coalesce(which, 4), 'up'),
  'coalesce down': both((which) => coalesce(which, 4), 'down'),
  'rewrite ISN': () => rewriteIsn(0x7fff_1234, 0x8123_4567),
  'resegment up': both((which) => resegment(which, 100), 'up'),
  'resegment down': both((which) => resegment(which, 100), 'down'),
  'rechunk up': both((which) => rechunk(which, 1000), 'up'),
  'rechunk down': both((which) => rechunk(which, 1000), 'down'),
  'ways apart, holes up, pieces down': () => apart(inOrderOnly('up', [10, 50]), rechunk('down', 700)),
  'ways apart, pieces up, holes down': () => apart(rechunk('up', 700), inOrderOnly('down', [10, 50])),
  'ways apart, stripped up, halves down': () => apart(stripFrom(MIDDLE, 'up'), split('down', true)),
  'ways apart, halves up, stripped down': () => apart(split('up', true), stripFrom(MIDDLE, 'down')),
  'change first up': () => alter('up', 0, invert),
  'change first down': () => alter('down', 0, invert),
  'change up': () => alter('up', MIDDLE, invert),
  'change down': () => alter('down', MIDDLE, invert),
  'lengthen up': () => alter('up', MIDDLE, longer),
  'lengthen down': () => alter('down', MIDDLE, longer),
  'shorten up': () => alter('up', MIDDLE, shorter),
  'shorten down': () => alter('down', MIDDLE, shorter),
  'acknowledge up': () => proxyAcks('up'),
  'acknowledge down': () => proxyAcks('down'),
  'acknowledge and lose down': () => proxyAcks('down', [14]),
  'in order only up': () => inOrderOnly('up', [10, 50]),
  'in order only down': () => inOrderOnly('down', [10, 50]),
  'shrink window up': () => shrinkWindow('up', 5),
  'shrink window down': () => shrinkWindow('down', 5),
  'echo options': echoOptions,
  'repeat SYN': repeatSyn,
  unsteady: () => unsteady(1),
  'options ahead up': both(optionsAhead, 'up'),
  'options ahead down': both(optionsAhead, 'down'),
};
