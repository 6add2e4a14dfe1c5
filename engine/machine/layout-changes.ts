/**
 * Propagates a change of the layout to the rest of the machine: the core drops translations, backings are copied to other host memory, DIMMs look up
 * their new addresses, listeners are notified, and host memory that nothing can use again is freed.
 */
import type { CoreExports } from '../abi/core';
import type { MemslotEngine } from '../memory/index';
import type { CommitEvent } from '../memory/types';
import type { DeviceCommit, MachineEvent } from './api';
import type { Backends, Rehost } from './backends';
import type { Dimms } from './dimms';
import type { HostMemory } from './host-memory';
import type { StagedEdits } from './staged-edits';
import type { VirtioDevices } from './virtio';

/** Why a commit that moved backings cannot be undone. */
const CARRIED = 'copied memory to other host memory, and undo restores layouts, not contents; memslot_rehost moves it again';

export interface LayoutContext {
  memory: MemslotEngine;
  host: HostMemory;
  core: CoreExports;
  backends: Backends;
  dimms: Dimms;
  virtio: VirtioDevices;
  changeSet(): StagedEdits;
  emit(event: MachineEvent): void;
  /** The guest may have to respond. */
  wake(): void;
}

export class LayoutChanges {
  /** Pages whose translations commits have dropped. */
  zappedPages = 0;
  /** Copies backings that a commit moves; set during such a commit. */
  private carryOver: (() => void) | undefined;
  /** Set while a memory device is plugged or unplugged: commits made meanwhile are attributed to it. */
  private device: DeviceCommit | undefined;

  constructor(private readonly context: LayoutContext) {}

  /** The engine's zap event, in the middle of a commit. */
  committed(event: CommitEvent): void {
    const { core, dimms, changeSet, emit, wake } = this.context;
    if (event.type === 'zap') {
      if (event.mode === 'all') core.zapAll();
      else for (const { start, end } of event.ranges) core.zapGfnRange(start, end - start);
      this.zappedPages += event.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      this.carryOver?.();
    } else if (event.type === 'protect') {
      for (const { start, end } of event.ranges) core.protectGfnRange(start, end - start);
    }
    emit({ type: 'commit', event, ...(this.device && { through: this.device }) });
    if (event.type === 'publish' && changeSet().stepping) wake();
    if (event.type !== 'commit') return;
    dimms.noticeCommit();
    wake();
  }

  /** A commit that moves these backings is about to run: copies them at its zap. Call the returned function with the result. */
  carry(moves: readonly Rehost[]): (accepted: boolean) => void {
    if (moves.length === 0) return () => {};
    const { host, core, backends, dimms, virtio, memory, emit } = this.context;
    this.carryOver = () => {
      this.carryOver = undefined;
      for (const move of moves) {
        const { from, to, size } = move;
        host.bytes.copyWithin(to, from, from + size);
        core.invalidateCode(to, size);
        backends.moved(move);
        dimms.rehosted(move);
        virtio.rehosted(move);
      }
    };
    return (accepted) => {
      if (accepted) {
        this.carryOver?.();
        // Undo would bring back the old memory with its old contents.
        memory.forgetHistory();
        emit({ type: 'history-ended', reason: CARRIED });
      }
      this.carryOver = undefined;
    };
  }

  /** Runs a commit that plugs or unplugs a memory device. */
  through<T>(device: DeviceCommit, commit: () => T): T {
    this.device = device;
    try {
      return commit();
    } finally {
      this.device = undefined;
    }
  }

  /** Frees host memory that no backend owns and that no memslot, staged edit or undo can use again. */
  collect(): void {
    const { host, memory, backends, changeSet } = this.context;
    const now = host.version;
    host.releaseAllBut([
      (keep) => {
        for (const { hva, size } of backends.list()) keep(hva, size, now);
        memory.forEachMappedRange((start, size) => keep(start, size, now));
      },
      (keep) => changeSet().forEachHostRange((start, size) => keep(start, size, now)),
      (keep) => memory.forEachKeptRange(keep),
    ]);
  }
}
