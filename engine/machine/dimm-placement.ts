/**
 * Where memory devices may be placed: their window, the multiples of 128 MiB, free places and the nearest one to a wish. QEMU's rules, order of
 * checks and error texts (hw/mem/memory-device.c as of 7.2), but with a window of two ranges because this board also plugs below 4 GiB.
 */
import type { MemslotEngine } from '../memory/index';
import type { Memslot } from '../memory/types';
import { type Dimm, MachineError } from './api';
import { FOUR_GIB, PCI_HOLE_START } from './board';

const PAGE = 4096;
const MIB = 0x100000;
/** QEMU's required multiple for address and size of a DIMM on x86. */
const GRANULARITY = 2 * MIB;
/**
 * Linux on x86-64 takes hotplugged memory in blocks of this size, at multiples of it, and silently refuses anything else (memory_block_size_bytes).
 * So addresses chosen here always suit Linux, whatever the guest is, and DIMMs for a Linux must be such blocks.
 */
export const LINUX_MEMORY_BLOCK = 128 * MIB;

export interface Range {
  start: number;
  end: number;
}

/** A DIMM's memory: where it is mapped, and its host memory. Bytes. */
interface Mapped {
  addr: number;
  hva: number;
  size: number;
}

export interface PlacementContext {
  ram: number;
  maxmem: number;
  engine: MemslotEngine;
  plugged(): readonly Dimm[];
  /** The DIMM whose backend holds the hva. */
  ownerOf(hva: number): Dimm | undefined;
}

export class DimmPlacement {
  /** Places in the window that other memory devices reserve, mapped or not. */
  private readonly reserved: (Range & { id: string })[] = [];

  constructor(private readonly context: PlacementContext) {}

  /** Where memory devices may lie. Empty without maxmem. */
  window(): Range[] {
    const { ram, maxmem } = this.context;
    if (maxmem <= ram) return [];
    const low = alignUp(Math.min(ram, PCI_HOLE_START), LINUX_MEMORY_BLOCK);
    const high = alignUp(FOUR_GIB + Math.max(0, ram - PCI_HOLE_START), LINUX_MEMORY_BLOCK);
    const ranges = [
      { start: low, end: PCI_HOLE_START },
      { start: high, end: high + alignUp(maxmem - ram, LINUX_MEMORY_BLOCK) },
    ];
    return ranges.filter((range) => range.start < range.end);
  }

  /** Memory reserved by devices, mapped or not. */
  get kept(): readonly (Range & { id: string })[] {
    return this.reserved;
  }

  /** Room in the window for a memory device that maps it itself; gpa. */
  reserve(id: string, size: number, wanted: number | undefined): number {
    const start = this.choose(size, wanted, undefined);
    this.reserved.push({ id, start, end: start + size });
    return start;
  }

  /** A place for a device of `size` bytes: `addr` (gpa), or the first free one. MachineError if there is none or `addr` cannot be used. */
  choose(size: number, addr: number | undefined, block: number | undefined): number {
    const total = this.context.maxmem - this.context.ram;
    const used = [...this.context.plugged(), ...this.reserved.map(({ start, end }) => ({ size: end - start }))].reduce(
      (sum, each) => sum + each.size,
      0,
    );
    const memory = this.window();
    if (memory.length === 0) {
      throw new MachineError('memory devices (e.g. for memory hotplug) are not enabled, please specify the maxmem option');
    }
    const step = stepOf(block);
    if (used + size > total) {
      const room = Math.floor((total - used) / step) * step;
      throw new MachineError(
        `not enough space, currently ${hex(used)} in use of total space for memory devices ${hex(total)}${room > 0 ? ` (nearest size: ${room / MIB}M)` : ''}`,
      );
    }
    const wanted = addr === 0 ? undefined : addr;
    this.checkMultiples(size, wanted, block);
    return wanted === undefined ? this.freeAddress(size, memory) : this.checkAddress(wanted, size, block);
  }

  /**
   * QEMU's multiples, or the guest's own if they are coarser: QEMU plugs what the guest then refuses silently. Names all reasons at once, with the
   * nearest size and the nearest free address.
   */
  private checkMultiples(size: number, addr: number | undefined, block: number | undefined, self?: Mapped): void {
    const step = stepOf(block);
    const rule = block === undefined || block < step ? '' : `: this guest takes memory in blocks of ${block / MIB} MiB`;
    const reasons: string[] = [];
    const nearestSize = nearest(size, step);
    if (addr !== undefined && addr % step !== 0)
      reasons.push(`address must be aligned to ${hex(step)} bytes${rule}${this.advice(addr, nearestSize, step, self)}`);
    if (size % step !== 0)
      reasons.push(`backend memory size must be multiple of ${hex(step)}${rule} (nearest size: ${nearestSize / MIB}M)`);
    if (reasons.length > 0) throw new MachineError(reasons.join('; '));
  }

  private checkAddress(addr: number, size: number, block: number | undefined, self?: Mapped): number {
    const memory = this.window();
    const refuse = (reason: string): MachineError => new MachineError(reason + this.advice(addr, size, stepOf(block), self));
    if (!memory.some((range) => addr >= range.start && addr + size <= range.end)) {
      const usable = memory.map((range) => `[${hex(range.start)}:${hex(range.end - range.start)}]`).join(' and ');
      throw refuse(`can't add memory device [${hex(addr)}:${hex(size)}], usable range for memory devices ${usable}`);
    }
    const reserved = this.firstReserved(addr, addr + size);
    if (reserved) throw refuse(`address range conflicts with memory device id='${reserved.id}'`);
    const other = this.firstOverlap(addr, addr + size, self);
    if (!other) return addr;
    const dimm = this.context.ownerOf(other.userspaceAddr);
    throw refuse(`address range conflicts with ${dimm ? `memory device id='${dimm.id}'` : `memslot ${other.slot}`}`);
  }

  /** `nearestPlace` as the end of a refusal; '' if there is none. */
  private advice(addr: number, size: number, step: number, self?: Mapped): string {
    const place = this.nearestPlace(addr, size, step, self);
    return place === undefined ? '' : ` (nearest address: ${hex(place)})`;
  }

  /** The free place for `size` bytes nearest to `addr`, a multiple of `step`. For a DIMM that will move, its current place is excluded. */
  private nearestPlace(addr: number, size: number, step: number, self?: Mapped): number | undefined {
    let best: number | undefined;
    for (const { start, end } of this.window()) {
      for (const gap of this.gapsIn(start, end, self)) {
        const [low, high] = [alignUp(gap.start, step), Math.floor((gap.end - size) / step) * step];
        if (low > high) continue;
        const place = Math.min(Math.max(Math.round(addr / step) * step, low), high);
        for (const each of place === self?.addr ? [place - step, place + step] : [place])
          if (each >= low && each <= high && (best === undefined || Math.abs(each - addr) < Math.abs(best - addr))) best = each;
      }
    }
    return best;
  }

  private gapsIn(start: number, end: number, self?: Mapped): Range[] {
    const taken = [...this.reserved, ...this.context.engine.memslots().flatMap((slot) => rangesBeside(slot, self))];
    const gaps: Range[] = [];
    let from = start;
    for (const range of taken.filter((each) => each.start < end && each.end > start).sort((a, b) => a.start - b.start)) {
      if (range.start > from) gaps.push({ start: from, end: range.start });
      from = Math.max(from, range.end);
    }
    if (from < end) gaps.push({ start: from, end });
    return gaps;
  }

  private freeAddress(size: number, memory: Range[]): number {
    if (!memory.some((range) => range.start + size <= range.end)) throw new MachineError("can't add memory device, device too big");
    for (const range of memory) {
      for (let addr = range.start; addr + size <= range.end; ) {
        const reserved = this.firstReserved(addr, addr + size);
        const other = this.firstOverlap(addr, addr + size);
        if (!other && !reserved) return addr;
        addr = alignUp(reserved?.end ?? (other!.baseGfn + other!.npages) * PAGE, LINUX_MEMORY_BLOCK);
      }
    }
    throw new MachineError('could not find position in guest address space for memory device - memory fragmented due to alignments');
  }

  private firstReserved(start: number, end: number): (Range & { id: string }) | undefined {
    return this.reserved.find((range) => range.start < end && start < range.end);
  }

  /** A memslot in [start, end) that maps memory other than that of `self`. */
  private firstOverlap(start: number, end: number, self?: Mapped): Memslot | undefined {
    return this.context.engine.memslots().find((slot) => {
      const gpa = slot.baseGfn * PAGE;
      if (gpa >= end || start >= gpa + slot.npages * PAGE) return false;
      if (!self) return true;
      // The hvas of the overlapping part: does it contain any that do not belong to `self`?
      const from = slot.userspaceAddr + Math.max(0, start - gpa);
      const to = slot.userspaceAddr + Math.min(slot.npages * PAGE, end - gpa);
      return from < self.hva || to > self.hva + self.size;
    });
  }

  /** MachineError if the DIMM cannot move to `addr`. */
  checkMove(dimm: Mapped, addr: number, block: number | undefined): void {
    this.checkMultiples(dimm.size, addr, block, dimm);
    this.checkAddress(addr, dimm.size, block, dimm);
  }

  /** The free place nearest to `addr` that the DIMM could move to. */
  nearestTo(addr: number, dimm: Mapped, block: number | undefined): number | undefined {
    return this.nearestPlace(addr, dimm.size, stepOf(block), dimm);
  }
}

/** Size and address of a DIMM must be multiples of this. */
export function stepOf(block: number | undefined): number {
  return Math.max(GRANULARITY, block ?? 0);
}

/** Guest addresses that a slot maps to memory other than that of `self`. */
function rangesBeside({ baseGfn, npages, userspaceAddr: hva }: Memslot, self: Mapped | undefined): Range[] {
  const [start, end] = [baseGfn * PAGE, (baseGfn + npages) * PAGE];
  if (!self || hva >= self.hva + self.size || self.hva >= hva + end - start) return [{ start, end }];
  const own = { start: start + self.hva - hva, end: start + self.hva + self.size - hva };
  return [
    { start, end: own.start },
    { start: own.end, end },
  ].filter((range) => range.start < range.end);
}

function nearest(value: number, step: number): number {
  return Math.max(1, Math.round(value / step)) * step;
}

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
