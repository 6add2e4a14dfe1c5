import type { EngineNote } from '../../memory/types';

/** What happens under the guest, as it happens. Nobody listens: nothing is called, and nothing asked. */

/** Why a vCPU left the guest's code, where it is not an access. */
export type LeaveReason = 'hlt' | 'retry' | 'shutdown' | 'internal-error' | 'watch';

/** Called while the guest runs: `machine.trace` says where it stands. Nothing here may change the machine. */
export interface TraceSink {
  port(vcpu: number, write: boolean, port: number, bytes: number, value: number): void;
  /** Of a device. */
  mmio(vcpu: number, write: boolean, gpa: number, bytes: number, value: number): void;
  /** No memslot and no device answered. */
  hole(vcpu: number, write: boolean, gpa: number, bytes: number): void;
  /** The core asks for a gfn that its TLB does not know. */
  fill(vcpu: number, gfn: number, asId: number): void;
  /** The page's first write since its log was harvested. */
  dirty(vcpu: number, gfn: number, asId: number): void;
  interrupt(vcpu: number, vector: number): void;
  exception(vcpu: number, vector: number, error: number): void;
  /** It left for this, at its time `at`, ns; `gfn` of a retry. */
  leave(vcpu: number, reason: LeaveReason, at: number, gfn: number): void;
  /** Its dirty ring is full: it stays out until a reset makes room. `at`: its time, ns. */
  full(vcpu: number, at: number): void;
  /** The memslot engine's own: phases of commits, refusals, harvests. */
  note(note: EngineNote): void;
  /** It runs again after `leave`: its time now, ns. */
  enter(vcpu: number, at: number): void;
}

export interface MachineTrace {
  /** The listener, if any. */
  sink: TraceSink | undefined;
  /** Instructions that the vCPU has retired. */
  icount(vcpu: number): number;
  /** ns of guest time */
  time(vcpu: number): number;
  /** Reads into `codeLow` and `codeHigh` where the vCPU's code stands: that of the running access, or where it goes on. Allocates nothing. */
  locate(vcpu: number, access: boolean): void;
  /** Linear address, low and high half; both 0: not known. */
  readonly codeLow: number;
  readonly codeHigh: number;
  /** The port's device, by name; undefined: none. */
  portDevice(port: number): string | undefined;
}
