/** Something that must never happen, found by a fuzz target. `kind` says what, so that a smaller case can be matched. */
export class Failure extends Error {
  override readonly name = 'Failure';
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(`${kind}: ${message}`);
  }
}
