/**
 * The border between the wasm core and TypeScript, as types (tsc only).
 * gfns and gpas cross as f64 (exact to 2^53), wide values through VCPU_MAILBOX of the vCPU that is named, everything else as i32.
 */

/**
 * What the core asks of the machine, and for which vCPU (an index, 0..MAX_VCPUS-1). All are called from inside `run` (or `translate`, for
 * lookup only).
 */
export interface CoreImports {
  /** gfn -> host page. Must not allocate. Answer: see PAGE_* in exits.ts. */
  lookup(vcpu: number, gfn: number, asId: number): number;
  /** First write to a page for which lookup said PAGE_CLEAN. After it the core sets the write tag. */
  markDirty(vcpu: number, gfn: number, asId: number): void;
  /** size 1, 2, 4 or 8; the result goes to the vCPU's VCPU_MAILBOX. */
  mmioRead(vcpu: number, gpa: number, size: number): void;
  /** The value is in VCPU_MAILBOX. */
  mmioWrite(vcpu: number, gpa: number, size: number): void;
  /** size 1, 2 or 4. */
  ioRead(vcpu: number, port: number, size: number): number;
  ioWrite(vcpu: number, port: number, size: number, value: number): void;
  /** The vector of the interrupt to deliver now, or -1 (spurious: nothing is pending after all). */
  ackInterrupt(vcpu: number): number;
  /** FERR#: an x87 or MMX instruction waits for a pending error to be handled (CR0.NE = 0). */
  ferr(vcpu: number): void;
  /** CR8 was written by the guest (already stored in the record): the APIC re-evaluates VCPU_IRQ_PENDING. */
  cr8Written(vcpu: number): void;
  /** RDMSR / WRMSR of an x2APIC or APIC-related MSR; value through VCPU_MAILBOX; returns 0 ok, 1 #GP. */
  apicMsr(vcpu: number, index: number, write: number): number;
  /** See LOG_* in exits.ts. */
  log(vcpu: number, code: number, a: number, b: number): void;
  /** Samples found the guest in the page of this block again and again; the linear address of its page in two halves. Between blocks. */
  jitHot(vcpu: number, block: number, pageLow: number, pageHigh: number): void;
  /** Some of the decoded code of a page (hva / 4096) that `jitWatch` named is gone, or (-1) all decoded code. Called by `init` too. */
  jitDropped(hostPage: number): void;
  /** The window of this number misses again and again. Between blocks. */
  jitMisses(window: number): void;
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
  /** The table of watches or a debug register was written by TypeScript: the core looks out for what it says now. */
  watchesChanged(): void;
  /** Is there a breakpoint for the vCPU in the page of this gva, which maps this gfn (its low 32 bits)? */
  watchesCode(vcpu: number, gvaLow: number, gvaHigh: number, gfn: number): number;
  /** From now on (1), or no more (0), `log` gets LOG_EXCEPTION for each exception that is delivered. */
  traceExceptions(on: number): void;
  /** From now on (1), or no more (0), CHANGED_PAGES notes which host pages are written; it begins empty. */
  trackWrites(on: number): void;
  /** The vCPU's TLB was put back as it once was, by TypeScript: what must not hit any more does not. After `stateChanged`. */
  tlbRestored(vcpu: number): void;
  /** Debugger's walk, no side effects (no A/D, no TLB fill, no fault): 1 and the gpa in the vCPU's VCPU_MAILBOX2, or 0: unmapped.
   *  privilege as the vCPU's current CR0/CR3/CR4/EFER; ignores access rights. */
  translate(vcpu: number, gvaLow: number, gvaHigh: number): number;
  /** Functions that the core calls: those of compiled regions are put in here. */
  readonly table: WebAssembly.Table;
  /** Samples where the guest is about every `quantum` instructions (0: never); a page is hot after so many samples. */
  jitSetup(quantum: number, samples: number): void;
  /** The decoded block of 64-bit code at this hva, or 0. A block is the address of its first record. */
  jitBlock(hva: number): number;
  /** The records that the interpreter runs for it. */
  jitRecords(block: number): number;
  /** Decoded blocks of a host page, one after the other; 0 at the end. */
  jitFirstBlock(hostPage: number): number;
  jitNextBlock(block: number): number;
  /** hva of the code at a linear address, if the TLB knows it, or 0. */
  jitExec(low: number, high: number): number;
  /** An entry descriptor for the block, with a copy of its records for the interpreter; 0: it has one, or there is no room. */
  jitPrepare(block: number): number;
  jitTwin(entry: number): number;
  /** The block is entered through the function `fn` of the table, as entry `number` of the region. */
  jitInstall(block: number, entry: number, fn: number, number: number, delta: number, pageBit: number): void;
  /** Some region contains the block (1), or none and it is the interpreter's (0). */
  jitCover(block: number, covered: number): void;
  /** How often the region was entered there since the last question. */
  jitUses(block: number): number;
  /** Samples that found the guest in the block's page since it was hot last; << 16: how many make it hot. */
  jitHeat(block: number): number;
  /** From now on `jitDropped` reports when this page's code goes. 0: it has none. */
  jitWatch(hostPage: number): number;
}

/** What compiled regions call of the core, by its place in their table of helpers. None of it is called from JavaScript. */
export const REGION_HELPERS = [
  'jitFill',
  'jitFetch',
  'jitCold',
  'jitEnd',
  'jitFlags',
  'jitCarry',
  'jitCondition',
  'jitRotated',
  'jitX87',
  'jitX87State',
  'jitX87Add',
  'jitX87Multiply',
  'jitX87Divide',
  'jitX87Root',
  'jitX87Relation',
  'jitX87Store',
] as const;
