/** The initial memslots of a machine. Their host order differs from their guest order on purpose: nothing on this board works by "gpa plus a constant". */
import { MemFlag, type MemoryRegion } from '../memory/types';
import { MachineError } from './api';
import { FOUR_GIB, HIGH_RAM_START, LOW_RAM_END, PCI_HOLE_START } from './board';
import type { HostMemory } from './host-memory';

const MIB = 0x100000;
const TWO_MIB = 0x200000;
/** Video window: plain RAM here, so that text drawn by guests does no harm. */
const VIDEO_START = 0xa0000;
const BIOS_START = 0xc0000;

export type BootKind = 'ram' | 'video' | 'bios';

export interface BootSlot {
  /** backend id */
  name: string;
  kind: BootKind;
  region: MemoryRegion;
}

export function checkRamSize(ram: number): void {
  if (!Number.isSafeInteger(ram) || ram % MIB !== 0) throw new MachineError(`RAM size ${ram} must be a multiple of 1 MiB`);
  if (ram < 2 * MIB) throw new MachineError(`RAM size ${ram} is too small: at least 2 MiB`);
}

/** Allocates host memory and describes the slots; the caller commits them. */
export function layoutBootRam(host: HostMemory, ram: number): BootSlot[] {
  const plan = planBootRam(ram);
  // No slot is followed by its guest neighbour.
  const hostOrder = ['ram.b', 'vga', 'ram.a', 'ram.low', 'ram.c', 'bios'];
  const hvas = new Map<string, number>();
  for (const name of hostOrder) {
    const wanted = plan.find((slot) => slot.name === name);
    if (wanted) hvas.set(name, host.allocate(wanted.end - wanted.start, name));
  }
  return plan.map(({ name, kind, start, end }, slot) => ({
    name,
    kind,
    region: {
      slot,
      asId: 0,
      flags: kind === 'bios' ? MemFlag.ReadOnly : 0,
      guestPhysAddr: start,
      memorySize: end - start,
      userspaceAddr: hvas.get(name)!,
    },
  }));
}

interface Planned {
  name: string;
  kind: BootKind;
  start: number;
  end: number;
}

function planBootRam(ram: number): Planned[] {
  const below = Math.min(ram, PCI_HOLE_START);
  const middle = halfway(HIGH_RAM_START, below);
  const plan: Planned[] = [
    { name: 'ram.low', kind: 'ram', start: 0, end: LOW_RAM_END },
    { name: 'vga', kind: 'video', start: VIDEO_START, end: BIOS_START },
    { name: 'bios', kind: 'bios', start: BIOS_START, end: HIGH_RAM_START },
    { name: 'ram.a', kind: 'ram', start: HIGH_RAM_START, end: middle },
    { name: 'ram.b', kind: 'ram', start: middle, end: below },
  ];
  if (ram > below) plan.push({ name: 'ram.c', kind: 'ram', start: FOUR_GIB, end: FOUR_GIB + (ram - below) });
  return plan;
}

/** On a 2 MiB boundary if there is one strictly inside. */
function halfway(start: number, end: number): number {
  const middle = Math.floor((start + end) / 2 / TWO_MIB) * TWO_MIB;
  return middle > start ? middle : (start + end) / 2;
}
