/**
 * Cases in which AMD's processors consistently differ from Intel's. The core reports GenuineIntel and follows Intel. Each rule covers one kind of
 * case and one pair of outcomes only, so that a bug in the core still shows on either vendor's processor.
 */
import { type Case, CODE, COMPLETED, type Outcome } from './case';

const INVALID_OPCODE = 6;
const PROTECTION = 13;
const STACK_FAULT = 12;
const PAGE_FAULT = 14;
const ALIGNMENT = 17;
const SELECTOR_FAULTS = [11, 12, 13];

interface Rule {
  form: RegExp;
  allows: (c: Case, native: Outcome, core: Outcome) => boolean;
}

const vectors = (native: Outcome, core: Outcome, amd: readonly number[], intel: number): boolean =>
  amd.includes(native.vector) && core.vector === intel;
const hasLock = (c: Case): boolean => c.code.indexOf(0xf0) >= 0 && c.code.indexOf(0xf0) < c.code.indexOf(0x0f);

const RULES: readonly Rule[] = [
  // 0F 0D with a register operand is a NOP for Intel.
  { form: /^prefetchw/, allows: (_, native, core) => vectors(native, core, [INVALID_OPCODE], COMPLETED) },
  // At CPL 3 in 32-bit code: on Intel the instruction does not exist there, on AMD it lacks the privilege.
  { form: /^sysret/, allows: (_, native, core) => vectors(native, core, [PROTECTION], INVALID_OPCODE) },
  // LOCK MOV CR0 is AMD's way to CR8 for 32-bit code (AltMovCr8).
  { form: /cr0/, allows: (c, native, core) => hasLock(c) && vectors(native, core, [PROTECTION], INVALID_OPCODE) },
  // AMD reads the whole frame, and with an operand the stack behind it, before it looks at the selectors.
  {
    form: /^(retf|iret)/,
    allows: (_, native, core) => [STACK_FAULT, PAGE_FAULT, ALIGNMENT].includes(native.vector) && SELECTOR_FAULTS.includes(core.vector),
  },
  // The address that IRET returns to is checked before the selectors.
  {
    form: /^iret/,
    allows: (_, native, core) => native.vector === PROTECTION && native.error === 0 && SELECTOR_FAULTS.includes(core.vector),
  },
  // A far call whose pushes wrap around address 0.
  { form: /^call [AM]p/, allows: (c, native, core) => c.gpr[4]! < 64n && vectors(native, core, [STACK_FAULT], PAGE_FAULT) },
  // LDMXCSR and FXRSTOR: bit 17 of MXCSR is AMD's misaligned SSE mode, and reserved for Intel.
  {
    form: /0f ae/,
    allows: (_, native, core) => vectors(native, core, [COMPLETED], PROTECTION) && (native.fx[26]! & 2) !== 0,
  },
  // With alignment checks: SDM 3A 6.15 leaves open whether FXSAVE's operand is #GP or #AC, and what becomes of the unaligned 16-byte
  // accesses. The core checks them to 8 bytes (MASKMOVDQU's not at all), AMD to 16.
  { form: /0f ae.[01]/, allows: (_, native, core) => vectors(native, core, [ALIGNMENT], PROTECTION) },
  {
    form: /^sse .* (0f 1[01]|0f [67]f|0f f[07]|0f 3a 6.)( |$)/,
    allows: (_, native, core) => native.vector === ALIGNMENT && [COMPLETED, STACK_FAULT, PROTECTION, PAGE_FAULT].includes(core.vector),
  },
  // AMD ignores LOCK.
  { form: /^verw/, allows: (c, _, core) => hasLock(c) && core.vector === INVALID_OPCODE },
  // KVM on AMD intercepts #DB and gives INT1's to its guest as a fault: with the address of the instruction itself.
  {
    form: /^int1/,
    allows: (c, native, core) => native.vector === 1 && core.vector === 1 && native.rip === BigInt((c.mode === 16 ? 0 : CODE) + c.offset),
  },
];

/** Is this a known difference between the two vendors? */
export function isOtherMakers(c: Case, native: Outcome, core: Outcome): boolean {
  return RULES.some(({ form, allows }) => form.test(c.name) && allows(c, native, core));
}
