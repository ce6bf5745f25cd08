import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const WIDTH = 120;

/** The layout rules that prettier would enforce, for files that prettier cannot read. */
const layout = {
  create(context) {
    return {
      Program() {
        const { lines, text } = context.sourceCode;
        const report = (line, message) => context.report({ loc: { line, column: 0 }, message });
        lines.forEach((line, index) => {
          if (line.length > WIDTH) report(index + 1, `${line.length} characters; ${WIDTH} are allowed.`);
          if (line.includes('\t')) report(index + 1, 'Tab.');
          if (/\s$/.test(line)) report(index + 1, 'Trailing blank.');
        });
        if (!/[^\n]\n$/.test(text)) report(lines.length, 'The file must end with exactly one newline.');
      },
    };
  },
};

const nodeGlobals = Object.fromEntries(
  ['Buffer', 'URL', 'WebAssembly', 'clearTimeout', 'console', 'performance', 'process', 'setTimeout'].map(
    (name) => [name, 'readonly'],
  ),
);

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { globals: nodeGlobals },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
  },
  {
    files: ['{src,test,bench,tools}/**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      eqeqeq: 'error',
      // The compiler reports unused names (noUnusedLocals, noUnusedParameters).
      '@typescript-eslint/no-unused-vars': 'off',
      // With noUncheckedIndexedAccess, `array[i]!` is how code says that it has checked the bounds.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // chai's `expect(x).to.be.true` is an expression.
      '@typescript-eslint/no-unused-expressions': 'off',
      // Terminal output is compared escape by escape.
      'no-control-regex': 'off',
    },
  },
  {
    // AssemblyScript shares TypeScript's syntax, not its types: only rules that need no types apply. Prettier cannot
    // read it at all, because decorators on functions (`@inline`) are no TypeScript; hence the layout rule.
    files: ['assembly/**/*.ts'],
    plugins: { plait: { rules: { layout } } },
    languageOptions: { parser: tseslint.parser, parserOptions: { allowInvalidAST: true } },
    rules: {
      'no-undef': 'off',
      'no-unused-vars': 'off',
      'no-redeclare': 'off',
      // A local has a type and so a value from the start; there is no definite-assignment analysis to lean on.
      'no-useless-assignment': 'off',
      // Integer literals may have 64 bits.
      'no-loss-of-precision': 'off',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-self-compare': 'error',
      'plait/layout': 'error',
    },
  },
  {
    // These are read by both compilers, and prettier reads them, too.
    files: ['assembly/abi.ts', 'assembly/mib.ts'],
    rules: { 'plait/layout': 'off' },
  },
);
