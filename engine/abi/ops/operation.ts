/** A row of the table of operations (index.ts). For tsc only: constants and lookups for the core are generated from the table. */

/** log2 of the operand size in bytes. */
export type Size = 0 | 1 | 2 | 3;
export const SIZES: readonly Size[] = [0, 1, 2, 3];
/** Sizes of the operations that have no rows of their own for 8 and 16 bits. */
export const WIDE_SIZES: readonly Size[] = [2, 3];
export const bits = (size: Size): number => 8 << size;
export const bytes = (size: Size): number => 1 << size;

/** The arithmetic flags, in their RFLAGS positions (SDM 1, 3.4.3.1). */
export const CF = 0x001;
export const PF = 0x004;
export const AF = 0x010;
export const ZF = 0x040;
export const SF = 0x080;
export const OF = 0x800;
export const ALL_FLAGS = CF | PF | AF | ZF | SF | OF;

/** The flags that condition code `code` of Jcc, SETcc and CMOVcc reads (SDM 1, appendix B). Odd codes negate the even one before them. */
export const flagsOfCondition = (code: number): number => [OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF][code >> 1]!;

/**
 * Operations with the same shape: one function in scripts/core/handlers generates the handlers of an inline family. `out-of-line`: a function of
 * engine/cpu, which the interpreter calls.
 */
export type Family =
  | 'alu'
  | 'test'
  | 'unary'
  | 'move'
  | 'extend'
  | 'shift'
  | 'multiply'
  | 'address'
  | 'stack'
  | 'convert'
  | 'condition'
  | 'exchange'
  | 'branch'
  | 'control'
  | 'out-of-line';

/**
 * Where the operands are, as letters for destination and source:
 * r a register; i the immediate; m and x memory ([base + disp], and [base + index * scale + disp] where the family tells them apart);
 * c the count in CL. `rri`, `rmi`: destination, source, immediate. `none`: implied, or in fields that the operation defines.
 */
export type Form = 'rr' | 'ri' | 'rm' | 'rx' | 'mr' | 'xr' | 'mi' | 'rc' | 'rri' | 'rmi' | 'r' | 'i' | 'm' | 'x' | 'near' | 'rm?' | 'none';

/** How the form uses its memory operand. Accesses to the stack do not count: see `stack`. */
export type Access = 'none' | 'read' | 'write' | 'modify';

/**
 * The segment of the instruction's access, which decides the exception that a non-canonical address raises (SDM 1, 3.3.7.1): `operand` DS, or SS when
 * the base is rSP or rBP; `stack` SS always; `either` operand, but SS for an address at the top of the stack.
 */
export type Segment = 'none' | 'operand' | 'stack' | 'either';

export interface Operation {
  /** Lower case, unique. The core's constant is OP_ and this name in upper case. */
  readonly name: string;
  readonly family: Family;
  /** What it does, as the manual's mnemonic: the same for all forms and sizes. */
  readonly action: string;
  readonly form: Form;
  /** Undefined: the size is in the record's R_AUX, or there is none. */
  readonly size?: Size;
  /** MOVZX, MOVSX: size of the source. */
  readonly from?: Size;
  /** Jcc and joined compares: the condition code (SDM 1, appendix B). SETcc and CMOVcc have theirs in the record. */
  readonly condition?: number;
  /** The memory operand has an index register. */
  readonly indexed: boolean;
  readonly access: Access;
  /** RFLAGS bits whose old values the operation needs. */
  readonly reads: number;
  /** RFLAGS bits that always get a new value. */
  readonly writes: number;
  /** RFLAGS bits that may get a new value: `writes`, and those of a shift whose count may be 0. */
  readonly alters: number;
  /** It may raise an exception or access a device. */
  readonly mayFault: boolean;
  /** It ends its block. */
  readonly ends: boolean;
  /** It jumps by a selector or to another privilege, and never continues with the next instruction. Its record has R_LAST. */
  readonly far?: boolean;
  /** It pushes or pops. */
  readonly stack: boolean;
  readonly segment: Segment;
  /** The form that does the same without writing the flags, used when nothing reads them. */
  readonly quiet?: string;
  /** Set in such a form: the operation that it stands for. */
  readonly quietOf?: string;
  /** By condition code: the form that also runs the Jcc after it. Codes that are equivalent after this operation share one. */
  readonly joined?: ReadonlyMap<number, string>;
  /** Set in such a form: the operation that it stands for. `condition` has the code, and the branch has its own record after this one. */
  readonly joins?: string;
  /** Out of line: function and file (below engine/cpu). */
  readonly run?: readonly [fn: string, file: string];
  /** Out of line, and called by the interpreter's own switch. */
  readonly called?: boolean;
}

/** Defaults of a row: no memory, no flags, no fault, continues with the next record. */
const USUAL = {
  indexed: false,
  access: 'none',
  reads: 0,
  writes: 0,
  mayFault: false,
  ends: false,
  stack: false,
  segment: 'none',
} as const;

type Given = Partial<Operation> & Pick<Operation, 'name' | 'family' | 'action' | 'form'>;

/** Completes a row. A memory operand may fault and uses the operand's segment; written flags count as altered. */
export function operation(given: Given): Operation {
  const inMemory = given.access !== undefined && given.access !== 'none';
  const uses = { ...USUAL, ...(inMemory ? ({ mayFault: true, segment: 'operand' } as const) : {}), ...given };
  return { ...uses, alters: given.alters ?? uses.writes };
}
