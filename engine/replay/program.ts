/** Which build of the program this is, where whoever builds or starts it says so (scripts/program.mjs). */
import type { MachineSpec } from '../snapshot/index';

declare const __LAB_PROGRAM__: string | undefined;

export const program: string | undefined = typeof __LAB_PROGRAM__ === 'undefined' ? undefined : __LAB_PROGRAM__;

/** Why what was made there may lead elsewhere here; '' when it was made by this very program, or nobody knows. */
export function otherProgram({ program: made }: MachineSpec, here = program): string {
  if (made === undefined || here === undefined || made === here) return '';
  return `it was made with another version of memslot-lab (${made}, this is ${here}), whose machine may do other things`;
}

/** The same as the end of a sentence. */
export function asReason(spec: MachineSpec): string {
  const other = otherProgram(spec);
  return other === '' ? '' : `; ${other}`;
}
