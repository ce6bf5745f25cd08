/**
 * Numbers relative to their origin, as ordinary numbers that do not wrap: 32-bit sequence numbers and the 32-bit and
 * 64-bit forms of data sequence numbers become counts of octets. 2^53 of them are enough for any capture.
 */

/** The count nearest to `reference` whose low 32 bits are those of `value - origin`. */
export function unwrap32(value: number, origin: number, reference: number): number {
  const low = (value - origin) | 0;
  return reference + ((low - (reference % WRAP)) | 0);
}

/** The same for a data sequence number, of which only 32 bits may be known. Beyond 2^53 the result is not exact. */
export function unwrapDsn(value: bigint, wide: boolean, origin: bigint, reference: number): number {
  if (wide) return Number(BigInt.asIntN(64, value - origin));
  return unwrap32(Number(value), Number(origin & 0xffffffffn), reference);
}

const WRAP = 2 ** 32;
