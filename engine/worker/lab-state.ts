/** The machine's state for the page. */
import type { Machine, StagedChangeSet } from '../machine/index';
import { MemFlag, type Memslot } from '../memory/types';
import { type CommitLog, dumpRegisters, pagesOf, slotName } from '../monitor/index';
import type { LabState, SlotView } from './protocol';

const PAGE = 4096;

export interface HostBounds {
  hostBase: number;
  hostSize: number;
}

export function labState(machine: Machine, commits: CommitLog, host: HostBounds): LabState {
  const { changeSet } = machine;
  const preview = changeSet.open ? changeSet.preview() : undefined;
  const { stepping } = changeSet;
  const stopped = machine.run.state === 'shutdown' || machine.run.state === 'internal-error';
  return {
    run: machine.run.state,
    config: machine.config,
    guest: machine.guest?.name,
    ...(machine.run.condition ? { condition: machine.run.condition } : {}),
    ...(stopped ? { registers: dumpRegisters(machine.inspect.registers(0)) } : {}),
    generation: machine.memory.generation(0),
    hostSize: host.hostSize,
    hostBase: host.hostBase,
    slots: slotViews(machine),
    backends: machine.backends.list(),
    dimms: machine.dimms.list(),
    deviceMemory: machine.dimms.window(),
    virtioMems: machine.virtio.mems(),
    mmio: machine.inspect.mmioRegions(),
    changeSet: { open: changeSet.open, entries: changeSet.entries, ...(preview ? { preview } : {}), ...outlookOf(changeSet) },
    ...(stepping ? { stepping } : {}),
    zap: machine.memory.zap,
    history: commits.entries(),
    historyAt: commits.live,
    canUndo: commits.canUndo,
    canRedo: commits.canRedo,
  };
}

function outlookOf(changeSet: StagedChangeSet): { outlook?: { swaps: number; zappedPages: number } } {
  if (!changeSet.open || changeSet.stepping || changeSet.entries.length === 0) return {};
  const commit = changeSet.check();
  return commit.ok ? { outlook: { swaps: commit.swaps, zappedPages: pagesOf(commit.zapped) } } : {};
}

export function slotViews(machine: Machine, asId = 0): SlotView[] {
  const kinds = new Map<string, SlotView['kind']>();
  for (const backend of machine.backends.list()) kinds.set(backend.id, backend.kind === 'board' ? 'ram' : 'bare');
  for (const { memdev } of machine.dimms.list()) kinds.set(memdev, 'dimm');
  for (const { memdev } of machine.virtio.mems()) kinds.set(memdev, 'virtio-mem');
  return machine.memory.memslots(asId).map((slot) => slotView(machine, kinds, slot));
}

function slotView(machine: Machine, kinds: ReadonlyMap<string, SlotView['kind']>, slot: Memslot): SlotView {
  const kind = kinds.get(machine.host.backingOf(slot.userspaceAddr)?.id ?? '') ?? 'bare';
  return {
    slot: slot.slot,
    asId: slot.asId,
    // `stepping` lists the INVALID slots.
    flags: slot.flags & (MemFlag.LogDirtyPages | MemFlag.ReadOnly),
    guestPhysAddr: slot.baseGfn * PAGE,
    memorySize: slot.npages * PAGE,
    userspaceAddr: slot.userspaceAddr,
    name: slotName(machine, slot),
    kind: kind === 'ram' && slot.flags & MemFlag.ReadOnly ? 'rom' : kind,
  };
}
