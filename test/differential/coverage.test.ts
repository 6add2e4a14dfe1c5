/** A differential form runs every encoding that the core implements, or exceptions.ts gives the reason why not. */
import { describe, expect, it } from 'vitest';
import { isNoOpcode, MAPS, MODRM, OpcodeProbe, type Width } from '../../scripts/core/opcodes';
import { EXCEPTIONS, type Exception } from './exceptions';
import type { Form } from './form';
import { allForms } from './forms';

interface Encoding {
  width: Width;
  /** 66, F2, F3 */
  prefix: number | undefined;
  /** Escape and opcode. */
  opcode: readonly number[];
  modrm: number;
}

const isX87 = (opcode: number): boolean => opcode >> 3 === 0x1b;
const allRegisters = Array.from({ length: 64 }, (_, i) => 0xc0 + i);
const memory = (modrm: number): boolean => modrm < 0xc0;

function startsWith(bytes: readonly number[], start: readonly number[], plusReg: boolean): boolean {
  return (
    bytes.length >= start.length &&
    start.every((byte, i) => (plusReg && i === start.length - 1 ? bytes[i]! >> 3 === byte >> 3 : bytes[i] === byte))
  );
}

/** Where F2, F3 and 66 are not part of the opcode, they change nothing or the operand size. */
function prefixFits(form: Form, prefix: number | undefined): boolean {
  return form.mandatory === prefix || (form.mandatory === undefined && !form.fpu);
}

function covers(form: Form, { width, prefix, opcode, modrm }: Encoding): boolean {
  if (form.only === (width === 64 ? 'legacy' : 'long') || !prefixFits(form, prefix)) return false;
  // REX.R selects another register, not another instruction.
  const own = form.opcode[0] === 0x44 && width === 64 ? form.opcode.slice(1) : form.opcode;
  if (!startsWith([...opcode, modrm], own, form.plusReg === true) || own.length < opcode.length) return false;
  if (own.length > opcode.length) return true;
  if (form.modrm === undefined) return !isX87(opcode[0]!);
  if (form.digit !== undefined && form.digit !== ((modrm >> 3) & 7)) return false;
  return form.modrm === 'any' || (form.modrm === 'mem') === memory(modrm);
}

function excepts(exception: Exception, { opcode, modrm }: Encoding): boolean {
  if (exception.opcode.length !== opcode.length || !startsWith(opcode, exception.opcode, false)) return false;
  if (exception.modrm !== undefined) return exception.modrm === modrm;
  if (exception.digit !== undefined && exception.digit !== ((modrm >> 3) & 7)) return false;
  return exception.operand === undefined || (exception.operand === 'memory') === memory(modrm);
}

/** Every encoding of the coverage tables that the core implements; register forms of x87 and of 0F 01 one by one. */
function implemented(width: Width): Encoding[] {
  const probe = new OpcodeProbe();
  const found: Encoding[] = [];
  for (const [, lead] of MAPS) {
    const prefix = lead.length > 1 && lead[0] !== 0x0f ? lead[0] : undefined;
    for (let last = 0; last < 256; last++) {
      if (isNoOpcode(width, lead, last)) continue;
      const each = (lead.length === 0 && isX87(last)) || (lead.length === 1 && last === 0x01);
      for (const modrm of each ? [...MODRM.filter(memory), ...allRegisters] : MODRM) {
        if (probe.attempt(width, [...lead, last, modrm]) !== 'done') continue;
        found.push({ width, prefix, opcode: [...lead.slice(prefix === undefined ? 0 : 1), last], modrm });
      }
    }
  }
  return found;
}

const hex = (bytes: readonly number[]): string => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
const text = ({ prefix, opcode, modrm }: Encoding): string =>
  `${prefix === undefined ? '' : `${hex([prefix])} `}${hex([...opcode, modrm])}`;

describe.each([64, 32] as const)('%i-bit code', (width) => {
  const encodings = implemented(width);

  it('has a differential form or a reason for every implemented encoding', () => {
    expect(encodings.length).toBeGreaterThan(3000);
    const open = encodings.filter((encoding) => !EXCEPTIONS.some((each) => excepts(each, encoding)));
    expect(open.filter((encoding) => !allForms.some((form) => covers(form, encoding))).map(text)).toEqual([]);
  });

  it('has no reason for an encoding that is not implemented, or that a form runs after all', () => {
    for (const exception of EXCEPTIONS) {
      const own = encodings.filter((encoding) => excepts(exception, encoding));
      // 64-bit code has them all.
      if (width === 64) expect(own, exception.reason).not.toEqual([]);
      expect(own.filter((encoding) => allForms.some((form) => covers(form, encoding))).map(text), exception.reason).toEqual([]);
    }
  });
});
