import type { InterpreterReason } from '../jit/index';

/** A vCPU for the page. 64-bit numbers are hex text: the page never computes with them. */

export interface CodeLine {
  /** "0xffffffff81000000", linear */
  gva: string;
  /** "48 89 e5" */
  bytes: string;
  mnemonic: string;
  operands: string;
  /** "main+0x4": where the first line is, and wherever another symbol starts */
  symbol?: string;
  /** Target of a near branch or call, linear. */
  target?: string;
  /** "main+0x4" of the target */
  targetSymbol?: string;
  /** Before the requested address, where decoding x86 code is a guess. */
  guess: boolean;
}

export interface CodeView {
  /** Linear address of the vCPU's next instruction. */
  rip: string;
  bits: 16 | 32 | 64;
  lines: CodeLine[];
  /** Why there are fewer lines than requested. */
  reason?: string;
}

/** What runs the code at rip. */
export type TierView =
  /** A compiled region: its linear start; guest instructions, and bytes of WebAssembly. */
  | { tier: 'compiled'; entry: string; entrySymbol?: string; instructions: number; bytes: number }
  | ({ tier: 'interpreter' } & InterpreterReason);

export interface RegisterView {
  name: string;
  /** hex, padded to the register's width, without 0x */
  value: string;
  /** "base 0, limit 0xffff, CS64 DPL 0", "3.25", "empty" */
  note?: string;
}

export interface RegisterGroup {
  group: 'general' | 'segments' | 'control' | 'x87' | 'sse';
  registers: RegisterView[];
}

/** A frame of a backtrace. */
export interface FrameView {
  /** Where it continues, linear, "0x..." */
  gva: string;
  by: 'registers' | 'ORC' | 'frame pointer' | 'guess';
  symbol?: string;
}

export interface CpuView {
  vcpu: number;
  /** Instructions retired so far by all vCPUs: equal counts mean the same instant. */
  instructions: number;
  cpl: number;
  halted: boolean;
  rflags: number;
  groups: RegisterGroup[];
  code: CodeView;
  tier: TierView;
  /** For a stopped vCPU; innermost first. */
  frames?: FrameView[];
  /** Why the frames end here. */
  framesEnd?: string;
}
