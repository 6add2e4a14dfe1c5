export { disassemble, type Instruction } from './disassemble';
export type { Bits } from './fields';
export { instructionsBefore, instructionsFrom, type Placed, qemuLines, type Read, unreadable } from './listing';
