/** The machine as the page sees it. */
import type { ChangeSet, Machine } from '../machine/api';
import { MemFlag, type Memslot } from '../memory/types';
import { type CommitLog, dumpRegisters, pagesOf, slotName } from '../monitor/index';
import type { HistoryView, LabState, SlotView } from './protocol';

const PAGE = 4096;

export interface HostBounds {
  hostBase: number;
  hostSize: number;
}

export function labState(machine: Machine, commits: CommitLog, host: HostBounds): LabState {
  const { changeSet } = machine;
  const preview = changeSet.open ? changeSet.preview() : undefined;
  const { stepping } = changeSet;
  const stopped = machine.state === 'shutdown' || machine.state === 'internal-error';
  return {
    run: machine.state,
    config: machine.config,
    guest: machine.guest?.name,
    ...(machine.condition ? { condition: machine.condition } : {}),
    ...(stopped ? { registers: dumpRegisters(machine.registers(0)) } : {}),
    generation: machine.memory.generation(0),
    hostSize: host.hostSize,
    hostBase: host.hostBase,
    slots: slotViews(machine),
    backends: machine.backends(),
    dimms: machine.dimms(),
    deviceMemory: machine.deviceMemory(),
    virtioMems: machine.virtioMems(),
    mmio: machine.mmioRegions(),
    changeSet: { open: changeSet.open, entries: changeSet.entries, ...(preview ? { preview } : {}), ...outlookOf(changeSet) },
    ...(stepping ? { stepping } : {}),
    zap: machine.memory.zap,
    history: commits.entries() satisfies HistoryView[],
    historyAt: commits.live,
    canUndo: commits.canUndo,
    canRedo: commits.canRedo,
  };
}

function outlookOf(changeSet: ChangeSet): { outlook?: { swaps: number; zappedPages: number } } {
  if (!changeSet.open || changeSet.stepping || changeSet.entries.length === 0) return {};
  const commit = changeSet.check();
  return commit.ok ? { outlook: { swaps: commit.swaps, zappedPages: pagesOf(commit.zapped) } } : {};
}

export function slotViews(machine: Machine, asId = 0): SlotView[] {
  const kinds = new Map<string, SlotView['kind']>();
  for (const backend of machine.backends()) kinds.set(backend.id, backend.kind === 'board' ? 'ram' : 'bare');
  for (const { memdev } of machine.dimms()) kinds.set(memdev, 'dimm');
  for (const { memdev } of machine.virtioMems()) kinds.set(memdev, 'virtio-mem');
  return machine.memory.memslots(asId).map((slot) => slotView(machine, kinds, slot));
}

function slotView(machine: Machine, kinds: ReadonlyMap<string, SlotView['kind']>, slot: Memslot): SlotView {
  const kind = kinds.get(machine.backingOf(slot.userspaceAddr)?.id ?? '') ?? 'bare';
  return {
    slot: slot.slot,
    asId: slot.asId,
    // What INVALID is, `stepping` tells.
    flags: slot.flags & (MemFlag.LogDirtyPages | MemFlag.ReadOnly),
    guestPhysAddr: slot.baseGfn * PAGE,
    memorySize: slot.npages * PAGE,
    userspaceAddr: slot.userspaceAddr,
    name: slotName(machine, slot),
    kind: kind === 'ram' && slot.flags & MemFlag.ReadOnly ? 'rom' : kind,
  };
}
