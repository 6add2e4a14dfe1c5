/** The debugger's interface to a machine. Watches slow down only accesses to their pages, and change nothing that the guest can see. */

/** An address range, both ends included, and WATCH_* of abi/watch.ts. */
export interface Watch {
  kind: number;
  first: bigint;
  last: bigint;
}

export interface WatchHit {
  /** Its place in the list passed to `watch`; -1: a hole (`onHole`). */
  watch: number;
  access: 'execute' | 'read' | 'write' | 'event';
  /** Linear address of the access; port, MSR or vector. */
  address: bigint;
  /** Guest-physical address, if it is an access to memory. */
  gpa: number;
  bytes: number;
}

/** Where the machine stands: before the instruction of a breakpoint, after any other access. */
export interface WatchStop {
  vcpu: number;
  hits: readonly WatchHit[];
}

/** A register by name: rax..r15, rip, eflags, cs..gs, fs_base, gs_base, k_gs_base, cr0..cr8, efer, st0..st7, fctrl.., xmm0..xmm15, mxcsr. */
export type RegisterPatch = Readonly<Record<string, bigint>>;

export interface MachineDebug {
  /** Replaces all watches. MachineError if there are more than WATCH_LIMIT. */
  watch(list: readonly Watch[]): void;
  /** Counts holes as hits, too. */
  watchHoles: boolean;
  /** Called at each hit. Returns a line that says why the machine should stop; undefined: it continues. */
  onHit: ((stop: WatchStop) => string | undefined) | undefined;
  /** Skips a breakpoint at a vCPU's next instruction once, so that the vCPU can continue. */
  passBreakpoint(vcpu: number): void;
  /** Pauses the machine before the instruction of this vCPU with that count; undefined: nowhere. */
  breakVcpu(vcpu: number, icount: number | undefined): void;
  /** Instructions that this vCPU has retired. */
  icount(vcpu: number): number;
  /** Writes registers of a stopped machine. MachineError for an unknown name or an invalid value. */
  setRegisters(vcpu: number, patch: RegisterPatch): void;
}
