/** The build of this program, if the build or the start script sets it (scripts/program.mjs). */
import type { MachineSpec } from '../snapshot/index';

declare const __LAB_PROGRAM__: string | undefined;

export const program: string | undefined = typeof __LAB_PROGRAM__ === 'undefined' ? undefined : __LAB_PROGRAM__;

/** Why a file or link from that build may behave differently here; '' if it is from this build, or its build is not known. */
export function otherProgram({ program: made }: MachineSpec, here = program): string {
  if (made === undefined || here === undefined || made === here) return '';
  return `it was made with another version of memslot-lab (${made}, this is ${here}), whose machine may behave differently`;
}

/** The same, worded as the end of a sentence. */
export function asReason(spec: MachineSpec): string {
  const other = otherProgram(spec);
  return other === '' ? '' : `; ${other}`;
}
