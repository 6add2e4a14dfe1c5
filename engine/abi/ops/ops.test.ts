import { expect, it } from 'vitest';
import { ALL_FLAGS, CF, isInline, OPERATIONS, operationNamed, operationNumber } from './index';

it('gives every operation a unique name and number', () => {
  expect(new Set(OPERATIONS.map(({ name }) => name)).size).toBe(OPERATIONS.length);
  for (const [number, { name }] of OPERATIONS.entries()) expect(operationNumber(name)).toBe(number);
  expect(() => operationNumber('frobnicate')).toThrow(/'frobnicate'/);
});

it('lists inline operations before those out of line, and fits their numbers into a record', () => {
  const inline = OPERATIONS.filter(isInline).length;
  expect(OPERATIONS.slice(0, inline).every(isInline)).toBe(true);
  expect(OPERATIONS.length).toBeLessThan(0x10000);
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
