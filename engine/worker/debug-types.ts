/** What the page knows of debugging: breakpoints, why the guest stopped, and how far it can go back. */

export interface BreakpointView {
  id: number;
  kind: 'gva' | 'gpa' | 'hva' | 'slot' | 'page' | 'port' | 'msr' | 'vector' | 'hole';
  /** "gpa 0x1000+0x8" */
  where: string;
  /** First address, "0x1000"; absent for a slot, and for any hole. */
  first?: string;
  /** Bytes, or how many ports, registers, vectors. */
  length?: number;
  slot?: number;
  /** Guest-physical, bytes: where it lies in the map now. */
  spans: { start: number; end: number }[];
  /** "rw" */
  access: string;
  /** if, skip, vCPU, once, in words; may be ''. */
  condition: string;
  hits: number;
  enabled: boolean;
  owner: 'lab' | 'gdb';
}

/** Why the guest stands. */
export interface StopView {
  ids: number[];
  vcpu: number;
  /** "write of 8 bytes at gva 0x1000, gpa 0x1000" */
  access: string;
  /** Address of the next instruction, "0x101b46". */
  rip: string;
  /** "read_while+0x3" */
  code?: string;
  /** Of the access, bytes; absent where it is none to memory. */
  gpa?: number;
}

/** A commit of the history, on the way. */
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
  /** Where they are, oldest first, and what they take, bytes. */
  checkpoints: number[];
  bytes: number;
  /** All commits that are known, those ahead too. */
  commits: CommitMark[];
  /** Why it cannot go back; absent: it can. */
  none?: string;
}

export interface DebugView {
  breakpoints: BreakpointView[];
  stop?: StopView;
  past: PastView;
}

/** A way through what has run. Breakpoints end `forward` and `back` only. */
export type Journey =
  /** In front of the last instruction of this vCPU. */
  | { do: 'step-back'; vcpu: number }
  /** To the last breakpoint or access. */
  | { do: 'back' }
  /** In the past only: one instruction of this vCPU, or on to a breakpoint or the present. */
  | { do: 'step'; vcpu: number }
  | { do: 'forward' }
  | { do: 'present' }
  | { do: 'count'; count: number }
  /** In front of the commit that led to this generation. */
  | { do: 'commit'; generation: number }
  | { do: 'instruction'; vcpu: number; icount: number; instructions: number }
  /** What lies ahead is given up: the machine goes on from where it stands. */
  | { do: 'go-on-from-here' };

/** 'begin': the start of the kept history; the machine is there, or, after 'back', where it was. */
export type JourneyEnd = 'there' | 'begin' | 'present' | 'stopped' | 'cancelled';

/** What is asked about: guest-physical or virtual memory, or a whole slot. Bytes. */
export type WroteWhere = { gpa: number; size: number } | { gva: string; size: number; vcpu: number } | { slot: number };

/** Who wrote it last. */
export interface WroteView {
  /** One line. */
  text: string;
  /** Where the writing instruction is; absent where no vCPU wrote. */
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
