/**
 * The vCPUs' access to the memslot engine, and their dirty rings. A vCPU whose ring has reached its soft limit leaves the core after the instruction
 * that filled it and is held until a reset makes room (KVM_EXIT_DIRTY_RING_FULL). A machine state includes the entries of the rings (modes.ts).
 */
import { DIRTY_RING_ENTRY_BYTES as ENTRY_BYTES, type GfnCache, type MemslotEngine, type RingEntry, type SavedRings } from '../memory/index';
import { type DirtyRingOptions, type DirtyRingStatus, MachineError, type MachineRings } from './api';
import type { Vcpu } from './vcpu';

export interface RingHooks {
  /** The vCPU's ring reached its soft limit. */
  full(vcpu: number): void;
  /** A reset freed entries; `held`: a vCPU was waiting for that. */
  madeRoom(held: boolean): void;
}

export class VcpuMemory implements MachineRings {
  /** One per vCPU, created with the rings or before the guest first runs: until then rings can be enabled. */
  private caches: GfnCache[] | undefined;
  /** vCPUs whose full ring was reported since the last reset. */
  private readonly reported: boolean[];

  constructor(
    private readonly engine: MemslotEngine,
    private readonly vcpus: readonly Vcpu[],
    private readonly hooks: RingHooks,
  ) {
    this.reported = vcpus.map(() => false);
  }

  lookup(vcpu: Vcpu, gfn: number, asId: number): number {
    return this.cacheOf(vcpu).lookupPage(gfn, asId);
  }

  markDirty(vcpu: Vcpu, gfn: number, asId: number): void {
    const cache = this.cacheOf(vcpu);
    cache.markDirty(gfn, asId);
    if (cache.ring?.isFull) vcpu.requestExit();
  }

  /** The vCPU's ring has no room, so it must not run. Reported once after each reset. */
  isHeld(vcpu: Vcpu): boolean {
    if (!this.caches?.[vcpu.index]?.ring?.isFull) return false;
    if (!this.reported[vcpu.index]) {
      this.reported[vcpu.index] = true;
      this.hooks.full(vcpu.index);
    }
    return true;
  }

  get anyHeld(): boolean {
    return this.caches?.some((cache) => cache.ring?.isFull) ?? false;
  }

  enable({ entries, bitmap }: DirtyRingOptions): void {
    const { dirtyLog } = this.engine;
    if (this.caches && !dirtyLog.ringEnabled)
      throw new MachineError('EINVAL: dirty rings must be on before the guest first runs: start the machine stopped (-S)');
    if (bitmap && this.engine.slotCount(0) + this.engine.slotCount(1) > 0)
      throw new MachineError('EINVAL: a bitmap beside the rings must be asked for before there is any memslot');
    const done = dirtyLog.enableRing(entries * ENTRY_BYTES);
    if (done.ok) {
      if (bitmap) dirtyLog.enableRingWithBitmap();
      this.makeCaches();
      return;
    }
    if (dirtyLog.ringEnabled && done.errno === 'EINVAL')
      throw new MachineError(`EINVAL: dirty rings are on already, with ${dirtyLog.ringSize / ENTRY_BYTES} entries`);
    throw new MachineError(`${done.errno}: a dirty ring of ${entries} entries: it has 256 to 65536, a power of two`);
  }

  harvest(limit?: number): RingEntry[] {
    return this.enabled().harvestRings(limit);
  }

  reset(): number {
    const engine = this.enabled();
    const held = this.anyHeld;
    const done = engine.resetRings();
    this.vcpus.forEach((vcpu, index) => {
      this.reported[index] = this.caches?.[vcpu.index]?.ring?.isFull ?? false;
    });
    this.hooks.madeRoom(held);
    return done.ok ? done.count : 0;
  }

  /**
   * Restores the rings of a machine state, in a machine that already has that state's memslots. A state without rings does not disable any: they were
   * enabled for this machine, and are empty.
   */
  restore(saved: SavedRings | null): void {
    const { dirtyLog } = this.engine;
    const own = dirtyLog.saveRings();
    const rings = saved ?? (own && { ...own, vcpus: [] });
    this.reported.fill(false);
    dirtyLog.replaceRings(rings);
    this.caches = undefined;
    if (!rings) return;
    this.makeCaches();
    dirtyLog.fillRings(rings.vcpus);
  }

  status(): DirtyRingStatus[] {
    return this.engine.dirtyLog.rings.map((ring, vcpu) => {
      const { size, pending, used, isFull, overflows } = ring;
      return { vcpu, size, pending, used, full: isFull, overflows };
    });
  }

  private enabled(): MemslotEngine['dirtyLog'] {
    const { dirtyLog } = this.engine;
    if (!dirtyLog.ringEnabled) throw new MachineError('EINVAL: dirty rings are off');
    return dirtyLog;
  }

  private cacheOf(vcpu: Vcpu): GfnCache {
    return (this.caches ?? this.makeCaches())[vcpu.index]!;
  }

  private makeCaches(): GfnCache[] {
    this.caches = this.vcpus.map(() => this.engine.createCache());
    return this.caches;
  }
}
