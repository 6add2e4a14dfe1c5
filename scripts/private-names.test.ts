/** Which names of the engine are only ever private. */
import { expect, test } from 'vitest';
import { privateNames } from './private-names.mjs';

test('private fields, methods, accessors and parameters of a constructor have names of their own', () => {
  const source = `class A {
    private field = 1;
    private static readonly made = new Set();
    constructor(private readonly given: number, plain: number) {}
    private method() {}
    private get size() { return 1; }
    protected seen = 1;
    open = 1;
  }`;
  expect(privateNames([source])).toEqual(['field', 'made', 'given', 'method', 'size']);
});

test.each([
  ['a public member', 'class B { count = 1; }'],
  ['a public parameter of a constructor', 'class B { constructor(readonly count: number) {} }'],
  ['a member of a type', 'interface B { count: number }'],
  ['a key of an object', 'export const b = { count: 1 };'],
  ['a short key of an object', 'const count = 1; export const b = { count };'],
  ['taken out of an object', 'const { count } = b;'],
  ['taken out of an object under another name', 'const { count: other } = b;'],
  ['a text', "export const b = a['count'];"],
  ['of an enumeration', 'export enum B { count }'],
])('a name that elsewhere is %s stays', (_, other) => {
  expect(privateNames(['class A { private count = 1; private own = 2; }', other])).toEqual(['own']);
});

test('a name that others know stays', () => {
  expect(privateNames(['class A { private length = 1; private own = 2; }'], ['length'])).toEqual(['own']);
});
