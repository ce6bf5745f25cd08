/**
 * Randomness. Keys, nonces and secrets come from a CSPRNG in real life and from a seed in the simulator.
 */
export interface Random {
  /** Fills `target` with random octets. */
  fill(target: Uint8Array): void;
}

/** The platform's CSPRNG (Node and browsers). */
export const secureRandom: Random = {
  fill(target) {
    for (let at = 0; at < target.length; at += 65536) {
      crypto.getRandomValues(target.subarray(at, at + 65536));
    }
  },
};

/**
 * A small, fast, seeded generator for simulation (xoshiro128**, Blackman and Vigna). Not for secrets.
 */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    // SplitMix32 spreads the seed over the state, which must not be all zero.
    let s = seed >>> 0;
    const next = (): number => {
      s = (s + 0x9e3779b9) >>> 0;
      let z = s;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** Uniform 32-bit unsigned integer. */
  u32(): number {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.u32() / 4294967296;
  }

  /** Uniform integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  fill(target: Uint8Array): void {
    for (let i = 0; i < target.length; i += 4) {
      const r = this.u32();
      for (let k = 0; k < 4 && i + k < target.length; k++) target[i + k] = r >>> (8 * k);
    }
  }
}
