/** Implemented encodings that no differential form runs, with the reasons. coverage.test.ts accepts no others. */

export interface Exception {
  /** Escape bytes and opcode, without prefixes. */
  opcode: readonly number[];
  /** ModRM.reg; undefined: all. */
  digit?: number;
  /** The whole ModRM byte. */
  modrm?: number;
  /** Only with a memory or only with a register operand. */
  operand?: 'memory' | 'register';
  reason: string;
}

const KERNEL = "it enters the host's kernel";
const OWN = 'its result depends on the processor that runs it';
const UMIP = 'with CR4.UMIP the host faults or its kernel emulates a result, without it the result is the host’s tables';

export const EXCEPTIONS: readonly Exception[] = [
  { opcode: [0x0f, 0x05], reason: `SYSCALL: ${KERNEL}` },
  { opcode: [0x0f, 0x34], reason: `SYSENTER: ${KERNEL}` },
  { opcode: [0x0f, 0xa2], reason: `CPUID: ${OWN}` },
  { opcode: [0x0f, 0x31], reason: 'RDTSC: a different value every time' },
  { opcode: [0x0f, 0x01], modrm: 0xf9, reason: 'RDTSCP: a different value every time' },
  { opcode: [0x0f, 0x33], reason: 'RDPMC: the host decides whether user code may use it (CR4.PCE), and the value differs every time' },
  { opcode: [0x0f, 0xc7], digit: 6, operand: 'register', reason: 'RDRAND: a different value every time' },
  { opcode: [0x0f, 0x00], digit: 0, reason: `SLDT: ${UMIP}` },
  { opcode: [0x0f, 0x00], digit: 1, reason: `STR: ${UMIP}` },
  { opcode: [0x0f, 0x01], digit: 0, operand: 'memory', reason: `SGDT: ${UMIP}` },
  { opcode: [0x0f, 0x01], digit: 1, operand: 'memory', reason: `SIDT: ${UMIP}` },
  { opcode: [0x0f, 0x01], digit: 4, reason: `SMSW: ${UMIP}` },
];
