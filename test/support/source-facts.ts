/** Reads from the text of a source what the import rules speak about. Works for AssemblyScript too: syntax only. */
import ts from 'typescript';

export interface Import {
  readonly specifier: string;
  /** Erased by the compiler: costs nothing at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Use {
  readonly name: string;
  readonly line: number;
}

export interface SourceFacts {
  readonly imports: readonly Import[];
  /** Clocks, timers and randomness of the platform that the file reaches for. */
  readonly uses: readonly Use[];
}

const PLATFORM_GLOBALS = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'requestAnimationFrame',
  'performance',
  'crypto',
]);
const PLATFORM_MEMBERS = new Set(['Date.now', 'Math.random', 'process.hrtime']);
const PLATFORM_MODULES = new Set(['crypto', 'timers', 'perf_hooks']);

export function factsOf(path: string, text: string): SourceFacts {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const imports: Import[] = [];
  const uses: Use[] = [];
  const lineOf = (node: ts.Node): number =>
    source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;

  const addImport = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    imports.push({ specifier: specifier.text, typeOnly, line: lineOf(node) });
    const module = /^node:(\w+)/.exec(specifier.text)?.[1];
    if (!typeOnly && module !== undefined && PLATFORM_MODULES.has(module)) {
      uses.push({ name: specifier.text, line: lineOf(node) });
    }
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      addImport(node, node.moduleSpecifier, isTypeOnly(node.importClause));
    } else if (ts.isExportDeclaration(node)) {
      addImport(node, node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node)) {
      addImport(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    } else if (ts.isCallExpression(node) && isLoader(node.expression)) {
      addImport(node, node.arguments[0], false);
    }
    const use = platformUse(node);
    if (use !== null) uses.push({ name: use, line: lineOf(node) });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { imports, uses };
}

/** `import type ...`, or every name marked with `type`. An import for effect is none. */
function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const named = clause.namedBindings;
  if (clause.name !== undefined || named === undefined || !ts.isNamedImports(named)) return false;
  return named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly);
}

function isLoader(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  );
}

/** The name of the clock, timer or generator that this very node reaches for. */
function platformUse(node: ts.Node): string | null {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const [owner, member] = [node.expression.text, node.name.text];
    const global = owner === 'globalThis' && PLATFORM_GLOBALS.has(member);
    return global || PLATFORM_MEMBERS.has(`${owner}.${member}`) ? `${owner}.${member}` : null;
  }
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'Date') {
    return node.arguments === undefined || node.arguments.length === 0 ? 'new Date()' : null;
  }
  if (ts.isIdentifier(node) && PLATFORM_GLOBALS.has(node.text) && isReference(node)) return node.text;
  return null;
}

/** Neither the name of a member or declaration (`socket.setTimeout`), nor part of a type. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isTypeQueryNode(parent) || ts.isQualifiedName(parent) || ts.isTypeReferenceNode(parent))
    return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  return !('name' in parent && parent.name === node);
}
