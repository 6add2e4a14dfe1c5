/**
 * The border between the wasm core and TypeScript, as types (tsc only). gfns and gpas cross as f64 (exact to 2^53), 64-bit values through the named
 * vCPU's VCPU_MAILBOX, everything else as i32.
 */

/**
 * What the core imports from the machine. `vcpu` is the index (0..MAX_VCPUS-1) of the vCPU that asks. The core calls these only inside `run`;
 * `lookup` inside `translate` too.
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
  /**
   * Samples have found the guest in this block's page often enough to compile it. The arguments are halves of the page's linear address. Called
   * between blocks.
   */
  jitHot(vcpu: number, block: number, pageLow: number, pageHigh: number): void;
  /** Decoded code of a page (hva / 4096) that `jitWatch` named was dropped; -1: all decoded code was. `init` calls it too. */
  jitDropped(hostPage: number): void;
  /** The window of this number misses too often. Called between blocks. */
  jitMisses(window: number): void;
}

/** What the core offers. `vcpu` is an index 0..MAX_VCPUS-1. */
export interface CoreExports {
  /** Once, before anything else, in memory that is zero: puts vCPU 0 into its power-on state. */
  init(): void;
  /** Power-on state (SDM 3A table 10-1) of the record; drops the vCPU's TLB. Call it for each vCPU but the first before that one runs. */
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
  /** TypeScript wrote host memory [hva, hva+length): drops decoded code that came from it. */
  invalidateCode(hva: number, length: number): void;
  /** Drops all decoded code (after loadvm). */
  invalidateAllCode(): void;
  /** TypeScript changed the table of watches or a debug register: reads both again. */
  watchesChanged(): void;
  /** Does the vCPU have a breakpoint in the page of this gva, which maps this gfn (its low 32 bits)? */
  watchesCode(vcpu: number, gvaLow: number, gvaHigh: number, gfn: number): number;
  /** 1: `log` reports each exception that is delivered (LOG_EXCEPTION). 0: it stops doing so. */
  traceExceptions(on: number): void;
  /** 1: clears CHANGED_PAGES, then notes there which host pages are written. 0: stops. */
  trackWrites(on: number): void;
  /** TypeScript restored an earlier state of the vCPU's TLB: keeps tags from hitting that must not hit now. Call it after `stateChanged`. */
  tlbRestored(vcpu: number): void;
  /**
   * The debugger's walk, at the privilege that the vCPU's CR0/CR3/CR4/EFER give; ignores access rights. It has no side effects (no A/D, no TLB fill,
   * no fault). 1: the gpa is in the vCPU's VCPU_MAILBOX2; 0: unmapped.
   */
  translate(vcpu: number, gvaLow: number, gvaHigh: number): number;
  /** Functions that the core calls. The JIT puts compiled regions here. */
  readonly table: WebAssembly.Table;
  /** Samples RIP about every `quantum` instructions (0: never). A page is hot after `samples` of them. */
  jitSetup(quantum: number, samples: number): void;
  /** The decoded block of 64-bit code at this hva, or 0. A block is the address of its first record. */
  jitBlock(hva: number): number;
  /** The records that the interpreter runs for the block. */
  jitRecords(block: number): number;
  /** Decoded blocks of a host page, one after the other; 0 at the end. */
  jitFirstBlock(hostPage: number): number;
  jitNextBlock(block: number): number;
  /** hva of the code at a linear address, if the TLB knows it, or 0. */
  jitExec(low: number, high: number): number;
  /** Prepares an entry at the block: a descriptor, and a copy of the records for the interpreter. 0: it has an entry already, or there is no room. */
  jitPrepare(block: number): number;
  jitTwin(entry: number): number;
  /** Makes the interpreter enter the block through function `fn` of the table, as entry `number` of the region. */
  jitInstall(block: number, entry: number, fn: number, number: number, delta: number, pageBit: number): void;
  /** Notes that a region contains the block (1), or that none does and the interpreter runs it (0). */
  jitCover(block: number, covered: number): void;
  /** How often the region was entered at the block since the last call. */
  jitUses(block: number): number;
  /** Samples in the block's page since it was last hot; in bits 31:16, how many make it hot. */
  jitHeat(block: number): number;
  /** Asks for `jitDropped` when this page's code is dropped. 0: the page has no code. */
  jitWatch(hostPage: number): number;
}

/** What compiled regions call in the core, by its place in their table of helpers. JavaScript calls none of it. */
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
