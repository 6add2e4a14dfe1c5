import type { EngineNote } from '../../memory/types';

/** Reports what happens below the guest as it happens. Without a listener nothing is called or computed. */

/** Why a vCPU left guest code, if not for an access. */
export type LeaveReason = 'hlt' | 'retry' | 'shutdown' | 'internal-error' | 'watch';

/** Called while the guest runs; `machine.trace` has the position. A listener must not change the machine. */
export interface TraceSink {
  port(vcpu: number, write: boolean, port: number, bytes: number, value: number): void;
  /** Of a device. */
  mmio(vcpu: number, write: boolean, gpa: number, bytes: number, value: number): void;
  /** No memslot and no device answered. */
  hole(vcpu: number, write: boolean, gpa: number, bytes: number): void;
  /** The core looks up a gfn that its TLB does not have. */
  fill(vcpu: number, gfn: number, asId: number): void;
  /** The page's first write since its log was harvested. */
  dirty(vcpu: number, gfn: number, asId: number): void;
  interrupt(vcpu: number, vector: number): void;
  exception(vcpu: number, vector: number, error: number): void;
  /** It left for this reason at its time `at`, ns; `gfn`: of a retry. */
  leave(vcpu: number, reason: LeaveReason, at: number, gfn: number): void;
  /** Its dirty ring is full: it is held until a reset makes room. `at`: its time, ns. */
  full(vcpu: number, at: number): void;
  /** The memslot engine's own: phases of commits, refusals, harvests. */
  note(note: EngineNote): void;
  /** It runs again after `leave`. `at`: its time, ns. */
  enter(vcpu: number, at: number): void;
}

export interface MachineTrace {
  /** The listener, if any. */
  sink: TraceSink | undefined;
  /** Instructions that the vCPU has retired. */
  icount(vcpu: number): number;
  /** ns of guest time */
  time(vcpu: number): number;
  /** Puts the vCPU's code position into `codeLow` and `codeHigh`: that of the running access, or where it continues. Allocates nothing. */
  locate(vcpu: number, access: boolean): void;
  /** Linear address, low and high half; both 0: not known. */
  readonly codeLow: number;
  readonly codeHigh: number;
  /** The port's device, by name; undefined: none. */
  portDevice(port: number): string | undefined;
}
