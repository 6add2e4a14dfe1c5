import { expect, it } from 'vitest';
import { operationBreaches } from './operations.mjs';

const IMPORTS = `import { OP_CALL64, OP_STOP } from './generated/ops';
import { aluOp, FORM_RR, TRAIT_ENDS, traitsOf } from './generated/lookups';
`;
const breaches = (code: string): number => operationBreaches('engine/cpu/x.ts', IMPORTS + code).length;

it('reports a range of operation numbers', () => {
  expect(breaches('const op = <i32>load<u16>(p, R_OP); if (op >= OP_CALL64) stop();')).toBe(1);
});

it('reports arithmetic on the answer of a lookup, through a variable as well', () => {
  expect(breaches('emit(aluOp(1, FORM_RR, 2) + 4);')).toBe(1);
  expect(breaches('let op: i32 = OP_STOP; if (wide) op = aluOp(1, FORM_RR, 2); emit(op + 1);')).toBe(1);
});

it('lets numbers be compared for equality, and everything else be computed', () => {
  expect(
    breaches('if (<i32>load<u16>(p, R_OP) == OP_STOP && traitsOf(op) & TRAIT_ENDS) emit(aluOp(kind + 1, FORM_RR + 1, size - 2));'),
  ).toBe(0);
});

it('reports a record written past its setters', () => {
  expect(breaches('store<u16>(r, 4, R_DST); store<u64>(r, 4, OTHER);')).toBe(1);
});

it('reports an address outside the map', () => {
  expect(breaches('const CELL: usize = 0x14f000; const MASK: usize = 0x1ffe0; const OF_MAP: usize = VCPU_LEFT;')).toBe(1);
});
