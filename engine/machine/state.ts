/**
 * Captures the whole machine as a value, and restores it. Captured: vCPU records, devices (timers follow from them), the vCPUs' turns, host memory
 * without zero pages, backends, DIMMs, memslots with flags and dirty bits, the modes of the memslot engine, the entries of dirty rings, the run
 * state. Not captured, because the guest cannot see it: TLBs and decoded code (dropped on restore), the counters of `info irq` and of holes, undo
 * history, an open change set, the guest image, address space 1 (this board has no SMM).
 */
import type { CoreExports } from '../abi/core';
import { PAGE_SIZE, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_RECORD_SIZE } from '../abi/layout';
import type { MemslotEngine } from '../memory/index';
import { MemFlag, type MemoryRegion } from '../memory/types';
import {
  type MachineConfig,
  MachineError,
  type MachineState,
  type RamPiece,
  type RunState,
  type SavedMachine,
  type UncheckedState,
} from './api';
import type { Backends } from './backends';
import type { Clock } from './clock';
import type { PanicWatch } from './condition';
import { parseCpu } from './cpu-model';
import type { Board } from './devices';
import { isZeroPage } from './digest';
import type { Dimms } from './dimms';
import type { Firmware } from './firmware';
import type { HostMemory } from './host-memory';
import { captureModes } from './modes';
import type { VcpuMemory } from './rings';
import type { Scheduler } from './scheduler';
import { checkDirty, checkMachine, checkRam, checkVcpus, devicesOf } from './state-check';
import type { Vcpu } from './vcpu';
import type { VirtioDevices } from './virtio';

/** Pages in one piece of RAM. */
const PIECE_PAGES = 1024;

/** The parts of the machine that hold its state. */
export interface StateParts {
  config: MachineConfig;
  host: HostMemory;
  memory: MemslotEngine;
  backends: Backends;
  dimms: Dimms;
  virtio: VirtioDevices;
  board: Board;
  clock: Clock;
  executor: Scheduler;
  vcpus: readonly Vcpu[];
  core: CoreExports;
  firmware: Firmware;
  rings: VcpuMemory;
  panics: PanicWatch;
}

export function captureState(parts: StateParts, run: RunState, guest: string): MachineState {
  return { ...captureStill(parts, run, guest), ram: captureRam(parts.host) };
}

/** Everything but RAM. */
export function captureStill(parts: StateParts, run: RunState, guest: string): Omit<MachineState, 'ram'> {
  const { host, memory, board, vcpus } = parts;
  const { ram, slots, maxmem, smp, cpu } = parts.config;
  const saved = devicesOf(parts.config);
  const devices = board.save();
  const modes = captureModes(memory);
  const memslots = memory.memslots(0);
  return {
    machine: {
      config: { ram, slots, maxmem, smp, ...(cpu && { cpu }), ...(saved && { devices: saved }) },
      guest,
      run,
      memoryBlock: parts.firmware.memoryBlock ?? null,
      ...(parts.panics.seen ? { panicked: true } : {}),
      round: parts.executor.saveRound(),
      ranges: host.ranges().map(({ start, size, label }) => ({ start, size, label })),
      backends: parts.backends.list().map(({ id, size, hva, kind }) => ({ id, size, hva, kind })),
      dimms: parts.dimms.save(),
      ...parts.virtio.save(),
      ...(modes ? { modes } : {}),
      slots: memslots.map(({ slot, flags, baseGfn, npages, userspaceAddr: hva }) => ({
        ...{ slot, flags, hva },
        gpa: baseGfn * PAGE_SIZE,
        size: npages * PAGE_SIZE,
        ...(parts.backends.backingsOf(hva, npages * PAGE_SIZE).length > 1 ? { span: true } : {}),
      })),
    },
    devices,
    vcpus: vcpus.map((vcpu) => host.bytes.slice(recordAt(vcpu), recordAt(vcpu) + VCPU_RECORD_SIZE)),
    dirty: memslots.flatMap(({ slot, flags }) => {
      const bits = flags & MemFlag.LogDirtyPages ? memory.peekDirtyLog(slot) : undefined;
      return bits ? [{ slot, bits: bits.slice() }] : [];
    }),
  };
}

/** `numbers`: only the numbers of the pages, without their contents. */
export function captureRam(host: HostMemory, numbers = false): RamPiece[] {
  const pieces: RamPiece[] = [];
  let pages: number[] = [];
  const finish = (): void => {
    if (pages.length === 0) return;
    const bytes = new Uint8Array(numbers ? 0 : pages.length * PAGE_SIZE);
    if (!numbers)
      pages.forEach((page, index) => {
        bytes.set(host.bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), index * PAGE_SIZE);
      });
    pieces.push({ pages: Uint32Array.from(pages), bytes });
    pages = [];
  };
  for (const { start, size } of host.ranges()) {
    for (let hva = start; hva < start + size; hva += PAGE_SIZE) {
      if (isZeroPage(host.words, hva)) continue;
      pages.push(hva / PAGE_SIZE);
      if (pages.length === PIECE_PAGES) finish();
    }
  }
  finish();
  return pieces;
}

/**
 * MachineError if the state is refused: nothing was changed then. Returns the captured run state. Synchronous, so nobody sees the machine between two
 * states.
 */
export function restoreState(parts: StateParts, state: UncheckedState): RunState {
  const saved = checkAll(parts, state);
  putState(parts, saved, state, () => fillRam(parts.host, state.ram));
  parts.core.invalidateAllCode();
  for (const vcpu of parts.vcpus) parts.core.stateChanged(vcpu.index);
  return saved.run;
}

/** Restores a state that `captureStill` returned for this machine; `fill` restores RAM, and drops decoded code of changed pages. */
export function restoreStill(parts: StateParts, state: Omit<MachineState, 'ram'>, fill: () => void): void {
  putState(parts, state.machine, state, fill);
  for (const vcpu of parts.vcpus) parts.core.stateChanged(vcpu.index);
}

function putState(parts: StateParts, saved: SavedMachine, state: Omit<UncheckedState, 'ram' | 'machine'>, fill: () => void): void {
  switchMemory(parts, saved);
  // From here on nothing can be refused.
  const { memory, clock, executor } = parts;
  memory.forgetHistory();
  fill();
  memory.zap = saved.modes?.zap ?? 'slot';
  memory.dirtyLog.setManualProtect(saved.modes?.dirtyLog ?? 0);
  parts.rings.restore(saved.modes?.rings ?? null);
  for (const { slot, bits } of state.dirty) memory.loadDirtyLog(slot, bits);
  parts.backends.replace(withUsers(saved));
  parts.virtio.restore(saved);
  parts.dimms.restore(saved.dimms);
  parts.firmware.memoryBlock = saved.memoryBlock ?? undefined;
  parts.panics.restart(saved.panicked === true);
  clock.cancelAll();
  executor.reset();
  // Devices set their timers by the vCPUs' time, and may raise lines that the records already have.
  putRecords(parts, state.vcpus);
  parts.board.restore(state.devices as MachineState['devices']);
  putRecords(parts, state.vcpus);
  executor.restoreRound(saved.round);
}

function putRecords({ host, vcpus }: StateParts, records: readonly Uint8Array[]): void {
  for (const vcpu of vcpus) host.bytes.set(records[vcpu.index]!, recordAt(vcpu));
}

function checkAll(parts: StateParts, state: UncheckedState): SavedMachine {
  const saved = checkSavedMachine(parts, state.machine);
  try {
    checkVcpus(state.vcpus, parts.config.smp, parseCpu(parts.config.cpu));
    checkDirty(state.dirty, saved);
    checkRam(state.ram, saved);
    parts.board.check(state.devices);
    return saved;
  } catch (error) {
    throw new MachineError((error as Error).message);
  }
}

/** Checks everything that can be checked with the state's `machine` alone: a file is unpacked only if this machine could take it. MachineError. */
export function checkSavedMachine(parts: StateParts, raw: unknown): SavedMachine {
  const { config, host, memory, backends, virtio } = parts;
  try {
    const board = backends.list().filter((backend) => backend.kind === 'board');
    const saved = checkMachine(raw, config, board, host.limit);
    virtio.checkSaved(saved);
    checkLayout(memory, saved);
    return saved;
  } catch (error) {
    throw new MachineError((error as Error).message);
  }
}

function checkLayout(memory: MemslotEngine, saved: SavedMachine): void {
  // The host memory that they map does not exist yet; checkMachine has verified its owners.
  const check = memory.checkUnbacked(regionsOf(saved), 0);
  if (!check.ok) throw new Error(`memslots: ${check.refusals[0]?.errno}: ${check.refusals[0]?.reason}`);
}

/** Host memory and memslots, the last steps that can fail (no memory); on failure both are as before. */
function switchMemory(parts: StateParts, saved: SavedMachine): void {
  const { host, memory } = parts;
  const before = host.adopt(saved.ranges);
  if (memory.slotCount(1) > 0) memory.setUserMemoryRegions([], 1);
  const commit = memory.setUserMemoryRegions(regionsOf(saved), 0);
  if (commit.ok) return;
  host.adopt(before);
  throw new MachineError(`memslots: ${commit.refusals[0]?.errno}: ${commit.refusals[0]?.reason}`);
}

/** Zeroes only pages with contents: writing to all would make the browser commit memory that no guest ever touched. */
function fillRam(host: HostMemory, ram: readonly RamPiece[]): void {
  for (const { start, size } of host.ranges())
    for (let page = start; page < start + size; page += PAGE_SIZE) {
      if (!isZeroPage(host.words, page)) host.bytes.fill(0, page, page + PAGE_SIZE);
    }
  for (const { pages, bytes } of ram) {
    pages.forEach((page, index) => {
      host.bytes.set(bytes.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE), page * PAGE_SIZE);
    });
  }
}

function regionsOf(saved: SavedMachine): MemoryRegion[] {
  return saved.slots.map(({ slot, flags, gpa, size, hva, span = false }) => ({
    ...{ slot, flags, span },
    asId: 0,
    guestPhysAddr: gpa,
    memorySize: size,
    userspaceAddr: hva,
  }));
}

function withUsers(saved: SavedMachine): Parameters<Backends['replace']>[0] {
  const users = new Map(saved.dimms.plugged.map((dimm) => [dimm.memdev, dimm.id || dimm.path]));
  return saved.backends.map((backend) => {
    const busy = users.get(backend.id);
    return busy === undefined ? backend : { ...backend, busy };
  });
}

const recordAt = (vcpu: Vcpu): number => VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE;
