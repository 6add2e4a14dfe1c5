/**
 * The machine's side of its virtio-mem and balloon devices: a guest's plug or unplug request becomes one atomic change set of the memslot engine, and
 * requests of the host reach the guest.
 */
import type { MemOutcome, MemRange } from '../devices/virtio/mem';
import type { MemslotEngine } from '../memory/index';
import type { MemoryRegion } from '../memory/types';
import { type DeviceCommit, MachineError, type MachineVirtio, type QmpEvent, type SavedMachine, type VirtioMemInfo } from './api';
import type { Backends, Rehost } from './backends';
import type { Board } from './devices';
import type { HostMemory } from './host-memory';
import { mapPart, unmapParts } from './partial-slots';
import { checkRequested, type PlacedMem, type PlacedVirtio } from './virtio-config';

const PAGE = 4096;

export interface VirtioContext {
  engine: MemslotEngine;
  host: HostMemory;
  backends: Backends;
  board: () => Board;
  /** Bytes of RAM that a balloon counts from: boot RAM and DIMMs. */
  ram: () => number;
  invalidateCode(hva: number, size: number): void;
  /** The device did much work for the guest: the runner should check the clock. */
  endSlice(): void;
  changed(): void;
  /** Notifies the guest. */
  wake(): void;
  qmp(event: QmpEvent, data: Record<string, unknown>): void;
  /** Runs a commit, and records that it is made through the device. */
  through<T>(device: DeviceCommit, commit: () => T): T;
}

export class VirtioDevices implements MachineVirtio {
  /** Memory backends of the devices whose backend was replaced, by device id. */
  private readonly moved = new Map<string, string>();

  constructor(
    readonly placed: readonly PlacedVirtio[],
    private readonly context: VirtioContext,
  ) {}

  /** The devices have their backends from now on. */
  claimBackends(): void {
    for (const { memdev, id } of this.placedMems) this.context.backends.setBusy(memdev, id);
  }

  mems(): VirtioMemInfo[] {
    const board = this.context.board();
    return this.placedMems.map(({ id, memdev, node, addr, size }) => {
      const device = board.virtioMem(id);
      return { id, memdev, node, addr, maxSize: size, size: device.size, requestedSize: device.requested };
    });
  }

  /** Requests a size of the device in bytes; the guest plugs and unplugs towards it. */
  setRequestedSize(id: string, size: number): void {
    const mem = this.find(id);
    checkRequested(size, mem.size, "'requested-size'");
    const board = this.context.board();
    const device = board.virtioMem(id);
    if (device.requested !== size) {
      device.resize(size);
      board.virtioConfigChanged(id);
      this.context.changed();
    }
    this.context.wake();
  }

  /** Bytes of RAM left to the guest; undefined without a balloon. */
  balloon(): { id: string; actual: number } | undefined {
    const { balloon } = this.context.board();
    return balloon && { id: this.balloonId, actual: Math.max(0, this.context.ram() - balloon.size) };
  }

  /** Asks the guest to keep at most `target` bytes. */
  setBalloon(target: number): void {
    const board = this.context.board();
    if (!board.balloon) throw new MachineError('No balloon device has been activated');
    const ram = this.context.ram();
    board.balloon.resize(Math.floor((ram - Math.min(target, ram)) / PAGE) * PAGE);
    board.virtioConfigChanged(this.balloonId);
    this.context.wake();
  }

  /** Is the hva backed by a virtio-mem device's memory? */
  owns(hva: number): boolean {
    return this.placedMems.some((mem) => {
      const { start, end } = this.backingOf(mem);
      return hva >= start && hva < end;
    });
  }

  // For the devices

  plug(id: string, { offset, size }: MemRange): MemOutcome {
    const mem = this.find(id);
    const backing = this.backingOf(mem);
    const regions = mapPart(this.context.engine, mem.addr + offset, backing.start + offset, size, backing);
    return this.commit(mem, regions);
  }

  /** Memory that is unplugged is zero when it is plugged again. */
  unplug(id: string, ranges: readonly MemRange[]): MemOutcome {
    const { engine, host, invalidateCode, endSlice } = this.context;
    const mem = this.find(id);
    const { start } = this.backingOf(mem);
    const parts = ranges.map(({ offset, size }) => ({ start: start + offset, end: start + offset + size }));
    const outcome = this.commit(mem, unmapParts(engine, parts));
    if (outcome !== 'done') return outcome;
    endSlice();
    for (const part of parts) {
      host.bytes.fill(0, part.start, part.end);
      invalidateCode(part.start, part.end - part.start);
    }
    return outcome;
  }

  sizeChanged(id: string, size: number): void {
    this.context.qmp('MEMORY_DEVICE_SIZE_CHANGE', { size, 'qom-path': `/machine/peripheral/${id}`, id });
    this.context.changed();
  }

  balloonChanged(size: number): void {
    this.context.qmp('BALLOON_CHANGE', { actual: Math.max(0, this.context.ram() - size) });
    this.context.changed();
  }

  /** A memory backend replaced another: the device with the old one gets the new one. */
  rehosted({ from, onto }: Rehost): void {
    if (onto === undefined) return;
    const mem = this.placedMems.find((each) => this.backingOf(each).start === from);
    if (!mem) return;
    this.moved.set(mem.id, onto);
    this.context.changed();
  }

  /** For a machine state: absent if every device has its original backend. */
  save(): Pick<SavedMachine, 'memdevs'> {
    if (this.moved.size === 0) return {};
    return { memdevs: [...this.moved].map(([device, memdev]) => ({ device, memdev })) };
  }

  restore({ memdevs = [] }: SavedMachine): void {
    this.moved.clear();
    for (const { device, memdev } of memdevs) this.moved.set(device, memdev);
    this.claimBackends();
  }

  /** Throws an Error if a saved machine has no such backends. */
  checkSaved({ backends, dimms, memdevs = [] }: SavedMachine): void {
    const own = this.placed.filter((device) => device.driver === 'virtio-mem');
    const stranger = memdevs.find(({ device }) => !own.some(({ id }) => id === device));
    if (stranger) throw new Error(`memdevs names '${stranger.device}', which is no virtio-mem device`);
    const used = own.map((mem) => memdevs.find(({ device }) => device === mem.id)?.memdev ?? mem.memdev);
    for (const [index, { id, size }] of own.entries()) {
      const memdev = used[index]!;
      if (used.indexOf(memdev) < index) throw new Error(`backend '${memdev}' is that of two virtio-mem devices`);
      const backend = backends.find((each) => each.id === memdev);
      if (backend?.kind !== 'memory-backend-ram' || backend.size !== size)
        throw new Error(`device '${id}' needs a backend '${memdev}' of ${size} bytes, which does not exist`);
      const dimm = [...dimms.plugged, ...(dimms.ejected ? [dimms.ejected] : [])].find((each) => each.memdev === memdev);
      if (dimm) throw new Error(`backend '${memdev}' of device '${id}' is that of DIMM '${dimm.id}' there`);
    }
  }

  /** With their current backends. */
  private get placedMems(): PlacedMem[] {
    const mems = this.placed.filter((device) => device.driver === 'virtio-mem');
    return mems.map((mem) => ({ ...mem, memdev: this.moved.get(mem.id) ?? mem.memdev }));
  }

  private get balloonId(): string {
    return this.placed.find((device) => device.driver === 'virtio-balloon-device')?.id ?? '';
  }

  private find(id: string): PlacedMem {
    const mem = this.placedMems.find((each) => each.id === id);
    if (!mem) throw new MachineError(`Device '${id}' not found`);
    return mem;
  }

  private backingOf({ memdev, size }: PlacedMem): { start: number; end: number } {
    const { hva } = this.context.backends.get(memdev)!;
    return { start: hva, end: hva + size };
  }

  private commit({ id: device, memdev }: PlacedMem, regions: readonly MemoryRegion[]): MemOutcome {
    if (regions.length === 0) return 'done';
    const { engine, through } = this.context;
    const commit = through({ kind: 'virtio-mem', device, memdev, who: 'guest' }, () => engine.changeUserMemoryRegions(regions));
    if (commit.ok) return 'done';
    // Another commit is under way: the guest's driver retries.
    return commit.refusals.some(({ errno }) => errno === 'ESTALE') ? 'busy' : 'refused';
  }
}
