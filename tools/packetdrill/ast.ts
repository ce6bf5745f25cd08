/**
 * A packetdrill script after parsing: what the parser makes, the runner walks through, and the socket layer is
 * called with.
 */

/** Argument or result of a socket call. */
export type Expr =
  | { readonly kind: 'integer'; readonly value: bigint }
  /** A bare name or several joined by `|` are resolved where the call is known: SOCK_STREAM, O_RDWR|O_NONBLOCK. */
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'string'; readonly value: Buffer }
  /** [ ... ] */
  | { readonly kind: 'list'; readonly items: readonly Expr[] }
  /** { name = value, ... } and { name: value }; entries without a name have the empty one. */
  | { readonly kind: 'struct'; readonly fields: readonly (readonly [name: string, value: Expr])[] }
  /** ... : whatever fits, and nothing is compared. */
  | { readonly kind: 'ellipsis' }
  | {
      readonly kind: 'binary';
      readonly operator: '|' | '<<' | '+' | '-';
      readonly left: Expr;
      readonly right: Expr;
    }
  /** htons(8080), inet_addr("192.0.2.1"), inet6_addr("::1"), and the like. */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expr[] };

/** Name of an errno ("EINPROGRESS") and the text after it, where the script gives them. */
export interface ErrnoNote {
  readonly name: string;
  readonly note: string | null;
}

export interface SocketCall {
  readonly line: number;
  readonly name: string;
  readonly args: readonly Expr[];
  /** What stands after `=`; ellipsis when any result will do. */
  readonly result: Expr;
  readonly errno: ErrnoNote | null;
  /** Text in parentheses after a result that is no errno: `= 0x2 (flags O_RDWR)`. */
  readonly note: string | null;
}
