/** Helpers that the conformance tests share, named as in KVM's selftests. */
import { describe, expect } from 'vitest';
import {
  type Accepted,
  type Commit,
  type Errno,
  MemFlag,
  type MemoryRegion,
  MemslotEngine,
  type MemslotEngineOptions,
} from '../../engine/memory/index';

export const P = 4096;
export const M = 2 * 1024 * 1024;
export const LOG: number = MemFlag.LogDirtyPages;
export const RO: number = MemFlag.ReadOnly;
/** KVM_USER_MEM_SLOTS on x86 */
export const MAX = 32764;

/** set_user_memory_region(slot, flags, gpa, size, hva) */
export const region = (
  slot: number,
  flags: number,
  guestPhysAddr: number,
  memorySize: number,
  userspaceAddr: number,
  asId = 0,
): MemoryRegion => ({
  slot,
  asId,
  flags,
  guestPhysAddr,
  memorySize,
  userspaceAddr,
});

export const gone = (slot: number, asId = 0): MemoryRegion => region(slot, 0, 0, 0, 0, asId);

export const INDEXES = ['array', 'rbtree', 'btree'] as const;

/** The same tests on each index. */
export function onEachIndex(name: string, tests: (make: (options?: MemslotEngineOptions) => MemslotEngine) => void): void {
  describe.each(INDEXES)(`${name} (%s)`, (index) => {
    tests((options = {}) => new MemslotEngine({ index, ...options }));
  });
}

export function accepted(commit: Commit): Accepted {
  if (!commit.ok) throw new Error(`refused: ${commit.refusals.map((refusal) => refusal.reason).join('; ')}`);
  return commit;
}

/** Expects a refusal of one entry that leaves everything as it was. */
export function expectRefused(engine: MemslotEngine, act: () => Commit, errno: Errno, index = 0): void {
  const before = stateOf(engine);
  const commit = act();
  expect(commit.ok ? 'accepted' : commit.refusals.map((refusal) => refusal.errno)).toContain(errno);
  expect(commit.ok || commit.refusals.map((refusal) => refusal.index)).toContain(index);
  expect(stateOf(engine)).toEqual(before);
}

interface Innards {
  spaces: {
    active: { generation: number; lastUsed: number; count: number };
    inactive: { generation: number; count: number };
    table: { used: number; dirty: Map<number, { bits?: Uint8Array; ringed?: Uint8Array }>; arch: Map<number, unknown> };
  }[];
}

/** Everything that a refused request must leave alone, inside and out. */
export function stateOf(engine: MemslotEngine): unknown {
  const { spaces } = engine as unknown as Innards;
  return spaces.map(({ active, inactive, table }, asId) => ({
    layout: engine.layout(asId),
    slots: engine.memslots(asId),
    byHva: engine.memslotsByHva(0, Number.MAX_SAFE_INTEGER, asId),
    active: { generation: active.generation, lastUsed: active.lastUsed, count: active.count },
    inactive: { generation: inactive.generation, count: inactive.count },
    used: table.used,
    dirty: [...table.dirty].map(([record, state]) => [record, state.bits?.slice(), state.ringed?.slice()]),
    arch: [...table.arch],
    history: engine.history(asId).length,
    undo: engine.canUndo(asId),
    redo: engine.canRedo(asId),
    inProgress: engine.generationInProgress(asId),
  }));
}

export const bitsOf = (bitmap: Uint8Array): number[] => {
  const set: number[] = [];
  for (let i = 0; i < bitmap.length * 8; i++) if (bitmap[i >> 3]! & (1 << (i & 7))) set.push(i);
  return set;
};

/** The dirty pages of a slot; harvests. */
export function harvest(engine: MemslotEngine, slot: number, asId = 0): number[] {
  const log = engine.getDirtyLog(slot, asId);
  if (!log.ok) throw new Error(log.errno);
  return bitsOf(log.bitmap);
}
