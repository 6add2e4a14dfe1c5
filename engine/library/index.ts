/** `memslot-lab/machine`: a machine for scripts in Node. docs/library.md has examples. */
export type * from '../machine/index';
export { createMachine, MachineError, Runner } from '../machine/index';
export type { Answer } from '../monitor/index';
export { bootLab, type LabOptions } from './boot';
export { Lab } from './lab';
