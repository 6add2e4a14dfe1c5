/**
 * The border between the wasm core and TypeScript, as types (tsc only).
 * gfns and gpas cross as f64 (exact to 2^53), wide values through the MAILBOX, everything else as i32.
 */

/** What the core asks of the machine. All are called from inside `run` (or `translate`, for lookup only). */
export interface CoreImports {
  /** gfn -> host page. Must not allocate. Answer: see PAGE_* in exits.ts. */
  lookup(gfn: number, asId: number): number;
  /** First write to a page for which lookup said PAGE_CLEAN. After it the core sets the write tag. */
  markDirty(gfn: number, asId: number): void;
  /** size 1, 2, 4 or 8; the result goes to MAILBOX (low) and MAILBOX_HI. */
  mmioRead(gpa: number, size: number): void;
  /** The value is in MAILBOX / MAILBOX_HI. */
  mmioWrite(gpa: number, size: number): void;
  /** size 1, 2 or 4. */
  ioRead(port: number, size: number): number;
  ioWrite(port: number, size: number, value: number): void;
  /** The vector of the interrupt to deliver now, or -1 (spurious: nothing is pending after all). */
  ackInterrupt(vcpu: number): number;
  /** CR8 was written by the guest (already stored in the record): the APIC re-evaluates VCPU_IRQ_PENDING. */
  cr8Written(vcpu: number): void;
  /** RDMSR / WRMSR of an x2APIC or APIC-related MSR; value through MAILBOX; returns 0 ok, 1 #GP. */
  apicMsr(vcpu: number, index: number, write: number): number;
  /** See LOG_* in exits.ts. */
  log(code: number, a: number, b: number): void;
}

/** What the core offers. `vcpu` is an index 0..MAX_VCPUS-1. */
export interface CoreExports {
  /** Once, before anything else: builds tables, clears caches. */
  init(): void;
  /** Power-on state (SDM 3A table 10-1) of the record; drops the vCPU's TLB. */
  resetVcpu(vcpu: number): void;
  /** Runs at most `budget` instructions (1 .. 2^30). Returns EXIT_*. Interrupts are taken at exact counts. */
  run(vcpu: number, budget: number): number;
  /** Call after writing control or segment fields of a record from JS: recomputes derived state, flushes the TLB. */
  stateChanged(vcpu: number): void;
  getRflags(vcpu: number): number;
  setRflags(vcpu: number, rflags: number): void;
  /** Drops translations of gfns [start, start+npages) on all vCPUs. Returns how many entries were dropped. */
  zapGfnRange(start: number, npages: number): number;
  zapAll(): number;
  /** Drops only the write tags of a gfn range (dirty logging switched on, or its log harvested). */
  protectGfnRange(start: number, npages: number): number;
  /** Host memory [hva, hva+length) was written by TypeScript: decoded code from it is dropped. */
  invalidateCode(hva: number, length: number): void;
  /** Drops all decoded code (after loadvm). */
  invalidateAllCode(): void;
  /** Debugger's walk, no side effects (no A/D, no TLB fill, no fault): 1 and the gpa in MAILBOX2, or 0: unmapped.
   *  privilege as the vCPU's current CR0/CR3/CR4/EFER; ignores access rights. */
  translate(vcpu: number, gvaLow: number, gvaHigh: number): number;
}
