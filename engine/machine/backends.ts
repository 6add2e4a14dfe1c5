/** Memory backends: the board's RAM and the objects that `object_add memory-backend-ram` creates. Error texts are QEMU's. */
import type { MemslotEngine } from '../memory/index';
import { type Backend, type BackingPart, type MachineBackends, MachineError } from './api';
import { piecesOf } from './backing-rule';
import type { BootSlot } from './boot-ram';
import type { HostMemory } from './host-memory';

/** A layout may have this many, and so may a file. */
export const MOST_BACKENDS = 4096;

/** A backing that moves in host memory: hvas and size in bytes; the ranges do not overlap. */
export interface Rehost {
  from: number;
  to: number;
  size: number;
  /** The memory backend at `to` replaces the one at `from`. Absent: the same backend moves to other host memory. */
  onto?: string;
}

export interface BackendHooks {
  changed(): void;
  /** MachineError while the layout must not change from outside the guest. */
  editable(): void;
}

export class Backends implements MachineBackends {
  private readonly byId = new Map<string, Backend>();

  constructor(
    private readonly host: HostMemory,
    private readonly engine: MemslotEngine,
    private readonly hooks: BackendHooks,
  ) {}

  addBoard(slots: readonly BootSlot[]): void {
    for (const { name, region } of slots) {
      this.byId.set(name, { id: name, size: region.memorySize, hva: region.userspaceAddr, kind: 'board' });
    }
  }

  list(): Backend[] {
    return [...this.byId.values()].map((backend) => ({ ...backend }));
  }

  get(id: string): Backend | undefined {
    return this.byId.get(id);
  }

  /** The backend whose host memory starts at this hva. */
  at(hva: number): Backend | undefined {
    for (const backend of this.byId.values()) if (backend.hva === hva) return backend;
    return undefined;
  }

  add(id: string, size: number): Backend {
    if (this.byId.has(id)) throw new MachineError(`attempt to add duplicate property '${id}' to object (type 'container')`);
    if (!Number.isSafeInteger(size) || size <= 0) {
      throw new MachineError(`property 'size' of memory-backend-ram doesn't take value '${size}'`);
    }
    if (this.byId.size >= MOST_BACKENDS)
      throw new MachineError(`there are ${MOST_BACKENDS} memory backends, no more are possible: object_del one`);
    const backend: Backend = { id, size, hva: this.host.allocate(size, id), kind: 'memory-backend-ram' };
    this.byId.set(id, backend);
    this.hooks.changed();
    return { ...backend };
  }

  delete(id: string): void {
    this.hooks.editable();
    const backend = this.byId.get(id);
    if (!backend) throw new MachineError(`object '${id}' not found`);
    const mapped = [0, 1].some((asId) => this.engine.memslotsByHva(backend.hva, backend.hva + backend.size, asId).length > 0);
    if (backend.kind === 'board' || backend.busy !== undefined || mapped) {
      throw new MachineError(`object '${id}' is in use, can not be deleted`);
    }
    this.host.release(backend.hva);
    this.byId.delete(id);
    this.hooks.changed();
  }

  /** Those of a restored machine; their host memory exists already. */
  replace(backends: readonly Backend[]): void {
    this.byId.clear();
    for (const backend of backends) this.byId.set(backend.id, { ...backend });
    this.hooks.changed();
  }

  setBusy(id: string, device: string | undefined): void {
    const backend = this.byId.get(id)!;
    if (device === undefined) delete backend.busy;
    else backend.busy = device;
  }

  /** The contents of `from` are at `to` now: either the backend moved, or the backend at `to` replaced it, and `from` is free. */
  moved({ from, to, onto }: Rehost): void {
    const before = this.at(from);
    if (onto === undefined && before) before.hva = to;
    if (onto !== undefined && before?.busy !== undefined) {
      this.setBusy(onto, before.busy);
      this.setBusy(before.id, undefined);
    }
    this.hooks.changed();
  }

  /** Backend or bare range that holds the hva. */
  backingOf(hva: number): { id: string; offset: number } | undefined {
    const range = this.host.rangeAt(hva);
    return range && { id: range.label, offset: hva - range.start };
  }

  /** Like `HostRanges.backingsOf`; memory without an owner is omitted. */
  backingsOf(hva: number, size: number): BackingPart[] {
    return piecesOf({ start: hva, end: hva + size }, this.host).flatMap(({ start, end }) => {
      const backing = this.backingOf(start);
      return backing ? [{ ...backing, hva: start, size: end - start }] : [];
    });
  }
}
