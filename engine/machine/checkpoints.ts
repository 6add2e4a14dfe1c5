/**
 * Checkpoints: the state without RAM, and the pages of host memory that changed since the previous one. Distances grow with age: if there are too
 * many, the most dispensable one is merged into the next. Checkpoints ahead of a machine that went back stay: with the same inputs it passes through
 * the same states, so it can be restored forwards as well.
 */
import type { CoreExports } from '../abi/core';
import {
  CHANGED_PAGES,
  CHANGED_PAGES_SIZE,
  PAGE_SIZE,
  VCPU_BASE,
  VCPU_BLOCK_SIZE,
  VCPU_GUEST_CONTEXT,
  VCPU_RECORD_SIZE,
  VCPU_TLB,
  VCPU_TLB_NOTES,
  VCPU_WINDOWS,
} from '../abi/layout';
import type { Timeline } from '../memory/index';
import type { CheckpointInfo, CheckpointOptions, MachineCheckpoints, MachineState, Position, RunState, StagedEdit } from './api';
import type { HostMemory, HostRange } from './host-memory';
import type { StagedEdits } from './staged-edits';
import { captureRam, captureStill, restoreStill, type StateParts } from './state';

/** More would not help: from any checkpoint to the next takes at most a second. */
const MOST = 48;
/** Time between two checkpoints, as a multiple of what the first of them took. */
const REST = 19;

interface Pages {
  /** Page number -> offset of its bytes. */
  at: Map<number, number>;
  bytes: Uint8Array;
}

interface Checkpoint {
  position: Position;
  mark: unknown;
  run: RunState;
  timeline: Timeline;
  ranges: readonly HostRange[];
  /** Accesses that had hit a hole by then. */
  holes: number;
  /** Of the change set, if it was open. */
  edits: readonly StagedEdit[] | undefined;
  state: Omit<MachineState, 'ram'>;
  /** For each vCPU, what lies behind its record: TLB, its log and filters. */
  caches: Uint8Array[][];
  pages: Pages;
}

export interface CheckpointContext {
  parts(): StateParts & { mmio: { holes: number }; changeSet: StagedEdits };
  guest: string;
  host: HostMemory;
  core: CoreExports;
  /** The core's functions for checkpoints. Windows that they drop do not count as dropped by a commit. */
  trackWrites(on: 0 | 1): void;
  position(): Position;
  run(): RunState;
  /** The machine was restored: it is paused, or has ended. */
  rewound(run: 'paused' | 'shutdown' | 'internal-error'): void;
}

/** Parts of a vCPU's block beside the record that must be kept. Windows and their notes are rebuilt. */
const CACHES: readonly [number, number][] = [
  [VCPU_RECORD_SIZE, VCPU_TLB_NOTES],
  [VCPU_TLB, VCPU_WINDOWS],
];
/** The same for a guest under SVM. */
const GUEST_CACHES: readonly [number, number][] = [
  [VCPU_GUEST_CONTEXT, VCPU_GUEST_CONTEXT + VCPU_TLB_NOTES],
  [VCPU_GUEST_CONTEXT + VCPU_TLB, VCPU_GUEST_CONTEXT + VCPU_WINDOWS],
];

export class Checkpoints implements MachineCheckpoints {
  muted = false;
  /** Instructions of all vCPUs at which the next is due; undefined: none. */
  private due: number | undefined;
  private options: CheckpointOptions | undefined;
  private kept: Checkpoint[] = [];
  /** The core's bits mark pages that changed since this checkpoint. */
  private base = 0;
  /** Earliest time of the next automatic checkpoint, ms. */
  private notBefore = Number.NEGATIVE_INFINITY;

  constructor(private readonly context: CheckpointContext) {}

  keep(options: CheckpointOptions | undefined): void {
    this.options = options;
    this.kept = [];
    this.due = undefined;
    if (options) this.take();
    else this.context.trackWrites(0);
  }

  list(): readonly CheckpointInfo[] {
    return this.kept.map(({ position, mark, pages }) => ({ position, mark, bytes: pages.bytes.length }));
  }

  /** This many instructions have run: takes a checkpoint if one is due and the last is paid for. */
  passed(instructions: number): void {
    const { due, muted, options } = this;
    if (due === undefined || instructions < due || muted) return;
    if (options?.wallClock && options.wallClock() < this.notBefore) return;
    this.take();
  }

  take(): void {
    const { options, context } = this;
    if (!options) return;
    const began = options.wallClock?.() ?? 0;
    const parts = context.parts();
    const { memory, mmio, changeSet } = parts;
    // The rest of a commit is no state that could be restored.
    if (changeSet.underWay !== undefined && this.kept.length > 0) return;
    const pages = this.kept.length === 0 ? allPages(context.host) : this.changedSince();
    const caches = parts.vcpus.map((vcpu) => {
      const block = VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE;
      return this.cached(parts.config.cpu).map(([from, to]) => context.host.bytes.slice(block + from, block + to));
    });
    this.kept.push({
      position: context.position(),
      mark: options.mark(),
      run: context.run(),
      timeline: memory.timeline(),
      ranges: context.host.held(),
      holes: mmio.holes,
      edits: changeSet.keep(),
      state: captureStill(parts, 'running', context.guest),
      caches,
      pages,
    });
    context.trackWrites(1);
    this.due = context.position().instructions + options.instructions;
    this.thin();
    this.base = this.kept.length - 1;
    const ended = options.wallClock?.() ?? 0;
    this.notBefore = ended + REST * (ended - began);
  }

  to(index: number): void {
    const { context, kept, base } = this;
    const wanted = kept[index];
    if (!wanted) throw new RangeError(`there is no checkpoint ${index}`);
    const stale = new Set(this.changedPages());
    for (const { pages } of kept.slice(Math.min(base, index) + 1, Math.max(base, index) + 1))
      for (const page of pages.at.keys()) stale.add(page);
    this.base = index;
    const parts = context.parts();
    restoreStill(parts, wanted.state, () => this.revert(stale));
    parts.executor.restoreRound(wanted.state.machine.round, wanted.position.inRound);
    const { host, core } = context;
    host.adopt(wanted.ranges);
    parts.memory.rewind(wanted.timeline);
    parts.mmio.holes = wanted.holes;
    parts.changeSet.putBack(wanted.edits);
    for (const [vcpu, saved] of wanted.caches.entries()) {
      const block = VCPU_BASE + vcpu * VCPU_BLOCK_SIZE;
      for (const [i, [from]] of this.cached(parts.config.cpu).entries()) host.bytes.set(saved[i]!, block + from);
      core.tlbRestored(vcpu);
    }
    context.trackWrites(1);
    this.due = wanted.position.instructions + this.options!.instructions;
    context.rewound(wanted.run === 'running' ? 'paused' : wanted.run);
  }

  forget(from: number): void {
    if (from <= this.base) throw new RangeError(`the machine continues from checkpoint ${this.base}`);
    this.kept.length = Math.min(from, this.kept.length);
  }

  changed(index: number, { start, end }: { start: number; end: number }): boolean {
    const pages = this.kept[index + 1]?.pages.at;
    if (!pages) return true;
    for (const page of pages.keys()) if (page * PAGE_SIZE < end && (page + 1) * PAGE_SIZE > start) return true;
    return false;
  }

  memory({ start, end }: { start: number; end: number }): Uint8Array | undefined {
    const { host } = this.context;
    return host.rangeAt(start) && end <= host.runEnd(start) ? host.bytes.slice(start, end) : undefined;
  }

  private cached(cpu: string | undefined): readonly [number, number][] {
    return cpu?.includes('svm') ? [...CACHES, ...GUEST_CACHES] : CACHES;
  }

  /** Restores each page as in the latest kept checkpoint that has it. Code that did not change stays decoded. */
  private revert(pages: ReadonlySet<number>): void {
    const { host, core } = this.context;
    for (const page of pages) {
      const hva = page * PAGE_SIZE;
      const holder = this.holder(page);
      if (!holder) {
        if (!host.rangeAt(hva)) continue;
        host.bytes.fill(0, hva, hva + PAGE_SIZE);
      } else {
        const from = holder.pages.at.get(page)!;
        const now = host.words.subarray(hva / 4, hva / 4 + PAGE_SIZE / 4);
        const then = new Uint32Array(holder.pages.bytes.buffer, holder.pages.bytes.byteOffset + from, PAGE_SIZE / 4);
        if (now.every((word, i) => word === then[i])) continue;
        now.set(then);
      }
      core.invalidateCode(hva, PAGE_SIZE);
    }
  }

  private holder(page: number): Checkpoint | undefined {
    for (let index = this.base; index >= 0; index--) if (this.kept[index]!.pages.at.has(page)) return this.kept[index];
    return undefined;
  }

  private changedPages(): number[] {
    const { host } = this.context;
    const bits = host.bytes.subarray(CHANGED_PAGES, CHANGED_PAGES + CHANGED_PAGES_SIZE);
    const words = new Uint32Array(bits.buffer, bits.byteOffset, bits.length / 4);
    const pages: number[] = [];
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue;
      for (let bit = 0; bit < 32; bit++) if ((words[word]! >>> bit) & 1) pages.push(word * 32 + bit);
    }
    return pages;
  }

  private changedSince(): Pages {
    const { host } = this.context;
    return copyOf(
      host,
      this.changedPages().filter((page) => host.rangeAt(page * PAGE_SIZE) !== undefined),
    );
  }

  private thin(): void {
    const { kept } = this;
    while (kept.length > MOST) this.join(this.leastMissed());
    const total = (): number =>
      kept.reduce((sum, { pages, caches }) => sum + pages.bytes.length + caches.flat().reduce((all, each) => all + each.length, 0), 0);
    while (kept.length > 2 && total() > this.options!.bytes) this.join(kept.length > 8 ? this.leastMissed() : 0);
  }

  /** The checkpoint whose neighbours are closest for their age; neither the first nor the last. */
  private leastMissed(): number {
    const { kept } = this;
    const at = (index: number): number => kept[index]!.position.instructions;
    const now = at(kept.length - 1);
    let best = 1;
    let least = Infinity;
    for (let index = 1; index < kept.length - 1; index++) {
      const score = (at(index + 1) - at(index - 1)) / (now - at(index - 1) + 1);
      if (score < least) [least, best] = [score, index];
    }
    return best;
  }

  /** Drops the checkpoint; the next one takes over its pages. */
  private join(index: number): void {
    const [gone] = this.kept.splice(index, 1);
    const next = this.kept[index]!;
    const only = [...gone!.pages.at.keys()].filter((page) => !next.pages.at.has(page));
    const bytes = new Uint8Array(next.pages.bytes.length + only.length * PAGE_SIZE);
    bytes.set(next.pages.bytes);
    let end = next.pages.bytes.length;
    for (const page of only) {
      const from = gone!.pages.at.get(page)!;
      bytes.set(gone!.pages.bytes.subarray(from, from + PAGE_SIZE), end);
      next.pages.at.set(page, end);
      end += PAGE_SIZE;
    }
    next.pages.bytes = bytes;
  }
}

function copyOf(host: HostMemory, list: readonly number[]): Pages {
  const bytes = new Uint8Array(list.length * PAGE_SIZE);
  const at = new Map<number, number>();
  for (const [index, page] of list.entries()) {
    bytes.set(host.bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), index * PAGE_SIZE);
    at.set(page, index * PAGE_SIZE);
  }
  return { at, bytes };
}

function allPages(host: HostMemory): Pages {
  return copyOf(
    host,
    captureRam(host, true).flatMap(({ pages }) => [...pages]),
  );
}
