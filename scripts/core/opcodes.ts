/** Tries opcodes on the built core. An encoding is missing when it is logged as not implemented. */
import { LOG_UNIMPLEMENTED } from '../../engine/abi/exits';
import { VCPU_CR0, VCPU_CR4, VCPU_EFER, VCPU_FAULT_VECTOR, VCPU_HALTED } from '../../engine/abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const DATA = 0x20000;
const UD = 6;

export type Width = 32 | 64;
export type Attempt = 'done' | 'undefined' | 'missing';

/** The opcode maps: name, and the bytes before the opcode. */
export const MAPS: readonly (readonly [string, readonly number[]])[] = [
  ['One-byte opcodes', []],
  ['0F', [0x0f]],
  ['66 0F', [0x66, 0x0f]],
  ['F2 0F', [0xf2, 0x0f]],
  ['F3 0F', [0xf3, 0x0f]],
  ['0F 38', [0x0f, 0x38]],
  ['66 0F 38', [0x66, 0x0f, 0x38]],
  ['F2 0F 38', [0xf2, 0x0f, 0x38]],
  ['0F 3A', [0x0f, 0x3a]],
  ['66 0F 3A', [0x66, 0x0f, 0x3a]],
];

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** A prefix or an escape to another map: no instruction. */
export function isNoOpcode(width: Width, lead: readonly number[], opcode: number): boolean {
  if (lead.length === 0) return PREFIXES.has(opcode) || opcode === 0x0f || (width === 64 && opcode >> 4 === 4);
  return lead.at(-1) === 0x0f && (opcode === 0x38 || opcode === 0x3a);
}

/** ModRM bytes that represent all others: every ModRM.reg with a register and a memory operand. */
export const MODRM: readonly number[] = Array.from({ length: 16 }, (_, i) => (i & 1 ? 0 : 0xc0) | ((i >> 1) << 3));

export class OpcodeProbe {
  readonly #core = new TestCore(0x400000);

  attempt(width: Width, bytes: readonly number[]): Attempt {
    const core = this.#core;
    core.core.resetVcpu(0);
    if (width === 64) core.longMode(CODE);
    else core.flat32(CODE);
    core.set64(VCPU_CR0, core.get64(VCPU_CR0) | 0x22n);
    core.set64(VCPU_CR4, core.get64(VCPU_CR4) | 0x600n);
    core.set64(VCPU_EFER, core.get64(VCPU_EFER) | 1n);
    core.core.stateChanged(0);
    for (const name of ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi'] as const) core.setReg(name, DATA);
    core.setReg('rsp', 0x80000);
    core.set32(VCPU_FAULT_VECTOR, 0xffff);
    core.set32(VCPU_HALTED, 0);
    core.logs.length = 0;
    core.poke(CODE, [...bytes, ...new Array<number>(16 - bytes.length).fill(0)]);
    core.run(1);
    if (core.logs.some(([code]) => code === LOG_UNIMPLEMENTED)) return 'missing';
    const first = core.logs.length > 0 ? core.logs[0]![1] : -1; // without an IDT a fault ends as a triple fault whose log names it
    return first === UD ? 'undefined' : 'done';
  }
}
