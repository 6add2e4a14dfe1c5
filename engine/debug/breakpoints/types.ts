/** The lab's own breakpoints and watchpoints. */
import type { WatchHit } from '../../machine/index';

export interface Accesses {
  execute: boolean;
  read: boolean;
  write: boolean;
}

/** Addresses are in bytes. `page` is the 4 KiB frame around a gpa, `slot` the memory that the slot maps at the time of the access (address space 0). */
export type Place =
  /** `hva`: host memory, at any gpa that slots map to it. */
  | { kind: 'gva' | 'gpa' | 'hva'; first: bigint; length: number }
  | { kind: 'page'; first: bigint }
  | { kind: 'slot'; slot: number }
  | { kind: 'port' | 'msr' | 'vector'; first: bigint; length: number }
  /** Accesses without a slot or device: anywhere, or in a range of gpas. */
  | { kind: 'hole'; first?: bigint; length?: number };

export interface BreakpointOptions {
  place: Place;
  /** Not used for vectors. */
  access: Accesses;
  /** Only accesses of this vCPU. */
  vcpu?: number;
  condition?: {
    text: string;
    /** Evaluated between two instructions. */
    holds(vcpu: number, hit: WatchHit): boolean;
  };
  /** Hits to ignore first. */
  skip?: number;
  /** Deleted by its first stop. */
  once?: boolean;
  /** For a slot: stops once after each commit that changes it. */
  afterCommit?: boolean;
  /** Who set it: monitor and page, or gdb. */
  owner?: 'lab' | 'gdb';
}

export interface Breakpoint extends BreakpointOptions {
  readonly id: number;
  readonly owner: 'lab' | 'gdb';
  enabled: boolean;
  /** Hits whose condition held, including those ignored by `skip`. */
  hits: number;
  /** With `afterCommit`: no commit has happened since the last stop. */
  waits: boolean;
}

/** What stopped the machine. */
export interface Stop {
  vcpu: number;
  breakpoints: readonly Breakpoint[];
  /** The first access among them. */
  hit: WatchHit;
}
