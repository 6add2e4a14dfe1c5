// The rule about operation numbers: they are only positions in the table of operations (engine/abi/ops). Code that adds to one or compares it with a
// range breaks silently when a row moves, so only the generators may compute with them. In addition, only one file writes decoded records, and only
// one file maps the core's private memory.
import ts from 'typescript';
import { readSources } from './sources.mjs';

const { SyntaxKind } = ts;
const COMPUTES = new Set([
  SyntaxKind.PlusToken,
  SyntaxKind.MinusToken,
  SyntaxKind.AsteriskToken,
  SyntaxKind.SlashToken,
  SyntaxKind.PercentToken,
  SyntaxKind.LessThanToken,
  SyntaxKind.LessThanEqualsToken,
  SyntaxKind.GreaterThanToken,
  SyntaxKind.GreaterThanEqualsToken,
  SyntaxKind.LessThanLessThanToken,
  SyntaxKind.GreaterThanGreaterThanToken,
  SyntaxKind.AmpersandToken,
  SyntaxKind.BarToken,
  SyntaxKind.CaretToken,
  SyntaxKind.PlusEqualsToken,
  SyntaxKind.MinusEqualsToken,
]);
/** Modules whose exports are operation numbers, or functions that return one. */
const NUMBERS = /(\/generated\/(ops|lookups)|\/abi\/ops(\/index)?)$/;
const NOT_NUMBERS = /^(traitsOf|TRAIT_|FORM_|ALU_|UNARY_|EXTEND_|[A-Z]F$|ALL_FLAGS)/;
/** AssemblyScript places its own data below: ASC_DATA_END of engine/abi/layout.ts. */
const STATIC_DATA_END = 0x100000;
/** The only writers of records and block headers (engine/abi/record.ts). */
const setters = 'engine/cpu/record.ts';
const mayCompute = (file) => file.startsWith('scripts/core/') || file.startsWith('engine/abi/ops/');

/** Names of operation numbers in the file: imported ones, and variables that hold one. */
function namesOf(source) {
  const names = new Set();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) || !NUMBERS.test(statement.moduleSpecifier.text)) continue;
    for (const { name } of statement.importClause?.namedBindings?.elements ?? []) if (!NOT_NUMBERS.test(name.text)) names.add(name.text);
  }
  return names;
}

const bare = (node) => {
  let at = node;
  while (ts.isParenthesizedExpression(at) || ts.isTypeAssertionExpression(at) || ts.isAsExpression(at) || ts.isNonNullExpression(at))
    at = at.expression;
  return at;
};

/** Is the expression an operation number? */
function isNumber(node, names) {
  const at = bare(node);
  if (ts.isIdentifier(at)) return names.has(at.text);
  if (ts.isConditionalExpression(at)) return isNumber(at.whenTrue, names) || isNumber(at.whenFalse, names);
  if (!ts.isCallExpression(at)) return false;
  if (ts.isIdentifier(at.expression) && (names.has(at.expression.text) || at.expression.text === 'opOf')) return true;
  return at.arguments.some((argument) => ts.isIdentifier(argument) && argument.text === 'R_OP');
}

function learn(source, names) {
  const before = names.size;
  const visit = (node) => {
    const [target, value] = ts.isVariableDeclaration(node)
      ? [node.name, node.initializer]
      : ts.isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.EqualsToken
        ? [node.left, node.right]
        : [];
    if (target && value && ts.isIdentifier(target) && isNumber(value, names)) names.add(target.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names.size > before;
}

/** `store<...>(..., R_FIELD)`: writes a field of a record or a block header. */
const writesField = (node) =>
  ts.isCallExpression(node) &&
  ts.isIdentifier(node.expression) &&
  node.expression.text === 'store' &&
  node.arguments.slice(2).some((offset) => ts.isIdentifier(offset) && /^[RH]_[A-Z]/.test(offset.text));

/** `const CELL: usize = 0x14f000`: an address of the core's private memory outside the map. */
const hidesAddress = (node) =>
  ts.isVariableDeclaration(node) &&
  node.type?.getText() === 'usize' &&
  node.initializer !== undefined &&
  ts.isNumericLiteral(node.initializer) &&
  Number(node.initializer.text) >= STATIC_DATA_END;

/** Breaches in one file, as one line each. */
export function operationBreaches(file, text) {
  if (mayCompute(file) || !/\b[RH]_[A-Z]|\/generated\/|\/abi\/ops|: usize = 0x/.test(text)) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const names = namesOf(source);
  while (learn(source, names));
  const breaches = [];
  const report = (node, what) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    breaches.push(`${file}:${line + 1} ${what}: ${node.getText()}`);
  };
  const visit = (node) => {
    const computes = ts.isBinaryExpression(node) && COMPUTES.has(node.operatorToken.kind);
    if (computes && (isNumber(node.left, names) || isNumber(node.right, names)))
      report(node, 'computes with an operation number (ask the table in engine/abi/ops instead)');
    if (writesField(node) && file !== setters) report(node, `writes a field of a record or header (${setters} has the setters)`);
    if (hidesAddress(node)) report(node, 'is an address (engine/abi/layout.ts has the map)');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return breaches;
}

/** Every breach of the rule in the engine, the tests and the scripts. */
export const checkOperations = () =>
  Object.entries(readSources(['engine', 'scripts', 'test'], /\.ts$/)).flatMap(([file, text]) => operationBreaches(file, text));
