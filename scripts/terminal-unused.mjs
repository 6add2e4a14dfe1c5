// Leaves out what nothing uses of xterm.js, most of all of the parts of VS Code in it. A minifier leaves out functions and variables that nothing uses. It
// keeps all members of classes and namespaces, as it does not see all ways to reach them; a member whose name occurs nowhere else is reached by nobody.
import ts from 'typescript';

const { SyntaxKind } = ts;

/** The node and all below it. */
function below(node, nodes = []) {
  nodes.push(node);
  ts.forEachChild(node, (child) => void below(child, nodes));
  return nodes;
}

const is = (node, operator) => ts.isBinaryExpression(node) && node.operatorToken.kind === operator;
const isSet = (node) => is(node.parent, SyntaxKind.EqualsToken) && node.parent.left === node;
const isMember = (node) => ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;

/** Is only the effect of this expression wanted, not its value? */
const isDropped = ({ parent }) =>
  ts.isExpressionStatement(parent) || ts.isParenthesizedExpression(parent) || is(parent, SyntaxKind.CommaToken);

/** The names of properties that are read, and the texts that may be such names. */
function namesReadIn(nodes) {
  const names = new Set();
  for (const node of nodes) {
    if (ts.isStringLiteralLike(node)) names.add(node.text);
    else if (ts.isPropertyAccessExpression(node) && !isSet(node)) names.add(node.name.text);
    // `{ name } = object` and `{ name: variable } = object`. An object that is made looks the same.
    else if (ts.isBindingElement(node) || ts.isShorthandPropertyAssignment(node) || ts.isPropertyAssignment(node))
      names.add((node.propertyName ?? node.name).text);
  }
  return names;
}

/** Methods and getters that nothing reads. A setter is used by an assignment, which reads nothing. */
function unreadMembers(nodes, elsewhere) {
  const read = namesReadIn(nodes);
  return nodes
    .filter((node) => (ts.isMethodDeclaration(node) || ts.isGetAccessor(node)) && ts.isClassLike(node.parent))
    .filter(({ name }) => ts.isIdentifier(name) && !read.has(name.text) && !elsewhere.has(name.text))
    .map((node) => ({ from: node.getStart(), to: node.end }));
}

/** `(own => { own.member = ... })(name ||= {})`: TypeScript's namespaces and enumerations. */
function namespacesIn(nodes) {
  return nodes
    .filter((node) => ts.isCallExpression(node) && node.arguments.length === 1 && is(node.arguments[0], SyntaxKind.BarBarEqualsToken))
    .map((call) => ({ call, name: call.arguments[0].left, body: call.expression.expression }))
    .filter(({ body }) => body && ts.isArrowFunction(body) && body.parameters.length === 1);
}

/** Namespaces that nothing reads, and the assignments to members that nothing reads: the value stays, and is the minifier's to leave out. */
function* unreadInNamespaces(nodes) {
  const identifiers = nodes.filter((node) => ts.isIdentifier(node) && !isMember(node));
  for (const { call, name, body } of namespacesIn(nodes)) {
    const outside = identifiers.filter((node) => node.text === name.text && node !== name && !ts.isVariableDeclaration(node.parent));
    if (!outside.length) {
      yield { from: call.getStart(), to: call.end, instead: '0' };
      continue;
    }
    const own = body.parameters[0].name.text;
    const inside = below(body.body).filter((node) => ts.isIdentifier(node) && !isMember(node) && node.text === own);
    const members = [...outside, ...inside].map(({ parent }) => parent);
    if (!members.every(ts.isPropertyAccessExpression)) continue;
    const read = new Set(members.filter((member) => !isSet(member)).map((member) => member.name.text));
    for (const member of members) {
      if (!read.has(member.name.text) && isDropped(member.parent))
        yield { from: member.getStart(), to: member.parent.right.getStart(), instead: '0,' };
    }
  }
}

function unreadIn(code, elsewhere) {
  const nodes = below(ts.createSourceFile('xterm.mjs', code, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS));
  return [...unreadMembers(nodes, elsewhere), ...unreadInNamespaces(nodes)];
}

/** Blanks in place of what is left out, so that the rest stays where it was: source maps hold. */
function blanked(code, parts) {
  let text = '';
  for (const { from, to, instead = '' } of parts.sort((a, b) => a.from - b.from)) {
    if (from < text.length) continue;
    text += code.slice(text.length, from) + instead + code.slice(from + instead.length, to).replace(/[^\n]/g, ' ');
  }
  return text + code.slice(text.length);
}

/** `elsewhere`: names that others read. */
export function withoutUnused(code, elsewhere) {
  for (let left = code; ; ) {
    const parts = unreadIn(left, elsewhere);
    if (!parts.length) return left;
    left = blanked(left, parts);
  }
}
