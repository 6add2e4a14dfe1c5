/** ADD to CMP, TEST, INC, DEC, NEG, NOT, the shifts, IMUL: the operations that compute flags in line. */
import { type Access, ALL_FLAGS, bits, CF, type Form, OF, type Operation, operation, SIZES, type Size, WIDE_SIZES } from './operation';

/** In the order of their opcodes: bits 5-3 of the opcode, or ModRM.reg of group 1. */
export const ALU = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'] as const;
export type Alu = (typeof ALU)[number];
export const ALU_FORMS = ['rr', 'ri', 'rm', 'rx', 'mr', 'mi'] as const;
export const QUIET_ALU = ['add', 'or', 'and', 'sub', 'xor'] as const;
export const TEST_FORMS = ['rr', 'ri', 'mr', 'mi'] as const;
export const UNARY = ['inc', 'dec', 'neg', 'not'] as const;
export const SHIFTS = ['shl', 'shr', 'sar', 'rol', 'ror'] as const;
export const MULTIPLY_FORMS = ['rr', 'rm', 'rri', 'rmi'] as const;

/** Condition codes for which a compare has a form joined with its branch. Overflow and parity are rare. */
export const COMPARE_CONDITIONS = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15] as const;
/** Z NZ S NS depend on the result alone. */
export const RESULT_CONDITIONS = [4, 5, 8, 9] as const;
export const JOIN_SIZES: readonly Size[] = [0, 2, 3];
export const JOIN_COMPARE_FORMS = ['rr', 'ri', 'rx', 'mr', 'mi'] as const;
export const JOIN_TEST_FORMS = ['rr', 'ri', 'mi'] as const;
export const JOIN_ALU = ['add', 'and', 'sub'] as const;

const isMemory = (form: Form): boolean => /[mx]/.test(form);
/** `rm` and `rmi` have no index here. Memory targets serve both. */
const isIndexed = (form: Form): boolean => isMemory(form) && form !== 'rm' && form !== 'rmi';
const member = <T>(list: readonly T[], value: unknown): boolean => list.includes(value as T);
/** Name of the form joined with Jcc of `code`. */
export const joinedName = (name: string, code: number): string => `${name}_j${code}`;
const joinedWith = (name: string, codes: readonly number[]): ReadonlyMap<number, string> =>
  new Map(codes.map((code) => [code, joinedName(name, code)]));

function accessOf(form: Form, writesTarget: boolean): Access {
  if (!isMemory(form)) return 'none';
  return (form === 'mr' || form === 'mi' || form === 'm') && writesTarget ? 'modify' : 'read';
}

function joinedForms(action: Alu, form: Form, size: Size, name: string): ReadonlyMap<number, string> | undefined {
  if (action === 'cmp' && member(JOIN_COMPARE_FORMS, form) && member(JOIN_SIZES, size)) return joinedWith(name, COMPARE_CONDITIONS);
  if (action === 'cmp' && form === 'rm' && member(JOIN_SIZES, size)) return joinedWith(`cmp_rx${bits(size)}`, COMPARE_CONDITIONS);
  if (member(JOIN_ALU, action) && member(['rr', 'ri'], form) && size >= 2) return joinedWith(name, RESULT_CONDITIONS);
  return undefined;
}

function alu(action: Alu, form: Form, size: Size): Operation {
  const name = `${action}_${form}${bits(size)}`;
  const quiet = member(QUIET_ALU, action) && (form === 'rr' || form === 'ri') && size >= 2;
  const joined = joinedForms(action, form, size, name);
  return operation({
    name,
    family: 'alu',
    action,
    form,
    size,
    indexed: isIndexed(form),
    access: accessOf(form, action !== 'cmp'),
    reads: action === 'adc' || action === 'sbb' ? CF : 0,
    writes: ALL_FLAGS,
    ...(quiet ? { quiet: `${name}_quiet` } : {}),
    ...(joined ? { joined } : {}),
  });
}

/** TEST clears CF and OF, so BE equals Z, L equals S, and so on. */
const AFTER_LOGIC: readonly (readonly [code: number, same: number])[] = [
  [4, 4],
  [5, 5],
  [6, 4],
  [7, 5],
  [8, 8],
  [9, 9],
  [12, 8],
  [13, 9],
  [14, 14],
  [15, 15],
];

function test(form: Form, size: Size): Operation {
  const name = `test_${form}${bits(size)}`;
  const joins = member(JOIN_TEST_FORMS, form) && member(JOIN_SIZES, size);
  return operation({
    name,
    family: 'test',
    action: 'test',
    form,
    size,
    indexed: isIndexed(form),
    access: accessOf(form, false),
    writes: ALL_FLAGS,
    ...(joins ? { joined: new Map(AFTER_LOGIC.map(([code, same]) => [code, joinedName(name, same)])) } : {}),
  });
}

function unary(action: (typeof UNARY)[number], form: 'r' | 'm', size: Size): Operation {
  const name = `${action}_${form}${bits(size)}`;
  const counts = action === 'inc' || action === 'dec';
  return operation({
    name,
    family: 'unary',
    action,
    form,
    size,
    indexed: isIndexed(form),
    access: accessOf(form, true),
    writes: action === 'not' ? 0 : counts ? ALL_FLAGS & ~CF : ALL_FLAGS,
    ...(counts && form === 'r' && size >= 2 ? { joined: joinedWith(name, RESULT_CONDITIONS) } : {}),
  });
}

/** Shifts of a register. An immediate count is never 0 (the decoder ensures that); a count of 0 in CL leaves the flags alone. */
function shifts(action: (typeof SHIFTS)[number], size: Size): Operation[] {
  const altered = action === 'rol' || action === 'ror' ? CF | OF : ALL_FLAGS;
  const common = { family: 'shift', action, size } as const;
  const name = `${action}_ri${bits(size)}`;
  const quiet = altered === ALL_FLAGS ? `${name}_quiet` : undefined;
  return [
    operation({ ...common, name, form: 'ri', writes: altered, ...(quiet ? { quiet } : {}) }),
    operation({ ...common, name: `${action}_rc${bits(size)}`, form: 'rc', alters: altered }),
    ...(quiet ? [operation({ ...common, name: quiet, form: 'ri', quietOf: name })] : []),
  ];
}

function multiply(form: (typeof MULTIPLY_FORMS)[number], size: Size): Operation {
  return operation({
    name: `imul_${form}${bits(size)}`,
    family: 'multiply',
    action: 'imul',
    form,
    size,
    indexed: isMemory(form),
    access: accessOf(form, false),
    writes: ALL_FLAGS,
  });
}

const aluRows = ALU.flatMap((action) => ALU_FORMS.flatMap((form) => SIZES.map((size) => alu(action, form, size))));
const testRows = TEST_FORMS.flatMap((form) => SIZES.map((size) => test(form, size)));
const unaryRows = UNARY.flatMap((action) => (['r', 'm'] as const).flatMap((form) => SIZES.map((size) => unary(action, form, size))));

const quietRows = QUIET_ALU.flatMap((action) =>
  (['rr', 'ri'] as const).flatMap((form) =>
    WIDE_SIZES.map((size) => {
      const quietOf = `${action}_${form}${bits(size)}`;
      return operation({ name: `${quietOf}_quiet`, family: 'alu', action, form, size, quietOf });
    }),
  ),
);

export const arithmetic: readonly Operation[] = [...aluRows, ...quietRows, ...testRows, ...unaryRows];
export const shiftsAndProducts: readonly Operation[] = [
  ...SHIFTS.flatMap((action) => WIDE_SIZES.flatMap((size) => shifts(action, size))),
  ...MULTIPLY_FORMS.flatMap((form) => WIDE_SIZES.map((size) => multiply(form, size))),
];

/** The joined forms of an operation: one handler runs it and the Jcc after it. */
function joinedRows(row: Operation): Operation[] {
  if (row.form === 'rm') return []; // shares the handlers of `rx`
  const own = [...(row.joined ?? [])].filter(([code, name]) => name === joinedName(row.name, code));
  return own.map(([code, name]) => {
    const { joined, quiet, ...rest } = row;
    return { ...rest, name, condition: code, joins: row.name, ends: true };
  });
}

export const joined: readonly Operation[] = [
  ...aluRows.filter((row) => row.action === 'cmp'),
  ...testRows,
  ...aluRows.filter((row) => row.action !== 'cmp'),
  ...unaryRows,
].flatMap(joinedRows);
