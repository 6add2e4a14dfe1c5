/** x87 instructions: calls of the core's short ways (engine/cpu/fpu/fast.ts), or of the general handler. */
import type { Emitter } from './emitter';
import type { Instruction } from './records';

/** Low bytes of R_FPU: opcode, ModRM; above them the short way, 0 where there is none. */
const wordOf = (at: Instruction): number => at.low >>> 0;

export const isX87 = (at: Instruction): boolean => at.row.name === 'fpu';

/** FCOMI, FUCOMI, FCOMIP, FUCOMIP: DB and DF, ModRM.reg 5 and 6. */
function setsFlags(word: number): boolean {
  const reg = (word >> 11) & 7;
  return ((word & 0xff) === 0xdb || (word & 0xff) === 0xdf) && (word & 0xc000) === 0xc000 && (reg === 5 || reg === 6);
}

export function x87(e: Emitter, at: Instruction): void {
  const word = wordOf(at);
  if (word >>> 16 === 0) e.callCold(at);
  else e.callX87(at, setsFlags(word));
}
