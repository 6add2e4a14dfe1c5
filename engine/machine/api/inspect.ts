/** State for the monitor and the page. Nothing here changes the guest. */
import type { CodeTier, JitFigures } from '../../jit/index';

/** Where a gpa leads. No slot: a hole or a device. `invalid`: the slot is between the two swaps of a commit. */
export interface WalkPlace {
  /** The machine's gpa, even if a nested guest has a different one. */
  gpa: number;
  /** The physical address that a nested guest uses for it. */
  nestedGpa?: number;
  slot?: number;
  hva?: number;
  invalid?: boolean;
}

export interface PageWalkStep extends WalkPlace {
  name: 'PML4E' | 'PDPTE' | 'PDE' | 'PTE';
  /** Bits high..low of the gva are the index. */
  high: number;
  low: number;
  index: number;
  /** Size of an entry */
  bytes: 4 | 8;
  entry: bigint;
  /** It maps the page; otherwise it points to the next table. */
  leaf: boolean;
  /** An entry of the nested tables. Consecutive ones translate the nestedGpa of the next other step, or of the page. */
  nested?: boolean;
}

export interface WalkRights {
  write: boolean;
  user: boolean;
  execute: boolean;
}

/** Accesses that hit the software TLB without a walk. */
export interface TlbTags {
  read: boolean;
  write: boolean;
  execute: boolean;
}

export interface PageWalk {
  mode: 'off' | '32-bit' | 'PAE' | '4-level';
  /** The address as the mode uses it: 32 bits unless there are 4 levels. */
  gva: bigint;
  cr3: bigint;
  asId: number;
  /** CR0.WP: read-only pages bind the supervisor, too. */
  writeProtect: boolean;
  steps: PageWalkStep[];
  /** A nested guest runs: its host's tables, which translate each of its physical addresses. */
  nested?: { mode: '32-bit' | 'PAE' | '4-level'; ncr3: bigint };
  /** gpa of the address itself, size of its page, the combined rights of all levels; the same for the nested page. */
  page?: WalkPlace & { size: number; rights: WalkRights; global: boolean; nested?: { size: number; rights: WalkRights } };
  tlb: { supervisor: TlbTags; user: TlbTags };
  stop?: WalkStop;
}

/** Why there is no page. */
export interface WalkStop {
  kind: 'not-canonical' | 'not-present' | 'reserved' | 'invalid' | 'nested-rights';
  /** one line */
  text: string;
}

/** A guest that a vCPU runs with nested paging, or ran last. */
export interface NestedGuest {
  vcpu: number;
  /** It is between VMRUN and #VMEXIT. */
  running: boolean;
  /** gpa of its VMCB */
  vmcb: number;
  asid: number;
  ncr3: bigint;
  mode: '32-bit' | 'PAE' | '4-level';
  /** The machine's gpas that its nested tables map, in address order. */
  memory: { start: number; end: number }[];
  /** false: the tables have more entries than were read. */
  whole: boolean;
}

export interface PicState {
  irr: number;
  imr: number;
  isr: number;
  /** input of the highest priority */
  highest: number;
  /** vector of input 0 */
  base: number;
  /** A read returns the ISR, not the IRR. */
  readIsr: boolean;
  elcr: number;
  /** special fully nested mode */
  fullyNested: boolean;
}

export interface IoApicState {
  version: number;
  id: number;
  /** The register that the data window accesses. */
  select: number;
  /** Redirection entries, 64 bits, by pin. */
  entries: bigint[];
  /** Bits by pin: waiting requests, and asserted lines of level pins. */
  irr: number;
}

export interface VcpuRegisters {
  gpr: bigint[]; // encoding order
  rip: bigint;
  rflags: number;
  cpl: number;
  halted: boolean;
  segments: { selector: number; base: bigint; limit: number; attributes: number }[]; // es cs ss ds fs gs ldtr tr
  gdt: { base: bigint; limit: number };
  idt: { base: bigint; limit: number };
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  cr8: bigint;
  efer: bigint;
  kernelGsBase: bigint;
  dr: bigint[]; // 0 1 2 3 6 7
  fcw: number;
  fsw: number;
  ftw: number;
  fop: number;
  fip: bigint;
  fdp: bigint;
  mxcsr: number;
  fpr: { significand: bigint; exponent: number }[];
  xmm: { low: bigint; high: bigint }[];
}

export interface MachineInspect {
  registers(vcpu?: number): VcpuRegisters;
  /** gva -> gpa with the vCPU's current tables, undefined: unmapped. */
  translate(gva: bigint, vcpu?: number): number | undefined;
  /** Guest TLB entries of a vCPU according to the guest's tables (info tlb walks the tables, as in QEMU). */
  pageTable(vcpu?: number): Iterable<{ gva: bigint; gpa: number; flags: number; size: number }>;
  /** How the vCPU's tables translate a gva now, entry by entry. */
  pageWalk(gva: bigint, vcpu?: number): PageWalk;
  /** For each vCPU that runs a guest with nested paging, or ran one whose tables still exist. */
  nestedGuests(): NestedGuest[];
  /** The devices on the memory bus, for info mtree and info qtree. */
  mmioRegions(): { name: string; start: number; end: number }[];
  irqCounts(): { name: string; count: number }[];
  /** The two 8259s, master first. */
  picState(): PicState[];
  ioapicState(): IoApicState;
  /** MMIO reads and writes without a slot or device, since the start. */
  readonly holes: { total: number };
  /** Counters by name, for people. */
  stats(): Record<string, number>;
  /** Of the JIT; undefined with -accel interp. Not part of the machine's state. */
  jitFigures(): JitFigures | undefined;
  /** What runs the vCPU's next instruction: a compiled region, or the interpreter and why. */
  codeTier(vcpu?: number): CodeTier;
}
