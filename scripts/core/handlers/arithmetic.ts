/** Handlers of the operations that compute flags in line. */
import { bits, type Form, type Operation, type Size } from '../../../engine/abi/ops/index';
import {
  address,
  flags,
  immediate,
  modifyRead,
  modifyWrite,
  NEXT,
  names,
  readMemory,
  readRegister,
  signed,
  wrap,
  writeMemory,
  writeRegister,
} from './templates';

/** First and second operand into their locals. `modify`: a memory target will be written. */
function operands(form: Form, size: Size, indexed: boolean, modify: boolean): string {
  const { a, b, type } = names(size);
  const first = `${a} = ${readRegister(size, 'R_DST')};`;
  if (form === 'rr') return `${first} ${b} = ${readRegister(size, 'R_SRC')};`;
  if (form === 'ri') return `${first} ${b} = ${immediate(size)};`;
  if (form === 'rm' || form === 'rx') return `${address(indexed)} ${readMemory(size, b, type)} ${first}`;
  const second = `${b} = ${form === 'mr' ? readRegister(size, 'R_SRC') : immediate(size)};`;
  return `${address(indexed)} ${modify ? modifyRead(size, a, type) : readMemory(size, a, type)} ${second}`;
}

function compute(action: string, size: Size): string {
  const { a, b, r, type } = names(size);
  const set = (text: string): string => `${r} = ${wrap(size, text)};`;
  switch (action) {
    case 'add':
      return set(`${a} + ${b}`);
    case 'or':
      return set(`${a} | ${b}`);
    case 'and':
    case 'test':
      return set(`${a} & ${b}`);
    case 'xor':
      return set(`${a} ^ ${b}`);
    case 'adc':
      return `n = <i32>carry(); ${set(`${a} + ${b} + <${type}>n`)}`;
    case 'sbb':
      return `n = <i32>carry(); ${set(`${a} - ${b} - <${type}>n`)}`;
    case 'sub':
    case 'cmp':
      return set(`${a} - ${b}`);
    default:
      throw new Error(`no formula for '${action}'`);
  }
}

function flagsOf(action: string, size: Size): string {
  const { a, b, r } = names(size);
  const top = bits(size) - 1;
  if (action === 'add') return flags('ADD', size);
  if (action === 'sub' || action === 'cmp') return flags('SUB', size);
  if (action === 'adc') {
    const cf = `u32(${r} < ${a} || (n != 0 && ${r} == ${a}))`;
    return flags('RES', size, `${cf} | (<u32>(${a} ^ ${b} ^ ${r}) & 16) | ((<u32>(((${a} ^ ${r}) & (${b} ^ ${r})) >> ${top}) & 1) << 11)`);
  }
  if (action === 'sbb') {
    const cf = `u32(${a} < ${b} || (n != 0 && ${a} == ${b}))`;
    return flags('RES', size, `${cf} | (<u32>(${a} ^ ${b} ^ ${r}) & 16) | ((<u32>(((${a} ^ ${b}) & (${a} ^ ${r})) >> ${top}) & 1) << 11)`);
  }
  return flags('LOGIC', size);
}

/** ADD to CMP, and TEST, without the continuation: the next record or the joined branch. */
export function aluBody({ action, form, indexed, access, quietOf }: Operation, size: Size): string {
  const { r } = names(size);
  const writes = action !== 'cmp' && action !== 'test';
  const finish = !writes ? '' : access === 'modify' ? modifyWrite(size, r) : writeRegister(size, 'R_DST', r);
  const set = quietOf ? '' : flagsOf(action, size);
  return `${operands(form, size, indexed, access === 'modify')} ${compute(action, size)} ${finish} ${set}`;
}

/** INC DEC NEG NOT on a register or on memory. */
export function unaryBody({ action, form, indexed }: Operation, size: Size): string {
  const { a, r, type } = names(size);
  const load = form === 'r' ? `${a} = ${readRegister(size, 'R_DST')};` : `${address(indexed)} ${modifyRead(size, a, type)}`;
  const text: Readonly<Record<string, string>> = { inc: `${a} + 1`, dec: `${a} - 1`, neg: `0 - ${a}`, not: `~${a}` };
  const counts = action === 'inc' || action === 'dec';
  const keep = counts ? 'n = <i32>carry();' : '';
  const save = form === 'r' ? writeRegister(size, 'R_DST', r) : modifyWrite(size, r);
  const set =
    action === 'not' ? '' : action === 'neg' ? `${a} = 0; ${flags('SUB', size)}` : flags(action === 'inc' ? 'INC' : 'DEC', size, '<u32>n');
  return `${load} ${keep} ${r} = ${wrap(size, text[action]!)}; ${save} ${set}`;
}

/** Shifts of a register; the count is masked by the decoder (immediate, never 0) or here (CL). */
export function shiftHandler({ action, form, quietOf }: Operation, size: Size): string {
  const { a, r, type } = names(size);
  const top = bits(size) - 1;
  const count = `<${type}>n`;
  const formula: Readonly<Record<string, string>> = {
    shl: `${a} << ${count}`,
    shr: `${a} >> ${count}`,
    sar: `<${type}>(${signed(size, a)} >> ${count})`,
    rol: `rotl<${type}>(${a}, ${count})`,
    ror: `rotr<${type}>(${a}, ${count})`,
  };
  const lastOut: Readonly<Record<string, string>> = {
    shl: `<u32>(${a} >> <${type}>(${bits(size)} - n)) & 1`,
    shr: `<u32>(${a} >> <${type}>(n - 1)) & 1`,
    sar: `<u32>(${signed(size, a)} >> <${type}>(n - 1)) & 1`,
    rol: `<u32>${r} & 1`,
    ror: `<u32>(${r} >> ${top})`,
  };
  // OF is defined for a count of 1 only; with other counts it gets the same formula, as on Intel processors.
  const over: Readonly<Record<string, string>> = {
    shl: `(t ^ <u32>(${r} >> ${top}))`,
    shr: `(<u32>(${a} >> ${top}) & u32(n == 1))`,
    sar: '0',
    rol: `((<u32>(${r} >> ${top}) ^ <u32>${r}) & 1)`,
    ror: `(<u32>((${r} >> ${top}) ^ (${r} >> ${top - 1})) & 1)`,
  };
  const read = `${a} = ${readRegister(size, 'R_DST')};`;
  if (quietOf) return `n = <i32>load<u8>(p, R_IMM); ${read} ${writeRegister(size, 'R_DST', formula[action]!)} ${NEXT}`;
  const set =
    action === 'rol' || action === 'ror'
      ? `setArithmeticFlags((arithmeticFlags() & ~(F_CF | F_OF)) | t | (${over[action]} << 11));`
      : flags('RES', size, `t | (${over[action]} << 11)`);
  const run = `${read} ${r} = ${formula[action]}; t = ${lastOut[action]}; ${writeRegister(size, 'R_DST', r)} ${set} ${NEXT}`;
  if (form === 'ri') return `n = <i32>load<u8>(p, R_IMM); ${run}`;
  // A count of 0 changes nothing but the upper half of a 32-bit register.
  const still = size === 2 ? `${read} ${writeRegister(size, 'R_DST', a)}` : '';
  return `n = <i32>load<u8>(c, 8) & ${top}; if (n == 0) { ${still} ${NEXT} } ${run}`;
}

/** IMUL with two or three operands. */
export function multiplyHandler({ form, indexed, access }: Operation, size: Size): string {
  const { a, b, r, type } = names(size);
  const source = access === 'read' ? `${address(indexed)} ${readMemory(size, a, type)}` : `${a} = ${readRegister(size, 'R_SRC')};`;
  const second = form.endsWith('i') ? `${b} = ${immediate(size)};` : `${b} = ${readRegister(size, 'R_DST')};`;
  const lost =
    size === 2
      ? 'y = <u64>(<i64><i32>a * <i64><i32>b); r = <u32>y; t = u32(<i64>y != <i64><i32>r);'
      : 'z = x * y; t = u32(<i64>mulHighSigned(x, y) != <i64>z >> 63);';
  return `${source} ${second} ${lost} ${writeRegister(size, 'R_DST', r)} ${flags('RES', size, 't | (t << 11)')} ${NEXT}`;
}

/** MOV in all its forms. */
export function moveHandler({ form, indexed }: Operation, size: Size): string {
  const { a, type } = names(size);
  switch (form) {
    case 'rr':
      return `${writeRegister(size, 'R_DST', readRegister(size, 'R_SRC'))} ${NEXT}`;
    case 'ri':
      return `${writeRegister(size, 'R_DST', immediate(size))} ${NEXT}`;
    case 'rm':
    case 'rx':
      return `${address(indexed)} ${readMemory(size, a, type)} ${writeRegister(size, 'R_DST', a)} ${NEXT}`;
    default: {
      const value = form === 'mi' ? immediate(size) : readRegister(size, 'R_SRC');
      return `${address(indexed)} ${a} = ${value}; ${writeMemory(size, a)} ${NEXT}`;
    }
  }
}
