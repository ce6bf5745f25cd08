/** The record that `dissect` fills (layout.ts). There is one; it is valid until the next packet. */
import { HEADER_WORDS, OPTION_WORDS } from './layout';

/** Every octet of a header could be a NOP. */
export const MAX_OPTIONS: u32 = 40;

export const words = new Uint64Array(HEADER_WORDS + MAX_OPTIONS * OPTION_WORDS);

export function setWord(word: u32, value: u64): void {
  store<u64>(words.dataStart + (<usize>word << 3), value);
}

export function getWord(word: u32): u64 {
  return load<u64>(words.dataStart + (<usize>word << 3));
}
