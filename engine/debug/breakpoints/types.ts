/** What the lab's own breakpoints and watchpoints are. */
import type { WatchHit } from '../../machine/index';

export interface Accesses {
  execute: boolean;
  read: boolean;
  write: boolean;
}

/** Addresses are in bytes. `page` is the frame of 4 KiB around a gpa, `slot` whatever the slot maps when it is accessed (address space 0). */
export type Place =
  /** `hva`: the memory itself, wherever slots show it. */
  | { kind: 'gva' | 'gpa' | 'hva'; first: bigint; length: number }
  | { kind: 'page'; first: bigint }
  | { kind: 'slot'; slot: number }
  | { kind: 'port' | 'msr' | 'vector'; first: bigint; length: number }
  /** What no slot and no device answers: anywhere, or in a range of gpas. */
  | { kind: 'hole'; first?: bigint; length?: number };

export interface BreakpointOptions {
  place: Place;
  /** Of vectors, nothing of it counts. */
  access: Accesses;
  /** One vCPU's accesses only. */
  vcpu?: number;
  condition?: {
    text: string;
    /** Asked between two instructions. */
    holds(vcpu: number, hit: WatchHit): boolean;
  };
  /** So many hits pass first. */
  skip?: number;
  /** It goes with the first stop. */
  once?: boolean;
  /** Of a slot: once behind each commit that changes it, and not before the next one. */
  afterCommit?: boolean;
  /** Who set it: a monitor's or the page's, or a gdb. */
  owner?: 'lab' | 'gdb';
}

export interface Breakpoint extends BreakpointOptions {
  readonly id: number;
  readonly owner: 'lab' | 'gdb';
  enabled: boolean;
  /** Hits whose condition held, those that were skipped among them. */
  hits: number;
  /** With `afterCommit`: no commit has come since the last stop. */
  waits: boolean;
}

/** What stopped the machine. */
export interface Stop {
  vcpu: number;
  breakpoints: readonly Breakpoint[];
  /** The access of the first of them. */
  hit: WatchHit;
}
