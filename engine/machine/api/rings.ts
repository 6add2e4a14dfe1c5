/** Dirty rings (KVM_CAP_DIRTY_LOG_RING), one per vCPU. */
import type { RingEntry } from '../../memory/index';
import type { DirtyRingOptions } from './config';

export interface DirtyRingStatus {
  vcpu: number;
  /** entries in all */
  size: number;
  /** entries that are not free, harvested or not */
  used: number;
  /** entries that wait for a harvest */
  pending: number;
  /** The soft limit (size - 64) is reached: the vCPU is held until a reset makes room. */
  full: boolean;
  /** Writes that found not even the reserve free, and are not recorded: only the host's own can, since a vCPU is held before. */
  overflows: number;
}

/** MachineError where rings are off. */
export interface MachineRings {
  /** Before the guest first runs, once. */
  enable(options: DirtyRingOptions): void;
  /** Takes what waits in the rings, at most `limit` entries of each, in order. */
  harvest(limit?: number): RingEntry[];
  /** Frees what was harvested, protects those pages again, and lets held vCPUs go on. Returns how many entries that were. */
  reset(): number;
  /** Empty while rings are off. */
  status(): DirtyRingStatus[];
}
