/** One instruction form of the differential tester: an encoding and the state it leaves undefined. */
import type { MakerRule } from './case';

export interface Form {
  name: string;
  /** Mandatory prefix (66, F2, F3) that comes before REX. */
  mandatory?: number;
  /** Opcode bytes, 0F included. */
  opcode: readonly number[];
  /** ModRM: any operand, register or memory only, or none. */
  modrm?: 'any' | 'reg' | 'mem';
  /** Fixed /digit. */
  digit?: number;
  /** Code in which it exists: 64-bit mode, or 32 and 16 bits; both by default. */
  only?: 'long' | 'legacy';
  /** Immediate: bytes, 'z' (2 or 4), 'v' (2, 4 or with REX.W 8), 'a' (an address), 'p' (a far pointer). */
  imm?: 1 | 2 | 3 | 4 | 'z' | 'v' | 'a' | 'p';
  /** Immediate bytes to prefer. */
  immediates?: readonly number[];
  /** Immediates of this value are left out. */
  notImmediate?: number;
  /** Register in the low bits of the opcode. */
  plusReg?: boolean;
  /** 66 and REX.W change the operand size; only 66 does; only 66, and in 64-bit mode not on every vendor's processor. */
  sized?: true | '66' | 'legacy';
  /** The operand is 64 bits wide in 64-bit mode without REX.W. */
  stackSized?: boolean;
  undefinedFlags?: number;
  /** 66 changes the meaning of the instruction on one vendor's processors. */
  no16?: boolean;
  /** Shift count is CL, the immediate or 1: OF (and more) is undefined for most. */
  shift?: 'shift' | 'rotate' | 'double';
  lock?: boolean;
  rep?: 'rep' | 'repcc';
  fpu?: boolean;
  /** Compares strings: XMM registers and the lengths in rAX and rDX are drawn so that matches occur. */
  text?: boolean;
  /** REX.W alone changes the operand size. */
  rexW?: boolean;
  /** Bits of the x87 status word that the manual leaves undefined. */
  undefinedFsw?: number;
  /** Pads the immediate so that a branch lands in the code page. */
  branch?: boolean;
  /** The stack pointer is at a return address, or at the frame of a far return. */
  stack?: 'return' | 'retf' | 'iret';
  /** A register operand is a selector. */
  selector?: boolean;
  /** Offset in every 256 bytes of data where the memory operand should be, also by operand size; or an FXSAVE image. */
  aim?: number | 'fx' | Readonly<Record<16 | 32 | 64, number | readonly number[]>>;
  /** It stores pointers and vendor-specific masks, which are not compared. */
  image?: 'fx' | 'x87' | 'ten' | 'selector';
  approximate?: 'x87' | 'xmm';
  /** Largest magnitude of ST(0) for which the manual defines the result. */
  domain?: number;
  /** No REX prefix: vendors differ in its effect here. */
  noRex?: boolean;
  makers?: MakerRule;
}
