/** The part of docs/x86-coverage.md that is printed from the table of operations. */
import { AF, bits, CF, INLINE, isInline, OF, OPERATIONS, type Operation, PF, SF, ZF } from '../../engine/abi/ops/index';

const LETTERS: readonly (readonly [string, number])[] = [
  ['C', CF],
  ['P', PF],
  ['A', AF],
  ['Z', ZF],
  ['S', SF],
  ['O', OF],
];
const flags = (mask: number): string =>
  LETTERS.filter(([, bit]) => mask & bit)
    .map(([letter]) => letter)
    .join('');
const unique = (values: readonly (string | number | undefined)[]): string =>
  [...new Set(values.filter((value) => value !== undefined))].join(' ');

/** One line for all rows of a family that do the same. */
function line(rows: readonly Operation[]): string {
  const first = rows[0]!;
  const basic = rows.filter((row) => row.quietOf === undefined && row.joins === undefined);
  const union = (pick: (row: Operation) => number): number => basic.reduce((sum, row) => sum | pick(row), 0);
  const always = basic.reduce((sum, row) => sum & row.writes, basic[0]!.writes);
  const maybe = union((row) => row.alters) & ~always;
  const written = [flags(always), maybe === 0 ? '' : `(${flags(maybe)})`].join('');
  const marks = [
    basic.some((row) => row.mayFault) ? 'faults' : '',
    first.ends ? 'ends' : '',
    basic.some((row) => row.stack) ? 'stack' : '',
    rows.some((row) => row.quietOf !== undefined) ? 'quiet' : '',
    rows.some((row) => row.joins !== undefined) ? 'joined' : '',
  ];
  const sizes = unique(basic.map(({ size }) => (size === undefined ? undefined : bits(size))));
  const cells = [first.action, unique(basic.map(({ form }) => form)), sizes, flags(union((row) => row.reads)), written];
  return `| ${[...cells, unique(marks.filter((mark) => mark !== ''))].join(' | ')} |`;
}

function table(rows: readonly Operation[]): string[] {
  const groups = new Map<string, Operation[]>();
  for (const row of rows) groups.set(`${row.family} ${row.action}`, [...(groups.get(`${row.family} ${row.action}`) ?? []), row]);
  return ['| operation | forms | bits | reads | writes | |', '|---|---|---|---|---|---|', ...[...groups.values()].map(line)];
}

export function operationsPage(): string {
  return [
    '## Operations',
    '',
    'The operations that an instruction can decode to (engine/abi/ops). Forms: `r` register, `i` immediate, `m` and `x` memory without and with an index,',
    '`c` count in CL, `near` a branch target, `rm?` register or memory. Flags by their first letters, in parentheses those that may stay unchanged.',
    '`faults`: it may raise an exception or access a device; `ends`: it ends its block; `stack`: it pushes or pops; `quiet`: it has a form without flags;',
    '`joined`: it has forms with the following Jcc.',
    '',
    '### In line',
    '',
    ...table(INLINE),
    '',
    '### Out of line',
    '',
    ...table(OPERATIONS.filter((row) => !isInline(row))),
    '',
  ].join('\n');
}
