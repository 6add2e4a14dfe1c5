/** What a row of the table of operations says (index.ts). For tsc only: the core gets constants and lookups printed from the table. */

/** log2 of the operand size in bytes. */
export type Size = 0 | 1 | 2 | 3;
export const SIZES: readonly Size[] = [0, 1, 2, 3];
/** Sizes of the operations that have no 8- and 16-bit rows of their own. */
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
 * Operations that share a shape: one function in scripts/core/handlers prints the handlers of an inline family.
 * `out-of-line`: an AssemblyScript function of engine/cpu runs it, after a call.
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

/** How the memory operand of the form is used. Accesses to the stack are not counted: `stack` has them. */
export type Access = 'none' | 'read' | 'write' | 'modify';

/**
 * The segment that an access of the instruction belongs to, so which exception a non-canonical address raises (SDM 1, 3.3.7.1):
 * `operand` DS, or SS when the base is rSP or rBP; `stack` SS always; `either` operand, but SS for an address at the top of the stack.
 */
export type Segment = 'none' | 'operand' | 'stack' | 'either';

export interface Operation {
  /** Lower case, unique. The core's constant is OP_ and this in upper case. */
  readonly name: string;
  readonly family: Family;
  /** What it does, by the manual's mnemonic: the same for all forms and sizes. */
  readonly action: string;
  readonly form: Form;
  /** Undefined: the record's R_AUX says, or it has none. */
  readonly size?: Size;
  /** MOVZX, MOVSX: size of the source. */
  readonly from?: Size;
  /** Jcc and joined compares: the condition code (SDM 1, appendix B). SETcc and CMOVcc have it in the record. */
  readonly condition?: number;
  /** The memory operand has an index register. */
  readonly indexed: boolean;
  readonly access: Access;
  /** RFLAGS bits whose old value the operation needs. */
  readonly reads: number;
  /** RFLAGS bits that get a new value whatever the operands are. */
  readonly writes: number;
  /** RFLAGS bits that may get a new value: `writes`, and those of a shift whose count may be 0. */
  readonly alters: number;
  /** It may raise an exception, or reach a device. */
  readonly mayFault: boolean;
  /** It is the last of its block. */
  readonly ends: boolean;
  /** It goes elsewhere, by a selector or to another privilege, and never on to the next instruction. Its record has R_LAST. */
  readonly far?: boolean;
  /** It pushes or pops. */
  readonly stack: boolean;
  readonly segment: Segment;
  /** The form that does the same and leaves the flags alone, for results whose flags nothing reads. */
  readonly quiet?: string;
  /** This is such a form, of the operation named. */
  readonly quietOf?: string;
  /** By condition code: the form that also runs the Jcc behind it. Codes that ask for the same after this operation share one. */
  readonly joined?: ReadonlyMap<number, string>;
  /** This is such a form, of the operation named; `condition` says which, and the branch has its own record behind this one. */
  readonly joins?: string;
  /** Out of line: function and file (below engine/cpu). */
  readonly run?: readonly [fn: string, file: string];
  /** Out of line, and called from the interpreter's own switch. */
  readonly called?: boolean;
}

/** What a row need not say, since it is so for most: no memory, no flags, no fault, goes on with the next record. */
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

/** Completes a row. A memory operand may fault and lies in the operand's segment; what is written is altered. */
export function operation(given: Given): Operation {
  const inMemory = given.access !== undefined && given.access !== 'none';
  const uses = { ...USUAL, ...(inMemory ? ({ mayFault: true, segment: 'operand' } as const) : {}), ...given };
  return { ...uses, alters: given.alters ?? uses.writes };
}
