/**
 * Where a failed assertion ends: the compiler's `abort` is aliased to this (asconfig.json), so that the module
 * imports nothing but its memory.
 */

/** Stops the instance. A debugger finds the cause in the arguments: addresses of the message and the file name. */
export function trap(message: usize, file: usize, line: u32, column: u32): void {
  unreachable();
}
