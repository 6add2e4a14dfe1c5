import { expect, it } from 'vitest';
import { commonNames } from './common';
import { ALL_FLAGS, CF, isInline, isRare, OPERATIONS, operationNamed, operationNumber } from './index';

it('gives every operation a unique name and number', () => {
  expect(new Set(OPERATIONS.map(({ name }) => name)).size).toBe(OPERATIONS.length);
  for (const [number, { name }] of OPERATIONS.entries()) expect(operationNumber(name)).toBe(number);
  expect(() => operationNumber('frobnicate')).toThrow(/'frobnicate'/);
});

it("lists first what the interpreter's loop runs, and rare inline operations last, and fits all numbers into a record", () => {
  const kind = (row: (typeof OPERATIONS)[number]) => (isRare(row) ? 3 : isInline(row) ? 0 : row.called ? 1 : 2);
  const kinds = OPERATIONS.map(kind);
  expect(kinds).toEqual(kinds.toSorted());
  expect(new Set(kinds).size).toBe(4);
  expect(OPERATIONS.length).toBeLessThan(0x10000);
});

it('calls no operation common that does not exist', () => {
  for (const name of commonNames()) expect(isRare(operationNamed(name))).toBe(false);
});

it('pairs every quiet form with an operation that sets all flags, cannot fault and is otherwise the same', () => {
  for (const row of OPERATIONS) {
    if (row.quiet === undefined) continue;
    expect(row).toMatchObject({ reads: 0, writes: ALL_FLAGS, mayFault: false });
    expect(operationNamed(row.quiet)).toMatchObject({
      quietOf: row.name,
      action: row.action,
      form: row.form,
      size: row.size,
      reads: 0,
      alters: 0,
    });
  }
});

it('joins an operation with a branch of its condition, or of one that asks for the same behind it', () => {
  for (const row of OPERATIONS) {
    for (const [code, name] of row.joined ?? []) {
      const joined = operationNamed(name);
      expect(joined).toMatchObject({ action: row.action, size: row.size, ends: true, writes: row.writes, mayFault: row.mayFault });
      if (row.action !== 'test') expect(joined.condition).toBe(code);
    }
  }
});

it('says that all flags are written only where none can stay', () => {
  for (const { name, writes, alters } of OPERATIONS) expect([name, writes & ~alters]).toEqual([name, 0]);
  expect(operationNamed('inc_r64').writes).toBe(ALL_FLAGS & ~CF);
  expect(operationNamed('shl_rc64')).toMatchObject({ writes: 0, alters: ALL_FLAGS });
});
