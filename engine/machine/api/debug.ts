/** What a debugger asks of a machine. Watches cost a guest nothing but where they lie, and change nothing that it can see. */

/** An address range, both ends included, and WATCH_* of abi/watch.ts. */
export interface Watch {
  kind: number;
  first: bigint;
  last: bigint;
}

export interface WatchHit {
  /** Its place in the list that `watch` was given; -1: a hole (`onHole`). */
  watch: number;
  access: 'execute' | 'read' | 'write' | 'event';
  /** Linear address of the access; port, MSR or vector. */
  address: bigint;
  /** Guest-physical, where it is an access to memory. */
  gpa: number;
  bytes: number;
}

/** Where the machine stands: in front of the instruction of a breakpoint, behind any other access. */
export interface WatchStop {
  vcpu: number;
  hits: readonly WatchHit[];
}

/** A register by its name: rax..r15, rip, eflags, cs..gs, fs_base, gs_base, k_gs_base, cr0..cr8, efer, st0..st7, fctrl.., xmm0..xmm15, mxcsr. */
export type RegisterPatch = Readonly<Record<string, bigint>>;

export interface MachineDebug {
  /** Replaces all watches. MachineError when there are more than WATCH_LIMIT. */
  watch(list: readonly Watch[]): void;
  /** Holes count as hits too. */
  watchHoles: boolean;
  /** Called at each hit: why the machine should stop there, one line; undefined: it continues. */
  onHit: ((stop: WatchStop) => string | undefined) | undefined;
  /** A breakpoint at a vCPU's next instruction is skipped once, so that the vCPU can continue from it. */
  passBreakpoint(vcpu: number): void;
  /** The machine pauses in front of the instruction of this vCPU with that count; undefined: nowhere. */
  breakVcpu(vcpu: number, icount: number | undefined): void;
  /** Instructions that this vCPU has retired. */
  icount(vcpu: number): number;
  /** Writes registers of a stopped machine. MachineError for a name that there is not, or a value that cannot be. */
  setRegisters(vcpu: number, patch: RegisterPatch): void;
}
