/** Names features that the processor lacks, for the log: which instruction a guest ran, and what to use instead. */
import { ABSENT_NESTED_TASK, ABSENT_TASK_GATE, ABSENT_TASK_SWITCH, ABSENT_VIRTUAL_8086 } from '../abi/exits';

interface Family {
  name: string;
  instead: string;
}

const V2 = 'build the program for x86-64-v2, or let it ask CPUID first';
const ASK = 'CPUID does not claim it: let the guest ask CPUID first';
const PLAIN = 'use the plain instructions instead, as CPUID requires';

/** Families by opcode after the legacy prefixes and REX: hexadecimal, `/n` a ModRM.reg, `m` and `r` a memory and a register operand. The first match counts. */
const FAMILIES: readonly (readonly [opcode: string, name: string, instead: string])[] = [
  ['c4', 'AVX (VEX prefix)', V2],
  ['c5', 'AVX (VEX prefix)', V2],
  ['62', 'AVX-512 (EVEX prefix)', V2],
  ['8f', 'XOP', V2],
  ['0f0e', 'FEMMS (3DNow!)', PLAIN],
  ['0f0f', '3DNow!', PLAIN],
  ['0f01', 'a system extension (VMX, SVM, SMX, MONITOR, XSETBV)', ASK],
  ['0f38f0', 'MOVBE', PLAIN],
  ['0f38f1', 'MOVBE', PLAIN],
  ['0f38f6', 'ADX', PLAIN],
  ['0f38c8', 'SHA', PLAIN],
  ['0f38c9', 'SHA', PLAIN],
  ['0f38ca', 'SHA', PLAIN],
  ['0f38cb', 'SHA', PLAIN],
  ['0f38cc', 'SHA', PLAIN],
  ['0f38cd', 'SHA', PLAIN],
  ['0f3acc', 'SHA', PLAIN],
  ['0f38db', 'AES-NI', PLAIN],
  ['0f38dc', 'AES-NI', PLAIN],
  ['0f38dd', 'AES-NI', PLAIN],
  ['0f38de', 'AES-NI', PLAIN],
  ['0f38df', 'AES-NI', PLAIN],
  ['0f3adf', 'AES-NI', PLAIN],
  ['0f3a44', 'PCLMULQDQ', PLAIN],
  ['0f78', 'VMX', ASK],
  ['0f79', 'VMX', ASK],
  ['0fae/4m', 'XSAVE', 'use FXSAVE, as CPUID requires'],
  ['0fae/5m', 'XRSTOR', 'use FXRSTOR, as CPUID requires'],
  ['0fae/6m', 'XSAVEOPT or CLWB', 'use FXSAVE or CLFLUSH, as CPUID requires'],
  ['0fae/0r', 'RDFSBASE', 'use RDMSR of IA32_FS_BASE'],
  ['0fae/1r', 'RDGSBASE', 'use RDMSR of IA32_GS_BASE'],
  ['0fae/2r', 'WRFSBASE', 'use WRMSR to IA32_FS_BASE'],
  ['0fae/3r', 'WRGSBASE', 'use WRMSR to IA32_GS_BASE'],
  ['0fc7/3', 'XRSTORS', ASK],
  ['0fc7/4', 'XSAVEC', ASK],
  ['0fc7/5', 'XSAVES', ASK],
  ['0fc7/7', 'RDSEED or RDPID', 'use RDRAND or RDTSCP'],
];

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

function fits(pattern: string, text: string): boolean {
  const [opcode, form] = pattern.split('/') as [string, string | undefined];
  if (!text.startsWith(opcode)) return false;
  if (form === undefined) return true;
  const modrm = Number.parseInt(text.slice(opcode.length, opcode.length + 2), 16);
  if (((modrm >> 3) & 7) !== Number(form[0])) return false;
  return form[1] === undefined || (form[1] === 'r') === modrm >= 0xc0;
}

/** Names the instruction that raised #UD by its bytes; undefined: of no known family. */
export function absentInstruction(bytes: readonly number[]): Family | undefined {
  let at = bytes.findIndex((byte) => !PREFIXES.has(byte));
  if (at < 0) return undefined;
  // REX. In other modes these bytes are INC and DEC, which exist.
  if ((bytes[at]! & 0xf0) === 0x40) at += 1;
  const text = bytes
    .slice(at)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  const found = FAMILIES.find(([pattern]) => fits(pattern, text));
  return found && { name: found[1], instead: found[2] };
}

/** A LOG_ABSENT report as text: the feature, its selector or vector, and RIP. */
export function absentFeature(what: number, detail: number, rip: string): string {
  const number = `0x${detail.toString(16)}`;
  switch (what) {
    case ABSENT_TASK_SWITCH:
      return `#GP: no hardware task switches: the far jump or call before ${rip} names the TSS or task gate ${number}; switch stacks and registers in software`;
    case ABSENT_TASK_GATE:
      return `#GP: no hardware task switches: vector ${number} came to a task gate at ${rip}; use an interrupt gate, in long mode one with an IST`;
    case ABSENT_NESTED_TASK:
      return `#GP: no hardware task switches: the IRET before ${rip} returns from a nested task (RFLAGS.NT); clear NT, and switch tasks in software`;
    case ABSENT_VIRTUAL_8086:
      return `#GP: no virtual-8086 mode: the IRET before ${rip} sets RFLAGS.VM; run 16-bit code in real mode, or in an emulator inside the guest`;
    default:
      return `#GP: feature ${what} is not there (${number}), at ${rip}`;
  }
}
