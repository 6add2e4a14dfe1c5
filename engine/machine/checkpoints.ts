/**
 * Checkpoints: the state without RAM, and the pages of host memory that changed since the one before. Distances grow with age: where there are
 * too many, the one that is missed least is joined with the next.
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
import type { CheckpointInfo, MachineCheckpoints, MachineState, Position } from './api';
import type { HostMemory } from './host-memory';
import { captureRam, captureStill, restoreStill, type StateParts } from './state';

/** More would be no help: a step between two is a second's work at most. */
const MOST = 48;

interface Pages {
  /** Page number -> offset of its bytes. */
  at: Map<number, number>;
  bytes: Uint8Array;
}

interface Checkpoint {
  position: Position;
  mark: number;
  state: Omit<MachineState, 'ram'>;
  /** Of each vCPU, what lies behind its record: TLB, its log and filters. */
  caches: Uint8Array[][];
  pages: Pages;
}

export interface CheckpointContext {
  parts(): StateParts;
  guest: string;
  host: HostMemory;
  core: CoreExports;
  position(): Position;
  /** The machine was put back. */
  rewound(): void;
}

/** Parts of a vCPU's block that are its own and no record. Windows and their notes are made anew. */
const CACHES: readonly [number, number][] = [
  [VCPU_RECORD_SIZE, VCPU_TLB_NOTES],
  [VCPU_TLB, VCPU_WINDOWS],
];
/** The same of a guest under SVM. */
const GUEST_CACHES: readonly [number, number][] = [
  [VCPU_GUEST_CONTEXT, VCPU_GUEST_CONTEXT + VCPU_TLB_NOTES],
  [VCPU_GUEST_CONTEXT + VCPU_TLB, VCPU_GUEST_CONTEXT + VCPU_WINDOWS],
];

export class Checkpoints implements MachineCheckpoints {
  muted = false;
  /** Instructions of all vCPUs at which the next is due; undefined: none. */
  due: number | undefined;
  private options: { instructions: number; bytes: number; mark: () => number } | undefined;
  private kept: Checkpoint[] = [];

  constructor(private readonly context: CheckpointContext) {}

  keep(options: { instructions: number; bytes: number; mark: () => number } | undefined): void {
    this.options = options;
    this.kept = [];
    this.due = undefined;
    if (options) this.take();
    else this.context.core.trackWrites(0);
  }

  list(): readonly CheckpointInfo[] {
    return this.kept.map(({ position, mark, pages }) => ({ position, mark, bytes: pages.bytes.length }));
  }

  take(): void {
    const { options, context } = this;
    if (!options) return;
    const parts = context.parts();
    const pages = this.kept.length === 0 ? allPages(context.host) : this.changed();
    const caches = parts.vcpus.map((vcpu) => {
      const block = VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE;
      return this.cached(parts.config.cpu).map(([from, to]) => context.host.bytes.slice(block + from, block + to));
    });
    this.kept.push({
      position: context.position(),
      mark: options.mark(),
      state: captureStill(parts, 'running', context.guest),
      caches,
      pages,
    });
    context.core.trackWrites(1);
    this.due = context.position().instructions + options.instructions;
    this.thin();
  }

  back(index: number): void {
    const { context, kept } = this;
    const wanted = kept[index];
    if (!wanted) throw new RangeError(`there is no checkpoint ${index}`);
    const stale = new Set(this.changedPages());
    for (const { pages } of kept.slice(index + 1)) for (const page of pages.at.keys()) stale.add(page);
    this.kept = kept.slice(0, index + 1);
    restoreStill(context.parts(), wanted.state, () => this.revert(stale));
    const { host, core } = context;
    for (const [vcpu, parts] of wanted.caches.entries()) {
      const block = VCPU_BASE + vcpu * VCPU_BLOCK_SIZE;
      for (const [i, [from]] of this.cached(context.parts().config.cpu).entries()) host.bytes.set(parts[i]!, block + from);
      core.tlbRestored(vcpu);
    }
    core.trackWrites(1);
    this.due = wanted.position.instructions + this.options!.instructions;
    context.rewound();
  }

  private cached(cpu: string | undefined): readonly [number, number][] {
    return cpu?.includes('svm') ? [...CACHES, ...GUEST_CACHES] : CACHES;
  }

  /** Each page as the last checkpoint that is kept has it. Code that did not change stays decoded. */
  private revert(pages: ReadonlySet<number>): void {
    const { host, core } = this.context;
    for (const page of pages) {
      const hva = page * PAGE_SIZE;
      const holder = this.kept.findLast(({ pages: { at } }) => at.has(page));
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

  private changed(): Pages {
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

  /** The one whose neighbours are nearest to each other for their age; neither the first nor the last. */
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

  /** The checkpoint goes; the next one has its pages too. */
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
