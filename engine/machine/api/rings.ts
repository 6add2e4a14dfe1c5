/** Dirty rings (KVM_CAP_DIRTY_LOG_RING), one per vCPU. */
import type { RingEntry } from '../../memory/index';
import type { DirtyRingOptions } from './config';

export interface DirtyRingStatus {
  vcpu: number;
  /** total entries */
  size: number;
  /** entries that are not free, harvested or not */
  used: number;
  /** entries not harvested yet */
  pending: number;
  /** The soft limit (size - 64) is reached: the vCPU is held until a reset makes room. */
  full: boolean;
  /** Writes that found even the reserve full and are not recorded. Only the host's own can, since a vCPU is held before. */
  overflows: number;
}

/** MachineError if rings are off. */
export interface MachineRings {
  /** Once, before the guest first runs. */
  enable(options: DirtyRingOptions): void;
  /** Takes unharvested entries from the rings, at most `limit` of each, in order. */
  harvest(limit?: number): RingEntry[];
  /** Frees harvested entries, protects their pages again, and releases held vCPUs. Returns the number of entries. */
  reset(): number;
  /** Empty while rings are off. */
  status(): DirtyRingStatus[];
}
