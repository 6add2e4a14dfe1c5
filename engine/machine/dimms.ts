/**
 * pc-dimm devices, and the protocol with the guest about them: plug, unplug, eject, _OST, and our move. QEMU's order of checks and error texts
 * (hw/mem/pc-dimm.c as of 7.2). Placement: dimm-placement.ts.
 */
import type { MemoryHotplug } from '../devices/memhp';
import type { MemslotEngine } from '../memory/index';
import type { Commit } from '../memory/types';
import {
  type Backend,
  type DeviceCommit,
  type Dimm,
  type MachineDimms,
  MachineError,
  type QmpEvent,
  type SavedDimm,
  type SavedDimms,
} from './api';
import type { Backends, Rehost } from './backends';
import { DimmPlacement, stepOf } from './dimm-placement';
import { unmapParts } from './partial-slots';

/** QEMU's text, including its mistake. */
const NO_DIMM_SLOTS = "no slots where allocated, please specify the 'slots' option";

const PAGE = 4096;
/** _OST source and status codes (ACPI 6.4, 6.3.5). */
const OST_EJECT = 3;
const OST_SUCCESS = 0;
const OST_EJECT_IN_PROGRESS = 0x84;

export interface DimmConfig {
  ram: number;
  slots: number;
  maxmem: number;
}

export interface PlugOptions {
  id?: string;
  memdev: string;
  addr?: number;
  slot?: number;
  node?: number;
}

export interface DimmHooks {
  changed(): void;
  /** MachineError while the layout must not change from outside the guest. */
  editable(): void;
  /** Notifies the guest: there is something to check. */
  wake(): void;
  qmp(event: QmpEvent, data: Record<string, unknown>): void;
  /** The guest should check its DIMMs again. */
  rescan(): void;
  /** The guest takes memory only in blocks of this many bytes; undefined: any size. */
  guestBlock(): number | undefined;
  /** The guest is about to cause a commit: completes a commit that is under way first. */
  settle(): void;
  /** Runs a commit, and records that it is made through the device. */
  through<T>(device: DeviceCommit, commit: () => T): T;
}

interface PluggedDimm extends Dimm {
  /** QOM path */
  path: string;
  hva: number;
  /** The state of the DIMM that the guest could last see: a commit that changes it notifies the guest. */
  seen: string;
  /** gpa where it is plugged in again once the guest has given it back. */
  moveTo?: number;
  /** gpa before a move, until the guest has taken it at its new address. */
  movedFrom?: number;
}

export class Dimms implements MachineDimms {
  private readonly plugged: PluggedDimm[] = [];
  private anonymous = 0;
  /** A DIMM that moves: ejected, and not yet plugged in at its new address. */
  private ejected: PluggedDimm | undefined;
  /** The running commit was started here, so the guest is notified already. */
  private own = false;
  readonly placement: DimmPlacement;

  constructor(
    private readonly config: DimmConfig,
    private readonly engine: MemslotEngine,
    private readonly backends: Backends,
    /** Set by the composition root, since device and DIMMs need each other. */
    private readonly memhp: () => MemoryHotplug,
    private readonly hooks: DimmHooks,
  ) {
    const { ram, maxmem } = config;
    this.placement = new DimmPlacement({ ram, maxmem, engine, plugged: () => this.plugged, ownerOf: (hva) => this.ownerOf(hva) });
  }

  list(): Dimm[] {
    return this.plugged.map(({ path: _path, hva: _hva, seen: _seen, moveTo: _to, movedFrom: _from, ...dimm }) => dimm);
  }

  window(): { start: number; end: number }[] {
    return this.placement.window();
  }

  block(): number {
    return stepOf(this.hooks.guestBlock());
  }

  plug(options: PlugOptions): Dimm {
    this.hooks.editable();
    const { id } = options;
    if (id !== undefined && this.plugged.some((dimm) => dimm.id === id)) throw new MachineError(`Duplicate device ID '${id}'`);
    const memdev = options.memdev.replace(/^\/objects\//, '');
    const backend = this.backends.get(memdev);
    if (!backend) throw new MachineError(`Device '${options.memdev}' not found`);
    const node = options.node ?? 0;
    const { slot, addr } = everyReason({
      slot: () => this.chooseSlot(options.slot),
      addr: () => this.placement.choose(backend.size, options.addr, this.hooks.guestBlock()),
      memdev: () => {
        if (backend.busy !== undefined || backend.kind === 'board') throw new MachineError(`can't use already busy memdev: ${memdev}`);
      },
      node: () => {
        if (node !== 0) throw new MachineError(`'DIMM property node has value ${node}' which exceeds the number of numa nodes: 1`);
      },
    });
    const dimm = this.realize({ id: id ?? '', memdev, slot, node, addr }, backend, 'person');
    this.hooks.wake();
    return dimm;
  }

  /** Asks the guest. A second request before it responds is silently accepted, as in QEMU. */
  unplug(id: string): void {
    this.hooks.editable();
    this.askBack(this.find(id));
    this.hooks.wake();
  }

  private askBack(dimm: PluggedDimm): void {
    delete dimm.moveTo;
    dimm.pendingUnplug = true;
    this.memhp().requestUnplug(dimm.slot);
    this.hooks.changed();
  }

  /**
   * Asks the guest to give back the DIMM and plugs it in again at `addr` (gpa, bytes) once it did: DEVICE_MOVED. If the guest refuses, the DIMM stays
   * where it is: MEM_UNPLUG_ERROR. The contents are kept in any case.
   */
  move(id: string, addr: number): void {
    this.hooks.editable();
    this.checkMove(id, addr);
    const dimm = this.find(id);
    this.askBack(dimm);
    dimm.moveTo = addr;
    this.hooks.wake();
  }

  /** MachineError if `move` would refuse. */
  private checkMove(id: string, addr: number): void {
    const dimm = this.find(id);
    if (dimm.pendingUnplug) throw new MachineError(`Device '${id}' is already being given back by the guest`);
    this.placement.checkMove(dimm, addr, this.hooks.guestBlock());
  }

  /** Why a DIMM cannot be moved there, and the nearest address where it can be. */
  moveRefusal(id: string, addr: number): { refusal?: string; nearest?: number } {
    const refusal = this.refusalAt(id, addr);
    if (refusal === undefined) return {};
    const dimm = this.find(id);
    const place = dimm.pendingUnplug ? undefined : this.placement.nearestTo(addr, dimm, this.hooks.guestBlock());
    return { refusal, ...(place === undefined ? {} : { nearest: place }) };
  }

  private refusalAt(id: string, addr: number): string | undefined {
    try {
      this.checkMove(id, addr);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** DIMMs that the guest has taken, at the addresses where it sees them. */
  taken(): readonly (Dimm & { hva: number })[] {
    return this.plugged.filter(({ slot }) => {
      const { enabled, inserting, ostStatus } = this.memhp().status(slot);
      return enabled && !inserting && ostStatus === OST_SUCCESS;
    });
  }

  /**
   * For the hotplug registers: where the DIMM in `slot` is mapped; undefined while its first byte is not mapped. A DIMM with a pending unplug request
   * is always present: otherwise the guest could not give it back.
   */
  mapped(slot: number): { base: number; length: number; node: number } | undefined {
    const dimm = this.plugged.find((d) => d.slot === slot);
    if (!dimm) return undefined;
    const { addr: base, size: length, node, pendingUnplug } = dimm;
    const extent = this.extent(dimm) ?? (pendingUnplug ? { base, length } : undefined);
    return extent && { ...extent, node };
  }

  /** The guest ejected the DIMM in `slot`. */
  eject(slot: number): boolean {
    const index = this.plugged.findIndex((d) => d.slot === slot);
    const dimm = this.plugged[index];
    if (!dimm) return false;
    this.hooks.settle();
    if (!this.remove(dimm)) {
      this.hooks.qmp('MEM_UNPLUG_ERROR', { device: dimm.id, msg: 'the memslot engine refused to delete its memslots' });
      return false;
    }
    this.plugged.splice(index, 1);
    if (dimm.moveTo === undefined) this.deleted(dimm);
    else {
      if (this.ejected) this.finishMove();
      this.ejected = dimm;
    }
    this.hooks.changed();
    return true;
  }

  /** The guest reported a status of the DIMM in `slot`. */
  ost(slot: number, source: number, status: number): void {
    const dimm = this.plugged.find((d) => d.slot === slot);
    const info = { ...(dimm ? named(dimm) : {}), source, status, slot: String(slot), 'slot-type': 'DIMM' };
    this.hooks.qmp('ACPI_DEVICE_OST', { info });
    if (this.ejected?.slot === slot || dimm?.movedFrom !== undefined) this.hooks.settle();
    // Not earlier: the guest first makes sure that the DIMM is gone.
    if (this.ejected?.slot === slot && source === OST_EJECT) this.finishMove();
    if (dimm?.movedFrom !== undefined && source !== OST_EJECT) this.arrived(dimm, status);
    if (dimm && source === OST_EJECT && status !== OST_SUCCESS && status !== OST_EJECT_IN_PROGRESS) {
      dimm.pendingUnplug = false;
      delete dimm.moveTo;
      this.hooks.qmp('MEM_UNPLUG_ERROR', { device: dimm.id, msg: `the guest keeps it (_OST status ${status}: ${ostText(status)})` });
      this.hooks.changed();
    }
  }

  /** After a commit: has it changed what the guest can see of a DIMM? */
  noticeCommit(): void {
    if (this.own) return;
    let changed = false;
    for (const dimm of this.plugged) {
      const seen = this.describe(dimm);
      if (seen !== dimm.seen) changed = true;
      dimm.seen = seen;
    }
    if (changed) this.hooks.rescan();
  }

  /** The contents of a DIMM's backend moved: to other host memory, or to another backend. */
  rehosted({ from, to, onto }: Rehost): void {
    for (const dimm of [...this.plugged, ...(this.ejected ? [this.ejected] : [])]) {
      if (dimm.hva !== from) continue;
      dimm.hva = to;
      if (onto === undefined) continue;
      dimm.memdev = onto;
      this.hooks.changed();
    }
  }

  /** After a machine reset: drops requests to the old guest; the DIMMs stay. */
  noticeReset(): void {
    if (this.ejected) this.finishMove();
    for (const dimm of this.plugged) {
      dimm.pendingUnplug = false;
      delete dimm.moveTo;
    }
  }

  save(): SavedDimms {
    const { anonymous, ejected } = this;
    return { anonymous, plugged: this.plugged.map(savedDimm), ejected: ejected ? savedDimm(ejected) : null };
  }

  /** Replaces all plugged DIMMs. The caller restores memslots and hotplug registers. */
  restore({ anonymous, plugged, ejected }: SavedDimms): void {
    this.anonymous = anonymous;
    this.plugged.splice(0, this.plugged.length, ...plugged.map(pluggedDimm));
    this.ejected = ejected ? pluggedDimm(ejected) : undefined;
    for (const dimm of this.plugged) dimm.seen = this.describe(dimm);
    this.hooks.changed();
  }

  /** id of the DIMM whose backend holds the hva. */
  ownerOf(hva: number): Dimm | undefined {
    return this.plugged.find((d) => hva >= d.hva && hva < d.hva + d.size);
  }

  private find(id: string): PluggedDimm {
    const dimm = this.plugged.find((d) => (d.id !== '' && d.id === id) || d.path === id);
    if (!dimm) throw new MachineError(`Device '${id}' not found`);
    return dimm;
  }

  /** Plugs an ejected DIMM in at its new address or, if that was taken meanwhile, at its old one. */
  private finishMove(): void {
    const dimm = this.ejected!;
    this.ejected = undefined;
    const [from, to] = [dimm.addr, dimm.moveTo!];
    const refused = this.plugAgain(dimm, to);
    if (refused === undefined) {
      this.plugged.find(({ slot }) => slot === dimm.slot)!.movedFrom = from;
      this.hooks.qmp('DEVICE_MOVED', { ...named(dimm), path: dimm.path, addr: to });
    } else this.rollBack(dimm, from, refused);
  }

  /** The guest's status for a DIMM at its new address. If the guest refuses it there, it goes back. */
  private arrived(dimm: PluggedDimm, status: number): void {
    const from = dimm.movedFrom!;
    delete dimm.movedFrom;
    if (status === OST_SUCCESS || !this.remove(dimm)) return;
    this.plugged.splice(this.plugged.indexOf(dimm), 1);
    this.rollBack(dimm, from, `the guest does not accept it at ${hex(dimm.addr)} (_OST status ${status})`);
  }

  private rollBack(dimm: PluggedDimm, from: number, reason: string): void {
    const refused = this.plugAgain(dimm, from);
    const where =
      refused === undefined
        ? `it was plugged in again at ${hex(from)}`
        : `it cannot be plugged in again at ${hex(from)} either: ${refused}`;
    this.hooks.qmp('MEM_UNPLUG_ERROR', { device: dimm.id, msg: `${reason}; ${where}` });
    if (refused !== undefined) this.deleted(dimm);
    this.hooks.changed();
  }

  /** Why it cannot be placed at `addr`, or undefined if it can. */
  private plugAgain({ id, memdev, slot, node, path }: PluggedDimm, addr: number): string | undefined {
    try {
      this.realize({ id, memdev, slot, node, addr }, this.backends.get(memdev)!, 'guest', path);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  private deleted(dimm: PluggedDimm): void {
    this.backends.setBusy(dimm.memdev, undefined);
    this.hooks.qmp('DEVICE_DELETED', { ...named(dimm), path: dimm.path });
  }

  private realize(
    chosen: { id: string; memdev: string; slot: number; node: number; addr: number },
    backend: Backend,
    who: DeviceCommit['who'],
    at?: string,
  ): Dimm {
    const { id, memdev } = chosen;
    const path = at ?? (id === '' ? `/machine/peripheral-anon/device[${this.anonymous}]` : `/machine/peripheral/${id}`);
    const region = {
      slot: this.freeSlotId(),
      guestPhysAddr: chosen.addr,
      memorySize: backend.size,
      userspaceAddr: backend.hva,
    };
    const commit = this.commit({ id, memdev, path }, who, () => this.engine.setUserMemoryRegion(region));
    if (!commit.ok) throw new MachineError(commit.refusals[0]?.reason ?? 'the memslot engine refused the DIMM');
    if (at === undefined && id === '') this.anonymous += 1;
    const dimm: PluggedDimm = { ...chosen, size: backend.size, hotplugged: true, pendingUnplug: false, path, hva: backend.hva, seen: '' };
    dimm.seen = this.describe(dimm);
    this.plugged.push(dimm);
    this.backends.setBusy(memdev, id === '' ? path : id);
    this.memhp().plug(chosen.slot);
    this.hooks.changed();
    return this.list().at(-1)!;
  }

  private chooseSlot(wanted: number | undefined): number {
    const { slots } = this.config;
    if (wanted !== undefined && wanted !== -1 && !(wanted >= 0 && wanted < slots)) {
      throw new MachineError(
        slots === 0 ? NO_DIMM_SLOTS : `invalid slot number ${wanted}, valid range is [0-${slots - 1}] (DIMM slots: -m slots=${slots})`,
      );
    }
    if (slots === 0) throw new MachineError(NO_DIMM_SLOTS);
    const taken = new Set(this.plugged.map((dimm) => dimm.slot));
    if (this.ejected) taken.add(this.ejected.slot);
    if (wanted !== undefined && wanted !== -1) {
      if (taken.has(wanted)) throw new MachineError(`slot ${wanted} is busy (DIMM slot: another DIMM is in it)`);
      return wanted;
    }
    for (let slot = 0; slot < slots; slot++) if (!taken.has(slot)) return slot;
    throw new MachineError(`no free slots available (DIMM slots: all ${slots} of -m slots=${slots} hold a DIMM)`);
  }

  private freeSlotId(): number {
    let id = 0;
    while (this.engine.memslotById(id)) id += 1;
    return id;
  }

  /** Removes its bytes from all memslots in one commit: the guest has given them back, or has refused them. The rest of such slots stays. */
  private remove(dimm: PluggedDimm): boolean {
    const regions = unmapParts(this.engine, [{ start: dimm.hva, end: dimm.hva + dimm.size }]);
    return regions.length === 0 || this.commit(dimm, 'guest', () => this.engine.changeUserMemoryRegions(regions)).ok;
  }

  private commit({ id, memdev, path }: Pick<PluggedDimm, 'id' | 'memdev' | 'path'>, who: DeviceCommit['who'], run: () => Commit): Commit {
    this.own = true;
    try {
      return this.hooks.through({ kind: 'pc-dimm', device: id === '' ? path : id, memdev, who }, run);
    } finally {
      this.own = false;
    }
  }

  /** From the backend's first byte on, as long as guest addresses and backend offsets advance together. */
  private extent(dimm: PluggedDimm): { base: number; length: number } | undefined {
    const end = dimm.hva + dimm.size;
    const slots = this.engine.memslotsByHva(dimm.hva, end);
    const first = slots.find((s) => s.userspaceAddr <= dimm.hva && dimm.hva < s.userspaceAddr + s.npages * PAGE);
    if (!first) return undefined;
    const base = first.baseGfn * PAGE + (dimm.hva - first.userspaceAddr);
    let length = Math.min(first.userspaceAddr + first.npages * PAGE, end) - dimm.hva;
    for (;;) {
      const next = slots.find((s) => s.userspaceAddr === dimm.hva + length && s.baseGfn * PAGE === base + length);
      if (!next || length >= dimm.size) return { base, length };
      length = Math.min(length + next.npages * PAGE, dimm.size);
    }
  }

  private describe(dimm: PluggedDimm): string {
    const extent = this.extent(dimm);
    return extent ? `${extent.base}+${extent.length}` : 'unmapped';
  }
}

function savedDimm({ seen: _seen, movedFrom: _from, moveTo, ...dimm }: PluggedDimm): SavedDimm {
  return { ...dimm, moveTo: moveTo ?? null };
}

function pluggedDimm({ moveTo, ...dimm }: SavedDimm): PluggedDimm {
  return { ...dimm, seen: '', ...(moveTo === null ? {} : { moveTo }) };
}

function named(dimm: Dimm): { device?: string } {
  return dimm.id === '' ? {} : { device: dimm.id };
}

function ostText(status: number): string {
  if (status === 0x82) return 'device busy';
  if (status === 0x81) return 'device not found';
  if (status === 0x80) return 'eject not supported by the guest';
  return 'refused';
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The results of all, or one MachineError with the reason of each call that throws one. */
function everyReason<T extends Record<string, () => unknown>>(checks: T): { [K in keyof T]: ReturnType<T[K]> } {
  const reasons: string[] = [];
  const answers = Object.entries(checks).map(([name, check]) => {
    try {
      return [name, check()];
    } catch (error) {
      if (!(error instanceof MachineError)) throw error;
      reasons.push(error.message);
      return [name, undefined];
    }
  });
  if (reasons.length > 0) throw new MachineError(reasons.join('; '));
  return Object.fromEntries(answers) as { [K in keyof T]: ReturnType<T[K]> };
}
