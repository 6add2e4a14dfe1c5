/** Texts of the page walk panel. */
import type { PageWalk, PageWalkStep, SlotView } from '../../../engine/worker/protocol';
import { hex } from '../../shared/format';

const FLAGS: readonly [bit: bigint, name: string][] = [
  [1n, 'P'],
  [2n, 'RW'],
  [4n, 'US'],
  [8n, 'PWT'],
  [0x10n, 'PCD'],
  [0x20n, 'A'],
  [0x40n, 'D'],
  [0x80n, 'PS'],
  [0x100n, 'G'],
  [1n << 63n, 'NX'],
];
const LEAF_ONLY = new Set(['D', 'G']);
const FULL_NAMES: Record<string, string> = {
  P: 'present',
  RW: 'writable',
  US: 'user',
  PWT: 'write-through',
  PCD: 'cache disabled',
  A: 'accessed',
  D: 'dirty',
  PS: 'maps a large page',
  G: 'global',
  NX: 'no execute',
};

/** Set flags of an entry; D and G mean something in a leaf only, and bit 7 of a PTE is no PS. */
export function flagsOf({ entry, leaf, name, bytes }: PageWalkStep): { name: string; means: string }[] {
  return FLAGS.filter(([bit, flag]) => {
    if ((entry & bit) === 0n || (flag === 'NX' && bytes === 4)) return false;
    return (leaf || !LEAF_ONLY.has(flag)) && !(flag === 'PS' && name === 'PTE');
  }).map(([, flag]) => ({ name: flag, means: FULL_NAMES[flag]! }));
}

export const MODES: Record<PageWalk['mode'], string> = {
  off: 'paging off',
  '32-bit': '32-bit paging',
  PAE: 'PAE paging',
  '4-level': '4-level paging',
};

/** "user, read and write, no execute" */
export function rightsWords({ mode, page, writeProtect }: PageWalk): string {
  if (!page || mode === 'off') return '';
  const { write, user, execute } = page.rights;
  const writes = write ? 'read and write' : writeProtect ? 'read only' : 'read only, but the supervisor may write (CR0.WP is 0)';
  return `${user ? 'user' : 'supervisor'}, ${writes}, ${execute ? 'execute' : 'no execute'}${page.global ? ', global' : ''}`;
}

/** The rights that the host grants its nested guest on the page. */
export function nestedRightsWords({ write, execute }: { write: boolean; execute: boolean }): string {
  return `${write ? 'read and write' : 'read only'}, ${execute ? 'execute' : 'no execute'}`;
}

/** "supervisor read, write" or "no entry" */
export function tlbWords({ tlb }: PageWalk): string {
  const of = (who: 'supervisor' | 'user'): string[] => {
    const { read, write, execute } = tlb[who];
    const hits = [read && 'read', write && 'write', execute && 'execute'].filter(Boolean);
    return hits.length ? [`${who} ${hits.join(', ')}`] : [];
  };
  const words = [...of('supervisor'), ...of('user')];
  return words.length ? `hit for ${words.join('; ')}` : 'no entry: the next access walks';
}

/** "slot 4 dimm1 + 0x2a40", or what else is there. */
export function placeWords(
  { gpa, slot: id, invalid }: { gpa: number; slot?: number; invalid?: boolean },
  slots: readonly SlotView[],
  mmio: readonly { name: string; start: number; end: number }[],
): string {
  if (id === undefined) return mmio.find((region) => gpa >= region.start && gpa < region.end)?.name ?? 'hole: no slot, no device';
  const slot = slots.find((each) => each.slot === id);
  return `slot ${id}${slot ? ` ${slot.name} + ${hex(gpa - slot.guestPhysAddr)}` : ''}${invalid ? ', INVALID' : ''}`;
}
