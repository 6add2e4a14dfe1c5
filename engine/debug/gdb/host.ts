/** What a gdb session needs of the place that it runs in. */
import type { Machine } from '../../machine/index';

/** Going back, where the machine can (engine/debug/reverse). */
export interface Backwards {
  /**
   * One instruction of this vCPU, or to the last stop of a breakpoint; it may take a while. `begin`: the start of what can be gone back over was
   * reached first.
   */
  step(vcpu: number, going: () => Promise<boolean>): Promise<'there' | 'begin'>;
  toBreakpoint(going: () => Promise<boolean>): Promise<'there' | 'begin'>;
  /** The machine stands in its past: it runs on by `forward`, with the inputs that came, up to its present. */
  readonly behind: boolean;
  forward(going: () => Promise<boolean>, goal?: { vcpu: number; icount: number }): Promise<'stopped' | 'present'>;
  /** To its present, if it stands in its past. */
  home(): Promise<void>;
}

export interface GdbHost {
  machine: Machine;
  /** Nobody else runs the machine until the result is called. */
  hold(): () => void;
  /** As inputs, where they are recorded. */
  stop(): void;
  cont(): void;
  /** gdb wrote memory or registers: no recording has that. The machine still stands where it did so. */
  changed(what: string): void;
  /** `monitor LINE`: the output. */
  monitor(line: string): Promise<string>;
  /** Comes back soon; other events are handled meanwhile. */
  turn(): Promise<void>;
  /** ms, monotonic */
  wallClock(): number;
  /** The client said `kill`. */
  quit(): void;
  readonly backwards?: Backwards | undefined;
}
