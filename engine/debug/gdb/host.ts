/** What a gdb session needs from its host. */
import type { Machine } from '../../machine/index';

/** Reverse execution, if the machine supports it (engine/debug/reverse). */
export interface Backwards {
  /**
   * Goes back one instruction of this vCPU, or to the last breakpoint hit; may take a while. `begin`: the start of the recorded past was reached
   * first.
   */
  step(vcpu: number, going: () => Promise<boolean>): Promise<'there' | 'begin'>;
  toBreakpoint(going: () => Promise<boolean>): Promise<'there' | 'begin'>;
  /** The machine is in its past: `forward` runs it with the recorded inputs up to its present. */
  readonly behind: boolean;
  forward(going: () => Promise<boolean>, goal?: { vcpu: number; icount: number }): Promise<'stopped' | 'present'>;
  /** Returns to the present, if the machine is in its past. */
  home(): Promise<void>;
}

export interface GdbHost {
  machine: Machine;
  /** Keeps others from running the machine until the result is called. */
  hold(): () => void;
  /** Applied as inputs, so that they are recorded. */
  stop(): void;
  cont(): void;
  /** gdb wrote memory or registers, which recordings do not contain. The machine has not run since. */
  changed(what: string): void;
  /** `monitor LINE`; returns the output. */
  monitor(line: string): Promise<string>;
  /** Lets other events be handled. */
  turn(): Promise<void>;
  /** ms, monotonic */
  wallClock(): number;
  /** The client sent `kill`. */
  quit(): void;
  readonly backwards?: Backwards | undefined;
}
