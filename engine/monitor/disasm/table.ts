/**
 * The opcode tables as rows, from their text. A row: KEY MNEMONIC [OPERANDS].
 *
 * KEY      [PREFIX.]OPCODE[/DIGIT | =MODRM][+STEP][:CONDITIONS]
 *   PREFIX   np (no 66, F3, F2), 66, f3, f2: the mandatory prefix; np for rows that have siblings with one, none for rows that do not care.
 *            mx, fp, pp stand for several (opcodes-simd.ts)
 *   DIGIT    ModRM.reg, or * for the position in the mnemonic's {list}
 *   MODRM    the whole byte
 *   CONDITIONS  r m: rm is a register, memory; n l: not in, only in 64-bit mode; w: with REX.W; o: without REX.B
 * +STEP    one opcode (or MODRM) each STEP for each name of {list}; "-" names nothing. +r: eight, the register in the low bits
 * MNEMONIC  * w l q by operand size; ^ the same for stack operands; % no more than l; ~ l q by REX.W; @ l q by mode; $ w l q by mode;
 *           a|b|c by operand size, a&b&c by address size; ? the comparison that the immediate names;
 *           a = before it: AT&T shows the operands in Intel's order
 * OPERANDS  Intel's order; the letters are in operands.ts
 *
 * The first row that fits is taken.
 */
import { ONE_BYTE, THREE_BYTE, TWO_BYTE } from './opcodes-integer';
import { SIMD } from './opcodes-simd';
import { X87 } from './opcodes-x87';

export type Mandatory = 'np' | '66' | 'f3' | 'f2';

export interface Row {
  mnemonic: string;
  operands: readonly string[];
  prefix: Mandatory | undefined;
  digit: number | undefined;
  modrm: number | undefined;
  conditions: string;
}

export interface Opcode {
  rows: Row[];
  hasModrm: boolean;
}

/** Opcodes of the four maps: 00..FF, 0F00.., 0F3800.., 0F3A00... */
const opcodes = new Map<number, Opcode>();
export const opcodeOf = (opcode: number): Opcode | undefined => opcodes.get(opcode);

const KEY = /^(?:(np|66|f3|f2|mx|fp|pp)\.)?([0-9a-f]{2,6})(?:\/([0-7*])|=([0-9a-f]{2}))?(?:\+([0-9r]+))?(?::([rmnlwo]+))?$/;
const SUFFIXES: readonly (readonly [Mandatory, string])[] = [
  ['np', 'ps'],
  ['66', 'pd'],
  ['f3', 'ss'],
  ['f2', 'sd'],
];

function parse(line: string): void {
  const [key = '', ...words] = line.split(/ (?![^{]*\})/);
  const match = KEY.exec(key);
  if (!match || words.length < 1 || words.length > 2) throw new Error(`opcode table: ${line}`);
  const [, prefix, code, digit, modrm, step, conditions = ''] = match;
  const operands = words[1]?.split(',') ?? [];
  names(words[0]!, step).forEach((name, index) => {
    if (name === '') return;
    const by = step === undefined ? 0 : index * (step === 'r' ? 1 : Number(step));
    const opcode = Number.parseInt(code!, 16) + (modrm === undefined ? by : 0);
    const row = {
      digit: digit === undefined ? undefined : digit === '*' ? index : Number(digit),
      modrm: modrm === undefined ? undefined : Number.parseInt(modrm, 16) + by,
      conditions,
    };
    for (const variant of variants(prefix, name, operands)) add(opcode, { ...row, ...variant });
  });
}

/** "{a b -}x" -> ax, bx, nothing. */
function names(mnemonic: string, step: string | undefined): string[] {
  if (step === 'r') return Array<string>(8).fill(mnemonic);
  const list = /^(.*)\{(.*)\}(.*)$/.exec(mnemonic);
  if (!list) return [mnemonic];
  return list[2]!.split(' ').map((name) => (name === '-' ? '' : list[1]! + name + list[3]!));
}

function variants(
  prefix: string | undefined,
  mnemonic: string,
  operands: readonly string[],
): Pick<Row, 'prefix' | 'mnemonic' | 'operands'>[] {
  switch (prefix) {
    case 'mx':
      return [
        { prefix: 'np', mnemonic, operands },
        { prefix: '66', mnemonic, operands: operands.map((operand) => ({ P: 'V', Q: 'W' })[operand] ?? operand) },
      ];
    case 'pp':
      // The p is in the name: UCOMISS and COMISS have none.
      return SUFFIXES.slice(0, 2).map(([mandatory, letters]) => ({ prefix: mandatory, mnemonic: mnemonic + letters[1], operands }));
    case 'fp':
      return SUFFIXES.map(([mandatory, letters]) => ({ prefix: mandatory, mnemonic: mnemonic + letters, operands }));
    default:
      return [{ prefix: prefix as Mandatory | undefined, mnemonic, operands }];
  }
}

/** First letters of the operands that ModRM names. */
const MODRM_OPERAND = /^\*?[EGMRSCDVWPQ]|^F[i0]/;
const FIXED_OPERAND = /^(?:EAX|ES|CS|DS|SS|GS|FS|DX|ECX|CL)$/;

function add(opcode: number, row: Row): void {
  let entry = opcodes.get(opcode);
  if (!entry) {
    entry = { rows: [], hasModrm: false };
    opcodes.set(opcode, entry);
  }
  entry.rows.push(row);
  const named = row.operands.some((operand) => MODRM_OPERAND.test(operand) && !FIXED_OPERAND.test(operand));
  if (named || row.digit !== undefined || row.modrm !== undefined) entry.hasModrm = true;
}

for (const text of [ONE_BYTE, TWO_BYTE, THREE_BYTE, SIMD, X87]) {
  for (const line of text.split('\n')) if (line !== '') parse(line);
}
