/**
 * The checks of KVM_SET_USER_MEMORY_REGION that concern one region alone, in the kernel's order (kvm_vm_ioctl_set_memory_region,
 * check_memory_region_flags, kvm_set_memory_region in virt/kvm/kvm_main.c). All of them are EINVAL.
 */
import { MemFlag, type MemslotEngineOptions } from './types';

export const PAGE_SIZE = 4096;
/** KVM_MEM_MAX_NR_PAGES */
export const MAX_PAGES = 2 ** 31 - 1;
/** KVM_USER_MEM_SLOTS on x86 */
export const DEFAULT_MAX_SLOTS = 32764;
/** KVM_MEM_SLOTS_NUM: ids are 15 bits */
const MAX_ID = 32767;

export interface Limits {
  maxSlots: number;
  spaces: number;
  hostBase: number;
  hostSize: number;
  /** First gfn that the MMU cannot address. */
  endGfn: number;
  readOnlySlots: boolean;
}

/** A region that passed, in the engine's units. */
export interface Region {
  id: number;
  asId: number;
  flags: number;
  base: number;
  pages: number;
  hva: number;
  /** It may reach over several backings. */
  span: boolean;
}

/** Where a region lies, in gfns. */
export interface Place {
  id: number;
  asId: number;
  base: number;
  pages: number;
}

/** Throws RangeError on options that make no sense, naming the option. */
export function limitsOf(options: MemslotEngineOptions): Limits {
  const { maxSlots = DEFAULT_MAX_SLOTS, addressSpaces = 2, physAddrBits = 46 } = options;
  const { hostBase = 0, hostSize = Number.MAX_SAFE_INTEGER } = options;
  within('maxSlots', maxSlots, 1, MAX_ID);
  within('addressSpaces', addressSpaces, 1, 16);
  within('physAddrBits', physAddrBits, 13, 52);
  within('hostBase', hostBase, 0, Number.MAX_SAFE_INTEGER);
  within('hostSize', hostSize, hostBase, Number.MAX_SAFE_INTEGER);
  const endGfn = 2 ** (physAddrBits - 12);
  return { maxSlots, spaces: addressSpaces, hostBase, hostSize, endGfn, readOnlySlots: options.readOnlySlots ?? true };
}

function within(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high)
    throw new RangeError(`option ${name} is ${value}: use an integer from ${low} to ${high}`);
}

const isAddress = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** `value` as people read addresses; what is no address is shown as it is. */
export function hex(value: unknown): string {
  if (isAddress(value)) return `0x${value.toString(16)}`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** The multiple of 4096 next to `value`, at least `least`, for a refusal; nothing where there is none. */
function nearestPages(value: unknown, least: number): string {
  if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) return '';
  return ` (nearest: ${hex(Math.max(least, Math.round(value / PAGE_SIZE) * PAGE_SIZE))})`;
}

/** An entry of a request as it came: nothing is checked but that it can be read. */
export interface Fields {
  slot: unknown;
  asId: unknown;
  flags: unknown;
  gpa: unknown;
  size: unknown;
  hva: unknown;
  span: boolean;
}

/** Reads every property once: what is checked is what is used. */
export function readFields(entry: unknown, defaultAsId: number): Fields | string {
  if (typeof entry !== 'object' || entry === null) return `entry is ${String(entry)}: give a memory region`;
  try {
    const { slot, asId = defaultAsId, flags = 0, guestPhysAddr, memorySize, userspaceAddr, span } = entry as Record<string, unknown>;
    return { slot, asId, flags, gpa: guestPhysAddr, size: memorySize, hva: userspaceAddr, span: span === true };
  } catch (error) {
    return `entry cannot be read: ${String(error)}`;
  }
}

/** The region in engine units, or every reason why not; the first is the one that KVM finds. */
export function checkRegion(limits: Limits, fields: Fields): Region | string[] {
  const reasons = refuseFields(limits, fields);
  if (reasons !== undefined) return reasons;
  const { slot, asId, flags, gpa, size, hva } = fields as unknown as Record<keyof Fields, number>;
  return { id: slot, asId, flags, base: gpa / PAGE_SIZE, pages: size / PAGE_SIZE, hva, span: fields.span };
}

/**
 * Where an invalid region would lie, if that is known: besides its own faults it may overlap others. An address or a size that is no multiple of a
 * page counts as the nearest one, which its refusal names: where that is taken, the refusal of the overlap names one that is free.
 */
export function placeOf(limits: Limits, { slot, asId, gpa, size }: Fields): Place | undefined {
  if (!isAddress(slot) || !isAddress(asId) || asId >= limits.spaces) return undefined;
  if (!isAddress(gpa) || !isAddress(size) || size === 0 || !isAddress(gpa + size)) return undefined;
  return { id: slot, asId, base: Math.round(gpa / PAGE_SIZE), pages: Math.max(1, Math.round(size / PAGE_SIZE)) };
}

function refuseFields(l: Limits, { slot, asId, flags, gpa, size, hva }: Fields): string[] | undefined {
  const reasons: string[] = [];
  const known = l.readOnlySlots ? MemFlag.LogDirtyPages | MemFlag.ReadOnly : MemFlag.LogDirtyPages;
  if (!isAddress(slot) || slot >= l.maxSlots) reasons.push(`memslot id is ${String(slot)}: use an id from 0 to ${l.maxSlots - 1}`);
  if (!isAddress(flags) || flags > known || (flags & ~known) !== 0)
    reasons.push(`flags is ${hex(flags)}: only bits of ${hex(known)} exist here`);
  const sized = isAddress(size);
  const placed = isAddress(gpa);
  const paged = sized && size % PAGE_SIZE === 0;
  if (!paged) reasons.push(`memorySize is ${hex(size)}: use a multiple of 4096${nearestPages(size, PAGE_SIZE)}`);
  if (!placed || gpa % PAGE_SIZE !== 0)
    reasons.push(`guestPhysAddr is ${hex(gpa)}: use a multiple of 4096 below 2^53${nearestPages(gpa, 0)}`);
  const inHost = isAddress(hva) && hva % PAGE_SIZE === 0;
  if (!inHost) reasons.push(`userspaceAddr is ${hex(hva)}: use a multiple of 4096 below 2^53${nearestPages(hva, l.hostBase)}`);
  if (paged && inHost && (hva + size > l.hostSize || (size > 0 && hva < l.hostBase))) {
    const room = hva < l.hostBase ? 0 : Math.floor((l.hostSize - hva) / PAGE_SIZE) * PAGE_SIZE;
    const nearest = room > 0 ? ` (nearest size: ${hex(room)})` : '';
    reasons.push(`userspaceAddr ${hex(hva)} + ${hex(size)} is outside host memory [${hex(l.hostBase)}, ${hex(l.hostSize)})${nearest}`);
  }
  if (!isAddress(asId) || asId >= l.spaces) reasons.push(`asId is ${String(asId)}: use 0 to ${l.spaces - 1}`);
  if (placed && sized && !isAddress(gpa + size)) reasons.push(`guestPhysAddr ${hex(gpa)} + ${hex(size)} goes beyond 2^53`);
  if (paged && size / PAGE_SIZE > MAX_PAGES)
    reasons.push(`memorySize is ${hex(size)}: a memslot has at most ${MAX_PAGES} pages (nearest: ${hex(MAX_PAGES * PAGE_SIZE)})`);
  return reasons.length > 0 ? reasons : undefined;
}
