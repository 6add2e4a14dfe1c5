/**
 * The checks of KVM_SET_USER_MEMORY_REGION that look at one region alone, in the kernel's order (kvm_vm_ioctl_set_memory_region,
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

/** An entry of a request as it came: nothing is checked but that it can be read. */
export interface Fields {
  slot: unknown;
  asId: unknown;
  flags: unknown;
  gpa: unknown;
  size: unknown;
  hva: unknown;
}

/** Reads every property once: what is checked is what is used. */
export function readFields(entry: unknown, defaultAsId: number): Fields | string {
  if (typeof entry !== 'object' || entry === null) return `entry is ${String(entry)}: give a memory region`;
  try {
    const { slot, asId = defaultAsId, flags = 0, guestPhysAddr, memorySize, userspaceAddr } = entry as Record<string, unknown>;
    return { slot, asId, flags, gpa: guestPhysAddr, size: memorySize, hva: userspaceAddr };
  } catch (error) {
    return `entry cannot be read: ${String(error)}`;
  }
}

/** The region in engine units, or why not. */
export function checkRegion(limits: Limits, fields: Fields): Region | string {
  const reason = refuseFields(limits, fields);
  if (reason !== undefined) return reason;
  const { slot, asId, flags, gpa, size, hva } = fields as Record<keyof Fields, number>;
  return { id: slot, asId, flags, base: gpa / PAGE_SIZE, pages: size / PAGE_SIZE, hva };
}

function refuseFields(l: Limits, { slot, asId, flags, gpa, size, hva }: Fields): string | undefined {
  const known = l.readOnlySlots ? MemFlag.LogDirtyPages | MemFlag.ReadOnly : MemFlag.LogDirtyPages;
  if (!isAddress(slot) || slot >= l.maxSlots) return `slot is ${String(slot)}: use an id from 0 to ${l.maxSlots - 1}`;
  if (!isAddress(flags) || flags > known || (flags & ~known) !== 0) return `flags is ${hex(flags)}: only bits of ${hex(known)} exist here`;
  if (!isAddress(size) || size % PAGE_SIZE !== 0) return `memorySize is ${hex(size)}: use a multiple of 4096`;
  if (!isAddress(gpa) || gpa % PAGE_SIZE !== 0) return `guestPhysAddr is ${hex(gpa)}: use a multiple of 4096 below 2^53`;
  if (!isAddress(hva) || hva % PAGE_SIZE !== 0) return `userspaceAddr is ${hex(hva)}: use a multiple of 4096 below 2^53`;
  if (hva + size > l.hostSize || (size > 0 && hva < l.hostBase))
    return `userspaceAddr ${hex(hva)} + ${hex(size)} is outside host memory [${hex(l.hostBase)}, ${hex(l.hostSize)})`;
  if (!isAddress(asId) || asId >= l.spaces) return `asId is ${String(asId)}: use 0 to ${l.spaces - 1}`;
  if (!isAddress(gpa + size)) return `guestPhysAddr ${hex(gpa)} + ${hex(size)} goes beyond 2^53`;
  if (size / PAGE_SIZE > MAX_PAGES) return `memorySize is ${hex(size)}: a slot has at most ${MAX_PAGES} pages`;
  return undefined;
}
