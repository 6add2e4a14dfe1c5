/** Prints engine/cpu/generated/lookups.ts: the core's queries of the table of operations, as static data and one function per query. */
import { ALU, ALU_FORMS, MULTIPLY_FORMS, type SHIFTS, TEST_FORMS, UNARY } from '../../engine/abi/ops/arithmetic';
import { ALL_FLAGS, isInline, OPERATIONS, type Operation, operationNumber } from '../../engine/abi/ops/index';
import { EXTEND_FORMS, MOVE_FORMS } from '../../engine/abi/ops/moves';

/** Operand forms as the decoder numbers them. */
const FORMS = [...new Set([...ALU_FORMS, ...MOVE_FORMS, ...TEST_FORMS])];
/** ModRM.reg of the shift group -> mnemonic; RCL and RCR run out of line. SDM 2D table A-6; /6 is SHL as well. */
const SHIFT_GROUP: readonly ((typeof SHIFTS)[number] | undefined)[] = ['rol', 'ror', undefined, undefined, 'shl', 'shr', 'shl', 'sar'];

/** The result of a lookup when no operation matches; NO_OPERATION in the core. */
const NONE = -1;
/** Number of the operation whose row matches `wanted`, or NONE. Two matches are an error in the query. */
function find(wanted: Readonly<Partial<Record<keyof Operation, string | number | undefined>>>): number {
  const fields = Object.entries(wanted) as [keyof Operation, unknown][];
  const found = OPERATIONS.filter(
    (row) => row.quietOf === undefined && row.joins === undefined && fields.every(([field, value]) => row[field] === value),
  );
  if (found.length > 1) throw new Error(`${JSON.stringify(wanted)} fits ${found.map(({ name }) => name).join(' and ')}`);
  return found.length === 0 ? NONE : operationNumber(found[0]!.name);
}

const upper = (text: string): string => text.toUpperCase();
const data = (type: string, values: readonly number[]): string => `memory.data<${type}>([${values.join(', ')}])`;

/** A lookup over a few small numbers: `axes` names and bounds them, `value` answers for one combination. */
function lookup(name: string, comment: string, axes: readonly (readonly [string, number])[], value: (...at: number[]) => number): string {
  let combinations: number[][] = [[]];
  for (const [, count] of axes) combinations = combinations.flatMap((at) => Array.from({ length: count }, (_, i) => [...at, i]));
  const index = axes
    .slice(1)
    .reduce((text, [axis, count]) => `${text.includes(' ') ? `(${text})` : text} * ${count} + ${axis}`, axes[0]![0]);
  const table = `${upper(name.replace(/[A-Z]/g, '_$&'))}_TABLE`;
  return `const ${table} = ${data(
    'i16',
    combinations.map((at) => value(...at)),
  )};
/** ${comment} */
@inline export function ${name}(${axes.map(([axis]) => `${axis}: i32`).join(', ')}): i32 {
  return <i32>load<i16>(${table} + (<usize>(${index}) << 1));
}`;
}

const TRAITS: readonly (readonly [name: string, comment: string, holds: (row: Operation) => boolean])[] = [
  ['ENDS', 'The operation is the last of its block.', (row) => row.ends],
  ['INLINE', 'A handler of the interpreter runs it, not a function.', isInline],
  ['LINKS', 'Its record holds links to blocks of its page.', (row) => row.family === 'branch' && row.form === 'near'],
  ['STACK', 'All its accesses are to the stack.', (row) => row.segment === 'stack'],
  ['EITHER', 'It has a memory operand and uses the stack.', (row) => row.segment === 'either'],
  ['SETS_FLAGS', 'It cannot fault and sets all arithmetic flags without reading one.', (row) => quietly(row) && row.writes === ALL_FLAGS],
  ['KEEPS_FLAGS', 'It cannot fault and neither reads nor sets arithmetic flags.', (row) => quietly(row) && row.alters === 0],
];
const quietly = (row: Operation): boolean => !row.mayFault && !row.ends && row.reads === 0;

function traits(): string {
  const constants = TRAITS.map(([name, comment], bit) => `/** ${comment} */\nexport const TRAIT_${name}: u32 = ${1 << bit};`);
  const values = OPERATIONS.map((row) => TRAITS.reduce((sum, [, , holds], bit) => sum | (holds(row) ? 1 << bit : 0), 0));
  return `${constants.join('\n')}
const TRAITS_TABLE = ${data('u8', values)};
/** TRAIT_* of an operation. */
@inline export function traitsOf(op: i32): u32 {
  return <u32>load<u8>(TRAITS_TABLE + <usize>op);
}`;
}

function joins(): string {
  const rows = OPERATIONS.filter((row) => row.joined !== undefined);
  const which = OPERATIONS.map((row) => rows.indexOf(row));
  const table = rows.flatMap(({ joined }) =>
    Array.from({ length: 16 }, (_, code) => {
      const name = joined!.get(code);
      return name === undefined ? NONE : operationNumber(name);
    }),
  );
  return `const JOIN_ROW = ${data('i8', which)};
const JOIN_TABLE = ${data('i16', table)};
/** The operation that runs \`op\` and a following Jcc of \`condition\`, or NO_OPERATION. */
export function joinedForm(op: i32, condition: u32): i32 {
  const row = <i32>load<i8>(JOIN_ROW + <usize>op);
  return row < 0 ? NO_OPERATION : <i32>load<i16>(JOIN_TABLE + (<usize>((row << 4) + <i32>condition) << 1));
}`;
}

const numbered = (prefix: string, names: readonly string[]): string[] =>
  names.map((name, index) => `export const ${prefix}_${upper(name)}: i32 = ${index};`);

export function lookupsText(): string {
  const size = ['size', 4] as const;
  const memory = ['inMemory', 2] as const;
  const form = ['form', FORMS.length] as const;
  return [
    '/** There is no such operation. */',
    `export const NO_OPERATION: i32 = ${NONE};`,
    ...numbered('FORM', FORMS),
    ...numbered('ALU', ALU),
    ...numbered('UNARY', UNARY),
    ...numbered('EXTEND', EXTEND_FORMS),
    traits(),
    lookup('quietForm', `The operation without its flags, or NO_OPERATION.`, [['op', OPERATIONS.length]], (op) => {
      const { quiet } = OPERATIONS[op!]!;
      return quiet === undefined ? NONE : operationNumber(quiet);
    }),
    joins(),
    lookup('aluOp', 'ADD to CMP: ALU_*, FORM_*, log2 of the size.', [['kind', ALU.length], form, size], (kind, f, s) =>
      find({ family: 'alu', action: ALU[kind!]!, form: FORMS[f!]!, size: s }),
    ),
    lookup('testOp', 'TEST.', [form, size], (f, s) => find({ family: 'test', form: FORMS[f!]!, size: s })),
    lookup('moveOp', 'MOV.', [form, size], (f, s) => find({ family: 'move', form: FORMS[f!]!, size: s })),
    lookup('unaryOp', 'INC to NOT: UNARY_*, on memory or a register.', [['kind', UNARY.length], memory, size], (kind, m, s) =>
      find({ family: 'unary', action: UNARY[kind!]!, form: m ? 'm' : 'r', size: s }),
    ),
    lookup(
      'extendOp',
      `MOVSX or MOVZX, log2 of both sizes, EXTEND_*. NO_OPERATION: another operation does the same.`,
      [
        ['signed', 2],
        ['from', 3],
        ['to', 4],
        ['form', EXTEND_FORMS.length],
      ],
      (signed, from, to, f) => find({ family: 'extend', action: signed ? 'movsx' : 'movzx', from, size: to, form: EXTEND_FORMS[f!]! }),
    ),
    lookup(
      'shiftOp',
      `Shift of a register by ModRM.reg, count in CL or immediate. NO_OPERATION: out of line.`,
      [['kind', 8], ['byCl', 2], size],
      (kind, cl, s) => {
        const action = SHIFT_GROUP[kind!];
        return action ? find({ family: 'shift', action, form: cl ? 'rc' : 'ri', size: s }) : NONE;
      },
    ),
    lookup(
      'multiplyOp',
      `IMUL with two operands, or three with an immediate. NO_OPERATION: out of line.`,
      [['immediate', 2], memory, size],
      (immediate, m, s) => find({ family: 'multiply', form: MULTIPLY_FORMS[immediate! * 2 + m!]!, size: s }),
    ),
    lookup('cmovOp', `CMOVcc. NO_OPERATION: out of line.`, [memory, size], (m, s) =>
      find({ action: 'cmov', form: m ? 'rm' : 'rr', size: s }),
    ),
    lookup('jccOp', 'Jcc.', [['condition', 16]], (condition) => find({ action: 'jcc', condition: condition! })),
    '',
  ].join('\n');
}
