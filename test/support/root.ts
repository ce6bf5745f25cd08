/** The root of the repository, seen from dist/test/support. */
export const root = new URL('../../../', import.meta.url);
