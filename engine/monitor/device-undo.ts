/**
 * What undo or redo may do to the memory of devices. A person's edits are undone wherever they are. What the guest plugged, moved or gave back itself
 * is not changed without it, and no memory returns for a device that no longer exists.
 */
import type { DeviceCommit, Machine } from '../machine/index';
import type { MemoryRegion } from '../memory/types';

/** A device of a commit, and its host memory then. */
export interface DeviceShare extends DeviceCommit {
  /** hva and size, bytes */
  start: number;
  size: number;
}

export function shareOf(machine: Machine, device: DeviceCommit): DeviceShare {
  const backend = machine.backends.list().find(({ id }) => id === device.memdev);
  return { ...device, start: backend?.hva ?? 0, size: backend?.size ?? 0 };
}

export type Verdict = { refused: string } | { /** What is left of a device, one line. */ note?: string };

/** May the layout become `next`, by undoing or redoing commits of these devices? */
export function judge(machine: Machine, shares: readonly DeviceShare[], next: readonly MemoryRegion[]): Verdict {
  const now = machine.memory.layout(0);
  const bare: string[] = [];
  for (const memdev of new Set(shares.map((share) => share.memdev))) {
    const mine = shares.filter((share) => share.memdev === memdev);
    const share = mine.at(-1)!;
    const after = mapping(next, share);
    if (mapping(now, share) === after) continue;
    const plugged = share.kind === 'virtio-mem' || machine.dimms.list().some((dimm) => dimm.memdev === memdev);
    const guests = mine.some(({ who }) => who === 'guest');
    if (guests || !plugged) return { refused: refusal(share, plugged, guests) };
    if (after === '') bare.push(share.device);
  }
  if (bare.length === 0) return {};
  const [stays, out] = bare.length === 1 ? ['stays', `device_del ${bare[0]} takes it out`] : ['stay', 'device_del takes them out'];
  return { note: `${bare.join(' and ')} ${stays} plugged in without this memory: redo brings it back, ${out}` };
}

function refusal({ kind, device, memdev }: DeviceShare, plugged: boolean, guests: boolean): string {
  if (kind === 'virtio-mem') return `the guest plugged this memory itself: qom-set ${device} requested-size SIZE has it plug and unplug`;
  if (plugged) return `the guest uses '${device}' at its current place: device_move ${device} moves it, device_del ${device} takes it out`;
  const gone = guests ? `the guest gave '${device}' back` : `'${device}' is no longer plugged in`;
  const id = device.startsWith('/') ? '' : `id=${device},`;
  return `${gone}: device_add pc-dimm,${id}memdev=${memdev} plugs it in again`;
}

/** Where this part is mapped, as text to compare; '': nowhere. Slots and their flags do not matter. */
function mapping(layout: readonly MemoryRegion[], { start, size }: DeviceShare): string {
  const pieces: { hva: number; gpa: number; size: number }[] = [];
  const over = layout.filter(({ userspaceAddr, memorySize }) => userspaceAddr < start + size && start < userspaceAddr + memorySize);
  for (const { userspaceAddr: hva, guestPhysAddr: gpa, memorySize } of over.sort((a, b) => a.guestPhysAddr - b.guestPhysAddr)) {
    const last = pieces.at(-1);
    if (last && last.hva + last.size === hva && last.gpa + last.size === gpa) last.size += memorySize;
    else pieces.push({ hva, gpa, size: memorySize });
  }
  return pieces.map((piece) => `${piece.gpa}+${piece.size}=${piece.hva}`).join(' ');
}
