/** The C library's calls, each with six words in registers, which is what any call that we make takes. */
import koffi from 'koffi';

export type Word = bigint | number;

type Six = readonly [Word, Word, Word, Word, Word, Word];

export interface Libc {
  /** Returns the call's result, or the errno as a negative number. */
  call(name: string, ...args: Word[]): number;
}

/** For the calling thread. */
export function loadLibc(): Libc {
  const library = koffi.load(null);
  const functions = new Map<string, (...args: Six) => number | bigint>();
  return {
    call(name, ...args) {
      let f = functions.get(name);
      if (f === undefined) {
        f = library.func(`int64_t ${name}(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)`) as (
          ...args: Six
        ) => number | bigint;
        functions.set(name, f);
      }
      const [a = 0, b = 0, c = 0, d = 0, e = 0, g = 0] = args;
      // An int leaves the upper half of the register as it is.
      const result = Number(BigInt.asIntN(32, BigInt(f(a, b, c, d, e, g))));
      return result === -1 ? -koffi.errno() : result;
    },
  };
}

/** Where the octets lie; valid as long as the buffer is referenced. */
export const pointer = (buffer: Uint8Array): bigint => koffi.address(buffer);
