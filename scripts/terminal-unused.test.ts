/** What is left out of xterm.js, and what only looks as if nothing used it. */
import { expect, test } from 'vitest';
import { withoutUnused } from './terminal-unused.mjs';

const left = (code: string, elsewhere: string[] = []) => withoutUnused(code, new Set(elsewhere)).replace(/\s+/g, ' ');

test.each([
  ['a method and a getter', 'class A { used() {} unused() {} get size() {} } new A().used();', 'class A { used() {} } new A().used();'],
  ['a static one', 'class A { static async made() {} } A;', 'class A { } A;'],
  ['what only an unused one reads', 'class A { first() { this.second(); } second() {} }', 'class A { }'],
])('%s that nothing reads is left out', (_, code, expected) => expect(left(code)).toBe(expected));

test.each([
  ['read from outside', 'class A { dispose() {} }', ['dispose']],
  ['read by taking an object apart', 'class A { used() {} } const { used: mine } = new A();'],
  ['assigned to by taking an object apart', 'class A { used() {} } ({ used } = new A());'],
  ['named by a text', "class A { used() {} } M([memoize], A, 'used', 1);"],
  ['changed in place', 'class A { get count() {} set count(n) {} } new A().count += 1;'],
  ['a setter', 'class A { set size(n) {} } new A().size = 1;'],
  ['a computed one', 'class A { [name]() {} }'],
  ["an object's, not a class's", 'register({ unused() {} });'],
])('a member stays that is %s', (_, code, elsewhere: string[] = []) => expect(left(code, elsewhere)).toBe(code));

test('the members of a namespace that nothing reads are left out, though others have their names', () => {
  const code = 'var N; ((n) => { function map() {} n.map = map; n.None = 0, n.first = () => n.None; })(N ||= {}); N.first(); [].map(f);';
  expect(left(code)).toBe(
    'var N; ((n) => { function map() {} 0, map; n.None = 0, n.first = () => n.None; })(N ||= {}); N.first(); [].map(f);',
  );
});

test('a namespace that nothing reads is left out, and an enumeration whose numbers stand where it was', () => {
  expect(left("var N; ((n) => { n.a = 1; })(N ||= {}); var E; ((e) => (e[e.A = 0] = 'A'))(E ||= {});")).toBe('var N; 0 ; var E; 0 ;');
});

test.each([
  ['that is handed on', 'var N; ((n) => { n.a = 1; })(N ||= {}); show(N);'],
  ['that is looked into by a name', 'var N; ((n) => { n.a = 1; })(N ||= {}); N[name];'],
  ['that hands itself on', 'var N; ((n) => { n.a = 1, show(n); })(N ||= {}); N.b;'],
  ['whose assignment is a value', 'var N; ((n) => { show(n.a = 1); n.b = n.c = 1; })(N ||= {}); N.b;'],
])('all of a namespace stays %s', (_, code) => expect(left(code)).toBe(code));

test('what stays is where it was', () => {
  const code = 'class A { unused() {\n return 1;\n }\n used() {} }\nnew A().used();';
  expect(withoutUnused(code, new Set()).indexOf('used() {} }')).toBe(code.indexOf('used() {} }'));
});
