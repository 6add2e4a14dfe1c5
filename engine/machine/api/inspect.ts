/** What monitor and page look at. Nothing here changes the guest. */
import type { CodeTier, JitFigures } from '../../jit/index';

/** Where a gpa leads. Without a slot: a hole or a device. `invalid`: the slot is between the two swaps of a commit. */
export interface WalkPlace {
  /** The machine's, also where a nested guest has another name for it. */
  gpa: number;
  /** What a nested guest takes for its physical address. */
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
  /** It maps the page; else it points to the next table. */
  leaf: boolean;
  /** An entry of the nested tables: those in a row translate the nestedGpa of the next other step, or of the page. */
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
  /** As the mode takes it: 32 bits but with 4 levels. */
  gva: bigint;
  cr3: bigint;
  asId: number;
  /** CR0.WP: the supervisor heeds read-only pages too. */
  writeProtect: boolean;
  steps: PageWalkStep[];
  /** A nested guest runs: its host's tables, through which each of its physical addresses goes. */
  nested?: { mode: '32-bit' | 'PAE' | '4-level'; ncr3: bigint };
  /** gpa of the address itself, size of its page, the rights of all levels together; the same of the nested page. */
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

/** A guest that a vCPU runs by nested paging, or ran last. */
export interface NestedGuest {
  vcpu: number;
  /** Between VMRUN and #VMEXIT now. */
  running: boolean;
  /** gpa of its VMCB */
  vmcb: number;
  asid: number;
  ncr3: bigint;
  mode: '32-bit' | 'PAE' | '4-level';
  /** The machine's gpas that its nested tables map, in address order. */
  memory: { start: number; end: number }[];
  /** false: the tables have more than is read. */
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
  /** a read gives the ISR, not the IRR */
  readIsr: boolean;
  elcr: number;
  /** special fully nested mode */
  fullyNested: boolean;
}

export interface IoApicState {
  version: number;
  id: number;
  /** The register that the data window shows. */
  select: number;
  /** Redirection entries, 64 bits, by pin. */
  entries: bigint[];
  /** Bits by pin: requests that wait, and lines of level pins that are asserted. */
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
  /** Guest TLB entries of a vCPU as the guest's tables say (info tlb walks the tables, as QEMU does). */
  pageTable(vcpu?: number): Iterable<{ gva: bigint; gpa: number; flags: number; size: number }>;
  /** How the vCPU's tables translate a gva now, entry by entry. */
  pageWalk(gva: bigint, vcpu?: number): PageWalk;
  /** Of each vCPU that runs a guest with nested paging, or ran one whose tables are still there. */
  nestedGuests(): NestedGuest[];
  /** The devices on the memory bus, for info mtree and info qtree. */
  mmioRegions(): { name: string; start: number; end: number }[];
  irqCounts(): { name: string; count: number }[];
  /** The two 8259s, master first. */
  picState(): PicState[];
  ioapicState(): IoApicState;
  /** MMIO reads and writes that no slot and no device answered, since the start. */
  readonly holes: { total: number };
  /** Counters by name, for people. */
  stats(): Record<string, number>;
  /** Of the JIT; undefined with -accel interp. Nothing of it is state of the machine. */
  jitFigures(): JitFigures | undefined;
  /** What runs the code at the vCPU's next instruction: a compiled region, or the interpreter and why. */
  codeTier(vcpu?: number): CodeTier;
}
