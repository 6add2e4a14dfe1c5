/** Finds out what a kernel file is and loads it. */
import type { GuestImage } from '../api';
import { isBzImage, loadBzImage } from './bzimage';
import { isElf } from './elf';
import { isFlat, loadFlat } from './flat';
import { type EntryState, type LoadContext, loadError } from './image';
import { findMultibootHeader, loadMultiboot } from './multiboot';
import { isPvh, loadPvh } from './pvh';
import { isVmlinux, loadVmlinux } from './vmlinux';

/** MachineError, naming the file and what is wrong with it, when it cannot be loaded. */
export function loadGuest(guest: GuestImage, context: Omit<LoadContext, 'name' | 'append' | 'initrd'>): EntryState {
  const full: LoadContext = {
    ...context,
    name: guest.name,
    append: guest.append ?? '',
    ...(guest.initrd ? { initrd: guest.initrd } : {}),
  };
  const { kernel } = guest;
  if (kernel.length === 0) throw loadError(full, 'the file is empty');
  if (isBzImage(kernel)) return loadBzImage(kernel, full);
  const multiboot = findMultibootHeader(kernel);
  if (multiboot) return loadMultiboot(kernel, multiboot, full);
  if (isPvh(kernel)) return loadPvh(kernel, full);
  if (isVmlinux(kernel)) return loadVmlinux(kernel, full);
  if (isElf(kernel)) throw loadError(full, 'it is an ELF file, but neither Multiboot nor PVH nor a 64-bit x86 executable');
  if (isFlat(kernel, guest.name)) return loadFlat(kernel, full);
  throw loadError(full, 'it is neither a bzImage nor a Multiboot image nor a boot sector');
}
