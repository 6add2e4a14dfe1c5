/** The page's view of debugging: breakpoints, why the guest stopped, and how far it can go back. */

export interface BreakpointView {
  id: number;
  kind: 'gva' | 'gpa' | 'hva' | 'slot' | 'page' | 'port' | 'msr' | 'vector' | 'hole';
  /** "gpa 0x1000+0x8" */
  where: string;
  /** First address, "0x1000"; absent for a slot, and for any hole. */
  first?: string;
  /** Bytes, or number of ports, registers or vectors. */
  length?: number;
  slot?: number;
  /** Guest-physical, bytes: where it lies in the map now. */
  spans: { start: number; end: number }[];
  /** "rw" */
  access: string;
  /** if, skip, vCPU, once, as text; may be ''. */
  condition: string;
  hits: number;
  enabled: boolean;
  owner: 'lab' | 'gdb';
}

/** Why the guest is stopped. */
export interface StopView {
  ids: number[];
  vcpu: number;
  /** "write of 8 bytes at gva 0x1000, gpa 0x1000" */
  access: string;
  /** Address of the next instruction, "0x101b46". */
  rip: string;
  /** "read_while+0x3" */
  code?: string;
  /** Address of the access, bytes; absent if it is not to memory. */
  gpa?: number;
}

/** A commit of the history, as a point to go to. */
export interface CommitMark {
  instructions: number;
  generation: number;
  title: string;
}

/** Counts are instructions of all vCPUs since power-on. */
export interface PastView {
  begin: number;
  now: number;
  nowNs: number;
  present: number;
  /** It is in its past: no input reaches it. */
  behind: boolean;
  /** Positions of checkpoints, oldest first, and their total size in bytes. */
  checkpoints: number[];
  bytes: number;
  /** All known commits, including later ones. */
  commits: CommitMark[];
  /** Why it cannot go back; absent: it can. */
  none?: string;
}

export interface DebugView {
  breakpoints: BreakpointView[];
  stop?: StopView;
  past: PastView;
}

/** A move through the past. Breakpoints end only `forward` and `back`. */
export type Journey =
  /** To just before the last instruction of this vCPU. */
  | { do: 'step-back'; vcpu: number }
  /** To the last breakpoint or access. */
  | { do: 'back' }
  /** In the past only: one instruction of this vCPU, or on to a breakpoint or the present. */
  | { do: 'step'; vcpu: number }
  | { do: 'forward' }
  | { do: 'present' }
  | { do: 'count'; count: number }
  /** To just before the commit that led to this generation. */
  | { do: 'commit'; generation: number }
  | { do: 'instruction'; vcpu: number; icount: number; instructions: number }
  /** Discards what follows: the machine continues from here. */
  | { do: 'go-on-from-here' };

/** 'begin': the start of the kept history was reached; the machine is there or, after 'back', where it was. */
export type JourneyEnd = 'there' | 'begin' | 'present' | 'stopped' | 'cancelled';

/** The memory in question: guest-physical, virtual, or a whole slot. Bytes. */
export type WroteWhere = { gpa: number; size: number } | { gva: string; size: number; vcpu: number } | { slot: number };

/** Who wrote it last. */
export interface WroteView {
  /** One line. */
  text: string;
  /** Address of the writing instruction; absent if no vCPU wrote. */
  write?: {
    vcpu: number;
    rip: string;
    /** "read_while+0x3" */
    code?: string;
    icount: number;
    instructions: number;
    timeNs: number;
    generation: number;
    gpa: number;
    bytes: number;
    value: string;
  };
}
