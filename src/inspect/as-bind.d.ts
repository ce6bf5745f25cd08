/** The runtime of as-bind 0.8.2, as far as it is used. The build puts it beside the compiled sources. */
export interface Instance<Exports> {
  readonly exports: Exports;
}

/** Instantiates a module that was compiled with as-bind's transform; its functions take and return JavaScript's types. */
export function instantiate<Exports>(
  module: BufferSource,
  imports?: WebAssembly.Imports,
): Promise<Instance<Exports>>;
